"""Columns of a table as integers, and integers as cells again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Generator

from priorcraft import runtime
from priorcraft.datasets.labels import by_number
from priorcraft.errors import DataError

# cells that say nothing, in small letters
EMPTY = frozenset({"", "?", "na", "n/a", "nan", "-nan", "+nan", "null", "none"})
BINS, MOST = 16, 32  # states of a column: of numbers unless asked otherwise, and of any
DECIMALS = 20
WRONG = -2  # in the place of an integer: a cell that the column does not have


def empty(cell: str) -> bool:
    """Whether a cell says nothing."""
    return cell.lower() in EMPTY


@dataclass(frozen=True)
class Column:
    """What the integers 0 ... size-1 of one column stand for.

    Args:
        name: of the column.
        states: the cell that each integer stands for; () where integers are bins of numbers.
        lows, highs: the smallest and largest number of each bin, which other numbers join where they are nearer.
        decimals: of the numbers.
    """

    name: str
    states: tuple[str, ...] = ()
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    decimals: int = 0

    @property
    def size(self) -> int:
        """How many integers."""
        return len(self.states or self.lows)

    def encode(self, cells: Sequence[str], places: Sequence[str], source: str) -> np.ndarray:
        """The integers of cells, -1 where empty, (N,).

        Raises:
            DataError: a cell of another kind, with the line that it stands in.
        """
        code = {cell: self._level(cell) for cell in set(cells)}
        found = np.array([code[cell] for cell in cells])
        if WRONG in found:
            i = int((found == WRONG).argmax())
            few = ", ".join(self.states[:8]) + (" ..." if self.size > 8 else "")
            wanted = f"one of {few}" if self.states else "a number, written like 12 or 0.25"
            raise DataError(f"{source}, {places[i]}: '{self.name}' must be {wanted}, not '{cells[i]}'.")
        return found

    def _level(self, cell: str) -> int:
        """The integer of one cell, -1 where empty, -2 where it has none."""
        if empty(cell):
            return -1
        number = as_number(cell)
        if not self.states:
            return WRONG if number is None else int(np.searchsorted(self._edges, number, side="right"))
        return self._known.get(cell, WRONG if number is None else self._known.get(number, WRONG))

    @cached_property
    def _known(self) -> dict[str | float, int]:
        """The integer of each state, by its text, and by its number if it is one."""
        numbers = {as_number(state): k for k, state in enumerate(self.states)}
        return {n: k for n, k in numbers.items() if n is not None} | {s: k for k, s in enumerate(self.states)}

    @cached_property
    def _edges(self) -> np.ndarray:
        """What lies between one bin and the next."""
        return (np.array(self.highs[:-1]) + np.array(self.lows[1:])) / 2

    def decode(self, levels: np.ndarray, generator: Generator) -> list[str]:
        """A cell for each integer; of a bin, any number between its smallest and its largest."""
        if self.states:
            return [self.states[k] for k in levels]
        low, high = np.array(self.lows)[levels], np.array(self.highs)[levels]
        u = runtime.uniform((len(levels),), generator=generator, like=torch.zeros(0, dtype=torch.float64)).numpy()
        return [f"{value:.{self.decimals}f}" for value in low + u * (high - low)]


def column_of(name: str, cells: Sequence[str], bins: int) -> Column | str:
    """What a column turns out to be, or why nothing can be learned from it.

    Numbers with at most `bins` different values keep them; others are put into bins that hold about equally many.
    """
    there = [cell for cell in cells if not empty(cell)]
    numbers = [as_number(cell) for cell in there]
    different = set(there)
    if len(different) < 2:
        return f"always {next(iter(different))}" if different else "empty"
    if any(number is None for number in numbers):
        if len(different) <= MOST:
            return Column(name, tuple(sorted(different, key=by_number)))
        return f"{len(different):,} different texts, more than {MOST}{_nearly_numbers(there)}"
    values = np.array(numbers, dtype=float)
    if not np.isfinite(values).all():
        return "infinite numbers"
    distinct = sorted(set(values.tolist()))
    if len(distinct) == len(values) > bins and set(np.diff(distinct)) == {1.0}:
        return "numbers of rows"
    if len(distinct) <= bins:
        written = dict(zip(values.tolist(), there, strict=True))
        return Column(name, tuple(written[value] for value in distinct))
    decimals = min(DECIMALS, max(_decimals(cell) for cell in there))
    return _in_bins(name, np.sort(values), bins, decimals)


def _nearly_numbers(cells: Sequence[str]) -> str:
    """What keeps a column of texts from being one of numbers, if little does."""
    texts = [cell for cell in cells if as_number(cell) is None]
    if 2 * len(texts) < len(cells):
        return f"; it would be numbers without '{texts[0]}': correct such cells, or empty them"
    return "; numbers are written with a point" if as_number(texts[0].replace(",", ".")) is not None else ""


def _in_bins(name: str, values: np.ndarray, bins: int, decimals: int) -> Column:
    """Bins of about equally many of the sorted values, each cut at the widest gap within half a bin."""
    gaps, reach = np.diff(values), len(values) // (2 * bins)
    cuts = set[int]()
    for rank in np.arange(1, bins) * len(values) // bins:
        first = max(0, rank - 1 - reach)
        widest = first + int(gaps[first : rank + reach].argmax())
        cuts |= {widest + 1} if gaps[widest] > 0 else set()
    parts = np.split(values, sorted(cuts))
    lows, highs = (tuple(float(part[end]) for part in parts) for end in (0, -1))
    return Column(name, lows=lows, highs=highs, decimals=decimals)


def as_number(cell: str) -> float | None:
    """The number that a cell holds, if it does."""
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


def _decimals(cell: str) -> int:
    mantissa, _, exponent = cell.lower().partition("e")
    return max(0, len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0))


@dataclass(frozen=True)
class Columns:
    """The columns of a table that a model knows, in their order.

    Args:
        columns: each entry of x.
        label: name of the column that is the class, if any.
        place: how many of the columns stand before it.
        classes: its states.
    """

    columns: tuple[Column, ...]
    label: str | None = None
    place: int = 0
    classes: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """States of each column."""
        return tuple(column.size for column in self.columns)

    @property
    def header(self) -> list[str]:
        """The names in their order, the label among them."""
        names = [column.name for column in self.columns]
        return names if self.label is None else [*names[: self.place], self.label, *names[self.place :]]

    def cells(self, x: np.ndarray, labels: Sequence[str] | None, generator: Generator) -> list[list[str]]:
        """Rows x (N, D), and the names of their classes, as cells under the header."""
        found = [column.decode(x[:, i], generator) for i, column in enumerate(self.columns)]
        if self.label is not None:
            alone = self.classes[0] if len(self.classes) == 1 else ""
            found.insert(self.place, list(labels or [alone] * len(x)))
        return [list(row) for row in zip(*found, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """For a run's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Columns":
        """The inverse of `as_json`, which leaves tuples as lists."""
        lists = ("states", "lows", "highs")
        columns = [Column(**(kept | {key: tuple(kept[key]) for key in lists})) for kept in found["columns"]]
        return cls(tuple(columns), found["label"], int(found["place"]), tuple(found["classes"]))
