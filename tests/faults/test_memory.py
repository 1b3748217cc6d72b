"""Where memory does not suffice for a batch, the step is the same in pieces; at the end stands a sentence."""

import os
import random
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

import priorcraft as pc
from faults.injected import NO_MEMORY, Starving
from priorcraft import zoo
from priorcraft.core import Space
from priorcraft.errors import OutOfMemory, out_of_memory
from priorcraft.explicit.exact.masked_mlp import MaskedAutoregressive
from priorcraft.runtime import keyed
from priorcraft.train.likelihood import MaximumLikelihood
from priorcraft.train.objective import Batch
from priorcraft.train.tensors import decode, encode

MOST = 5  # rows for which there is memory

SETTINGS = {"masked-mlp": {"width": 4, "orders": 1, "dropout": 0}, "mixture": {"components": 2}}


def trained(steps, monkeypatch=None, most=MOST):
    """A network without dropout after some steps, in a memory for so many rows."""
    model, objective = zoo.build(
        "masked-mlp", Space((6,), 3), None, 20, {"dropout": 0, "any_order": 0, "width": 16, "orders": 1}, seed=0
    )
    x = torch.randint(3, (16, 6), generator=keyed(1))
    model.initialise(x, None, generator=keyed(0))
    objective.prepare(Batch(x, None, torch.arange(16)))
    if monkeypatch is not None:
        whole = MaskedAutoregressive.loss_terms if hasattr(MaskedAutoregressive, "loss_terms") else None
        name = "loss_terms" if whole else "log_prob"
        real = getattr(MaskedAutoregressive, name)

        def small(self, x, *args, **kwargs):
            if len(x) > most:
                raise RuntimeError(NO_MEMORY)
            return real(self, x, *args, **kwargs)

        monkeypatch.setattr(MaskedAutoregressive, name, small)
    values = [objective.step(Batch(x, None, torch.arange(16)), progress=i / 9, key=(0, i)) for i in range(steps)]
    assert isinstance(objective, MaximumLikelihood)
    return objective, values


def test_a_step_in_pieces_is_the_step(monkeypatch):
    one, all_at_once = trained(5)
    few, in_pieces = trained(5, monkeypatch)
    assert few.descent.pieces.count == 4
    assert "cut into 4 pieces" in few.findings()[0]
    assert one.findings() == []
    assert all_at_once[0]["loss"] == pytest.approx(in_pieces[0]["loss"], rel=1e-5)
    assert all_at_once[0]["gradient_norm"] == pytest.approx(in_pieces[0]["gradient_norm"], rel=1e-2)
    for a, b in zip(all_at_once, in_pieces, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)  # Adam follows the sign of the smallest gradients
    for a, b in zip(one.model.parameters(), few.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)


def test_a_training_goes_on_in_as_many_pieces(monkeypatch):
    few, _ = trained(2, monkeypatch)
    again, _ = trained(0)
    again.restore(few.state())
    assert again.descent.pieces.count == 4


def test_a_single_row_that_is_too_much_ends_in_a_sentence(monkeypatch):
    with pytest.raises(OutOfMemory, match="not enough memory for a training step of a single row"):
        trained(1, monkeypatch, most=0)


def test_other_errors_are_not_taken_for_want_of_memory(monkeypatch):
    assert out_of_memory(MemoryError())
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
    assert not out_of_memory(RuntimeError("Unsupported memory format option Preserve"))
    with pytest.raises(RuntimeError, match="size of tensor"):
        torch.ones(2) + torch.ones(3)


@pytest.mark.parametrize("model", SETTINGS)
def test_a_fit_without_memory_for_any_tensor_is_the_same_fit_or_a_sentence_and_goes_on(tmp_path, model):
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).integers(0, 3, (30, 4)), levels=3)

    def fit(name: str) -> pc.Run:
        return pc.fit(tmp_path / "x.npz", model, out=tmp_path / name, steps=2, settings=SETTINGS[model])

    with Starving(None) as count:
        whole = fit("whole").model.state_dict()
    for k in sorted(random.Random(model).sample(range(count.done), 3)):
        try:
            with Starving(k):
                run = fit(str(k))
            assert "pieces" in str(run.notes)
        except OutOfMemory:
            begun = (tmp_path / str(k) / "config.json").exists()
            run = pc.fit(out=tmp_path / str(k), resume=True) if begun else fit(f"{k} again")
            assert all(torch.equal(v, whole[n]) for n, v in run.model.state_dict().items())
        for name, value in run.model.state_dict().items():
            torch.testing.assert_close(value, whole[name], rtol=1e-2, atol=1e-3)


def test_a_checkpoint_too_large_for_the_memory_is_no_panic_of_a_library():
    """In a child that may take 64 MB more: a file of 2 GB is encoded."""
    large, (reader, writer) = {"w": torch.zeros(500_000_000)}, os.pipe()
    pid = os.fork()
    if pid == 0:
        most = 2**26 + resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        try:
            encode(large)
        except MemoryError:
            os.write(writer, b"MemoryError")
        os._exit(0)
    os.close(writer)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(reader, 99) == b"MemoryError"


def test_weights_on_disk_are_the_bytes_of_the_reference_implementation():
    reference = pytest.importorskip("safetensors.torch")
    kinds = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16)
    kinds += (torch.int8, torch.uint8, torch.bool)
    tensors = {f"{'ab'[i % 2]}{kind}": torch.arange(2 * i).reshape(2, i).to(kind) for i, kind in enumerate(kinds)}
    tensors |= {'é"\n': torch.tensor(3.0), "view": torch.randn(3, 2).T}
    own, plain = encode(tensors), {name: tensor.contiguous() for name, tensor in tensors.items()}
    assert own == reference.save(plain)
    assert encode({}) == reference.save({})
    for name, tensor in decode(own, "own").items():
        assert (tensor.dtype, tensor.shape) == (plain[name].dtype, plain[name].shape)
        assert torch.equal(tensor, plain[name])
