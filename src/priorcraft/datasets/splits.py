"""Rows, and their division into training, validation and test rows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from priorcraft.cells import Cells
from priorcraft.cells.stored import StoredCells
from priorcraft.core import UNLABELLED, Space
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.raw import SPLITS
from priorcraft.datasets.raw_values import RawValues, raw_values
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.mapped import gathered

BESIDE = ("y", "seen", "rest", "strange", "place", "partner")  # what `Rows` hold beside x


@dataclass(frozen=True)
class Rows:
    """Points of a space, with class labels where there are any.

    Args:
        x: points, (N, *event_shape), uint8 or int64 for integers, float32 for real numbers.
        y: int64 labels, (N,), -1 where not known; None without labels.
        seen: of a table with holes, which entries are there, bool, (N, *event_shape); x is 0 elsewhere. None: all are.
        rest: of a table, log p(row | x), nats: what its numbers say beyond their integers, float64, (N,).
        strange: of a table, by how many nats a row's values are stranger than x says: outliers and new words, (N,).
        place: the number of each row in `Splits.table`, or of its file in `Splits.files`, (N,).
        partner: of pairs, the point of the other domain that goes with each, (N, *its shape).
    """

    x: Tensor
    y: Tensor | None = None
    seen: Tensor | None = None
    rest: Tensor | None = None
    strange: Tensor | None = None
    place: Tensor | None = None
    partner: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def labels(self) -> Tensor:
        """The labels, -1 where not known, (N,); -1 everywhere without any."""
        return torch.full((len(self.x),), UNLABELLED) if self.y is None else self.y

    @property
    def context(self) -> Tensor | None:
        """What a model of p(x | c) is given: the partners of pairs, else the labels, (N, ...); None without either."""
        return self.y if self.partner is None else self.partner

    def where(self, mask: Tensor) -> "Rows":
        """The rows that a mask (N,), or their numbers, take."""
        return self._each(lambda part: gathered(part, mask))

    def first(self, n: int | None) -> "Rows":
        """The first n rows; all if None."""
        return self._each(lambda part: part[:n])

    def stretch(self, begin: int, end: int) -> "Rows":
        """The rows from `begin` to before `end`."""
        return self._each(lambda part: part[begin:end])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Rows":
        found = {name: getattr(self, name) for name in BESIDE}
        return Rows(change(self.x), **{name: None if own is None else change(own) for name, own in found.items()})


@dataclass(frozen=True)
class Splits:
    """One data set: where its points live, and its three disjoint parts.

    Args:
        name: what the user called it.
        space: where x lives.
        classes: names of the classes, () without labels.
        train, valid, test: the rows; test rows are touched once, at the end.
        fingerprint: changes if any row, label or split changes (SHA-256, hexadecimal).
        counts: what the fingerprint covers, in words for an error message, e.g. {"train": 1000, "valid": 347}.
        notes: what a user should know: files skipped and why, duplicates across splits, conversions made.
        columns: what the integers of a table stand for; None for other data.
        folder: where they lie prepared on disk; None where they are in memory alone.
        table: the cells of a table; None for other data.
        in_memory: whether they came from no place that could be opened again.
        files: names of the image files that rows were read from; () of other data, and of data that lie prepared.
        divided: False for rows that a question is asked of and nothing is learned from: every part is all of them.
    """

    name: str
    space: Space
    classes: tuple[str, ...]
    train: Rows
    valid: Rows
    test: Rows
    fingerprint: str
    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    divided: bool = True
    columns: Columns | None = None
    folder: Path | None = None
    table: Cells | StoredCells | None = None
    in_memory: bool = False
    files: tuple[str, ...] = ()

    def named(self, rows: Rows) -> tuple[str, ...]:
        """The names of the files that some of the rows were read from; () where they were not files."""
        return () if rows.place is None or not self.files else tuple(self.files[i] for i in rows.place.tolist())

    @property
    def context(self) -> Space | None:
        """Where the labels live; None without labels."""
        return Space((), len(self.classes)) if self.classes else None

    def rows(self, split: str) -> Rows:
        """The rows of "train", "valid" or "test".

        Raises:
            UsageError: another name.
        """
        if split not in SPLITS:
            raise UsageError(f"split must be train, valid or test: {did_you_mean(split, SPLITS)}")
        return {"train": self.train, "valid": self.valid, "test": self.test}[split]

    @cached_property
    def values(self) -> dict[str, RawValues] | None:
        """The raw values of the "train", "valid" and "test" rows of a table; None for other data."""
        if self.table is None or self.columns is None:
            return None
        return {part: raw_values(self.cells(self.rows(part)), self.columns) for part in ("train", "valid", "test")}

    def cells(self, rows: Rows) -> Cells:
        """The cells of some of the rows, as they were read.

        Raises:
            DataError: the data are no table.
        """
        if self.table is None or rows.place is None:
            raise DataError(f"{self.name} is no table.")
        return self.table.take(rows.place.numpy())
