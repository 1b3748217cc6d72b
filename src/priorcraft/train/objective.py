"""What a training loop needs of an objective, and nothing of the family behind it."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from priorcraft import settings
from priorcraft.core import Generative
from priorcraft.runtime import Key
from priorcraft.train.shards import Shards


@dataclass(frozen=True)
class Batch:
    """Rows for one step.

    Args:
        x: points, (B, *event_shape).
        given: their contexts, (B, ...); labels may be -1 for "not known".
        rows: their numbers in the training set, (B,), to name them in an error.
        seen: which entries are there, bool, (B, *event_shape); x holds draws elsewhere. None: all are.
    """

    x: Tensor
    given: Tensor | None
    rows: Tensor
    seen: Tensor | None = None

    def part(self, rows: slice) -> "Batch":
        """Some of the rows."""
        given, seen = (None if each is None else each[rows] for each in (self.given, self.seen))
        return Batch(self.x[rows], given, self.rows[rows], seen)


class Objective(ABC):
    """One way to fit a model: owns its optimisers and their state, never the data or the clock."""

    model: Generative
    batch_size: int | None = None  # None: every step sees all rows
    shards: Shards = Shards()  # how the rows of a step are cut

    def cut(self, shards: Shards) -> None:
        """Cuts the rows of every step so from now on."""
        self.shards = shards

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses settings outside the ranges that the constructor declares, before anything is made."""
        settings.check(cls, inspect.signature(cls).bind_partial(*args, **kwargs).arguments)
        return super().__new__(cls)

    @abstractmethod
    def step(self, batch: Batch, *, progress: float, key: tuple[Key, ...]) -> dict[str, float]:
        """One update.

        Args:
            batch: the rows.
            progress: share of the budget that is used, 0 ... 1; schedules end with it.
            key: (seed, step); every random draw of the step is a function of it.

        Returns:
            Numbers to record; "loss" is always among them, in nats where it is a likelihood or a bound.

        Raises:
            Diverged: a loss or gradient is not finite; raised before anything is updated.
        """

    def prepare(self, held_out: Batch) -> None:
        """Called once before the first step of a process, when the model is set up; a resumed state comes after.

        Args:
            held_out: validation rows, for those who compare what they say of seen and unseen rows.
        """

    def rows_at(self, progress: float) -> int | None:
        """How many rows the next step takes; None for all."""
        return self.batch_size

    def settle(self) -> None:
        """Called before the averaged model is validated, to finish what is worth finishing only then."""

    @property
    def averaged(self) -> Generative:
        """The model to evaluate, sample and keep; may be a moving average of the trained one."""
        return self.model

    @property
    def finished(self) -> bool:
        """Whether another step cannot improve the model."""
        return False

    def findings(self) -> list[str]:
        """Sentences worth telling when the training is over: what it chose, and how fast it was."""
        return []

    def state(self) -> Mapping[str, Tensor]:
        """Everything beside `averaged` that the next step depends on."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` gave."""
