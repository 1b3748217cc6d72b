"""What a training tells of its speed."""

import re
import resource

import numpy as np
import pytest
import torch

import priorcraft as pc
from laws.table import BITS, LABELS, rows
from priorcraft import runtime, zoo
from priorcraft.datasets.splits import Rows
from priorcraft.errors import UsageError
from priorcraft.run import load
from priorcraft.train import speed
from priorcraft.train.loop import BY_THE_CLOCK, Budget, train, whole
from priorcraft.train.run_folder import RunFolder
from priorcraft.train.speed import Counted


@pytest.mark.parametrize("fits", [True, False])
def test_products_are_in_bfloat16_only_where_the_hardware_multiplies_so(fits, monkeypatch):
    monkeypatch.setattr(runtime, "multiplies_in_bfloat16", lambda device: fits)
    a = torch.ones(2, 2)
    with runtime.bfloat16_products(a):
        assert (a @ a).dtype is (torch.bfloat16 if fits else torch.float32)
    with runtime.bfloat16_products(a, wanted=False):
        assert (a @ a).dtype is torch.float32


def notes(name: str, **settings) -> list[str]:
    x, y = rows(BITS)
    model, objective = zoo.build(name, BITS, LABELS, 60, settings, seed=0)
    model.initialise(x, y, generator=runtime.keyed(0))
    objective.prepare(whole(Rows(x, y), x.device))
    records = list(train(objective, Rows(x, y), Rows(x, y), Budget(steps=24), seed=0))
    return [str(r.values["message"]) for r in records if r.kind == "note"]


def test_products_are_counted_forwards_and_backwards():
    x, weight = torch.randn(4, 3), torch.randn(5, 3, requires_grad=True)
    with Counted() as counted:
        torch.autograd.grad((x @ weight.t()).sum(), weight)
    assert counted.flops == 2 * (2 * 4 * 3 * 5)  # x needs no gradient
    with Counted() as counted:
        torch.nn.functional.conv2d(torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3), padding=1)
    assert counted.flops == 2 * (2 * 4 * 25) * (3 * 9)


def test_gradient_training_says_how_much_of_the_machine_it_used(monkeypatch):
    monkeypatch.setattr(speed, "ENOUGH", 0.0)
    for name in ("masked-mlp", "gan"):
        (sentence,) = notes(name)
        found = re.search(r"ran at (\d+)% .* \((.*) of (.*) GFLOP/s\)", sentence)
        assert found is not None
        assert 0 < float(found[2]) < float(found[3])


def test_counting_and_short_trainings_say_nothing():
    assert notes("naive-bayes") == []
    assert notes("masked-mlp", width=8) == []


@pytest.fixture
def table(tmp_path):
    np.savez(tmp_path / "x.npz", x=rows(BITS, 300)[0].flatten(1).numpy().astype("uint8"), levels=2)
    return tmp_path / "x.npz"


def test_the_batch_size_is_measured_once_and_kept(table, tmp_path):
    settings = {"batch_size": "auto", "width": 8}
    for name in ("masked-mlp", "autoregressive"):
        out = tmp_path / name
        answer = pc.fit(table, name, out=out, minutes=0.005, settings=settings)
        assert BY_THE_CLOCK in answer.notes
        size = RunFolder.open(out).config["settings"]["batch_size"]
        assert size in (16, 32, 64)
        assert any(note.startswith(f"batch_size {size} was chosen") for note in answer.notes)
        pc.fit(out=out, resume=True, minutes=0.006)
        assert RunFolder.open(out).config["settings"]["batch_size"] == size
        assert load(out).steps > 0


def test_a_batch_size_that_cannot_be_measured_is_a_sentence(table, tmp_path):
    with pytest.raises(UsageError, match="goes with --minutes"):
        pc.fit(table, "masked-mlp", out=tmp_path / "run", steps=3, settings={"batch_size": "auto"})
    with pytest.raises(UsageError, match="trained in batches"):
        pc.fit(table, "mixture", out=tmp_path / "run", minutes=0.01, settings={"batch_size": "auto"})


def test_freed_memory_is_kept():
    if not runtime.keep_memory():
        pytest.skip("another C library than glibc keeps memory as it likes")

    def faults(times: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(times):
            sum(float(part[0]) for part in [torch.zeros(2**20) for _ in range(8)])  # 8 x 1,000 pages, given back
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults(1)
    assert faults(5) < 8000
