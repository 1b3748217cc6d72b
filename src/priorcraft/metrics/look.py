"""What one test sees of samples beside real rows."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

ROUNDING = 1e-5  # within it figures are equal: with few rows that differ, many relabellings give the same one
LARGEST = 0.975  # quantiles of the floor that is shown


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


def largest(test: str, space: str, differences: Tensor, names: list[str]) -> Look:
    """The look of the largest of many differences (1 + R, D): their number is paid for by the relabellings."""
    figures, where = differences.max(1)
    return Look(test, space, figures, both=False, told=names[int(where[0])])
