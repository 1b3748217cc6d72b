"""What tests would have seen: faults planted in the user's own rows, and the smallest of each kind that is found."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator

from priorcraft import runtime
from priorcraft.metrics.defects import (
    Defect,
    Real,
    blurred,
    defects,
    repeated,
    shuffled,
    structureless,
    without_group,
)
from priorcraft.metrics.family import MAX_NEAR, Family, Side
from priorcraft.metrics.values import Values

MISSING = 0.1  # share of the rows that is missing in the fault that enough rows would show
COUNTS = (100, 150, 200, 300, 400, 600, 800, 1_200, 1_600, 2_400, 3_200, 4_800)  # of rows that may be enough
DRAWS, MISSES = 20, 1  # simulated sets of a fault, and how many of them may stay unseen
LINKED = 0.9  # share of the variance that the others leave
SURE, CLEAR = 4, 0.5  # so many sets are enough if all are seen so clearly, in widths of the floor


@dataclass(frozen=True)
class Power:
    """The smallest fault of one kind that the tests find with 95 % probability, simulated on the user's own rows.

    Args:
        told: the fault, in words.
        found: whether it was seen in at least 19 of 20 simulated sets; if not, this is the largest one that was tried.
    """

    told: str
    found: bool


@dataclass(frozen=True)
class Needed:
    """How many samples, and as many real rows, would show one common fault with 95 % probability.

    Args:
        rows: of each kind; None if the largest number that is tried does not suffice.
        fault: in words.
    """

    rows: int | None
    fault: str

    @property
    def told(self) -> str:
        """In a sentence."""
        with_ = f"Not even {COUNTS[-1]:,} of each" if self.rows is None else f"About {self.rows:,} of each"
        return f"{with_} would show {self.fault} with 95 % probability."


class Simulation:
    """Faults planted in real rows that nothing was learned from, put to the quick tests of a family.

    All tests together find no less than the quick ones, so that what is said to be found is.

    Args:
        family: the tests.
        spare: real rows that it has not learned from.
        real: those that samples are compared with.
    """

    def __init__(self, family: Family, spare: Side, real: Side) -> None:
        self.family, self.spare, self.real = family, spare, real

    @cached_property
    def controls(self) -> dict[str, bool]:
        """Faults of which there can be no doubt, and whether they are seen; "other real rows" must not be."""
        generator = runtime.keyed(self.family.seed, "controls")
        rows = self._real(self.spare)
        largest = float(rows.group.bincount().max()) / max(len(rows), 1)
        of = "pixels" if rows.image else "columns"
        sets = {
            f"independent {of}": shuffled(rows, generator),
            "one row repeated": repeated(rows, 1.0, generator),
            "a class removed" if rows.classes else "a group removed": without_group(rows, largest, generator),
            "blurred" if rows.image else "noise on the numbers": blurred(rows, 1.0, generator),
            "other real rows": rows.values,
        }
        return {"noise": self.tells_noise} | {
            name: self._margin(found, self.real.values) > 0 for name, found in sets.items()
        }

    @cached_property
    def tells_noise(self) -> bool:
        """Whether rows without any structure are told from real ones."""
        noise = structureless(self._real(self.spare), runtime.keyed(self.family.seed, "noise"))
        return self._margin(noise, self.real.values) > 0

    def power(self, n: int) -> tuple[Power, ...]:
        """The smallest fault of each kind that is found in at least 19 of 20 sets of n rows, or fewer where few are."""
        n = min(n, len(self.spare), MAX_NEAR)
        if n not in self._power:
            pool = self._real(self._pool)
            self._power[n] = tuple(self._smallest(fault, pool, n) for fault in defects(pool))
        return self._power[n]

    @cached_property
    def needed(self) -> Needed:
        """How many rows show a tenth of them missing, in sets drawn with replacement from those that there are."""
        pool = self._real(self._pool)
        fault = defects(pool)[0]
        size = next((size for size in fault.sizes if size >= MISSING), fault.sizes[-1])

        def finds(count: int) -> bool:
            def divided(generator: Generator) -> tuple[Real, Real]:
                rows = torch.randint(len(pool), (3 * count,), generator=generator)
                return pool[rows[count:]], pool[rows[:count]]

            return self._finds(fault, size, count, divided)

        k = bisect_left(COUNTS, True, key=finds)
        return Needed(COUNTS[k] if k < len(COUNTS) else None, fault.words(size))

    @cached_property
    def _power(self) -> dict[int, tuple[Power, ...]]:
        return {}

    def _smallest(self, fault: Defect, pool: Real, n: int) -> Power:
        m = min(len(pool) - n, len(self.real))

        def divided(generator: Generator) -> tuple[Real, Real]:
            order = torch.randperm(len(pool), generator=generator)
            return pool[order[m:]], pool[order[:m]]

        k = bisect_left(fault.sizes, True, key=lambda size: self._finds(fault, size, n, divided))
        return Power(fault.words(fault.sizes[min(k, len(fault.sizes) - 1)]), k < len(fault.sizes))

    def _finds(self, fault: Defect, size: float, n: int, divided: Callable[[Generator], tuple[Real, Real]]) -> bool:
        """Whether a fault of that size, in rows for samples that are divided from real ones, is found often enough."""
        margins = list[float]()
        for draw in range(DRAWS):
            generator = runtime.keyed(self.family.seed, "power", fault.told, str(size), draw)
            spare, real = divided(generator)
            planted = fault.plant(spare, size, generator)
            margins.append(self._margin(planted[torch.arange(min(n, len(planted)))], real.values))
            if len(margins) == SURE and min(margins) > CLEAR:
                return True
            if sum(margin <= 0 for margin in margins) > MISSES:
                return False
        return True

    def _margin(self, samples: Values, real: Values) -> float:
        """How far the farthest figure of a quick test lies beyond its floor, in widths of it; below 0 if within."""
        pool, n = self._pool, len(samples)
        a, b = (pool[torch.arange(k, k + rows) % len(pool)] for k, rows in ((0, n), (n, len(real))))
        limits = self.family.limits(Side(a.values), Side(b.values))
        still = runtime.keyed("no relabelling")
        looks = [sight.look(0, still) for sight in self.family.quick(Side(samples), Side(real))]
        spans = zip(looks, limits, strict=True)
        return max(max(look.value - high, low - look.value) / max(high - low, 1e-9) for look, (low, high) in spans)

    @cached_property
    def _pool(self) -> Side:
        """All real rows of which nothing was learned, in an order of their own."""
        return self.spare.beside(self.real).drawn(10**9, runtime.keyed(self.family.seed, "pool"))

    def _real(self, side: Side) -> Real:
        """Rows ready for faults to be planted."""
        known = side.y is not None and self.family.groups.judges
        f = self.family.standard(side.values)
        group = side.y.clamp_min(0) if side.y is not None and known else self.family.groups.cluster(f)
        return Real(side.values, group.long(), self.family.image, known, self._linked)

    @cached_property
    def _linked(self) -> tuple[int, ...]:
        """Columns of numbers of which the others say at least a tenth."""
        fitted, left = self.family.standard.beside_others(self.spare.values)
        count = self.spare.values.numbers.shape[1]
        if len(left) < 2 or not count:
            return ()
        spread = (fitted + left)[:, :count].var(0).clamp_min(1e-9)
        return tuple((left[:, :count].var(0) < LINKED * spread).nonzero()[:, 0].tolist())
