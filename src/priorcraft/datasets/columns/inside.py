"""The density of a number inside its leaf: known values, a slab between them, and tails beyond all of them."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

DIGITS = 1e-13  # of a number, below which a step beside it is lost in rounding
TINIEST = float(np.finfo(float).tiny)


class Inside(NamedTuple):
    """p(v | leaf) for every leaf of a column; leaves tile the line.

    p(v | leaf) = heap(leaf) share(v) + slab(leaf) U(v; left, right) + tail(leaf) E(v) + wide(leaf) W(v)

    heap: values that were seen more than once, by their shares. U: evenly from a little below the smallest to a
    little above the largest value that was seen. E: in the outer leaves, exponential beyond it, as steep as the outer
    bin shows; not below zero where no value is. W: so that no number is impossible: evenly over the leaf's part of the
    line, in the outer leaves exponential with the range of the column. All are integrated over a step around v and
    divided by it, so that sums over whole numbers are one, and integrals over decimals.

    edges: ends of the leaves' parts of the line, (L + 1,), the outer two infinite.
    left, right: of the slab, (L,).
    heap, slab, tail, wide: weights, (L,).
    values, cumulated, first: heaped values; rows up to and with each; the first one of each leaf, (L + 1,).
    excess: scales of the lower and upper tail.
    floor: no draw lies below.
    reach: scale of the wide part.
    step: as in `Number`.
    """

    edges: np.ndarray
    left: np.ndarray
    right: np.ndarray
    heap: np.ndarray
    slab: np.ndarray
    tail: np.ndarray
    wide: np.ndarray
    values: np.ndarray
    cumulated: np.ndarray
    first: np.ndarray
    excess: tuple[float, float]
    floor: float
    reach: float
    step: float

    @classmethod
    def of(
        cls,
        low: np.ndarray,
        high: np.ndarray,
        counts: Sequence[int],
        heaps: np.ndarray,
        heights: Sequence[int],
        coarse: np.ndarray,
        step: float,
    ) -> Self:
        """From what was seen, see `Number`; `coarse` is the coarse state of each leaf."""
        rows = np.array(counts, dtype=float)
        edges = np.array([-np.inf, *_between(high[:-1], low[1:], step), np.inf])
        alone = (low == high) & (rows > 1)  # a leaf of one value that was there more than once is its own heap
        values = np.concatenate([heaps, low[alone]])
        height = np.concatenate([heights, rows[alone]])
        order = np.argsort(values)
        values, height = values[order], height[order]
        cumulated = np.concatenate([[0.0], np.cumsum(height)])
        first = np.searchsorted(values, [*low, np.inf])
        spacing = _spacing(low, high, rows, coarse, step)
        left = np.maximum(low - np.maximum(step / 2, _half(spacing, step)), edges[:-1])
        right = np.minimum(high + np.maximum(step / 2, _half(spacing, step)), edges[1:])
        left, right = np.maximum(left, _zero(low[0], left, step)), right
        total = rows.sum()
        heap = np.diff(cumulated[first]) / (rows + 1)
        wide = np.full(len(low), 0.5 / (total + 1))
        tail = np.zeros(len(low))
        free = low[0] != 0 and not alone[0], not alone[-1]  # an end that many rows share is an end
        for end, there in zip((0, -1), free, strict=True):
            tail[end] += 0.5 / (rows[end] + 1) if there else 0.0
        reach = max(float(high[-1] - low[0]), step)
        lower, upper = (_excess(low, high, rows, coarse == coarse[end], step) for end in (0, -1))
        floor = 0.0 if low[0] >= 0 else -np.inf
        slab = np.maximum(1 - heap - tail - wide, 0)
        return cls(
            edges,
            left,
            right,
            heap,
            slab,
            tail,
            wide,
            values,
            cumulated,
            first,
            (lower, upper),
            floor,
            reach,
            float(step),
        )

    def leaf(self, values: np.ndarray) -> np.ndarray:
        """The leaf in whose part of the line each value lies, (V,)."""
        return np.searchsorted(self.edges[1:-1], values, side="right")

    def log_density(self, values: np.ndarray, leaf: np.ndarray) -> np.ndarray:
        """log p(v | leaf), exact: nats for whole numbers, nats per unit for decimals, (V,)."""
        lower, upper = values - self.step / 2, values + self.step / 2
        return np.log(self._mass(values, lower, upper, leaf)) - np.log(self.step)

    def strange(self, log_density: np.ndarray) -> np.ndarray:
        """By how many nats values are less probable than evenly over ten times the column's range, at least 0, (V,)."""
        return np.maximum(-np.log(10 * self.reach) - log_density, 0)

    def _mass(self, values: np.ndarray, lower: np.ndarray, upper: np.ndarray, leaf: np.ndarray) -> np.ndarray:
        """The mass of a step around each value."""
        mass = self.heap[leaf] * self._share(values, leaf)
        left, right = self.left[leaf], self.right[leaf]
        mass += self.slab[leaf] * _overlap(lower, upper, left, right) / (right - left)
        first, last = self.edges[leaf], self.edges[leaf + 1]
        within = _overlap(lower, upper, first, last)
        inner = np.isfinite(first) & np.isfinite(last)
        width = np.where(inner, last - first, 1.0)
        mass += self.wide[leaf] * np.where(inner, within / width, 0.0)
        for end, scale in zip((0, len(self.left) - 1), self.excess, strict=True):
            at = leaf == end
            if at.any():
                mass[at] += self._beyond(lower[at], upper[at], end, scale)
        return np.maximum(mass, 1e-300)

    def _beyond(self, lower: np.ndarray, upper: np.ndarray, end: int, scale: float) -> np.ndarray:
        """The mass of tail and wide part in an outer leaf, counted from the slab outwards."""
        if len(self.left) == 1:  # both ends are in one leaf: half of the wide part to each side
            ends = [(self.left[0] - upper, self.left[0] - lower), (lower - self.right[0], upper - self.right[0])]
            return sum((0.5 * self.wide[0] * _exponential(a, b, self.reach) for a, b in ends), np.zeros(len(lower)))
        if end == 0:
            a, b, most = self.left[0] - upper, self.left[0] - lower, self.left[0] - (self.floor - self.step / 2)
        else:
            a, b, most = lower - self.right[-1], upper - self.right[-1], np.inf
        kept = -np.expm1(-max(float(most), 0.0) / scale) if np.isfinite(most) else 1.0
        tail = _exponential(a, np.minimum(b, max(float(most), 0.0)), scale) / kept if kept > 0 else np.zeros(len(a))
        extra = self.tail[end] * tail if kept > 0 else 0.0
        return extra + self.wide[end] * _exponential(a, b, self.reach)

    def _share(self, values: np.ndarray, leaf: np.ndarray) -> np.ndarray:
        """The share of a value among the heaped ones of its leaf."""
        if not len(self.values):
            return np.zeros(len(values))
        place = np.searchsorted(self.values, values - self.step / 2).clip(0, len(self.values) - 1)
        same = np.abs(self.values[place] - values) < self.step / 2
        rows = self.cumulated[place + 1] - self.cumulated[place]
        total = self.cumulated[self.first[leaf + 1]] - self.cumulated[self.first[leaf]]
        return np.where(same & (total > 0), rows / np.maximum(total, 1), 0.0)

    def draw(self, leaf: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """A number from each leaf; u chooses the part and v the number in it. The wide part is drawn as the slab."""
        start, end = self.cumulated[self.first[leaf]], self.cumulated[self.first[leaf + 1]]
        heaped = (u < self.heap[leaf]) & (end > start)
        found = self.left[leaf] + v * (self.right[leaf] - self.left[leaf])
        if len(self.values):
            place = np.searchsorted(self.cumulated, start + v * (end - start), side="right") - 1
            found = np.where(heaped, self.values[place.clip(0, len(self.values) - 1)], found)
        tailed = ~heaped & (u > 1 - self.tail[leaf])
        low, high = tailed & (leaf == 0), tailed & (leaf == len(self.left) - 1)
        most = self.left[0] - self.floor
        kept = -np.expm1(-most / self.excess[0]) if np.isfinite(most) else 1.0
        found = np.where(low, self.left[0] + self.excess[0] * np.log1p(-v * kept), found)
        found = np.where(high, self.right[-1] - self.excess[1] * np.log1p(-v), found)
        free = np.maximum(np.rint(found / self.step) * self.step, self.floor)
        return np.where(heaped, found, free)


def _excess(low: np.ndarray, high: np.ndarray, rows: np.ndarray, own: np.ndarray, step: float) -> float:
    """The scale of an exponential tail of which an outer bin shows so many rows: their range is its harmonic sum."""
    reach, n = high[own].max() - low[own].min(), rows[own].sum()
    return max(float(reach) / (np.log(n) + 0.58 + 1), step)


def _between(high: np.ndarray, low: np.ndarray, step: float) -> np.ndarray:
    """Half way from one leaf to the next, half a step beside what can be written."""
    return high + np.floor((low - high) / 2 / step) * step + np.where(low - high < step, (low - high) / 2, step / 2)


def _spacing(low: np.ndarray, high: np.ndarray, rows: np.ndarray, coarse: np.ndarray, step: float) -> np.ndarray:
    """The typical distance between the values of a leaf's coarse state, (L,)."""
    found = np.zeros(len(low))
    for k in np.unique(coarse):
        own = coarse == k
        found[own] = (high[own].max() - low[own].min()) / max(rows[own].sum() - 1, 1)
    return np.maximum(found, step)


def _half(spacing: np.ndarray, step: float) -> np.ndarray:
    return np.floor(spacing / 2 / step) * step + step / 2


def _zero(lowest: float, left: np.ndarray, step: float) -> np.ndarray:
    """No slab reaches below zero where no value does."""
    return np.full(len(left), -step / 2 if lowest >= 0 else -np.inf)


def _overlap(a: np.ndarray, b: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.maximum(np.minimum(b, right) - np.maximum(a, left), 0)


def _exponential(a: np.ndarray, b: np.ndarray, scale: float) -> np.ndarray:
    """The mass between a and b of an exponential distribution that begins at 0."""
    a, b = np.maximum(a, 0), np.maximum(b, 0)
    return np.exp(-a / scale) * -np.expm1(-np.maximum(b - a, 0) / scale)


def spread(values: np.ndarray, decimals: int | None) -> float:
    """The distance between decimals as they are written, but not below a thousandth of the smallest between two.

    Args:
        values: different ones, ascending.
        decimals: how many they have; None where they are written with a power of ten, which leaves them all digits.

    >>> spread(np.array([0.5, 2.0]), 2), spread(np.array([1000.0, 3000.0]), None)
    (0.01, 2.0)
    """
    gaps = np.diff(values)
    near = float(gaps[gaps > 0].min()) / 1e3 if (gaps > 0).any() else 0.0
    written = DIGITS * float(np.abs(values).max()) if decimals is None else 10.0**-decimals
    return max(written, near, TINIEST)
