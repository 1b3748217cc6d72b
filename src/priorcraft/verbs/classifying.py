"""`classify`: p(c | x) and p(x) of new rows by Bayes' theorem, beside classifiers that learn p(c | x) directly."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from priorcraft import probability
from priorcraft.classifiers.calibrated import confidence_at_risk, fitted_temperature, tempered
from priorcraft.classifiers.deformed import Deformed
from priorcraft.classifiers.generative import GenerativeClassifier, checked_prior
from priorcraft.classifiers.shift import estimated_prior, reweighted
from priorcraft.condition.marginal import log_marginal_by_class
from priorcraft.core import UNLABELLED, Exact
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.outputs import check_out, write_arrays, write_bytes
from priorcraft.report.classifiers import accuracy_picture, reliability_picture
from priorcraft.run import Run
from priorcraft.run.data import data_of, opened
from priorcraft.verbs.contrasting import contrast
from priorcraft.verbs.measuring import abstention, besides, labels_of, measured
from priorcraft.verbs.scoring import SPLITS

Prior = Mapping[str, float] | Sequence[float] | str


def classify(
    run: str | Path | Run,
    data: str | Path | Splits | None = None,
    *,
    split: str = "test",
    prior: Prior | None = None,
    calibrate: bool = False,
    risk: float | None = None,
    deform: bool = False,
    beside: Sequence[str] = (),
    out: str | Path | None = None,
    plot: str | Path | None = None,
    curve: str | Path | None = None,
    overwrite: bool = False,
    samples: int = 64,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Classifies rows with a fitted density, by Bayes' theorem.

    Args:
        run: a run folder, or what `load` returned; the model must have been fitted with labels.
        data: what `open_data` takes; the run's own data if None.
        split: train, valid or test.
        prior: replaces p(c): {class: p}, probabilities in the order of the classes, "uniform", or "estimate" (from the
            rows themselves without their labels, by EM).
        calibrate: temper every posterior by one number that is fitted on the validation rows.
        risk: answer only where at most this share of the answers was wrong on the validation rows.
        deform: average exactly over shifts and shears of a pixel; for images whose class does not change by them.
        beside: "logistic", "svm", "boosting", "network": fitted to the training rows and measured on the same rows.
        out: .npz of `log_posterior` (B, K), `log_evidence` log p(x) (B,), `prediction` (B,), and `answered` with risk.
        plot: .png of how often which confidence is right.
        curve: .png of how much both kinds of classifier learn from how many labels: naive Bayes, quadratic
            discriminants and kernels beside logistic regression and an SVM, fitted anew to part of the labels.
        overwrite: replace `out`, `plot` and `curve`.
        samples, seed: draws of the bound and their seed, for approximate models.
        device: auto, cpu, cuda or mps.

    Returns:
        "accuracy", "interval", "log_loss", "calibration_error", "n", "kind" ("exact" or "lower bound"), "prior",
        "temperature", "abstention", "reliability", "beside", "curve", "classes", "out", "pictures". What needs
        labels is None without them.

    Raises:
        UsageError, DataError, NoDensity, CheckpointError: as their names say.
    """
    if split not in SPLITS:
        raise UsageError(f"split must be train, valid or test: {did_you_mean(split, SPLITS)}")
    target = None if out is None else check_out(out, (".npz",), overwrite=overwrite)
    chart = None if plot is None else check_out(plot, (".png",), overwrite=overwrite)
    learned = None if curve is None else check_out(curve, (".png",), overwrite=overwrite)
    fitted, _ = opened(run, device)
    splits = labelled_data(fitted, data, holes=True)
    rows = splits.rows(split)
    if not splits.divided and (calibrate or risk is not None or beside or learned is not None):
        splits = labelled_data(fitted, None)  # nothing is learned from the rows that are asked about
    valid = splits.valid
    classifier = generative(fitted, deform, samples, seed)
    log_likelihood = likelihood_of(classifier, rows)
    own, _ = probability.posterior(classifier.log_prior.cpu(), log_likelihood)
    log_prior = prior_of(prior, fitted.classes, classifier.log_prior.cpu(), own)
    log_posterior, log_evidence = probability.posterior(log_prior, log_likelihood)
    temperature, threshold = None, None
    if calibrate or risk is not None:
        held_out, _ = probability.posterior(classifier.log_prior.cpu(), likelihood_of(classifier, valid))
        temperature = fitted_temperature(held_out, labels_of(valid)) if calibrate else None
        held_out = adjusted(held_out, temperature, classifier.log_prior.cpu(), log_prior)
        threshold = None if risk is None else confidence_at_risk(held_out, labels_of(valid), risk)
        log_posterior = adjusted(own, temperature, classifier.log_prior.cpu(), log_prior)
    found = measured(log_posterior, rows.y) | {
        "kind": classifier.kind,
        "prior": dict(zip(fitted.classes, log_prior.exp().tolist(), strict=True)),
        "temperature": temperature,
        "abstention": None if threshold is None else abstention(log_posterior, rows.y, threshold),
        "beside": [besides(name, splits, rows, seed, calibrate=calibrate, risk=risk) for name in beside],
        "curve": None if learned is None else contrast(splits, seed=seed),
        "classes": list(fitted.classes),
        "out": None if target is None else str(target),
        "pictures": [str(path) for path in (chart, learned) if path is not None],
    }
    if target is not None:
        write_arrays(target, arrays(log_posterior, log_evidence, threshold))
    draw_pictures(found, chart, learned)
    return found


def draw_pictures(found: dict[str, Any], chart: Path | None, learned: Path | None) -> None:
    """Writes the reliability of an answer and its learning curve where they are asked for."""
    if chart is not None:
        write_bytes(chart, reliability_of(found))
    if learned is not None:
        write_bytes(learned, accuracy_picture(found["curve"]))


def labelled_data(run: Run, data: str | Path | Splits | None, *, holes: bool = False) -> Splits:
    """Data of the run's space, their labels numbered as the run numbers its classes.

    Raises:
        DataError: another space, or a class that the run does not know.
    """
    splits = data_of(run, data, holes=holes)
    if not splits.classes or splits.classes == run.classes:
        return splits
    unknown = [name for name in splits.classes if name not in run.classes]
    if unknown and run.classes:
        raise DataError(f"the run knows no class '{unknown[0]}': {did_you_mean(unknown[0], run.classes)}")
    number = torch.tensor([run.classes.index(name) for name in splits.classes] if run.classes else [])
    train, valid, test = (renumbered(splits.rows(part), number) for part in SPLITS)
    return replace(splits, classes=run.classes, train=train, valid=valid, test=test)


def renumbered(rows: Rows, number: Tensor) -> Rows:
    """The same rows with each label c replaced by number[c]."""
    if rows.y is None or not len(number):
        return replace(rows, y=None)
    return replace(rows, y=torch.where(rows.y == UNLABELLED, UNLABELLED, number[rows.y.clamp_min(0)]))


def generative(run: Run, deform: bool, samples: int, seed: int) -> GenerativeClassifier:
    """The run's model as a classifier."""
    model = run.model
    if deform:
        if not isinstance(model, Exact):
            raise UsageError("deform needs an exact model; a bound does not average exactly.")
        model = Deformed(model).to(model.log_prior.device)
    return GenerativeClassifier(model, samples=samples, seed=seed)


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
        found = classifier.log_likelihood(rows.x.to(classifier.log_prior.device)).cpu()
    bad = (~torch.isfinite(found.max(1).values)).nonzero().flatten()
    if len(bad):
        raise DataError(f"row {int(bad[0])} cannot be classified: its density is {float(found[bad[0]].max())}.")
    return found


def prior_of(prior: Prior | None, classes: Sequence[str], own: Tensor, log_posterior: Tensor) -> Tensor:
    """log p(c) that the user asks for, (K,); `log_posterior` of the rows under the model's `own` prior."""
    if prior is None:
        return own
    if isinstance(prior, str):
        if prior not in ("estimate", "uniform"):
            raise UsageError(f"prior must be estimate, uniform, or probabilities of the classes, not '{prior}'.")
        return estimated_prior(log_posterior, own) if prior == "estimate" else torch.full_like(own, -math.log(len(own)))
    if isinstance(prior, Mapping):
        for name in set(map(str, prior)) - set(classes):
            raise UsageError(f"the model has no class '{name}' for the prior: {did_you_mean(name, classes)}")
        prior = [float(prior.get(name, 0.0)) for name in classes]
    p = own.new_tensor([float(each) for each in prior])
    if not bool((p >= 0).all()):
        raise UsageError("the prior must not be negative.")
    return checked_prior(p.log(), len(classes))


def adjusted(log_posterior: Tensor, temperature: float | None, old: Tensor, new: Tensor) -> Tensor:
    """The posterior under the old prior, tempered, then brought to the new prior."""
    cooled = log_posterior if temperature is None else tempered(log_posterior, temperature)
    return reweighted(cooled, old, new)


def arrays(log_posterior: Tensor, log_evidence: Tensor, threshold: float | None) -> dict[str, np.ndarray]:
    """What the output file holds."""
    found = {"log_posterior": log_posterior, "log_evidence": log_evidence, "prediction": log_posterior.argmax(1)}
    if threshold is not None:
        found["answered"] = log_posterior.max(1).values.exp() >= threshold
    return {name: value.numpy() for name, value in found.items()}


def reliability_of(found: Mapping[str, Any]) -> bytes:
    """The reliability picture of an answer and of what is beside it, PNG.

    Raises:
        DataError: rows without labels.
    """
    if found["reliability"] is None:
        raise DataError("a reliability picture needs labels, and these rows have none.")
    each = {"Bayes' theorem": found, **{other["name"]: other for other in found["beside"]}}
    bins, errors = ({name: c[key] for name, c in each.items()} for key in ("reliability", "calibration_error"))
    return reliability_picture(bins, errors)
