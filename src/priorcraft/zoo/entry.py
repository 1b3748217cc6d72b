"""One member of the zoo: a model, how it is fitted, and what it suits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from priorcraft.core import Approximate, Exact, Generative, Space
from priorcraft.train.objective import Objective

Settings = dict[str, Any]


@dataclass(frozen=True)
class Suits:
    """What a model is good for, and what it takes, in a few words each.

    Args:
        good_for: questions and data.
        rows: of the training.
        size: entries of a row, or pixels of an image.
        time: of a training, on two cores.
        memory: beside the data.
    """

    good_for: str
    rows: str
    size: str
    time: str
    memory: str


@dataclass(frozen=True)
class Entry:
    """A model, the objective that fits it, and what was found to work.

    Args:
        model: its class.
        objective: how it is fitted.
        summary: one line for `priorcraft models`.
        suits: what it is good for, and what it takes, for the same list.
        defaults: settings that depend on the data, from the space and the number of training rows.
        share: weight of this model's part when a comparison divides its time.
    """

    model: type[Generative]
    objective: Callable[..., Objective]
    summary: str
    suits: Suits
    defaults: Callable[[Space, int], Settings] = field(default=lambda space, n: {})
    share: float = 1.0

    @property
    def family(self) -> str:
        """ "exact", "approximate" or "implicit": the type says it."""
        return family(self.model)


def family(model: type[Generative]) -> str:
    """The family that a class of models belongs to.

    >>> family(Approximate)
    'approximate'
    """
    return "exact" if issubclass(model, Exact) else "approximate" if issubclass(model, Approximate) else "implicit"
