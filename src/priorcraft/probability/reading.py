"""Counts from rows: a column a variable, a row an observation; a column `count` or `p` weighs the rows."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa
import torch
from torch import Tensor

from priorcraft.cells import Cells
from priorcraft.cells.column import column_of_texts
from priorcraft.cells.emptiness import ALWAYS, SOMETIMES, rule
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.probability import axes as named

WEIGHTS = ("count", "p")
SUSPECT = frozenset((*ALWAYS, *SOMETIMES))
TOLERANCE = 1e-6  # how far a column p may sum from 1


@runtime_checkable
class Frame(Protocol):
    """What is asked of a pandas data frame."""

    columns: Any

    def isna(self) -> Any:
        """Where entries are missing."""

    def itertuples(self, index: bool, name: Any) -> Any:
        """One tuple a row."""


def non_negative(numbers: Any, axes: Mapping[str, Sequence[str]]) -> Tensor:
    """Numbers as float64 of the axes' shape.

    Raises:
        DataError: no numbers, another shape, or entries that are negative or not finite.
    """
    try:
        p = torch.as_tensor(numbers, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as e:
        raise DataError(f"a table needs numbers in rows of equal length: {e}.") from e
    named.check({name: tuple(states) for name, states in axes.items()}, tuple(p.shape))
    bad = p[~(torch.isfinite(p) & (p >= 0))]
    if bad.numel():
        raise DataError(f"the entries of a table must be finite and at least 0; found {float(bad[0])}.")
    return p


@dataclass(frozen=True)
class Rows:
    """Rows of text under named columns, with the place of each for error messages; "" where a cell is empty.

    `empty` are the words that stand for an empty cell in each column.
    """

    source: str
    names: list[str]
    rows: list[tuple[str, list[str]]]
    empty: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        twice = [name for name, times in Counter(self.names).items() if times > 1]
        if twice or "" in self.names:
            found = (
                f"'{twice[0]}' twice"
                if twice and twice[0]
                else "a column without a name (of a pandas index, to_csv(index=False) writes none)"
            )
            raise DataError(f"{self.source} must name each column once; found {found}.")
        if not self.rows:
            raise DataError(f"{self.source} has column names but no rows; at least one is needed.")

    @property
    def weight(self) -> str | None:
        """The column that weighs the rows; None if each counts once."""
        return next((name for name in WEIGHTS if name in self.names), None)

    @property
    def variables(self) -> list[str]:
        """The other columns."""
        weight = self.weight
        return [name for name in self.names if name != weight]


def from_csv(path: str | Path, empty: str | None = None) -> Rows:
    """The rows of a text file: UTF-8, separated by comma, semicolon or tab.

    Args:
        path: of the file.
        empty: words that are taken as empty, separated by commas, in place of the rule of `cells.emptiness`.

    Raises:
        DataError: a file that cannot be read, is empty, or has rows of another length than its header.
    """
    rows = _cells(_text(path), path)
    if not rows:
        raise DataError(f"{path} is empty; a line of column names and at least one row are needed.")
    (_, names), *rows = rows
    for place, row in rows:
        if len(row) != len(names):
            raise DataError(f"{path}, {place}: {len(names)} cells are needed, as in the header, not {len(row)}.")
    return Rows(str(path), names, rows, _empty(names, rows, empty))


def _empty(names: list[str], rows: list[tuple[str, list[str]]], empty: str | None) -> dict[str, list[str]]:
    """The words of each column that stand for an empty cell; a column that has none of them is not looked at."""
    if empty is not None:
        return rule(Cells("", tuple(column_of_texts(name, pa.array([], pa.string())) for name in names), 0), empty)
    columns = zip(names, zip(*(row for _, row in rows), strict=True), strict=False)
    asked = [column_of_texts(name, pa.array(texts)) for name, texts in columns if not SUSPECT.isdisjoint(texts)]
    return rule(Cells("", tuple(asked), len(rows)))


def _cells(text: str, path: str | Path) -> list[tuple[str, list[str]]]:
    """The lines that have cells, each with its place."""
    header = next((line for line in io.StringIO(text) if line.strip()), "")
    delimiter = max(",;\t", key=re.sub('"[^"]*"', "", header).count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [(f"line {reader.line_num}", [cell.strip() for cell in row]) for row in reader]
    except csv.Error as e:
        raise DataError(f"{path} is not a table of comma-separated values: {e}.") from e
    lines = list(dropwhile(lambda line: not any(line[1]), lines))  # nothing stands before the names
    return [(place, row) for place, row in lines if row and (len(row) > 1 or row[0] or len(lines[0][1]) == 1)]


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except OSError as e:
        raise DataError(f"{path} cannot be read: {e.strerror}.") from e
    except UnicodeDecodeError as e:
        raise DataError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from e


def from_frame(frame: Frame) -> Rows:
    """The rows of a pandas data frame, every entry as text."""
    cells = zip(frame.itertuples(index=False, name=None), frame.isna().itertuples(index=False, name=None), strict=True)
    rows = [["" if empty else str(v).strip() for v, empty in zip(*row, strict=True)] for row in cells]
    return Rows("the data frame", [str(c) for c in frame.columns], [(f"row {i}", row) for i, row in enumerate(rows, 1)])


def counted(rows: Rows, variables: Sequence[str] | None) -> tuple[dict[str, tuple[str, ...]], Tensor]:
    """The axes of a table of `variables` (None: all), states as they first appear, and its counts, float64.

    Raises:
        DataError: empty cells, weights that are not finite numbers of at least 0, weighted rows that are there
            twice, a column p that does not sum to 1, or too many cells.
        UsageError: an unknown variable.
    """
    _check_weights(rows)
    names = _chosen(rows, variables)
    totals: dict[tuple[str, ...], float] = {}
    column = {name: i for i, name in enumerate(rows.names)}
    for key, weight in _weighed(rows, [column[name] for name in names]):
        totals[key] = totals.get(key, 0.0) + weight
    axes = {name: tuple(dict.fromkeys(column)) for name, column in zip(names, zip(*totals, strict=True), strict=True)}
    named.check(axes)
    if rows.weight == "p" and abs((total := math.fsum(totals.values())) - 1) > TOLERANCE:
        raise DataError(
            f"column p of {rows.source} sums to {total:.6g}, not to 1; correct it, or name the column count, which is "
            "divided by its sum."
        )
    places = [{state: i for i, state in enumerate(states)} for states in axes.values()]
    indices = torch.tensor([[place[s] for place, s in zip(places, key, strict=True)] for key in totals])
    counts = torch.zeros([len(states) for states in axes.values()], dtype=torch.float64)
    counts[tuple(indices.T)] = torch.tensor(list(totals.values()), dtype=torch.float64)
    return axes, counts


def _check_weights(rows: Rows) -> None:
    if set(WEIGHTS) <= set(rows.names):
        raise DataError(f"{rows.source} has both a column count and a column p; keep one.")


def _chosen(rows: Rows, variables: Sequence[str] | None) -> list[str]:
    known = rows.variables
    if not known:
        raise DataError(f"{rows.source} has no column but {rows.weight}; a column a variable is needed.")
    for name in variables or ():
        if name not in known:
            raise UsageError(f"{rows.source} has no variable '{name}'; {did_you_mean(name, known)}")
    return known if variables is None else list(dict.fromkeys(variables))


def _weighed(rows: Rows, chosen: list[int]) -> Iterator[tuple[tuple[str, ...], float]]:
    """States of the chosen columns, and weight, of each row."""
    column = rows.names.index(rows.weight) if rows.weight else None
    seen: dict[tuple[str, ...], str] = {}
    for place, row in rows.rows:
        if not any(row):  # as spreadsheets leave them at the end
            continue
        key = tuple(row[i] for i in chosen)
        for name, state in zip((rows.names[i] for i in chosen), key, strict=True):
            _check_cell(rows, place, name, state)
        if column is None:
            yield key, 1.0
            continue
        first = seen.setdefault((*row[:column], *row[column + 1 :]), place)
        if first != place:
            raise DataError(f"{rows.source}, {place}: the same states as {first}; merge the two rows.")
        # the comma of a count may be a thousands separator, so only a probability may have one
        number = row[column].replace(",", ".") if rows.weight == "p" else row[column]
        yield key, _number(number, f"{rows.source}, {place}: {rows.weight}")


def _check_cell(rows: Rows, place: str, name: str, state: str) -> None:
    if not state:
        raise DataError(f"{rows.source}, {place}: '{name}' is empty; fill it in, or take the row out.")
    if state in rows.empty.get(name, ()):
        column = rows.names.index(name)
        count = sum(row[column] == state for _, row in rows.rows)
        raise DataError(
            f"{rows.source}, {place}: '{name}' is empty: '{state}' is taken so, {count:,} times; fill it in, take the "
            "row out, or name the words that are empty by --empty."
        )


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise DataError(f"{what} must be a finite number of at least 0, written like 12 or 0.25, not '{text}'.")
    return number
