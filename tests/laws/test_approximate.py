"""Laws of models whose log p(x) is bounded."""

import pytest
import torch

from laws.table import APPROXIMATE, BITS, CERTAIN, rows, tiny
from priorcraft import runtime
from priorcraft.errors import NoDensity, UsageError


@pytest.mark.parametrize("name", APPROXIMATE)
def test_the_bound_rises_with_k_and_never_passes_a_converged_estimate(name):
    """Means over 20 rows; the bound at k = 1000 stands for log p(x)."""
    model, (x, y) = tiny(name, noise=0.1), rows(BITS, 20)
    with torch.no_grad():
        means = [model.bound(x, k, y, generator=runtime.keyed(k)).mean() for k in (1, 10, 100, 1000)]
    rises = means[0] == means[1] if name == CERTAIN else means[0] < means[1]
    assert rises
    assert means[1] < means[3] + 0.1
    assert means[2] < means[3] + 0.1


@pytest.mark.parametrize("name", APPROXIMATE)
def test_the_sum_rule_keeps_a_bound_a_bound(name):
    model, (x, _) = tiny(name, noise=0.1), rows(BITS, 10)
    with torch.no_grad():
        loose = torch.stack([model.elbo(x, generator=runtime.keyed(s)) for s in range(60)]).mean(0)
        tight = model.bound(x, 500, generator=runtime.keyed(0))
    assert float((loose - tight).max()) < 0.2
    assert float(loose.mean()) < float(tight.mean())


@pytest.mark.parametrize("name", APPROXIMATE)
def test_an_approximate_model_has_no_log_prob(name):
    model = tiny(name)
    assert not hasattr(model, "log_prob")
    with pytest.raises(NoDensity, match="only exact models"):
        model.log_prob(torch.zeros(1, 1, 3, 3).long())
    with pytest.raises(UsageError, match="k must lie in 1"):
        model.bound(torch.zeros(1, 1, 3, 3).long(), 0)
