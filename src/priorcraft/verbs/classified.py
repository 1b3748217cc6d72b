"""What a comparison says of classifiers: its own densities by Bayes' theorem, beside p(c | x) learned directly."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from priorcraft import runtime
from priorcraft.classifiers.generative import GenerativeClassifier
from priorcraft.core import UNLABELLED, Implicit
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError
from priorcraft.run import Run
from priorcraft.verbs.contrasting import DISCRIMINATIVE, contrast
from priorcraft.verbs.measuring import besides, measured

REPEATS = 2
DENSITIES = ("naive-bayes", "qda")  # of the learning curve: fitted in a moment
SMALL = 100  # entries of x, up to which all test rows are classified and learning curves are drawn
FEW = 100  # test rows beyond that: each takes a pass of the network for every class
LEARNED = 3000  # training rows of the discriminative classifiers: an SVM takes time with their square


def classified(runs: Sequence[Run], splits: Splits, rows: Rows, *, samples: int, seed: int) -> dict[str, Any] | None:
    """Accuracy, log loss and calibration of every density and of two discriminative classifiers on the same rows.

    Args:
        runs: fitted models; those without a density or labels are left out.
        splits: the data; of more than 3,000 training rows, the discriminative classifiers learn from 3,000 drawn ones.
        rows: test rows; of x with more than 100 entries, 100 drawn ones.
        samples: draws of the bound of approximate models.
        seed: of every draw.

    Returns:
        "classifiers", one entry each, "curve", as `contrast` gives it, for small x, and "notes", sentences on what
        these data do not allow; None without labels of two classes.
    """
    small = splits.space.dims <= SMALL
    rows = labelled(rows, len(rows) if small else FEW, seed)
    if not splits.classes or rows.y is None or len(rows.y.unique()) < 2:
        return None
    dense = [run for run in runs if not isinstance(run.model, Implicit) and run.model.classes]
    found, notes = [by_bayes(run, rows, samples, seed) for run in dense], list[str]()
    few = replace(splits, train=labelled(splits.train, LEARNED, seed))
    for name in DISCRIMINATIVE:
        try:
            found.append({"kind": "discriminative"} | besides(name, few, rows, seed))
        except DataError as reason:
            notes.append(str(reason))
    curve = list[dict[str, Any]]()
    if small and not notes:
        curve = contrast(splits, densities=DENSITIES, repeats=REPEATS, seed=seed)
    return {"classifiers": found, "curve": curve, "notes": notes}


def labelled(rows: Rows, most: int, seed: int) -> Rows:
    """At most so many of the rows whose class is known, drawn: a file may hold one class after another."""
    if rows.y is None:
        return rows
    known = (rows.y != UNLABELLED).nonzero().flatten()
    drawn = known[torch.randperm(len(known), generator=runtime.keyed(seed, "classified"))[:most]]
    return Rows(rows.x[drawn], rows.y[drawn])


def by_bayes(run: Run, rows: Rows, samples: int, seed: int) -> dict[str, Any]:
    """One density as a classifier."""
    classifier = GenerativeClassifier(run.model, samples=samples, seed=seed)
    assert rows.y is not None
    log_posterior = classifier.log_posterior(rows.x.to(run.model.log_prior.device)).cpu()
    return {"name": run.name, "kind": classifier.kind} | measured(log_posterior, rows.y)
