"""What one test sees of samples beside real rows."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from priorcraft.metrics.relabel import Relabelled
from priorcraft.metrics.sights import Figures

ROUNDING = 1e-5  # within it figures are equal: with few rows that differ, many relabellings give the same one
LARGEST = 0.975  # quantiles of the floor that is shown
AT_ONCE = 500  # relabellings


@dataclass(frozen=True)
class Look:
    """One test's figure, and the same figure for relabelled rows.

    Args:
        test: what is done.
        space: the numbers that it is done with.
        figures: of the truth, then of relabelled rows, (1 + R,).
        both: whether a figure that is too small tells something, too: that samples repeat the real rows.
        told: what the largest difference is in; "" where the test cannot say.
    """

    test: str
    space: str
    figures: Tensor
    both: bool = True
    told: str = ""

    @property
    def value(self) -> float:
        """The figure."""
        return float(self.figures[0])

    @property
    def floor(self) -> tuple[float, float]:
        """Where 95 % of the relabelled rows' figures lie."""
        return self.limits(2 * (1 - LARGEST))

    def limits(self, error: float) -> tuple[float, float]:
        """Between what figures a share 1 - error of the relabelled rows' lie; from zero if only large ones tell."""
        null = self.figures[1:].double()
        side = error / 2 if self.both else error
        return float(null.quantile(side)) if self.both else 0.0, float(null.quantile(1 - side))

    @property
    def above(self) -> float:
        """p of a figure as large as this for samples without fault."""
        return self._tail(1.0)

    @property
    def below(self) -> float:
        """p of a figure as small as this for samples without fault; 1 if small ones tell nothing."""
        return self._tail(-1.0) if self.both else 1.0

    @property
    def p(self) -> float:
        """p of a figure as far out as this."""
        return min(1.0, 2 * min(self.above, self.below)) if self.both else self.above

    def _tail(self, sign: float) -> float:
        null, value = sign * self.figures[1:].double(), sign * self.value
        return (1 + float((null >= value - ROUNDING * (1 + abs(value))).sum())) / (1 + len(null))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        low, high = self.floor
        named = {"test": self.test, "space": self.space, "value": self.value, "floor": [low, high], "p": self.p}
        return named | ({"told": self.told} if self.told else {})


@dataclass(frozen=True)
class Sight:
    """One test, ready to look at its rows, whoever of them is called a sample.

    Args:
        test, space, both: as in `Look`.
        figures: the test's figure, or the differences of which the largest is the figure.
        n, m: samples, and the real rows behind them.
        names: of the differences.
    """

    test: str
    space: str
    figures: Figures
    n: int
    m: int
    both: bool = False
    names: tuple[str, ...] = ()

    def look(self, times: int, generator: Generator) -> Look:
        """The figure of the truth, and of so many relabellings; that it is the largest of many is paid for by them."""
        found, where = list[Tensor](), 0
        for start in range(0, max(times, 1), AT_ONCE):
            who = Relabelled.of(self.n, self.m, min(AT_ONCE, times - start), generator=generator)
            figures = self.figures(who)
            if self.names:
                where = int(figures[0].argmax())
                figures = figures.amax(1)
            found.append(figures if not start else figures[1:])
        return Look(self.test, self.space, torch.cat(found), self.both, self.names[where] if self.names else "")
