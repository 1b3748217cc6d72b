"""Rows, and their division into training, validation and test rows."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from priorcraft.core import Space
from priorcraft.datasets.columns import Columns


@dataclass(frozen=True)
class Rows:
    """Points of a space, with class labels where there are any.

    Args:
        x: points, (N, *event_shape), uint8 or int64 for integers, float32 for real numbers.
        y: int64 labels, (N,), -1 where not known; None without labels.
    """

    x: Tensor
    y: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def where(self, mask: Tensor) -> "Rows":
        """The rows that a mask (N,) takes, in their order."""
        return Rows(self.x[mask], None if self.y is None else self.y[mask])


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

    @property
    def context(self) -> Space | None:
        """Where the labels live; None without labels."""
        return Space((), len(self.classes)) if self.classes else None

    def rows(self, split: str) -> Rows:
        """The rows of "train", "valid" or "test"."""
        return {"train": self.train, "valid": self.valid, "test": self.test}[split]
