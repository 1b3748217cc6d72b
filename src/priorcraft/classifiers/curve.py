"""How much each kind of classifier learns from how many labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.answer import Answer
from priorcraft.core import UNLABELLED, Classifier

Fit = Callable[[Tensor, Tensor], Classifier]


@dataclass(frozen=True)
class Learned(Answer):
    """What a classifier learned from some labels.

    Args:
        name: of the classifier.
        per_class: labels of each class that it saw.
        accuracy: on test rows, the mean over draws of the labels.
        lowest, highest: of these draws.
    """

    name: str
    per_class: int
    accuracy: float
    lowest: float
    highest: float


def learning_curve(
    fits: Mapping[str, Fit],
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    per_class: Sequence[int],
    repeats: int = 3,
    seed: int = 0,
) -> tuple[Learned, ...]:
    """Accuracy of classifiers that saw n labels a class, the same rows for all (Ng & Jordan 2002).

    Args:
        fits: name to a function of rows (N, *event_shape) and labels (N,), -1 where hidden, that gives a classifier;
            one that cannot use unlabelled rows leaves them out.
        train, test: rows and labels.
        per_class: the numbers n; a class with fewer rows gives all.
        repeats: draws of the labelled rows.
        seed: of the draws.

    Returns:
        One entry a name and n.
    """
    learned = []
    for n in per_class:
        labels = [hidden(train[1], n, generator=runtime.keyed(seed, "curve", n, r)) for r in range(repeats)]
        for name, fit in fits.items():
            found = [accuracy(fit(train[0], y), *test) for y in labels]
            learned.append(Learned(name, n, sum(found) / repeats, min(found), max(found)))
    return tuple(learned)


def by_name(curve: Sequence[Learned]) -> dict[str, list[Learned]]:
    """A learning curve, taken apart by classifier.

    >>> by_name([Learned("svm", 2, 0.6, 0.6, 0.6), Learned("svm", 5, 0.8, 0.8, 0.8)])["svm"][1].per_class
    5
    """
    return {name: [r for r in curve if r.name == name] for name in dict.fromkeys(r.name for r in curve)}


def hidden(y: Tensor, n: int, *, generator: torch.Generator) -> Tensor:
    """Labels with all but n of each class made -1.

    >>> hidden(torch.tensor([0, 0, 1, 1]), 1, generator=runtime.keyed(0)).ne(-1).sum()
    tensor(2)
    """
    order = torch.randperm(len(y), generator=generator)
    out = torch.full_like(y, UNLABELLED)
    for c in y[y != UNLABELLED].unique().tolist():
        keep = order[y[order] == c][:n]
        out[keep] = c
    return out


def accuracy(classifier: Classifier, x: Tensor, y: Tensor) -> float:
    """Share of labelled rows whose most probable class is theirs."""
    known = y != UNLABELLED
    return float((classifier.log_posterior(x[known]).argmax(1).cpu() == y[known]).double().mean())
