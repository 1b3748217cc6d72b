"""`classify`: p(c | x) and p(x) of rows by Bayes' theorem, beside classifiers that learn p(c | x) directly."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from priorcraft import probability
from priorcraft.answer import ARRAY, Piece, Sentence
from priorcraft.answer import Rows as Table
from priorcraft.cells import Cells
from priorcraft.cells.writing import frame_of, of_table, table_bytes, with_answers
from priorcraft.classifiers.calibrated import confidence_at_risk, fitted_temperature, tempered
from priorcraft.classifiers.curve import Learned, by_name
from priorcraft.classifiers.deformed import Deformed
from priorcraft.classifiers.generative import GenerativeClassifier, checked_prior
from priorcraft.classifiers.shift import estimated_prior, reweighted
from priorcraft.condition.marginal import log_marginal_by_class
from priorcraft.core import Exact
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.metrics.classification import Measured, measured, peer, validation_labels
from priorcraft.outputs import packed
from priorcraft.report.classifiers import accuracy_picture, reliability_picture
from priorcraft.run import Run
from priorcraft.run.contrast import contrast
from priorcraft.run.data import labelled_data, opened

Prior = Mapping[str, float] | Sequence[float] | str


@dataclass(frozen=True)
class Classified(Measured):
    """Rows with their classes, and how far the answers can be trusted. What needs labels is None without them.

    Args:
        name, kind, accuracy, interval, log_loss, calibration_error, reliability, n, temperature, abstention: of Bayes'
            theorem with the fitted model, as in `metrics.classification.Measured`.
        prior: p(c) that was used, by class.
        beside: the classifiers that were asked for, measured on the same rows.
        curve: how much both kinds learn from how many labels; None where it was not asked for.
        classes: their names, in the order of the columns of `log_posterior`.
        log_posterior: log p(c | x), nats, (B, K).
        log_evidence: log p(x) under that prior, nats, (B,); of a table with what its numbers say beyond their integers.
        notes: what was noticed in other data than the run's own.
        cells: of a table, the rows; None of other data.
    """

    writes: ClassVar = {"out": (".npz", ".csv", ".parquet"), "plot": (".png",), "curve": (".png",)}

    prior: dict[str, float]
    beside: tuple[Measured, ...]
    curve: tuple[Learned, ...] | None
    classes: tuple[str, ...]
    log_posterior: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    log_evidence: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    notes: tuple[str, ...] = ()
    cells: Cells | None = field(default=None, repr=False, compare=False, metadata=ARRAY)

    @property
    def frame(self) -> Any:
        """The rows of a table with `class`, `p` and `log_p`, as a data frame of the library that they came from."""
        return frame_of(of_table(self.cells, "frame"), self._table("frame"))

    @property
    def prediction(self) -> list[str]:
        """The most probable class of every row."""
        return [self.classes[c] for c in self.log_posterior.argmax(1).tolist()]

    @property
    def answered(self) -> Tensor:
        """Which rows are answered at the risk that was asked for, bool, (B,)."""
        least = 0.0 if self.abstention is None else self.abstention.threshold
        return self.log_posterior.max(1).values.exp() >= least

    def to_dict(self) -> dict[str, Any]:
        """The fields, and the pictures that were written."""
        return super().to_dict() | {"pictures": [self.saved[what] for what in ("plot", "curve") if what in self.saved]}

    def shown(self) -> list[Piece]:
        """The classifiers as a table, and what else there is to say."""
        each = (self, *self.beside)
        told = ["prior: " + ", ".join(f"{name} {p:.3g}" for name, p in self.prior.items())]
        told += [line for classifier in each for line in classifier.settled()]
        for name, learned in by_name(self.curve or ()).items():
            told.append(
                f"{name}, accuracy by labels a class: " + ", ".join(f"{r.per_class}: {r.accuracy:.3f}" for r in learned)
            )
        return [Table([classifier.line() for classifier in each]), *map(Sentence, told)]

    def _bytes(self, what: str, suffix: str) -> bytes:
        if what == "plot":
            if self.reliability is None:
                raise DataError("a reliability picture needs labels, and these rows have none.")
            return reliability_picture([self, *self.beside])
        if what == "curve":
            if self.curve is None:
                raise UsageError("there is no learning curve in this answer; classify with curve=True.")
            return accuracy_picture(self.curve)
        if suffix != ".npz":
            return table_bytes(self._table(suffix), suffix)
        found = {"log_posterior": self.log_posterior.numpy(), "log_evidence": self.log_evidence.numpy()}
        found |= {"prediction": self.log_posterior.argmax(1).numpy(), "classes": np.array(self.classes)}
        return packed(found if self.abstention is None else found | {"answered": self.answered.numpy()})

    def _table(self, suffix: str) -> pa.Table:
        """The rows of a table with the name of their class and its probability, and log p(x)."""
        cells = of_table(self.cells, suffix)
        p, best = self.log_posterior.exp().max(1)
        answers = {"class": np.array(self.classes)[best.numpy()], "p": p.numpy(), "log_p": self.log_evidence.numpy()}
        answers |= {} if self.abstention is None else {"answered": self.answered.numpy()}
        return with_answers(cells, answers)


def classify(
    run: str | Path | Run,
    data: str | Path | Splits | Any | None = None,
    *,
    split: str = "test",
    prior: Prior | None = None,
    calibrate: bool = False,
    risk: float | None = None,
    deform: bool = False,
    beside: Sequence[str] = (),
    curve: bool = False,
    samples: int = 64,
    seed: int = 0,
) -> Classified:
    """Classify rows by Bayes' theorem, with p(x) beside p(c | x).

    Args:
        run: the run folder of a model that was fitted with labels, or what `fit` and `load` return.
        data: other data of the same kind, in Python also a data frame; the run's own without it. Of a table, columns
            that are not there are summed out, as empty cells are, and words that the model has not seen, too.
        split: train, valid or test.
        prior: in the place of the model's p(c): uniform, estimate (from the rows without their labels, by EM),
            CLASS=P with commas, or P,P,P in the order of the classes; in Python also a mapping or a sequence.
        calibrate: temper every posterior by one number that is fitted on the validation rows.
        risk: answer only where at most this share of the answers was wrong on the validation rows.
        deform: average exactly over shifts and shears of a pixel, for images whose class does not change by them.
        beside: classifiers that learn p(c | x) directly, to compare with: logistic, svm, boosting, network.
        curve: measure how much both kinds learn from how many labels: naive Bayes, quadratic discriminants and kernels
            beside logistic regression and an SVM.
        samples: draws of the bound, for approximate models.
        seed: of every random draw: the same seed gives the same answer.

    Writes:
        out: .npz of log_posterior (B, K), log_evidence (B,), prediction (B,), the number of the class in classes (K,),
            and answered (B,) with a risk; of a table .csv or .parquet of its rows with class, p and log_p.
        plot: .png of how often which confidence is right.
        curve: .png of how much both kinds of classifier learn from how many labels.

    Returns:
        Class and p(x) of every row; exact, or with a bound in the place of the likelihood, as the kind says.

    Raises:
        UsageError, DataError, NoDensity, CheckpointError: as their names say.
    """
    fitted, _ = opened(run)
    splits = labelled_data(fitted, data, holes=True)
    rows = splits.rows(split)
    cells = None if splits.table is None else splits.cells(rows)
    whole = replace(rows, x=labelled_data(fitted, data).rows(split).x) if beside else rows
    if not splits.divided and (calibrate or risk is not None or beside or curve):
        splits = labelled_data(fitted, None)  # nothing is learned from the rows that are asked about
    classifier = GenerativeClassifier(deformed(fitted.model) if deform else fitted.model, samples=samples, seed=seed)
    old, log_likelihood = classifier.log_prior.cpu(), likelihood_of(classifier, rows)
    own, _ = probability.posterior(old, log_likelihood)
    new = prior_of(prior, fitted.classes, old, own)
    log_posterior, log_evidence = probability.posterior(new, log_likelihood)
    temperature, threshold = None, None
    if calibrate or risk is not None:
        y = validation_labels(splits.valid)
        held_out, _ = probability.posterior(old, likelihood_of(classifier, splits.valid))
        temperature = fitted_temperature(held_out, y) if calibrate else None
        threshold = None if risk is None else confidence_at_risk(adjusted(held_out, temperature, old, new), y, risk)
        log_posterior = adjusted(own, temperature, old, new)
    found = measured(fitted.name, classifier.kind, log_posterior, rows.y, temperature=temperature, threshold=threshold)
    return Classified(
        **vars(found),
        prior=dict(zip(fitted.classes, new.exp().tolist(), strict=True)),
        beside=tuple(peer(name, splits, whole, seed, calibrate=calibrate, risk=risk) for name in beside),
        curve=contrast(splits, seed=seed) if curve else None,
        classes=fitted.classes,
        log_posterior=log_posterior,
        log_evidence=log_evidence if rows.rest is None else log_evidence + rows.rest,
        notes=() if data is None else splits.notes,
        cells=cells,
    )


def deformed(model: torch.nn.Module) -> Deformed:
    """The model, averaged exactly over shifts and shears of a pixel."""
    if not isinstance(model, Exact):
        raise UsageError("deform needs an exact model; a bound does not average exactly.")
    return Deformed(model).to(model.device)


def likelihood_of(classifier: GenerativeClassifier, rows: Rows) -> Tensor:
    """log p(x | c) of every class, (B, K), on the CPU.

    Raises:
        DataError: no rows, or one that every class rules out.
    """
    if not len(rows):
        raise DataError("there are no rows to classify in this split; choose another with --split.")
    if rows.seen is not None and isinstance(classifier.model, Exact):
        found = log_marginal_by_class(classifier.model, rows.x, rows.seen).to(classifier.log_prior)
    else:
        found = classifier.log_likelihood(rows.x.to(classifier.model.device)).cpu()
    bad = (~torch.isfinite(found.max(1).values)).nonzero().flatten()
    if len(bad):
        raise DataError(f"row {int(bad[0])} cannot be classified: its density is {float(found[bad[0]].max())}.")
    return found


def prior_of(prior: Prior | None, classes: Sequence[str], own: Tensor, log_posterior: Tensor) -> Tensor:
    """log p(c) that the user asks for, (K,); `log_posterior` of the rows under the model's `own` prior."""
    if prior is None:
        return own
    if prior == "estimate":
        return estimated_prior(log_posterior, own)
    if prior == "uniform":
        return torch.full_like(own, -math.log(len(own)))
    chosen = spelled_out(prior) if isinstance(prior, str) else prior
    if isinstance(chosen, Mapping):
        for name in set(map(str, chosen)) - set(classes):
            raise UsageError(f"the model has no class '{name}' for the prior: {did_you_mean(name, classes)}")
        chosen = [float(chosen.get(name, 0.0)) for name in classes]
    p = own.new_tensor([float(each) for each in chosen])
    if not bool((p >= 0).all()):
        raise UsageError("the prior must not be negative.")
    return checked_prior(p.log(), len(classes))


def spelled_out(prior: str) -> Mapping[str, float] | Sequence[float]:
    """A prior as it is written: CLASS=P with commas, or P with commas.

    >>> spelled_out("3=0.9, 8=0.1"), spelled_out("0.5,0.5")
    ({'3': 0.9, '8': 0.1}, [0.5, 0.5])
    """
    parts = [part.strip() for part in prior.split(",")]
    try:
        if "=" not in prior:
            return [float(part) for part in parts]
        return {name.strip(): float(p) for name, _, p in (part.rpartition("=") for part in parts)}
    except ValueError:
        raise UsageError(f"prior must be estimate, uniform, CLASS=P,CLASS=P or P,P, not '{prior}'.") from None


def adjusted(log_posterior: Tensor, temperature: float | None, old: Tensor, new: Tensor) -> Tensor:
    """The posterior under the old prior, tempered, then brought to the new prior."""
    cooled = log_posterior if temperature is None else tempered(log_posterior, temperature)
    return reweighted(cooled, old, new)
