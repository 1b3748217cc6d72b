"""Observations of observations, and several observations of the same x."""

from typing import Any

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Entrywise, LinearObservation, Observation
from priorcraft.errors import UsageError
from priorcraft.observe.mask import Mask
from priorcraft.observe.smaller import BlockMean


class Composition(Observation):
    """`last` looks at what `first` shows: p(y | x) = p_last(y | first(x)).

    Args:
        first: an observation without noise.
        last: any observation of its output.
    """

    def __init__(self, first: Observation, last: Observation) -> None:
        if isinstance(first, LinearObservation) and first.noise:
            raise UsageError("first must be an observation without noise; put the noise last.")
        self.first, self.last = first, last

    def forward(self, x: Tensor) -> Any:
        """last(first(x))."""
        return self.last.forward(self.first.forward(x))

    def log_prob(self, y: Any, x: Tensor) -> Tensor:
        """log p(y | x), exact, nats, (B,)."""
        return self.last.log_prob(y, self.first.forward(x))

    def sample(self, x: Tensor, *, generator: Generator | None = None) -> Any:
        """One draw of y for each x."""
        return self.last.sample(self.first.forward(x), generator=generator)


class LinearComposition(Composition, LinearObservation):
    """Two linear maps in a row."""

    def __init__(self, first: LinearObservation, last: LinearObservation) -> None:
        super().__init__(first, last)
        self.first, self.last, self.noise = first, last, last.noise

    def adjoint(self, v: Tensor) -> Tensor:
        """A_first' A_last' v."""
        return self.first.adjoint(self.last.adjoint(v))


class EntrywiseComposition(Composition, Entrywise):
    """Two observations of each entry in a row."""

    def __init__(self, first: Entrywise, last: Entrywise) -> None:
        super().__init__(first, last)
        self.first, self.last = first, last

    def log_prob_each(self, y: Any, x: Tensor) -> Tensor:
        """log p(y_i | x_i), nats, (B, *event_shape)."""
        return self.last.log_prob_each(y, self.first.forward(x))


class LinearEntrywise(LinearComposition, Entrywise):
    """Two linear observations of each entry in a row."""

    def log_prob_each(self, y: Any, x: Tensor) -> Tensor:
        """log p(y_i | x_i), nats, (B, *event_shape)."""
        assert isinstance(self.last, Entrywise)
        return self.last.log_prob_each(y, self.first.forward(x))

    def log_prob(self, y: Any, x: Tensor) -> Tensor:
        """log p(y | x), exact, nats, (B,)."""
        return Entrywise.log_prob(self, y, x)


def compose(first: Observation, last: Observation) -> Composition:
    """`last` of `first`, with the type that its parts allow.

    >>> from priorcraft.observe import GaussianNoise, Mask
    >>> noisy = compose(Mask(torch.tensor([True, False])), GaussianNoise(0.5))
    >>> isinstance(noisy, Entrywise), isinstance(noisy, LinearObservation)
    (True, True)
    """
    if isinstance(first, Entrywise) and isinstance(last, Entrywise):
        if isinstance(first, LinearObservation) and isinstance(last, LinearObservation):
            return LinearEntrywise(first, last)
        return EntrywiseComposition(first, last)
    if isinstance(first, LinearObservation) and isinstance(last, LinearObservation):
        return LinearComposition(first, last)
    return Composition(first, last)


class Jointly(Observation):
    """Several observations of the same x, independent given x; y is the tuple of what they show.

    log p(y | x) = sum_k log p(y_k | x)

    Args:
        parts: the observations.
    """

    def __init__(self, *parts: Observation) -> None:
        if not parts:
            raise UsageError("at least one observation is needed.")
        self.parts = parts

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """What each part shows."""
        return tuple(part.forward(x) for part in self.parts)

    def log_prob(self, y: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """log p(y | x), exact, nats, (B,)."""
        each = [part.log_prob(y_k, x) for part, y_k in zip(self.parts, y, strict=True)]
        return torch.stack([value.double() for value in each]).sum(0)

    def sample(self, x: Tensor, *, generator: Generator | None = None) -> tuple[Tensor, ...]:
        """One draw of every part for each x."""
        generator = runtime.fresh(generator)
        return tuple(part.sample(x, generator=generator) for part in self.parts)


class JointlyEntrywise(Jointly, Entrywise):
    """Several observations of each entry."""

    def __init__(self, *parts: Entrywise) -> None:
        super().__init__(*parts)
        self.parts = parts

    def log_prob_each(self, y: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """log p(y_i | x_i), nats, (B, *event_shape)."""
        each = [part.log_prob_each(y_k, x) for part, y_k in zip(self.parts, y, strict=True)]
        return torch.stack([value.double() for value in each]).sum(0)


class PixelsAndBlocks(Jointly):
    """Some pixels, and the mean of every block.

    Args:
        pixels: a mask, True in whole blocks.
        blocks: block means.
    """

    def __init__(self, pixels: Mask, blocks: BlockMean) -> None:
        super().__init__(pixels, blocks)
        self.pixels, self.blocks = pixels, blocks


def jointly(*parts: Observation) -> Jointly:
    """Several observations of the same x, with the type that they allow."""
    first, last = parts[0] if parts else None, parts[-1] if parts else None
    if len(parts) == 2 and isinstance(first, Mask) and isinstance(last, BlockMean):
        return PixelsAndBlocks(first, last)
    entrywise = [part for part in parts if isinstance(part, Entrywise)]
    return JointlyEntrywise(*entrywise) if len(entrywise) == len(parts) else Jointly(*parts)
