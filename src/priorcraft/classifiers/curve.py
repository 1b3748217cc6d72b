"""How much each kind of classifier learns from how many labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Classifier

Fit = Callable[[Tensor, Tensor], Classifier]


def learning_curve(
    fits: Mapping[str, Fit],
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    per_class: Sequence[int],
    repeats: int = 3,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Accuracy of classifiers that saw n labels a class, the same rows for all (Ng & Jordan 2002).

    Args:
        fits: name to a function of rows (N, *event_shape) and labels (N,), -1 where hidden, that gives a classifier;
            one that cannot use unlabelled rows leaves them out.
        train, test: rows and labels.
        per_class: the numbers n; a class with fewer rows gives all.
        repeats: draws of the labelled rows.
        seed: of the draws.

    Returns:
        One row a name and n: "name", "per_class", "accuracy" (mean of the repeats), "lowest", "highest".
    """
    rows = []
    for n in per_class:
        labels = [hidden(train[1], n, generator=runtime.keyed(seed, "curve", n, r)) for r in range(repeats)]
        for name, fit in fits.items():
            found = [accuracy(fit(train[0], y), *test) for y in labels]
            rows.append(
                {
                    "name": name,
                    "per_class": n,
                    "accuracy": sum(found) / repeats,
                    "lowest": min(found),
                    "highest": max(found),
                }
            )
    return rows


def by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of a learning curve by classifier.

    >>> by_name([{"name": "svm", "per_class": 2}, {"name": "svm", "per_class": 5}])["svm"][1]["per_class"]
    5
    """
    return {name: [r for r in rows if r["name"] == name] for name in dict.fromkeys(row["name"] for row in rows)}


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
