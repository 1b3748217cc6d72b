"""How unusual a row is: the likelihood alone is known to fail, and two corrections of it."""

import torch
from torch import Generator, Tensor

from priorcraft.core import Exact, Space
from priorcraft.errors import UsageError

BATCH = 256


@torch.no_grad()
def log_density(model: Exact, x: Tensor) -> Tensor:
    """log p(x) of every row, exact, nats, float64, (B,)."""
    device = model.device
    return torch.cat([model.log_prob(rows.to(device)).double().cpu() for rows in x.split(BATCH)])


def typicality(log_p: Tensor, reference: Tensor) -> Tensor:
    """|log p(x) - E log p| in standard deviations, both of held-out rows of the model's own kind; (B,).

    A row can be too probable to be typical, as simple images are under a model of complicated ones.
    (Nalisnick, Matsukawa, Teh & Lakshminarayanan 2019, arXiv:1906.02994)

    Args:
        log_p: log p(x), nats, (B,).
        reference: log p of rows that belong, (N,).
    """
    return (log_p - reference.mean()).abs() / reference.std().clamp_min(1e-12)


def ratio(log_p: Tensor, log_background: Tensor) -> Tensor:
    """log p0(x) - log p(x): how much better the background explains the row; nats, (B,).

    What both models find easy or hard, such as how dark and plain an image is, cancels.
    (Ren et al. 2019, arXiv:1906.02845)
    """
    return log_background - log_p


def mutated(x: Tensor, space: Space, rate: float, *, generator: Generator) -> Tensor:
    """Rows whose entries are replaced with probability `rate`: what a background model learns from (Ren et al. 2019).

    Integers become uniform over the levels, real numbers those of another row.
    """
    if not 0 < rate <= 1:
        raise UsageError(f"rate must lie in (0, 1], not {rate}.")
    chosen = torch.rand(x.shape, generator=generator) < rate
    if space.levels is None:
        other = torch.rand(x.shape, generator=generator).argsort(0)
        return torch.where(chosen, x.gather(0, other), x)
    return torch.where(chosen, space.uniform(len(x), generator=generator).to(x.dtype), x)


def auroc(score: Tensor, unusual: Tensor) -> float:
    """p(score of an unusual row > score of a usual one), ties half. Unbiased.

    Args:
        score: higher is more unusual, (B,).
        unusual: bool, (B,), both kinds present.

    >>> auroc(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([False, False, True]))
    1.0
    """
    inside, outside = score[~unusual].double().sort().values, score[unusual].double()
    if not len(inside) or not len(outside):
        raise UsageError("auroc needs rows of both kinds.")
    below = torch.searchsorted(inside, outside) + torch.searchsorted(inside, outside, right=True)
    return float(below.double().mean()) / (2 * len(inside))
