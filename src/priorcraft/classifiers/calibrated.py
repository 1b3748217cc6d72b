"""Probabilities that mean what they say: a temperature, and the right not to answer."""

import math

import torch
from torch import Tensor

from priorcraft.core import UNLABELLED, Classifier
from priorcraft.errors import DataError, UsageError

COLDEST, HOTTEST, HALVINGS = -3.0, 5.0, 60  # of log T


class Tempered(Classifier):
    """p_T(c | x) ~ p(c | x)^(1/T): one number, fitted on validation rows, that does not change the answers.

    (Guo, Pleiss, Sun & Weinberger 2017, arXiv:1706.04599)

    Args:
        classifier: what is to be calibrated.
        temperature: T; above 1 the classifier is made less sure.
    """

    def __init__(self, classifier: Classifier, temperature: float) -> None:
        self.classifier, self.temperature = classifier, temperature

    def log_posterior(self, x: Tensor) -> Tensor:
        """log p_T(c | x), nats, (B, K)."""
        return tempered(self.classifier.log_posterior(x), self.temperature)


def tempered(log_posterior: Tensor, temperature: float) -> Tensor:
    """log p(c | x)^(1/T), normalised, nats, (B, K)."""
    return (log_posterior / temperature).log_softmax(1)


def fitted_temperature(log_posterior: Tensor, y: Tensor) -> float:
    """The T of the smallest log loss on rows with labels; the loss is convex in 1/T.

    With 1 as an imagined row's worth of evidence for T = 1, so that rows without an error do not freeze it.

    Args:
        log_posterior: log p(c | x) of held-out rows, nats, (B, K).
        y: their labels, (B,); rows with label -1 are left out.

    Raises:
        DataError: no labelled row.
    """
    known = y != UNLABELLED
    if not bool(known.any()):
        raise DataError("calibration needs labelled validation rows; there are none.")
    rows, y = log_posterior[known].double(), y[known].long()
    low, high = COLDEST, HOTTEST
    for _ in range(HALVINGS):
        third = (high - low) / 3
        if _loss(rows, y, low + third) < _loss(rows, y, high - third):
            high -= third
        else:
            low += third
    return math.exp((low + high) / 2)


def _loss(log_posterior: Tensor, y: Tensor, log_t: float) -> float:
    loss = -tempered(log_posterior, math.exp(log_t)).gather(1, y[:, None]).sum()
    return float(loss) + 0.5 * log_t**2


def confidence_at_risk(log_posterior: Tensor, y: Tensor, risk: float) -> float:
    """The lowest confidence max_c p(c | x) above which at most a share `risk` of the held-out answers is wrong.

    Biased downwards on few rows: the share is counted where the threshold was chosen. 1.0, so that no answer is
    given, where no threshold will do.   (El-Yaniv & Wiener 2010)

    Args:
        log_posterior: log p(c | x) of held-out rows, nats, (B, K).
        y: their labels, (B,); rows with label -1 are left out.
        risk: share of wrong answers among those that are given, in [0, 1].
    """
    if not 0 <= risk <= 1:
        raise UsageError(f"risk must lie in 0 ... 1, not {risk}.")
    known = y != UNLABELLED
    log_confidence, c = log_posterior[known].double().max(1)
    order = log_confidence.argsort(descending=True, stable=True)
    wrong = (c != y[known])[order].double().cumsum(0) / torch.arange(1, len(order) + 1)
    fine = (wrong <= risk).nonzero().flatten()
    return float(log_confidence[order[int(fine[-1])]].exp()) if len(fine) else 1.0
