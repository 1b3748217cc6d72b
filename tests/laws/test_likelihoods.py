"""Laws of p(x | parameters)."""

import pytest
import torch

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.likelihoods import head_for
from priorcraft.likelihoods.discrete import LogisticMixture

HEADS = [(2, 0), (5, 0), (17, 0), (40, 0), (256, 0), (17, 3)]


@pytest.mark.parametrize(("levels", "components"), HEADS)
def test_integer_likelihoods_are_probabilities(levels, components):
    head = head_for(Space((4,), levels), components)
    p = head(3 * torch.randn(6, 4, head.width, generator=runtime.keyed(0), dtype=torch.float64))
    x = torch.arange(levels).view(-1, 1, 1).expand(-1, 6, 4)
    assert torch.allclose(p.log_prob(x).exp().sum(0), torch.ones(6, 4, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(p.mean(), (p.log_prob(x).exp() * x).sum(0), atol=1e-5)


@pytest.mark.parametrize(("levels", "components"), HEADS)
def test_quantiles_invert_the_distribution_function(levels, components):
    head = head_for(Space((1,), levels), components)
    p = head(torch.randn(1, 1, head.width, generator=runtime.keyed(1), dtype=torch.float64).expand(2_000, -1, -1))
    u = torch.linspace(0, 1, 2_001, dtype=torch.float64)[:-1].unsqueeze(1)
    x = p.quantile(u)
    frequency = torch.bincount(x.flatten(), minlength=levels) / 2_000
    exact = torch.stack([p.log_prob(torch.full((2_000, 1), v))[0, 0].exp() for v in range(levels)])
    assert bool((x[1:] >= x[:-1]).all())
    assert torch.allclose(frequency.double(), exact, atol=2e-3)


def test_gradients_of_extreme_parameters_are_finite():
    parameters = (300 * torch.randn(2000, 15, generator=runtime.keyed("extreme"))).requires_grad_()
    x = torch.arange(2000) % 256
    LogisticMixture.from_parameters(parameters, 256).log_prob(x).sum().backward()
    assert parameters.grad is not None
    assert bool(torch.isfinite(parameters.grad).all())


@pytest.mark.parametrize("log_scale", [-7.0, -2.0, 0.0, 7.0])
@pytest.mark.parametrize("levels", [2, 17, 256])
def test_the_table_of_logistics_is_their_log_prob_of_every_level(levels, log_scale):
    logits, loc = torch.randn(2, 20, 5, generator=runtime.keyed("table"), dtype=torch.float64)
    p = LogisticMixture(logits, loc, torch.full_like(loc, log_scale), levels)
    each = torch.stack([p.log_prob(torch.full((20,), level)) for level in range(levels)], -1)
    assert torch.allclose(p.table(), each, rtol=1e-9)
    assert torch.allclose(p.table().exp().sum(-1), torch.ones(20, dtype=torch.float64))
