"""Samples to add to a training set, in chunks: each passes the checks of `augment`, its proof apart."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.datasets import Rows
from priorcraft.metrics.vetted import Vetted, wanted_counts
from priorcraft.run.data import labelled_data
from priorcraft.runtime import Key
from priorcraft.scale.questions import alone, loaded

AUGMENT = "augment"
ROWS = 8192  # of a chunk at most: all of them are compared with all training rows
TRIED = 20  # samples of each class that are drawn before a long answer begins


@lru_cache(maxsize=2)
def vetted(run: str, data: str, seed: int) -> Vetted:
    """What samples are checked by, made once in each process."""
    fitted = loaded(run)
    return Vetted(fitted.model, labelled_data(fitted, data), seed)


def asked_counts(run: str, data: str, per_class: int, balance: bool, seed: int) -> Mapping[str, Any]:
    """What a job of samples to add has to know: how many of each class, and of which data.

    Raises:
        DataError, UsageError: as `wanted_counts`.
        PriorcraftError: a class of which no sample passes.
    """
    with alone():
        source = vetted(run, data, seed)
        counts = wanted_counts(source.splits, per_class, balance=balance)
        few = torch.arange(len(counts)).repeat_interleave(counts.clamp_max(TRIED))
        source.draw(few, runtime.keyed(seed, AUGMENT, "tried"))
    return {"counts": counts.tolist(), "fingerprint": source.splits.fingerprint}


def added(source: Vetted, counts: list[int], begin: int, end: int, key: tuple[Key, ...]) -> Rows:
    """The samples from `begin` to before `end`, class after class; labels that could not be served are left out."""
    return source.served(labels(counts, begin, end), runtime.keyed(*key))


def labels(counts: list[int], begin: int, end: int) -> Tensor:
    """The labels from `begin` to before `end` of so many rows of each class, int64.

    >>> labels([2, 0, 3], 1, 4).tolist()
    [0, 2, 2]
    """
    return torch.searchsorted(torch.tensor(counts).cumsum(0), torch.arange(begin, end), right=True)
