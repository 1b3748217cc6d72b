"""Where x lives, and what a network says of it: the vocabulary of the contracts."""

import math
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Generator, Tensor

from priorcraft.errors import DataError, UsageError

UNLABELLED = -1  # scikit-learn's convention for a row whose class is not known


@dataclass(frozen=True)
class Finer:
    """An entry that is the fine digit of another: how many states it has depends on what the other shows.

    Args:
        entry: the fine digit.
        of: the coarse one.
        states: how many states `entry` has where `of` is 0, 1, ...; the largest of them are all that it ever has.
    """

    entry: int
    of: int
    states: tuple[int, ...]


@dataclass(frozen=True)
class Space:
    """Where x lives: its shape, and its number of levels if its entries are integers 0 ... levels-1.

    A class label is a point of `Space((), levels=K)`; an image of `Space((channels, height, width), 256)`.

    Args:
        event_shape: shape of one x.
        levels: number of values of one entry; None for real numbers.
        sizes: number of values of each entry in turn, where they differ, as the columns of a table do; `levels` is then
            the largest.
        finer: entries that are the fine digit of another; pairs of digits that do not fit have no probability.
        unordered: entries whose integers are names: 3 is not nearer to 4 than to 9.

    Raises:
        UsageError: sizes that are not one an entry, from 2 to `levels`, or fine digits that do not fit them.

    >>> Space((1, 8, 8), 17).dims, round(Space((1, 8, 8), 17).chance, 3)
    (64, 4.087)
    >>> Space((2,), 4, sizes=(4, 2)).chance
    1.5
    """

    event_shape: tuple[int, ...]
    levels: int | None = None
    sizes: tuple[int, ...] = field(default=(), repr=False)
    finer: tuple[Finer, ...] = field(default=(), repr=False, compare=False)  # older runs do not know it
    unordered: tuple[int, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.sizes and not (len(self.sizes) == self.dims and 2 <= min(self.sizes) <= max(self.sizes) == self.levels):
            raise UsageError(
                f"sizes must be {self.dims} numbers from 2 to levels ({self.levels}), the largest of them levels; "
                f"found {len(self.sizes)} from {min(self.sizes)} to {max(self.sizes)}."
            )
        if self.finer or self.unordered:
            self._check_digits()

    def _check_digits(self) -> None:
        pairs = [entry for digit in self.finer for entry in (digit.entry, digit.of)]
        known, sizes = set(range(self.dims if self.levels else 0)), self.sizes or (self.levels or 0,) * self.dims
        if not (set(pairs) <= known and len(set(pairs)) == len(pairs) and set(self.unordered) <= known):
            raise UsageError(f"finer and unordered must name entries 0 ... {self.dims - 1}, and digits each once.")
        for digit in self.finer:
            fits = len(digit.states) == sizes[digit.of] and min(digit.states) >= 1
            if not (fits and max(digit.states) == sizes[digit.entry]):
                raise UsageError(
                    f"entry {digit.entry} must have from 1 to {sizes[digit.entry]} states at each of the "
                    f"{sizes[digit.of]} of entry {digit.of}; found {digit.states[:12]}."
                )

    @property
    def dims(self) -> int:
        """Number of entries of one x."""
        return math.prod(self.event_shape)

    @property
    def is_label(self) -> bool:
        """Whether a point is one class label."""
        return self.event_shape == () and self.levels is not None

    @property
    def is_image(self) -> bool:
        """Whether a point is (channels, height, width)."""
        return len(self.event_shape) == 3

    @property
    def chance(self) -> float:
        """Bits per dimension of the uniform distribution."""
        if self.levels is None:
            raise UsageError("chance needs a finite space; this one is real-valued.")
        return sum(map(math.log2, self.sizes)) / self.dims if self.sizes else math.log2(self.levels)

    @property
    def tops(self) -> Tensor:
        """The largest integer of each entry, (D,)."""
        if self.levels is None:
            raise UsageError("tops needs integers; this space is real-valued.")
        return torch.tensor(self.sizes or [self.levels] * self.dims) - 1

    @property
    def allowed(self) -> Tensor | None:
        """Which of the levels each entry has, (D, levels); None where every entry has all."""
        differ = len(set(self.sizes)) > 1
        return torch.arange(self.levels or 0) <= self.tops[:, None] if differ else None

    def uniform(self, n: int, *, generator: Generator) -> Tensor:
        """n points, every one as likely as any other, int64, (n, *event_shape)."""
        u = torch.rand(n, self.dims, generator=generator)
        return (u * (self.tops + 1)).long().view(n, *self.event_shape)

    def check(self, x: Tensor, name: str = "x") -> Tensor:
        """Returns x (B, *event_shape) if it lies in the space, as int64 or floating point.

        Raises:
            DataError: another shape, entries outside 0 ... levels-1, or entries that are not finite.
        """
        if tuple(x.shape[1:]) != self.event_shape:
            raise DataError(
                f"{name} must have shape (B, {', '.join(map(str, self.event_shape))}), not {tuple(x.shape)}."
            )
        if self.levels is None:
            if not torch.isfinite(x).all():
                raise DataError(f"{name} must be finite; found nan or infinity.")
            return x if x.is_floating_point() else x.float()
        if x.is_floating_point() and not bool((x == x.round()).all()):
            raise DataError(f"{name} must hold integers 0 ... {self.levels - 1}; found fractions.")
        if x.numel() and not 0 <= int(x.min()) <= int(x.max()) < self.levels:
            raise DataError(f"{name} must lie in 0 ... {self.levels - 1}; found {int(x.min())} ... {int(x.max())}.")
        if self.sizes and bool((beyond := (x.flatten(1) > self.tops.to(x.device)).any(0)).any()):
            entry = int(beyond.nonzero()[0])
            raise DataError(f"entry {entry} of {name} must lie in 0 ... {self.sizes[entry] - 1}; found more.")
        return x.long()

    def to_network(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Integers 0 ... levels-1 mapped onto [-1, 1]; real numbers as they are."""
        return x.to(dtype) if self.levels is None else x.to(dtype) * (2 / (self.levels - 1)) - 1

    def from_network(self, u: Tensor) -> Tensor:
        """The nearest point of the space; inverse of `to_network`."""
        if self.levels is None:
            return u
        return self.clamp((u + 1) * ((self.levels - 1) / 2)).round().long()

    def clamp(self, x: Tensor) -> Tensor:
        """Numbers (..., *event_shape) brought to between 0 and the largest integer of their entry."""
        if not self.sizes and self.levels is not None:
            return x.clamp(0, self.levels - 1)
        return torch.minimum(x.clamp_min(0), self.tops.view(self.event_shape).to(x))


class Likelihood(Protocol):
    """p(x | parameters): a distribution whose parameters a network has given."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact log p of each entry, nats, shape of x."""
        ...

    def quantile(self, u: Tensor) -> Tensor:
        """The x at which the distribution function passes the uniforms u."""
        ...

    def sample(self, generator: Generator) -> Tensor:
        """One draw."""
        ...

    def mean(self) -> Tensor:
        """Expected value of each entry."""
        ...

    def table(self) -> Tensor:
        """log p of every level, exact, nats, (..., levels).

        Raises:
            NoDensity: real numbers, which have no levels.
        """
        ...
