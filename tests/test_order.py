"""The order as the user's choice, and what exact models say to bad input."""

import numpy as np
import pytest
import torch

import priorcraft as pc
from laws.table import BITS, LABELS, rows, tiny
from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.errors import DataError, PriorcraftError, UsageError
from priorcraft.explicit.exact.autoregressive import MaskedAutoregressive, MaskedConvolution
from priorcraft.explicit.exact.orders import in_orders, read

MODELS = ("masked-mlp", "masked-conv", "trees-and-network")


@torch.no_grad()
@pytest.mark.parametrize("name", MODELS)
def test_orders_that_were_not_trained_in_make_an_exact_ensemble(name):
    model, x = tiny(name, labels=False), rows(BITS)[0]
    each = [in_orders(model, words, 5).log_prob(x) for words in ("raster", "reverse", "8,7,6,5,4,3,2,0,1")]
    together = in_orders(model, "raster+reverse+8,7,6,5,4,3,2,0,1", 5).log_prob(x)
    assert torch.allclose(together.exp(), torch.stack(each).exp().mean(0))
    assert not torch.allclose(each[0], each[1])
    assert len({float(in_orders(model, "random:3", seed).log_prob(x).sum()) for seed in range(3)}) == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("1,2,3", r"permutation of 0 \.\.\. 8"),
        ("0,0,1,2,3,4,5,6,7", "permutation"),
        ("0,1,2,3,4,5,6,7,99999999999999999999999", "permutation"),
        ("spiral", "order must be ensemble, raster"),
        ("raster+", "not ''"),
        ("random:0", "not 'random:0'"),
        ("random:-1", "not 'random:-1'"),
        ("random:1000000000", "1,000 are the most"),
        ("0,1.5", "order must be"),
    ],
)
def test_what_is_no_order_is_a_sentence(words, sentence):
    with pytest.raises(UsageError, match=sentence):
        in_orders(tiny("masked-mlp"), words, 0)


def test_a_model_without_an_order_says_so():
    with pytest.raises(UsageError, match="Mixture knows no order"):
        in_orders(tiny("mixture"), "raster", 0)


def test_score_says_what_an_order_costs(tmp_path):
    np.savez(tmp_path / "x.npz", x=rows(BITS, 200)[0].numpy().astype("uint8"), levels=2)
    pc.fit(tmp_path / "x.npz", "masked-mlp", out=tmp_path / "run", steps=4, settings={"orders": 2, "width": 32})
    own = pc.score(tmp_path / "run", limit=20)
    other = pc.score(tmp_path / "run", limit=20, order="random:2")
    assert own.cost_nats is None
    assert other.own_orders_nats == own.nats
    assert other.cost_nats == pytest.approx(other.nats - own.nats)
    assert other.kind == "exact"


def test_random_orders_are_permutations_and_follow_the_seed():
    first, again, other = read("random:3", 9, 0), read("random:3", 9, 0), read("random:3", 9, 1)
    assert all(torch.equal(order.sort()[0], torch.arange(9)) for order in first)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("kind", [MaskedAutoregressive, MaskedConvolution])
@pytest.mark.parametrize(
    ("context", "given", "sentence"),
    [
        (LABELS, torch.tensor([1, 3]), r"given must lie in 0 \.\.\. 2; found 1 \.\.\. 3"),
        (LABELS, torch.tensor([[1], [2]]), r"given must have shape \(B, \)"),
        (Space((1, 2, 2), 3), torch.zeros(2, 1, 2, 3).long(), r"given must have shape \(B, 1, 2, 2\)"),
        (Space((4,)), torch.zeros(1, 4), "given must hold 2 contexts"),
        (Space((4,)), None, "given is needed"),
    ],
)
def test_a_context_of_another_shape_is_refused(kind, context, given, sentence):
    with pytest.raises(PriorcraftError, match=sentence):
        kind(BITS, context).log_prob(rows(BITS, 2)[0], given)


@pytest.mark.parametrize("name", MODELS)
def test_levels_outside_the_space_are_refused(name):
    for x in (torch.full((1, 1, 3, 3), 2), torch.full((1, 1, 3, 3), -1), torch.full((1, 1, 3, 3), 0.5)):
        with pytest.raises(DataError, match=r"0 \.\.\. 1"):
            tiny(name).log_prob(x)


@pytest.mark.parametrize("model", ["lda", "qda", "mixture", "masked-mlp", "chow-liu", "autoregressive"])
def test_constant_columns_are_learned_without_nan(model, tmp_path):
    x = (torch.rand(40, 5, generator=runtime.keyed("x")) < 0.5).numpy().astype("uint8")
    x[:, 1], x[:, 3] = 1, 0
    np.savez(tmp_path / "x.npz", x=x, levels=2)
    small = {"width": 8} if model in ("masked-mlp", "autoregressive") else {}
    answer = pc.fit(tmp_path / "x.npz", model, out=tmp_path / "run", steps=3, settings=small)
    assert 0 < answer.score.nats < 10


@pytest.mark.parametrize("model", ["lda", "mixture", "masked-mlp", "autoregressive"])
def test_a_data_set_of_one_row_is_a_sentence(model, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((1, 5), "uint8"), levels=2)
    with pytest.raises(DataError, match=r"rows?"):
        pc.fit(tmp_path / "x.npz", model, out=tmp_path / "run", steps=3)
