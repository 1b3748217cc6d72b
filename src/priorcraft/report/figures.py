"""What can be said of completions where the truth is known."""

import math
from typing import Any

import torch
from torch import Generator, Tensor

from priorcraft.condition.restoration import Restoration
from priorcraft.core import LinearObservation, Space
from priorcraft.errors import NoDensity
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.restoration import coverage, psnr, ssim


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
