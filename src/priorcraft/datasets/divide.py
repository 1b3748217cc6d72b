"""Rows drawn by seed for validation and test, in proportion to the classes."""

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
    order = torch.randperm(n, generator=generator)
    if rows.y is not None:
        order = order[rows.y[order].argsort(stable=True)]
    mask = torch.zeros(n, dtype=torch.bool)
    for start in range(0, n, AT_ONCE):
        i = torch.arange(start, min(start + AT_ONCE, n))
        mask[order[start : start + AT_ONCE]] = (i + 1) * count // n > i * count // n
    return mask
