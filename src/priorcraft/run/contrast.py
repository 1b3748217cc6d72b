"""The two kinds of classifier side by side: how much each learns from how many labels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.classifiers.curve import Fit, Learned, learning_curve
from priorcraft.classifiers.discriminative import Discriminative
from priorcraft.classifiers.generative import GenerativeClassifier
from priorcraft.core import UNLABELLED, Classifier
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError
from priorcraft.run.in_memory import fitted

GENERATIVE, DISCRIMINATIVE = ("naive-bayes", "qda", "kernel"), ("logistic", "svm")
PER_CLASS, REPEATS = (2, 5, 10, 20, 50), 3
ROWS, STOPPING = 5000, 50  # test rows to judge by at most; labelled rows whose likelihood ends a fit


def contrast(
    splits: Splits,
    *,
    densities: Sequence[str] = GENERATIVE,
    per_class: Sequence[int] = PER_CLASS,
    repeats: int = REPEATS,
    seed: int = 0,
) -> tuple[Learned, ...]:
    """Test accuracy of both kinds of classifier for several numbers of labels, the same labels for all.

    A generative classifier approaches its limit with fewer labels, a discriminative one has often the higher limit
    (Ng & Jordan 2002). An estimate: the mean over a few draws of the labelled rows.

    Args:
        splits: labelled data.
        densities: names of models with closed-form updates, to be classifiers by Bayes' theorem.
        per_class: numbers of labels a class.
        repeats: draws of the labelled rows.
        seed: of the draws.

    Returns:
        One entry a classifier and number of labels.

    Raises:
        DataError: data without labels of two classes.
    """
    train, test = splits.train, splits.test
    if train.y is None or test.y is None or len(train.y[train.y != UNLABELLED].unique()) < 2:
        raise DataError("a learning curve needs labels of at least two classes, in training and in test rows.")
    fits: dict[str, Fit] = {f"Bayes, {name}": generative(splits, name, seed) for name in possible(splits, densities)}
    fits |= {name: discriminative(splits, name, seed) for name in DISCRIMINATIVE}
    judged = torch.randperm(len(test), generator=runtime.keyed(seed, "contrast"))[:ROWS]
    rows = test.x[judged], test.y[judged]
    return learning_curve(fits, (train.x, train.y), rows, per_class=per_class, repeats=repeats, seed=seed)


def possible(splits: Splits, densities: Sequence[str]) -> list[str]:
    """Those that such data allow: naive Bayes counts integers."""
    return [name for name in densities if splits.space.levels is not None or name != "naive-bayes"]


def generative(splits: Splits, name: str, seed: int = 0, *, unlabelled: bool = False) -> Fit:
    """Fits a density to the labelled rows, or to all, and turns it into a classifier by Bayes' theorem."""

    def fit(x: Tensor, y: Tensor) -> Classifier:
        known = y != UNLABELLED
        rows = Rows(x, y) if unlabelled else Rows(x[known], y[known])
        few = Rows(x[known][:STOPPING], y[known][:STOPPING])
        return GenerativeClassifier(fitted(name, splits.space, splits.context, rows, few, seed=seed))

    return fit


def discriminative(splits: Splits, name: str, seed: int = 0) -> Fit:
    """Learns p(c | x) directly."""
    return lambda x, y: Discriminative(name, splits.space, len(splits.classes), seed=seed).fit(x, y)
