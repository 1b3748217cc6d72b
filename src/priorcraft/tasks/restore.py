"""What a task hands back: draws, their mean and spread, and figures about them."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Generator, Tensor

from priorcraft.condition import posterior
from priorcraft.core import Generative, LinearObservation, Posterior, Space
from priorcraft.errors import NoDensity
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.restoration import coverage, entropy, psnr, ssim

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
    draws: int = 64,
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


def figures(
    done: Restoration,
    observation: LinearObservation,
    y: Tensor,
    truth: Tensor,
    scored: Tensor,
    space: Space,
    *,
    judge: Judge | None = None,
    labels: Tensor | None = None,
    generator: Generator,
) -> dict[str, Any]:
    """What can be said where the truth is known.

    Args:
        done: completions.
        observation, y: what was seen.
        truth: (B, *event_shape).
        scored: True for the entries that count, broadcast to truth.
        space: where truth lives.
        judge: of classes, with the true labels (B,).
        generator: of the ties in coverage.

    Returns:
        "psnr_mean" (dB), "ssim_mean", "judge_samples" and "judge_mean" (shares of single draws and of the mean that
        are judged to be of the true class), "bits_per_hidden" (exact, None where not known), "coverage90",
        "consistency" (root mean square error of what the draws show of y).
    """
    peak = float(space.levels - 1) if space.levels else float(truth.max() - truth.min())
    found: dict[str, Any] = {
        "psnr_mean": _finite(psnr(done.mean, truth, scored, peak)),
        "ssim_mean": round(ssim(done.mean, truth, peak), 4) if space.is_image else None,
        "judge_samples": None,
        "judge_mean": None,
        "bits_per_hidden": _bits(done, truth, scored),
        "coverage90": _finite(coverage(done.coverage_draws, truth, scored, generator=generator)),
        "consistency": consistency(done, observation, y),
    }
    if judge is not None and labels is not None and bool((labels >= 0).all()):
        n = done.x.shape[1]
        found["judge_samples"] = round(judge.fidelity(done.x.flatten(0, 1), labels.repeat_interleave(n)), 4)
        rounded = done.mean if space.levels is None else done.mean.round().long()
        found["judge_mean"] = round(judge.fidelity(rounded, labels), 4)
    return found


def consistency(done: Restoration, observation: LinearObservation, y: Tensor) -> float:
    """Root mean square of A x - y over all completions."""
    shown = observation.forward(done.x.flatten(0, 1)).double()
    wanted = y.cpu().double().repeat_interleave(done.x.shape[1], 0)
    return round(float((shown - wanted).square().mean().sqrt()), 6)


def _bits(done: Restoration, truth: Tensor, scored: Tensor) -> float | None:
    """Mean of -log2 p(hidden | seen) an entry; exact where it exists."""
    hidden = int(scored.expand(truth.shape).sum())
    if done.posterior is None or not hidden:
        return None
    try:
        with torch.no_grad():
            return _finite(-float(done.posterior.log_prob(truth).sum()) / hidden / math.log(2))
    except NoDensity:
        return None


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def averaged(diagnostics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each figure over the windows that have it.

    >>> averaged([{"acceptance": 0.5}, {"acceptance": 0.7, "draws": 2}])
    {'acceptance': 0.6, 'draws': 2.0}
    """
    names = dict.fromkeys(name for each in diagnostics for name in each)
    return {name: fmean(each[name] for each in diagnostics if name in each) for name in names}


def complaints(done: Restoration) -> list[str]:
    """Sentences about an engine that did badly."""
    d, said = done.diagnostics, []
    if d.get("effective_share", 1.0) < FEW or d.get("smallest_share", 1.0) < FEW:
        share = min(d.get("effective_share", 1.0), d.get("smallest_share", 1.0))
        said.append(f"only {share:.1%} of the draws count ({done.method}): take more, or another model.")
    if d.get("distinct_share", 1.0) < 0.1:
        said.append(f"only {d['distinct_share']:.1%} of the particles are distinct: the spread is understated.")
    if d.get("acceptance", 1.0) < 0.02:
        said.append(f"the chain in z accepts {d['acceptance']:.1%} of its moves: it hardly mixes.")
    if done.kind == "approximate" and "generator_error" in d:
        said.append(
            f"a generator has no density: what it made was moved onto what was seen, off by "
            f"{d['generator_error']:.2g} (root mean square, in the data's units)."
        )
    return said
