"""Whether probabilities mean what they say, and how sure a share is."""

import math
from dataclasses import dataclass

from torch import Tensor

from priorcraft.answer import Answer
from priorcraft.core import UNLABELLED
from priorcraft.errors import DataError, UsageError


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Interval for a share of which `hits` out of n were seen; 95 % at z = 1.96.

    (p + z^2/2n -+ z sqrt(p (1-p)/n + z^2/4n^2)) / (1 + z^2/n),   p = hits / n      (Wilson 1927)

    Unlike p -+ z sqrt(p (1-p)/n), it stays inside [0, 1] and is not empty at p = 0 or 1.

    >>> [round(edge, 3) for edge in wilson(99, 100)]
    [0.946, 0.998]
    """
    if not 0 <= hits <= n or n < 1:
        raise UsageError(f"hits must lie in 0 ... n with n at least 1, not {hits} of {n}.")
    p = hits / n
    half = z * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    centre, scale = p + z * z / (2 * n), 1 + z * z / n
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def _labelled(log_posterior: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    if log_posterior.dim() != 2 or y.shape != log_posterior.shape[:1]:
        raise UsageError(
            f"log_posterior must be (B, K) and y (B,), not {tuple(log_posterior.shape)} and {tuple(y.shape)}."
        )
    known = y != UNLABELLED
    if not bool(known.any()):
        raise DataError("y must hold at least one known label; all rows are unlabelled.")
    return log_posterior[known].double(), y[known].long()


def log_loss(log_posterior: Tensor, y: Tensor) -> float:
    """Mean of -log p(y | x), nats, lower is better. Unbiased for the expected loss.

    Args:
        log_posterior: log p(c | x), nats, (B, K).
        y: the true labels, (B,); rows with label -1 are left out.

    >>> import torch
    >>> round(log_loss(torch.tensor([[0.8, 0.2], [0.4, 0.6]]).log(), torch.tensor([0, 1])), 4)
    0.367
    """
    log_posterior, y = _labelled(log_posterior, y)
    return float(-log_posterior.gather(1, y[:, None]).mean())


def accuracy_interval(log_posterior: Tensor, y: Tensor) -> tuple[float, float]:
    """Wilson's 95 % interval for the accuracy of the most probable class.

    Args:
        log_posterior: log p(c | x), nats, (B, K).
        y: the true labels, (B,); rows with label -1 are left out.
    """
    log_posterior, y = _labelled(log_posterior, y)
    return wilson(int((log_posterior.argmax(1) == y).sum()), len(y))


def calibration_error(log_posterior: Tensor, y: Tensor, bins: int = 15) -> float:
    """Expected calibration error of the most probable class, in bins of equal mass. Biased upwards.

    ECE = sum_b |b|/n · |accuracy(b) - confidence(b)|      (Naeini, Cooper & Hauskrecht 2015)

    Even a perfectly calibrated classifier of accuracy p scores about 0.8 sqrt(p (1-p) bins / n), because a bin's
    accuracy is a noisy mean: compare two classifiers on the same rows, not with zero.

    Args:
        log_posterior: log p(c | x), nats, (B, K).
        y: the true labels, (B,); rows with label -1 are left out.
        bins: number of bins; no more than there are rows.

    >>> import torch
    >>> log_posterior = torch.tensor([[0.75, 0.25]]).log().repeat(4, 1)
    >>> round(calibration_error(log_posterior, torch.tensor([0, 0, 1, 1]), bins=1), 4)
    0.25
    """
    if bins < 1:
        raise UsageError(f"bins must be at least 1, not {bins}.")
    log_posterior, y = _labelled(log_posterior, y)
    gaps = [(c - a) * n for c, a, n in _bins(log_posterior, y, bins)]
    return sum(map(abs, gaps)) / len(y)


@dataclass(frozen=True)
class Bin(Answer):
    """Rows about whose class a classifier is about equally sure.

    Args:
        confidence, accuracy: means over the rows.
        low, high: Wilson's 95 % interval of the accuracy.
        n: rows.
    """

    confidence: float
    accuracy: float
    low: float
    high: float
    n: int


def reliability(log_posterior: Tensor, y: Tensor, bins: int = 10) -> tuple[Bin, ...]:
    """The calibration error taken apart: one row a bin of equal mass, from the least to the most confident.

    Args:
        log_posterior: log p(c | x), nats, (B, K).
        y: the true labels, (B,); rows with label -1 are left out.
        bins: number of bins; no more than there are rows.
    """
    log_posterior, y = _labelled(log_posterior, y)
    found = _bins(log_posterior, y, bins)
    return tuple(Bin(confidence, accuracy, *wilson(round(accuracy * n), n), n) for confidence, accuracy, n in found)


def _bins(log_posterior: Tensor, y: Tensor, bins: int) -> list[tuple[float, float, int]]:
    """Mean confidence, accuracy and number of rows of each bin of equal mass."""
    log_confidence, c = log_posterior.max(1)
    order = log_confidence.argsort(stable=True)
    confidence = log_confidence.exp()[order].tensor_split(min(bins, len(y)))
    right = (c == y).double()[order].tensor_split(min(bins, len(y)))
    return [(float(p.mean()), float(r.mean()), len(r)) for p, r in zip(confidence, right, strict=True)]
