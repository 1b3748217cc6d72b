"""Draws of p(x | y) with their mean and spread, and what has to be said about the engine that made them."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Generator, Tensor

from priorcraft.condition import posterior
from priorcraft.core import Generative, LinearObservation, Posterior, Space

DRAWS = 64  # over which mean and spread are taken where nobody says how many
FEW = 0.05  # share of effective draws below which an engine has to say so


@dataclass(frozen=True)
class Restoration:
    """Completions of B points.

    Args:
        x: draws, (B, n, *event_shape).
        mean, std: of all draws made, entry by entry, (B, *event_shape).
        entropy: of their histogram, bits, (B, *event_shape); zeros for real numbers.
        coverage_draws: all draws made, (B, draws, *event_shape).
        posterior: where they come from; None where several were used in turn.
        kind, method, diagnostics: as the posterior says.
        seconds: wall time.
    """

    x: Tensor
    mean: Tensor
    std: Tensor
    entropy: Tensor
    coverage_draws: Tensor
    posterior: Posterior | None
    kind: str
    method: str
    diagnostics: dict[str, float]
    seconds: float

    @classmethod
    def of(
        cls,
        draws: Tensor,
        n: int,
        space: Space,
        how: tuple[str, str, dict[str, float]],
        seconds: float,
        source: Posterior | None = None,
    ) -> "Restoration":
        """A summary of draws (B, draws, *event_shape), of which the first n are shown."""
        spread = draws.double().std(1, correction=0)
        return cls(
            draws[:, :n],
            draws.double().mean(1),
            spread,
            entropy(draws, space),
            draws,
            source,
            *how,
            seconds,
        )


def restore(
    model: Generative,
    observation: LinearObservation,
    y: Tensor,
    n: int,
    *,
    draws: int = DRAWS,
    given: Tensor | None = None,
    generator: Generator,
) -> Restoration:
    """n completions of every row of y, and the mean and spread of at least `draws` of them.

    Args:
        model: a fitted model.
        observation: what is seen.
        y: what was seen, (B, ...).
        n: completions of each.
        draws: how many the mean and spread are taken over, n if that is more.
        given: labels, (B,), or None.
        generator: source of randomness.

    Raises:
        ImpossibleEvidence, DataError: as `posterior` does.
    """
    began = time.perf_counter()
    source = posterior(model, observation, y, given=given)
    drawn = source.sample(max(n, draws), generator=generator)
    how = (source.kind, source.method, dict(source.diagnostics))
    return Restoration.of(drawn.cpu(), n, model.space, how, time.perf_counter() - began, source)


def entropy(draws: Tensor, space: Space) -> Tensor:
    """Entropy of each entry's histogram over n draws, bits, (B, *event_shape). Biased downwards by few draws.

    Args:
        draws: integers, (B, n, *event_shape).
        space: where they live; zeros for real numbers, whose draws have no histogram.
    """
    total = torch.zeros(draws.shape[0], *draws.shape[2:], dtype=torch.float64)
    for level in range(space.levels or 0):
        share = (draws == level).double().mean(1)
        total -= torch.xlogy(share, share) / math.log(2)
    return total


def averaged(diagnostics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each figure over the windows that have it.

    >>> averaged([{"acceptance": 0.5}, {"acceptance": 0.7, "draws": 2}])
    {'acceptance': 0.6, 'draws': 2.0}
    """
    names = dict.fromkeys(name for each in diagnostics for name in each)
    return {name: fmean(each[name] for each in diagnostics if name in each) for name in names}


def complaints(done: Restoration) -> list[str]:
    """Sentences about an engine that did badly."""
    return complaints_of(done.kind, done.method, done.diagnostics)


def complaints_of(kind: str, method: str, d: Mapping[str, float]) -> list[str]:
    """The same of what a posterior says of itself: its kind, its method and its diagnostics."""
    said = list[str]()
    if d.get("unasked_weight", 0.0) > 0:
        share = f"{d['unasked_weight']:.0%}"
        said.append(f"members with {share} of the ensemble's weight cannot be asked this: the others answer alone.")
    if d.get("effective_share", 1.0) < FEW or d.get("smallest_share", 1.0) < FEW:
        share = min(d.get("effective_share", 1.0), d.get("smallest_share", 1.0))
        said.append(f"only {share:.1%} of the draws count ({method}): take more, or another model.")
    if d.get("distinct_share", 1.0) < 0.1:
        said.append(f"only {d['distinct_share']:.1%} of the particles are distinct: the spread is understated.")
    if d.get("acceptance", 1.0) < 0.02:
        said.append(f"the chain in z accepts {d['acceptance']:.1%} of its moves: it hardly mixes.")
    if kind == "approximate" and "generator_error" in d:
        said.append(
            f"a generator has no density: what it made was moved onto what was seen, off by "
            f"{d['generator_error']:.2g} (root mean square, in the data's units)."
        )
    return said
