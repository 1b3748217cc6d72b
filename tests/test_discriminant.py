"""Discriminants: Gaussians whose covariance is shrunken in closed form."""

import pytest
import torch
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.discriminant import Discriminant
from priorcraft.explicit.exact.scatter import Moments

PLANE, LABELS = Space((3,)), Space((), 2)


def drawn(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(n, 3, generator=runtime.keyed("rows", n), dtype=torch.float64)
    y = torch.arange(n) % 2
    return x @ torch.tensor([[1.0, 0.5, 0], [0, 2, 0], [0, 0, 1e4]]).double() + y[:, None], y


def fitted(x, y, space=PLANE, shared=True) -> Discriminant:
    model = Discriminant(space, LABELS if y is not None else None, shared=shared).double()
    model.initialise(x, y, generator=runtime.keyed(0))
    model.update(x, y)
    return model


@pytest.mark.parametrize("n", [5, 40])
def test_shrinkage_is_ledoit_and_wolfs(n):
    x = drawn(n)[0] / torch.tensor([1, 1, 1e4])
    x = x - x.mean(0)
    scatter = Moments.of(x - 7, torch.ones(n, 1).double(), x[:1]).about(-7 - x[:1])[0]
    target = scatter.covariance.diagonal().mean() * torch.eye(3).double()
    expected = torch.from_numpy(ledoit_wolf(x.numpy(), assume_centered=True)[0])
    assert torch.allclose(scatter.shrunk(target), expected)


def test_linear_discriminants_are_those_of_a_peer():
    x, y = drawn(6000)
    peer = LinearDiscriminantAnalysis(solver="lsqr").fit(x, y)
    found = fitted(x, y).log_joint(x).softmax(1)
    assert torch.allclose(found, torch.from_numpy(peer.predict_proba(x)), atol=0.02)


def test_unknown_labels_move_the_means():
    x, y = drawn(400)
    model, labels = fitted(x, y), torch.where(torch.arange(400) < 200, y, -1)
    before = model.means.clone()
    model.update(x, labels)
    assert not torch.allclose(model.means, before)
    assert torch.allclose(model.means, before, atol=2e3)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_few_rows_and_constant_columns_still_make_a_density(n, shared):
    for space, x in (
        (PLANE, torch.tensor([[5.0, 2000, 0], [5, 2001, 0], [5, 2003, 0]]).double()),
        (Space((3,), 4), torch.tensor([[3, 0, 0], [3, 1, 0], [3, 2, 0]])),
    ):
        y = torch.zeros(n, dtype=torch.long)  # the other class has no row
        model = fitted(x[:n], y, space, shared)
        assert bool(torch.isfinite(model.log_prob(x[:n])).all())
        assert float(model.log_prob(x[:1], y[:1])) > float(model.log_prob(4 - x[:1].clamp(1), y[:1]))
        space.check(model.sample(9, generator=runtime.keyed(0)))


def test_a_context_that_is_no_label_is_refused():
    with pytest.raises(UsageError, match="class labels"):
        Discriminant(PLANE, Space((2,)))
