"""What is said of a classifier: accuracy and calibration, what it would not answer, and peers measured alike."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from priorcraft.answer import Answer, Kind, Piece
from priorcraft.answer import Rows as Table
from priorcraft.classifiers.calibrated import confidence_at_risk, fitted_temperature, tempered
from priorcraft.classifiers.curve import Learned
from priorcraft.classifiers.discriminative import Discriminative
from priorcraft.core import UNLABELLED
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError
from priorcraft.metrics.calibration import Bin, accuracy_interval, calibration_error, log_loss, reliability


@dataclass(frozen=True)
class Abstention(Answer):
    """What happens if only rows that a classifier is sure about are answered.

    Args:
        threshold: the least confidence of an answer.
        answered: share of the rows.
        risk: share of these answers that is wrong; None without labels.
    """

    threshold: float
    answered: float
    risk: float | None


@dataclass(frozen=True)
class Measured(Answer):
    """A classifier, measured on rows. What needs labels is None without them.

    Args:
        name: of the model or method.
        kind: of its p(x | c), or "discriminative" where p(c | x) is learned directly and there is none.
        accuracy: share of the rows whose most probable class is theirs.
        interval: Wilson's 95 % interval of it.
        log_loss: mean of -log p(c | x), nats; None if it is infinite.
        calibration_error: mean distance of confidence and accuracy, biased upwards.
        reliability: what it is made of.
        n: rows with a label, or all without any.
        temperature: by which the posterior was tempered; None if it was not.
        abstention: None where every row is answered.
    """

    name: str
    kind: Kind | Literal["discriminative"]
    accuracy: float | None
    interval: tuple[float, float] | None
    log_loss: float | None
    calibration_error: float | None
    reliability: tuple[Bin, ...] | None
    n: int
    temperature: float | None
    abstention: Abstention | None

    def line(self) -> dict[str, Any]:
        """A line of a table of classifiers."""
        return {
            "classifier": self.name,
            "accuracy": self.accuracy,
            "95 % interval": self.interval and f"{self.interval[0]:.3f} to {self.interval[1]:.3f}",
            "log loss": self.log_loss,
            "calibration error": self.calibration_error,
            "n": self.n,
            "density": self.kind,
        }

    def settled(self) -> list[str]:
        """What was fitted on the validation rows, and how many rows are answered for it."""
        told = [] if self.temperature is None else [f"{self.name}, temperature: {self.temperature:.3g}"]
        if (a := self.abstention) is not None:
            risk = "" if a.risk is None else f", {a.risk:.2%} of these wrong"
            rule = f"confidence at least {a.threshold:.3g}"
            told.append(f"{self.name}, answered: {a.answered:.1%} of the rows{risk} ({rule})")
        return told


@dataclass(frozen=True)
class Contest(Answer):
    """Classifiers of both kinds on the same rows.

    Args:
        classifiers: densities by Bayes' theorem, then those that learn p(c | x) directly.
        curve: how much each kind learns from how many labels; () where that takes too long.
        notes: what these data do not allow.
    """

    classifiers: tuple[Measured, ...]
    curve: tuple[Learned, ...]
    notes: tuple[str, ...]

    def shown(self) -> list[Piece]:
        """A table."""
        return [Table([each.line() for each in self.classifiers])]


def measured(
    name: str,
    kind: Kind | Literal["discriminative"],
    log_posterior: Tensor,
    y: Tensor | None,
    *,
    temperature: float | None = None,
    threshold: float | None = None,
) -> Measured:
    """A classifier by what it says of rows.

    Args:
        name, kind: as in `Measured`.
        log_posterior: log p(c | x), tempered already, nats, (B, K).
        y: the true labels, (B,), -1 where not known.
        temperature: that it was tempered by.
        threshold: the confidence from which a row is answered.
    """
    abstains = None if threshold is None else abstention(log_posterior, y, threshold)
    if y is None or not bool((y != UNLABELLED).any()):
        return Measured(name, kind, None, None, None, None, None, len(log_posterior), temperature, abstains)
    known, loss = y != UNLABELLED, log_loss(log_posterior, y)
    return Measured(
        name,
        kind,
        accuracy=float((log_posterior.argmax(1) == y)[known].double().mean()),
        interval=accuracy_interval(log_posterior, y),
        log_loss=loss if math.isfinite(loss) else None,
        calibration_error=calibration_error(log_posterior, y),
        reliability=reliability(log_posterior, y),
        n=int(known.sum()),
        temperature=temperature,
        abstention=abstains,
    )


def abstention(log_posterior: Tensor, y: Tensor | None, threshold: float) -> Abstention:
    """What happens if only rows at least as confident as the threshold are answered."""
    answered = log_posterior.max(1).values.exp() >= threshold
    known = answered if y is None else answered & (y != UNLABELLED)
    right = None if y is None else (log_posterior.argmax(1) == y)[known].double()
    risk = None if right is None or not len(right) else 1 - float(right.mean())
    return Abstention(threshold, float(answered.double().mean()), risk)


def validation_labels(valid: Rows) -> Tensor:
    """Labels of the validation rows, by which a temperature or a threshold is chosen.

    Raises:
        DataError: none is known.
    """
    if valid.y is None or not bool((valid.y != UNLABELLED).any()):
        raise DataError("calibrate and risk need labelled validation rows, and these data have none.")
    return valid.y


def peer(
    name: str, splits: Splits, rows: Rows, seed: int, *, calibrate: bool = False, risk: float | None = None
) -> Measured:
    """A classifier that learns p(c | x) directly, fitted to the training rows and measured on others.

    Args:
        name: logistic, svm, boosting or network.
        splits: the data.
        rows: to be measured on.
        seed: of the fit.
        calibrate: temper it on the validation rows.
        risk: answer only where at most this share of the validation rows was wrong.

    Raises:
        DataError: data without labels.
    """
    train = splits.train
    if train.y is None:
        raise DataError(f"{name} learns p(c | x) from labels, and these data have none.")
    classifier = Discriminative(name, splits.space, len(splits.classes), seed=seed).fit(train.x, train.y)
    log_posterior, temperature, threshold = classifier.log_posterior(rows.x), None, None
    if calibrate or risk is not None:
        held_out, y = classifier.log_posterior(splits.valid.x), validation_labels(splits.valid)
        temperature = fitted_temperature(held_out, y) if calibrate else None
        if temperature is not None:
            log_posterior, held_out = tempered(log_posterior, temperature), tempered(held_out, temperature)
        threshold = None if risk is None else confidence_at_risk(held_out, y, risk)
    return measured(name, "discriminative", log_posterior, rows.y, temperature=temperature, threshold=threshold)
