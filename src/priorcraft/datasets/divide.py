"""Rows drawn by seed for validation and test, in proportion to the classes."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.datasets.splits import Rows
from priorcraft.errors import DataError

SHARE = 0.15  # of the rows there are, for each part that is missing
AT_ONCE = 2**16  # rows that are chosen among at once


def complete(parts: dict[str, Rows], *, seed: int) -> dict[str, Rows]:
    """All three parts: each missing one takes 15 % of the training rows, stratified if they are labelled.

    Raises:
        DataError: too few rows to divide.
    """
    n, missing = len(parts["train"]), [part for part in ("valid", "test") if part not in parts]
    if n <= len(missing):
        raise DataError(
            f"{n} row{'s' * (n != 1)} cannot be divided; at least {len(missing) + 1} are needed, "
            "or x_train, x_valid and x_test given by themselves."
        )
    for part in missing:
        taken = choose(parts["train"], max(1, round(SHARE * n)), generator=runtime.keyed(seed, "split", part))
        parts = {**parts, "train": parts["train"].where(~taken), part: parts["train"].where(taken)}
    return parts


def choose(rows: Rows, count: int, *, generator: Generator) -> Tensor:
    """A mask (N,) that takes exactly `count` rows at random, from each class its share to within one row.

    Systematic sampling along the classes: position i is taken where floor((i + 1) count / N) > floor(i count / N).
    """
    n = len(rows)
    order = torch.randperm(n, dtype=torch.int32 if n < 2**31 else torch.int64, generator=generator)
    mask = torch.zeros(n, dtype=torch.bool)
    for number, i in _along(order, rows.y):
        mask[number] = (i + 1) * count // n > i * count // n
    return mask


def _along(order: Tensor, y: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Numbers of rows, and their positions when rows in this order are sorted by class, a stretch at a time."""
    begins = None if y is None else torch.bincount(y + 1).cumsum(0).roll(1).index_fill(0, torch.tensor(0), 0)
    for start in range(0, len(order), AT_ONCE):
        number = order[start : start + AT_ONCE].long()
        if y is None or begins is None:
            yield number, torch.arange(start, start + len(number))
            continue
        label, here = (y[number] + 1).sort(stable=True)
        counts = torch.bincount(label, minlength=len(begins))
        yield number[here], torch.arange(len(label)) + (begins - (counts.cumsum(0) - counts))[label]
        begins = begins + counts
