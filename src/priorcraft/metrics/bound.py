"""How tight a lower bound on log p(x) is: the bound for several k, and how many draws took part in it."""

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import ARRAY, Answer
from priorcraft.core import MOST_DRAWS, Approximate
from priorcraft.datasets.splits import Rows
from priorcraft.errors import DataError, UsageError
from priorcraft.explicit.approximate.bounds import effective_draws, nested, powers_of_ten
from priorcraft.metrics.likelihood import Score, chunks, evaluating, finite, summary

WEIGHTS = 2**15  # importance weights at once, over rows and classes


@dataclass(frozen=True)
class Bound(Answer):
    """The bound with k draws.

    Args:
        k: draws.
        nats, bits_per_dim: upper limits of the mean of -log p(x).
        standard_error: over the rows, in the unit of `Score.standard_error`.
    """

    k: int | None
    nats: float | None
    bits_per_dim: float | None
    standard_error: float | None


@dataclass(frozen=True)
class BoundScore(Score):
    """A score whose kind is "lower bound", and what it would have been with fewer draws.

    Args:
        bounds: for each k, from the same draws.
        effective_draws: effective sample size of a row's k draws, the median over rows. The bound is still rising
            where this is a few draws alone.
        fewest_effective: the smallest of them.
        log_p: the bound of each row, nats, float64, (n,).
    """

    bounds: tuple[Bound, ...]
    effective_draws: float | None
    fewest_effective: float | None
    log_p: Tensor | None = field(default=None, kw_only=True, repr=False, compare=False, metadata=ARRAY)


def bound_score(model: Approximate, rows: Rows, *, samples: int, generator: Generator | None = None) -> BoundScore:
    """The importance-weighted bound for k = 1, 10, 100, ... and `samples`. Lower bounds on log p(x).

    Args:
        model: it is put into evaluation mode and back.
        rows: as in `metrics.likelihood.score`.
        samples: draws for each row; they are taken for a few rows at a time, in bounded memory.
        generator: of the draws.

    Raises:
        UsageError: samples outside 1 ... 10^6.
        DataError: no rows, rows outside the space, or a row whose bound is not finite.
    """
    if not 1 <= samples <= MOST_DRAWS:
        raise UsageError(f"samples must lie in 1 ... {MOST_DRAWS:,}, not {samples:,}; 5000 are usually enough.")
    if not len(rows):
        raise DataError("rows must hold at least one row to score; found none.")
    ks = powers_of_ten(samples)
    nats, effective = _of_rows(model, rows, ks, runtime.fresh(generator))
    each = [summary(-finite(log_p), model.space, k) for k, log_p in zip(ks, nats, strict=True)]
    bounds = tuple(Bound(score.samples, score.nats, score.bits_per_dim, score.standard_error) for score in each)
    return BoundScore(
        **vars(each[-1]),
        bounds=bounds,
        effective_draws=float(effective.median()),
        fewest_effective=float(effective.min()),
        log_p=nats[-1],
    )


@torch.no_grad()
def _of_rows(model: Approximate, rows: Rows, ks: list[int], generator: Generator) -> tuple[Tensor, Tensor]:
    """The bounds (len(ks), B) and effective draws (B,), float64."""
    size = max(1, min(512, WEIGHTS // (ks[-1] * max(model.classes, 1))))
    found, effective = [], []
    with evaluating(model):
        for x, given in chunks(model, rows, size):
            log_w = model.log_weights(x.to(model.device), ks[-1], given, generator=generator).double().cpu()
            found.append(nested(log_w, ks))
            effective.append(effective_draws(log_w))
    return torch.cat(found, 1), torch.cat(effective)
