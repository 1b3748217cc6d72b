"""Numbers: point masses and bins as integers, and a density inside each that follows the data and has tails."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pyarrow as pa
import torch
from torch import Generator

from priorcraft import runtime
from priorcraft.cells import CellColumn
from priorcraft.cells.numerals import Numeral
from priorcraft.core import Finer
from priorcraft.datasets.columns.codec import Codec, Coded, Leaves
from priorcraft.datasets.columns.grid import EXACT, Grid, grid_of
from priorcraft.datasets.columns.inside import Inside, spread

HEAPS = 4096  # values that are kept because they are there more than once
POINT = 0.03  # share of the rows that makes a value a state of its own
FINE = 16  # states of the fine digit
ROWS_A_LEAF = 8


@dataclass(frozen=True)
class Number(Codec):
    """Numbers in leaves: a point mass, or a bin of neighbouring values, of which a coarse state holds some.

    log p(v) = log p(coarse, fine) + log p(v | leaf): the model gives the former, `Inside` the latter, the same for
    every model. For whole numbers, and on a grid, both are probabilities, for other decimals the latter is a density.

    Args:
        firsts: the first leaf of each coarse state, see `Leaves`.
        lows, highs: the smallest and largest number that was seen in each leaf.
        counts: how many rows.
        heaps, heights: values inside leaves that were seen more than once, ascending, and how often.
        step: the distance between numbers as they are written; 1 for whole numbers.
        whole: whether all of them are whole.
        numeral: how they are written.
        grid: what all of them lie on, if it is coarser than `step`; none is drawn beside it.
    """

    firsts: tuple[int, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    counts: tuple[int, ...]
    heaps: tuple[float, ...] = ()
    heights: tuple[int, ...] = ()
    step: float = 1.0
    whole: bool = True
    numeral: Numeral = field(default_factory=Numeral)
    grid: Grid | None = None
    kind: ClassVar[str] = "number"

    def __post_init__(self) -> None:
        ends = np.stack([self.lows, self.highs], 1).ravel() if len(self.lows) == len(self.highs) else np.ones(0)
        if not (Leaves(self.firsts).firsts[-1] == len(self.counts) == len(ends) / 2 and (np.diff(ends) >= 0).all()):
            raise ValueError("leaves of numbers must have ascending ends and a count each.")
        if not (self.step > 0 and min(self.counts) > 0 and len(self.heaps) == len(self.heights)):
            raise ValueError("numbers need a step and counts above zero, and a height for each heap.")

    @property
    def sizes(self) -> tuple[int, ...]:
        """States of one or two digits."""
        return Leaves(self.firsts).sizes

    @property
    def finer(self) -> tuple[Finer, ...]:
        """The fine digit, if there is one."""
        return Leaves(self.firsts).finer()

    @property
    def continuous(self) -> bool:
        """Whether the numbers have decimals, and no grid."""
        return not self.whole and self.grid is None

    @cached_property
    def inside(self) -> Inside:
        """The density of a number within its leaf; on a grid, of the number's place there."""
        coarse = np.searchsorted(self.firsts, np.arange(len(self.lows)), side="right") - 1
        lows, highs, heaps = (self._placed(np.array(found)) for found in (self.lows, self.highs, self.heaps))
        step = self.step if self.grid is None else 1.0
        return Inside.of(lows, highs, self.counts, heaps, self.heights, coarse, step)

    def _placed(self, values: np.ndarray) -> np.ndarray:
        return values if self.grid is None else self.grid.place(values)

    @property
    def like(self) -> str:
        """The smallest as it is written."""
        return self._written(self.lows[0])

    def described(self) -> str:
        """How many, and from where to where."""
        kind = "whole numbers" if self.whole else "decimal numbers"
        ends = self.numeral.write(np.array([self.lows[0], self.highs[-1]]))
        points = int((np.diff(self.firsts) == 1).sum()) if len(self.lows) > len(self.firsts) - 1 else 0
        told = f", {points} point mass{'es' * (points > 1)}" if points else ""
        digits = " x ".join(map(str, self.sizes))
        steps = "" if self.grid is None else f" in steps of {self._written(self.grid.pitch)}"
        return f"{kind} from {ends[0]} to {ends[1]}{steps} in {digits} states{told}"

    @property
    def reason(self) -> str:
        """What every cell is."""
        if self.grid is None:
            return "every cell is a number"
        pitch, origin = self._written(self.grid.pitch), self._written(self.grid.origin)
        more = f"{origin} more than " if self.grid.origin else ""
        return f"every cell is a number, {more}a multiple of {pitch}"

    def _written(self, value: float) -> str:
        return self.numeral.write(np.array([value]))[0]

    def leaf(self, values: np.ndarray) -> np.ndarray:
        """The leaf of each number, (V,)."""
        return self.inside.leaf(self._placed(values))

    def inside_digits(self, values: np.ndarray) -> np.ndarray:
        """Both digits of numbers, (V, 1 or 2)."""
        return Leaves(self.firsts).digits(self.leaf(values))

    def log_density(self, values: np.ndarray, leaf: np.ndarray) -> np.ndarray:
        """log p(v | leaf), exact, nats, (V,)."""
        found = self.inside.log_density(self._placed(values), leaf)
        return found if self.grid is None else found + self.grid.log_share(values, sum(self.counts))

    def encode_distinct(self, column: CellColumn) -> Coded:
        """Both digits of each number, and what its leaf says of it."""
        values = numbers_of(column, self.numeral)
        if (wrong := np.isnan(values)).any():
            raise ValueError(str(column.texts[int(wrong.argmax())]))
        leaf = self.leaf(values)
        beyond = (values < self.lows[0] - self.step / 2) | (values > self.highs[-1] + self.step / 2)
        rest = self.log_density(values, leaf)
        return Coded(Leaves(self.firsts).digits(leaf), rest, beyond, self.inside.strange(rest))

    def decode(self, x: np.ndarray, generator: Generator) -> np.ndarray:
        """A number from the density of each leaf."""
        like = torch.zeros(0, dtype=torch.float64)
        u = runtime.uniform((2, len(x)), generator=generator, like=like).numpy()
        found = self.inside.draw(Leaves(self.firsts).leaf(x), u[0], u[1])
        return found if self.grid is None else self.grid.number(found)

    def write(self, values: np.ndarray) -> list[str]:
        """Numbers as they were written."""
        return self.numeral.write(values)

    def typed(self, values: np.ndarray) -> pa.Array:
        """Whole numbers as integers, others as floats, durations as they are written."""
        if self.numeral.clock:
            return pa.array(self.write(values), pa.string())
        if self.whole and not self.numeral.decimals:
            return pa.array(np.rint(values).astype(np.int64))
        rounded = values if self.numeral.exponent else values.round(self.numeral.decimals)
        return pa.array(rounded + 0.0)  # no -0.0


def numbers_of(column: CellColumn, numeral: Numeral) -> np.ndarray:
    """The different values of a column as float64, nan where they are no numbers."""
    kind = column.distinct.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.distinct.to_numpy(zero_copy_only=False).astype(float)
    return numeral.values(column.texts)


def number_from(values: np.ndarray, counts: np.ndarray, numeral: Numeral, bins: int) -> Number:
    """Leaves for numbers that were seen so often.

    At most `bins` different numbers are a state each. Of more, values with a share of 3 % and more are point masses;
    the others are put into bins of about equally many rows, each cut at the widest gap within half a bin, and a bin is
    cut again in the same way into up to 16 leaves of eight rows and more.

    Args:
        values: different numbers, (V,).
        counts: rows with each.
        numeral: how they are written.
        bins: coarse states, apart from point masses.
    """
    order = np.argsort(values)
    v, n = values[order].astype(float), counts[order].astype(int)
    whole = bool((v == np.rint(v)).all() and np.abs(v).max() < EXACT)
    if len(v) <= bins:
        parts, fine = [slice(i, i + 1) for i in range(len(v))], 1
    else:
        parts = _coarse(v, n, bins)
        fine = int(np.clip(n.sum() // (ROWS_A_LEAF * bins), 1, FINE))
    leaves, firsts = list[slice](), [0]
    for part in parts:
        own = [part] if part.stop - part.start == 1 else cut(v, n, part, fine)
        leaves += own
        firsts.append(len(leaves))
    many = np.array([leaf.stop - leaf.start > 1 for leaf in leaves]).repeat([leaf.stop - leaf.start for leaf in leaves])
    heaped = np.flatnonzero(many & (n > 1))
    heaped = np.sort(heaped[np.argsort(-n[heaped], kind="stable")[:HEAPS]])
    step = 1.0 if whole else spread(v, None if numeral.exponent else numeral.decimals)
    return Number(
        tuple(firsts),
        tuple(float(v[leaf.start]) for leaf in leaves),
        tuple(float(v[leaf.stop - 1]) for leaf in leaves),
        tuple(int(n[leaf].sum()) for leaf in leaves),
        tuple(v[heaped].tolist()),
        tuple(n[heaped].tolist()),
        step,
        whole,
        numeral,
        grid_of(v, 0 if whole else numeral.decimals, step),
    )


def _coarse(v: np.ndarray, n: np.ndarray, bins: int) -> list[slice]:
    """Point masses by themselves, and bins of what lies between them."""
    rows = n.sum()
    points = np.flatnonzero((n >= POINT * rows) & (n >= 5))
    points = np.sort(points[np.argsort(-n[points], kind="stable")[: bins // 2]])
    others = n.copy()
    others[points] = 0
    room = max(2, round(bins * float(np.sqrt(others.sum() / rows))))
    parts, start = list[slice](), 0
    for point in [*points.tolist(), len(v)]:
        if point > start:
            share = n[start:point].sum() / max(others.sum(), 1)
            parts += cut(v, n, slice(start, point), max(1, round(room * float(share))))
        if point < len(v):
            parts.append(slice(point, point + 1))
        start = point + 1
    return parts


def cut(v: np.ndarray, n: np.ndarray, part: slice, most: int) -> list[slice]:
    """A stretch of ascending values in at most so many of about equally many rows, cut at the widest gaps nearby."""
    length = part.stop - part.start
    if length <= most:
        return [slice(i, i + 1) for i in range(part.start, part.stop)]
    below = np.cumsum(n[part])[:-1]  # rows before each possible cut
    gaps, rows = np.diff(v[part]), n[part].sum()
    cuts = set[int]()
    for rank in np.arange(1, most) * rows / most:
        first, last = np.searchsorted(below, (rank - rows / (2 * most), rank + rows / (2 * most)))
        near = min(int(np.searchsorted(below, rank)), length - 2)
        widest = near if first >= last else int(first + gaps[first:last].argmax())
        cuts.add(part.start + widest + 1)
    ends = [part.start, *sorted(cuts), part.stop]
    return [slice(a, b) for a, b in pairwise(ends)]
