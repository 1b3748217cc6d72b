"""What any fit has to beat, in words before the training and after it."""

import math
from dataclasses import dataclass, replace

from priorcraft.core import Generative
from priorcraft.datasets.splits import Splits
from priorcraft.metrics.baselines import independent
from priorcraft.metrics.likelihood import Score
from priorcraft.run.pace import Pace, spread_rows
from priorcraft.train.loop import Budget

COUNTED, LOOKED_AT = 5000, 200  # rows from which the floors are counted, and on which they are measured
BYTES = 16  # of a weight in training: itself, its gradient, and two moments


@dataclass(frozen=True)
class Floors:
    """Bits per dimension, on validation rows, of models that need no fitting but counting; exact.

    Args:
        uniform: every level alike.
        independent: each entry by its own frequencies.
    """

    uniform: float
    independent: float

    @classmethod
    def of(cls, splits: Splits) -> "Floors | None":
        """Those of some data; None for real numbers, which have no levels."""
        if splits.space.levels is None:
            return None
        held = spread_rows(splits.valid, LOOKED_AT)
        some = replace(splits, train=spread_rows(splits.train, COUNTED), valid=held, test=held)
        return cls(splits.space.chance, independent(some))

    def verdict(self, score: Score) -> str | None:
        """A sentence if a score is no better than counting is; None if it is better or has no bits.

        >>> from priorcraft.answer import Kind
        >>> Floors(8.0, 7.2).verdict(Score(Kind.EXACT, 1.0, 6.9, 0.1, 100, None)) is None
        True
        >>> poor = Score(Kind.EXACT, 1.0, 7.5, 0.1, 100, None)
        >>> print(Floors(8.0, 7.2).verdict(poor))  # doctest: +NORMALIZE_WHITESPACE
        = 7.500 ± 0.100 bits/dim is no better than independent entries (7.200): this fit is of no use; give it more
        time, or take another model (priorcraft models).
        """
        if score.bits_per_dim is None or score.bits_per_dim < min(self.uniform, self.independent):
            return None
        floor, name = min((self.independent, "independent entries"), (self.uniform, "the uniform distribution"))
        return (
            f"{score} bits/dim is no better than {name} ({floor:.3f}): this fit is of no use; give it more time, "
            "or take another model (priorcraft models)."
        )


def expected(model: Generative, pace: Pace, budget: Budget, floors: Floors | None, start: float | None) -> str:
    """What a training by the clock will cost, and what it has to beat, in a sentence.

    Args:
        model: that will be trained.
        pace: what was measured of it.
        budget: its time.
        floors: of the data; None if there are none.
        start: -log p of a row before the first step, nats; None without a density.
    """
    weights = sum(weight.numel() for weight in model.parameters())
    steps = pace.steps(budget)
    cost = "" if steps is None else f"about {steps:,} steps of {pace.step:.2g} s; "
    said = f"{cost}{weights:,} weights, {max(weights * BYTES / 1e6, 1):,.0f} MB with what training keeps of them."
    if floors is None:
        return said
    first = "" if start is None else f", and the training starts at {start / (model.space.dims * math.log(2)):.2f}"
    said += f" Bits/dim to beat: uniform {floors.uniform:.2f}, independent entries {floors.independent:.2f}"
    return f"{said}{first}."
