"""What a comparison says of classifiers: its own densities by Bayes' theorem, beside p(c | x) learned directly."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from priorcraft import runtime
from priorcraft.classifiers.generative import GenerativeClassifier
from priorcraft.core import UNLABELLED, Implicit
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError
from priorcraft.metrics.classification import Contest, Measured, measured, peer
from priorcraft.run import Run
from priorcraft.run.contrast import DISCRIMINATIVE, contrast

REPEATS = 2
DENSITIES = ("naive-bayes", "qda")  # of the learning curve: fitted in a moment
SMALL = 100  # entries of x, up to which all test rows are classified and learning curves are drawn
FEW = 100  # test rows beyond that: each takes a pass of the network for every class
LEARNED = 3000  # training rows of the discriminative classifiers: an SVM takes time with their square


def contest(runs: Sequence[Run], splits: Splits, rows: Rows, *, samples: int, seed: int) -> Contest | None:
    """Accuracy, log loss and calibration of every density and of two discriminative classifiers on the same rows.

    Args:
        runs: fitted models; those without a density or labels are left out.
        splits: the data; of more than 3,000 training rows, the discriminative classifiers learn from 3,000 drawn ones.
        rows: test rows; of x with more than 100 entries, 100 drawn ones.
        samples: draws of the bound of approximate models.
        seed: of every draw.

    Returns:
        The classifiers, for small x with their learning curve; None without labels of two classes.
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
            found.append(peer(name, few, rows, seed))
        except DataError as reason:
            notes.append(str(reason))
    drawn = small and not notes
    curve = contrast(splits, densities=DENSITIES, repeats=REPEATS, seed=seed) if drawn else ()
    return Contest(tuple(found), curve, tuple(notes))


def labelled(rows: Rows, most: int, seed: int) -> Rows:
    """At most so many of the rows whose class is known, drawn: a file may hold one class after another."""
    if rows.y is None:
        return rows
    known = (rows.y != UNLABELLED).nonzero().flatten()
    drawn = known[torch.randperm(len(known), generator=runtime.keyed(seed, "classified"))[:most]]
    return Rows(rows.x[drawn], rows.y[drawn])


def by_bayes(run: Run, rows: Rows, samples: int, seed: int) -> Measured:
    """One density as a classifier."""
    classifier = GenerativeClassifier(run.model, samples=samples, seed=seed)
    log_posterior = classifier.log_posterior(rows.x.to(run.model.device)).cpu()
    return measured(run.name, classifier.kind, log_posterior, rows.y)
