"""What is said of a classifier: accuracy and calibration, what it would not answer, and peers measured alike."""

import math
from typing import Any

from torch import Tensor

from priorcraft.classifiers.calibrated import confidence_at_risk, fitted_temperature, tempered
from priorcraft.classifiers.discriminative import Discriminative
from priorcraft.core import UNLABELLED
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError
from priorcraft.metrics.calibration import accuracy_interval, calibration_error, log_loss, reliability


def labels_of(valid: Rows) -> Tensor:
    """Labels of the validation rows.

    Raises:
        DataError: none is known.
    """
    if valid.y is None or unlabelled(valid.y):
        raise DataError("calibrate and risk need labelled validation rows, and these data have none.")
    return valid.y


def unlabelled(y: Tensor | None) -> bool:
    """Whether no label is known."""
    return y is None or not bool((y != UNLABELLED).any())


def measured(log_posterior: Tensor, y: Tensor | None) -> dict[str, Any]:
    """Accuracy with Wilson's interval, log loss (None if infinite), calibration error and what it is made of.

    None without labels.
    """
    if y is None or unlabelled(y):
        nothing = dict.fromkeys(("accuracy", "interval", "log_loss", "calibration_error", "reliability"))
        return {**nothing, "n": len(log_posterior)}
    known, loss = y != UNLABELLED, log_loss(log_posterior, y)
    return {
        "accuracy": float((log_posterior.argmax(1) == y)[known].double().mean()),
        "interval": list(accuracy_interval(log_posterior, y)),
        "log_loss": loss if math.isfinite(loss) else None,
        "calibration_error": calibration_error(log_posterior, y),
        "reliability": reliability(log_posterior, y),
        "n": int(known.sum()),
    }


def abstention(log_posterior: Tensor, y: Tensor | None, threshold: float) -> dict[str, Any]:
    """What happens if only rows at least as confident as the threshold are answered."""
    answered = log_posterior.max(1).values.exp() >= threshold
    known = answered if y is None else answered & (y != UNLABELLED)
    right = None if y is None else (log_posterior.argmax(1) == y)[known].double()
    risk = None if right is None or not len(right) else 1 - float(right.mean())
    return {"threshold": threshold, "answered": float(answered.double().mean()), "risk": risk}


def besides(
    name: str, splits: Splits, rows: Rows, seed: int, *, calibrate: bool = False, risk: float | None = None
) -> dict[str, Any]:
    """A discriminative classifier, fitted to the training rows and measured on the same rows."""
    train = splits.train
    if train.y is None:
        raise DataError(f"{name} learns p(c | x) from labels, and these data have none.")
    classifier = Discriminative(name, splits.space, len(splits.classes), seed=seed).fit(train.x, train.y)
    log_posterior, temperature, threshold = classifier.log_posterior(rows.x), None, None
    if calibrate or risk is not None:
        held_out, y = classifier.log_posterior(splits.valid.x), labels_of(splits.valid)
        temperature = fitted_temperature(held_out, y) if calibrate else None
        if temperature is not None:
            log_posterior, held_out = tempered(log_posterior, temperature), tempered(held_out, temperature)
        threshold = None if risk is None else confidence_at_risk(held_out, y, risk)
    abstained = None if threshold is None else abstention(log_posterior, rows.y, threshold)
    return {"name": name, "temperature": temperature, "abstention": abstained} | measured(log_posterior, rows.y)
