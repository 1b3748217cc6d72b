"""Where memory does not suffice for a batch, the step is the same in pieces; at the end stands a sentence."""

import pytest
import torch

from priorcraft import zoo
from priorcraft.core import Space
from priorcraft.errors import OutOfMemory, out_of_memory
from priorcraft.explicit.exact.masked_mlp import MaskedAutoregressive
from priorcraft.runtime import keyed
from priorcraft.train.likelihood import MaximumLikelihood
from priorcraft.train.objective import Batch

MOST = 5  # rows for which there is memory
SAID = "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."


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
                raise RuntimeError(SAID)
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
