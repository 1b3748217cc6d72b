"""What a comparison says of classifiers: its own densities by Bayes' theorem, beside p(c | x) learned directly."""

from collections.abc import Sequence
from typing import Any

import torch

from priorcraft import runtime
from priorcraft.classify.generative import GenerativeClassifier
from priorcraft.core import Implicit
from priorcraft.data import Rows, Splits
from priorcraft.io import Run
from priorcraft.metrics.calibration import reliability
from priorcraft.verbs.classifying import besides, measured
from priorcraft.verbs.contrasting import DISCRIMINATIVE, contrast

BOUND_DRAWS, REPEATS = 20, 2
SMALL = 100  # entries of x, up to which all rows are classified and learning curves are drawn
FEW = 100  # rows that are classified beyond that: each takes a pass for every class
DENSITIES = ("naive-bayes", "qda")


def classified(runs: Sequence[Run], splits: Splits, rows: Rows, seed: int) -> dict[str, Any] | None:
    """Accuracy, log loss and calibration of every density and of two discriminative classifiers on the same rows.

    Args:
        runs: fitted models; those without a density or labels are left out.
        splits: the data.
        rows: test rows.
        seed: of the bound's draws and of the discriminative classifiers.

    Returns:
        "classifiers", one entry each, and "curve", as `contrast` gives it, for small x; None without labels.
    """
    if rows.y is None or not splits.classes or len(rows.y[rows.y >= 0].unique()) < 2:
        return None
    small = splits.space.dims <= SMALL
    rows = rows if small else Rows(rows.x[:FEW], rows.y[:FEW])
    dense = [run for run in runs if not isinstance(run.model, Implicit) and run.model.classes]
    found = [by_bayes(run, rows, seed) for run in dense]
    found += [{"kind": "discriminative"} | besides(name, splits, rows, seed) for name in DISCRIMINATIVE]
    curve = contrast(splits, densities=DENSITIES, repeats=REPEATS, seed=seed) if small else []
    return {"classifiers": found, "curve": curve}


def by_bayes(run: Run, rows: Rows, seed: int) -> dict[str, Any]:
    """One density as a classifier."""
    classifier = GenerativeClassifier(run.model, samples=BOUND_DRAWS, seed=seed)
    assert rows.y is not None
    with torch.no_grad(), runtime.plain_products():
        log_posterior = classifier.log_posterior(rows.x.to(run.model.log_prior.device)).cpu()
    bins = reliability(log_posterior, rows.y)
    return {"name": run.name, "kind": classifier.kind} | measured(log_posterior, rows.y) | {"reliability": bins}
