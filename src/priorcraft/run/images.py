"""Images and rows that a question is asked about: files, numbers of test rows, or tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from priorcraft.core import UNLABELLED, Space
from priorcraft.datasets import Splits
from priorcraft.errors import UsageError
from priorcraft.run import Run
from priorcraft.run.data import data_of
from priorcraft.run.sizes import read_alike, read_sized

Point = str | Path | int | Tensor  # an image file, the number of a test row, or the point itself
ENTRIES = 2**28  # numbers of one answer at most


@dataclass(frozen=True)
class Named:
    """Points that were named.

    Args:
        x: points, (B, *event_shape).
        y: their labels, (B,), -1 where not known; None without labels.
        splits: the data that they are from, if they were opened.
        files: where the images were read from, if they were files.
    """

    x: Tensor
    y: Tensor | None
    splits: Splits | None = None
    files: tuple[str | Path, ...] = ()


def points_of(run: Run, named: Sequence[Point], data: str | Path | Splits | None, limit: int = 1) -> Named:
    """Points that live where the model does: those that are named, or without any the first `limit` test rows.

    Raises:
        UsageError: no such test row.
        DataError: points that live elsewhere, or files that cannot be read.
    """
    numbers = [
        isinstance(each, int) or (isinstance(each, str) and each.isascii() and each.isdecimal() and len(each) < 19)
        for each in named
    ]
    splits = data_of(run, data) if data is not None or any(numbers) or not named else None
    if not named and splits is not None:
        rows = first_rows(splits, limit)
        return Named(run.model.space.check(rows.x), rows.y, splits)
    read = [
        test_row(splits, int(str(each))) if number and splits is not None else (one_point(run, each), UNLABELLED)
        for each, number in zip(named, numbers, strict=True)
    ]
    x = run.model.space.check(torch.stack([x for x, _ in read]), "the images")
    return Named(x, torch.tensor([label for _, label in read]), splits)


def first_rows(splits: Splits, limit: int) -> Named:
    """The first test rows.

    Raises:
        UsageError: a limit below 1.
    """
    if limit < 1:
        raise UsageError(f"limit must be at least 1, not {limit}.")
    return Named(splits.test.x[:limit], None if splits.test.y is None else splits.test.y[:limit], splits)


def test_row(splits: Splits, number: int) -> tuple[Tensor, int]:
    """A test row and its label.

    Raises:
        UsageError: there are fewer.
    """
    if not 0 <= number < len(splits.test):
        raise UsageError(f"there is no test row {number}; they are numbered 0 ... {len(splits.test) - 1}.")
    y = splits.test.y
    return splits.test.x[number], UNLABELLED if y is None else int(y[number])


def is_number(word: str) -> bool:
    """Whether a word is the number of a row, and no name: ² and digits without end are none."""
    return word.isascii() and word.isdecimal() and len(word) < 19


def one_point(run: Run, point: Point) -> Tensor:
    """A tensor as it is, or an image file, brought to the size that the model knows.

    Raises:
        UsageError: a file, and a model of rows.
    """
    if isinstance(point, Tensor):
        return point
    if not run.model.space.is_image:
        raise UsageError(f"images are of models of images, and {run.name} is one of rows: give {point} as data.")
    return read_sized(str(point), run.model.space, windows=False, top=top_of(run))


def images_of(
    run: Run,
    files: str | Path | Sequence[str | Path] | None,
    data: str | Path | Splits | None,
    limit: int,
    space: Space | None = None,
) -> Named:
    """Images from files of one size, or the first test rows of data.

    Args:
        space: the size that files must have at least, and their levels; the model's without it.

    Raises:
        UsageError: both, or neither.
        DataError: smaller images, or of several sizes.
    """
    paths = (files,) if isinstance(files, str | Path) else tuple(files or ())
    if bool(paths) == (data is not None):
        raise UsageError("give either an image file or --data, and not both.")
    if data is not None:
        splits = data_of(run, data)
        rows = first_rows(splits, limit)
        return rows if splits.space.levels is None else Named(rows.x.long(), rows.y, splits)
    return Named(read_alike(paths, space or run.model.space, top_of(run)), None, files=paths)


def top_of(run: Run) -> int | None:
    """The value of 16 bits that is white in the images of a run."""
    return run.data.get("reading", {}).get("top")


def check_size(n: int, draws: int, points: int, entries: int) -> None:
    """Raises a UsageError if so many draws of so many points, of so many entries each, cannot be held."""
    most = max(1, ENTRIES // (points * entries))
    for name, value in (("n", n), ("draws", draws)):
        if not 1 <= value <= most:
            raise UsageError(f"{name} must lie in 1 ... {most:,} for {points} points of this size, not {value:,}.")
