"""What can be said of completions where the truth is known."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from priorcraft.answer import Answer
from priorcraft.condition.restoration import Restoration
from priorcraft.core import LinearObservation, Space
from priorcraft.errors import NoDensity
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.restoration import coverage, psnr, ssim


@dataclass(frozen=True, kw_only=True)
class Figures(Answer):
    """How near completions come to the truth; all but `consistency` are None where it is not known.

    Args:
        psnr_mean: peak signal-to-noise ratio of the mean, dB.
        ssim_mean: structural similarity of the mean; None for rows that are no images.
        judge_samples, judge_mean: shares of single draws and of means that a judge finds to be of the true class.
        bits_per_hidden: mean of -log2 p(hidden | seen) an entry, exact; None where there is no density.
        coverage90: share of entries whose truth lies in the central 90 % of the draws.
        consistency: root mean square error of what the draws show of y.
    """

    psnr_mean: float | None = None
    ssim_mean: float | None = None
    judge_samples: float | None = None
    judge_mean: float | None = None
    bits_per_hidden: float | None = None
    coverage90: float | None = None
    consistency: float


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
) -> Figures:
    """What can be said where the truth is known.

    Args:
        done: completions.
        observation, y: what was seen.
        truth: (B, *event_shape).
        scored: True for the entries that count, broadcast to truth.
        space: where truth lives.
        judge: of classes, with the true labels (B,).
        generator: of the ties in coverage.
    """
    peak = float(space.levels - 1) if space.levels else float(truth.max() - truth.min())
    draws = means = None
    if judge is not None and labels is not None and bool((labels >= 0).all()):
        draws = round(judge.fidelity(done.x.flatten(0, 1), labels.repeat_interleave(done.x.shape[1])), 4)
        rounded = done.mean if space.levels is None else done.mean.round().long()
        means = round(judge.fidelity(rounded, labels), 4)
    return Figures(
        psnr_mean=_finite(psnr(done.mean, truth, scored, peak)),
        ssim_mean=round(ssim(done.mean, truth, peak), 4) if space.is_image else None,
        judge_samples=draws,
        judge_mean=means,
        bits_per_hidden=_bits(done, truth, scored),
        coverage90=_finite(coverage(done.coverage_draws, truth, scored, generator=generator)),
        consistency=consistency(done, observation, y),
    )


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
