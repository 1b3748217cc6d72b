"""Laws of models that are known through their samples alone."""

import pytest
import torch

from laws.table import IMPLICIT, tiny
from priorcraft.errors import NoDensity
from priorcraft.metrics.likelihood import score


@pytest.mark.parametrize("name", IMPLICIT)
def test_no_density_can_be_asked(name):
    model, x = tiny(name), torch.zeros(4, 1, 3, 3).long()
    for question in ("log_prob", "elbo", "bound"):
        assert not hasattr(model, question)
        with pytest.raises(NoDensity, match=question):
            getattr(model, question)(x)
    assert score(model, x).kind == "none"
