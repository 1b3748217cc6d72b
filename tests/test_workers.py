"""Several processes, one training: the same bits as one process, and a sentence when one of them is lost."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from priorcraft import runtime, zoo
from priorcraft.core import Space, Summed
from priorcraft.datasets import Rows, Splits
from priorcraft.datasets.fingerprint import fingerprint
from priorcraft.datasets.prepared import open_prepared, save
from priorcraft.errors import DataError, UsageError
from priorcraft.run.run import describe, rebuild
from priorcraft.scale.ray_training import Told
from priorcraft.scale.training import train_together
from priorcraft.train.lock import writer_of
from priorcraft.train.loop import Budget, Record, spread, whole
from priorcraft.train.run_folder import RunFolder
from priorcraft.train.shards import Shards
from priorcraft.train.workers import WorkerLost, Workers

SMALL = {
    "vae": {"latent": 2, "hidden": 16, "depth": 1, "batch_size": 64},
    "gan": {"latent": 2, "hidden": 16, "layers": 1, "batch_size": 64},
    "masked-mlp": {"width": 16, "depth": 1, "orders": 2, "batch_size": 64},
    "mixture": {"components": 5},
    "latent-tree": {"members": 1, "latents": 2},
}
PARTS = {"train": 200, "valid": 20, "test": 20}
STEPS = 6


@pytest.fixture(scope="module")
def few(digits: Splits) -> Splits:
    """Two hundred digits."""
    parts = {name: Rows(digits.rows(name).x[:n], digits.rows(name).y[:n]) for name, n in PARTS.items()}
    return replace(digits, **parts, fingerprint=fingerprint(parts, digits.space, digits.classes), counts=PARTS)


def trained(
    data: Splits, name: str, out: Path, *, workers: int, steps: int = STEPS, until: int | None = None
) -> RunFolder:
    """A run of so many workers; `until` leaves after so many steps, as a killed process does; gone on with if there."""
    budget, found = Budget(steps=steps), out.exists()
    if not found:
        config = describe(name, data, SMALL[name], source="digits", seed=0, budget=budget)
        RunFolder.create(out, config | {"shards": 4})
    run = RunFolder.open(out)
    model, objective = rebuild(run.config)
    start = whole(data.train, torch.device("cpu"))
    if run.newest() is None:
        model.initialise(start.x, start.given, generator=runtime.keyed(0, "start"))
    objective.prepare(whole(data.valid, torch.device("cpu")))
    for record in train_together(run, objective, data, budget, seed=0, workers=workers, resume=found):
        if record.step == until:
            break
    return run


def weights(run: RunFolder) -> dict[str, bytes]:
    """The bytes of the newest checkpoint."""
    folder = max(p for p in run.checkpoints.iterdir() if p.suffix == "")
    return {p.name: p.read_bytes() for p in folder.glob("*.safetensors")}


@pytest.mark.parametrize("name", [pytest.param("gan", marks=pytest.mark.slow), "mixture"])
def test_weights_do_not_depend_on_the_number_of_processes(name, few, tmp_path):
    alone, two = (trained(few, name, tmp_path / str(n), workers=n) for n in (1, 2))
    assert weights(alone) == weights(two)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_weights_are_those_of_one_two_and_four_processes_also_after_resuming_under_another_number(name, few, tmp_path):
    alone, two, four = (weights(trained(few, name, tmp_path / str(n), workers=n)) for n in (1, 2, 4))
    assert alone == two == four
    trained(few, name, tmp_path / "cut", workers=4, until=3)
    assert weights(trained(few, name, tmp_path / "cut", workers=2)) == alone


def test_shards_sum_to_the_same_bits_however_they_are_spread():
    numbers = torch.randn(12, 1000) * 10.0 ** torch.randint(-6, 6, (12, 1000))
    whole_sum = Workers().sum_in_order(list(numbers))
    assert torch.equal(Shards(12).total(12, lambda s, rows: [numbers[s, :400], numbers[s, 400:]])[1], whole_sum[400:])
    for count in (3, 5, 12):
        cut = Shards(count).cut(17)
        assert [i for rows in cut for i in range(17)[rows]] == list(range(17))


REAL = ["real mixture", "real ppca", "real lda", "real qda"]
OPTIONS = {
    "mixture": {"components": 3},
    "gaussian-mixture": {"components": 3},
    "latent-tree": {"members": 1, "latents": 2},
}
LEARN_FROM_HOLES = ["chow-liu", "latent-tree", "mixture"]
SUMMED = ["chow-liu", "latent-tree", "naive-bayes", "mixture", "gaussian-mixture", "ppca", "lda", "qda", *REAL]


@pytest.mark.parametrize("name", SUMMED)
def test_sums_over_shards_are_the_sums_over_rows(name, few):
    x, y = few.train.x[..., 2:6, 2:6], few.train.y
    space, seen = Space((1, 4, 4), few.space.levels), torch.rand(x.shape, generator=runtime.keyed(1)) < 0.9
    if name.startswith("real"):
        space, x = Space((3,)), torch.randn(200, 3, generator=runtime.keyed(2)) + 1e3
        seen, name = torch.rand(x.shape, generator=runtime.keyed(3)) < 0.9, name.removeprefix("real ")
    options = OPTIONS.get(name, {})
    each = list[Summed]()
    for shards in (Shards(), Shards(4)):
        model, _ = zoo.build(name, space, few.context, len(x), options, seed=0)
        assert isinstance(model, Summed)
        model.initialise(x, y, generator=runtime.keyed(0))
        for _ in range(2):
            model.update(x, y, seen if name in LEARN_FROM_HOLES else None, total=shards.total)
        each.append(model)
    for (key, one), other in zip(each[0].state_dict().items(), each[1].state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3, msg=key)


def test_a_number_of_workers_that_does_not_divide_the_shards_is_refused(few, tmp_path):
    with pytest.raises(UsageError, match="must divide the number of shards, 4; 3 does not"):
        trained(few, "gan", tmp_path / "run", workers=3)


def children() -> list[int]:
    """Processes that this one has started and that still run."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "scale.training"], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.slow
def test_a_killed_worker_ends_the_training_with_a_sentence_and_leaves_nobody_behind(few, tmp_path):
    budget = Budget(steps=100_000)
    run = RunFolder.create(
        tmp_path / "run", describe("gan", few, SMALL["gan"], source="", seed=0, budget=budget) | {"shards": 2}
    )
    _, objective = rebuild(run.config)
    objective.prepare(whole(few.valid, torch.device("cpu")))
    began = time.monotonic()

    def kill_at_five(record: Record) -> list[str]:
        nonlocal began
        if record.step == 5:
            began = time.monotonic()
            os.kill(children()[0], signal.SIGKILL)
        return []

    with pytest.raises(WorkerLost, match=r"worker 1 .*ended by signal 9.* --resume --out .*run"):
        list(train_together(run, objective, few, budget, seed=0, workers=2, watch=kill_at_five))
    assert time.monotonic() - began < 30
    assert children() == []


def test_a_worker_that_sees_other_data_is_refused_before_the_first_step(few, tmp_path):
    there = open_prepared(save(few, tmp_path / "data"))
    x = few.train.x.clone()
    x[0, 0, 0, 0] = 16 - x[0, 0, 0, 0]
    other = {"train": Rows(x, few.train.y), "valid": few.valid, "test": few.test}
    changed = replace(few, **other, fingerprint=fingerprint(other, few.space, few.classes), folder=there.folder)
    with pytest.raises(DataError, match="worker 1 sees other data"):
        trained(changed, "gan", tmp_path / "run", workers=2)
    assert RunFolder.open(tmp_path / "run").newest() is None


GAN = ["digits", "gan", "--steps", "4", "--quiet", "--set", "hidden=16", "--set", "layers=1"]
COMMAND = ["-m", "priorcraft", "fit", *GAN]


def run_command(*words: str) -> str:
    """What a command says on stderr; it must succeed."""
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_prepared_data_and_workers_from_the_command_line(tmp_path):
    run_command("-m", "priorcraft", "data", "digits", "--prepare", "--out", str(tmp_path / "data"))
    run_command(*COMMAND, "--workers", "1", "--out", str(tmp_path / "1"))
    prepared = [str(tmp_path / "data") if word == "digits" else word for word in COMMAND]
    run_command(*prepared, "--workers", "2", "--out", str(tmp_path / "2"))
    assert weights(RunFolder.open(tmp_path / "1")) == weights(RunFolder.open(tmp_path / "2"))


@pytest.mark.slow
def test_torchrun_gives_the_same_weights(tmp_path):
    run_command(*COMMAND, "--workers", "1", "--out", str(tmp_path / "1"))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    run_command(*launcher, *COMMAND, "--out", str(tmp_path / "2"))
    assert weights(RunFolder.open(tmp_path / "1")) == weights(RunFolder.open(tmp_path / "2"))


@pytest.mark.slow
def test_workers_of_a_launcher_that_see_other_data_are_refused_before_the_first_step(few, tmp_path):
    x = few.train.x.numpy().copy()
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29533"}
    words = [sys.executable, "-m", "priorcraft", "fit", "x.npz", *GAN[1:], "--out", str(tmp_path / "run")]
    each = list[subprocess.Popen[str]]()
    for rank in range(2):
        (tmp_path / str(rank)).mkdir()
        np.savez(tmp_path / str(rank) / "x.npz", x=x, levels=17)
        x[3, 0, 0, 0] = 16 - x[3, 0, 0, 0]
        how = {"env": os.environ | place | {"RANK": str(rank)}, "cwd": tmp_path / str(rank)}
        each.append(subprocess.Popen(words, stderr=subprocess.PIPE, text=True, **how))
    for process in each:
        assert "worker 1 sees other data than the first one" in process.communicate()[1]
        assert process.returncode == DataError.exit_code
    assert RunFolder.open(tmp_path / "run").newest() is None


@pytest.mark.slow
def test_a_ray_cluster_gives_the_same_weights_and_a_lost_worker_is_a_sentence(tmp_path):
    pytest.importorskip("ray")
    run_command(*COMMAND, "--workers", "1", "--out", str(tmp_path / "1"))
    run_command(*COMMAND, "--on", "local", "--workers", "2", "--out", str(tmp_path / "2"))
    assert weights(RunFolder.open(tmp_path / "1")) == weights(RunFolder.open(tmp_path / "2"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
    long = [word if word != "4" else "1000000" for word in COMMAND]
    words = [sys.executable, *long, "--on", "local", "--workers", "2", "--out", str(tmp_path / "lost")]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    while (first := writer_of(tmp_path / "lost" / "lock")) is None:
        time.sleep(0.1)
    time.sleep(3)
    os.kill(first, signal.SIGKILL)
    said = process.communicate()[1]
    assert process.returncode == WorkerLost.exit_code, said
    assert f"Go on with: priorcraft fit --resume --on local --workers 2 --out {tmp_path / 'lost'}" in said


def test_what_others_write_into_a_run_is_told_once(few, tmp_path):
    heard, told = list[Record](), Told(tmp_path / "run", lambda record: heard.append(record))
    told.go_on()
    run = RunFolder.create(tmp_path / "run", describe("gan", few, {}, source="", seed=0, budget=Budget(steps=1)))
    records = [Record("step", step, 0.5, 1.0, {"loss": 2.0}) for step in (1, 2, 3)]
    for record in records:
        run.append(record.as_event())
        told.go_on()
    assert heard == records
    run.truncate_events(1)
    told.go_on()
    run.append(records[1].as_event())
    told.go_on()
    assert heard == [*records, records[1]]


def test_validation_rows_miss_no_stretch():
    assert spread(100, 7).tolist() == [0, 14, 28, 42, 57, 71, 85]
