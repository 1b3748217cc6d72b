"""What is seen, and what is not, once z is known: the entries are then independent."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.condition.evidence import levels_table
from priorcraft.condition.sums import PartialSums, blocks_of, on_levels, sums_in_reach
from priorcraft.core import Entrywise, Likelihood, Observation, Space
from priorcraft.errors import NoDensity
from priorcraft.observe import BlockMean, Mask

FEW_LEVELS = 64  # from which on a sum is taken for a normal variable


class GivenZ(ABC):
    """p(y | z) and p(x | z, y) for entries of x that are independent given z."""

    @abstractmethod
    def log_seen(self, likelihood: Likelihood, rows: Tensor) -> Tensor:
        """log p(y | z) of the rows of y (B,), nats, (B,)."""

    @abstractmethod
    def draw(self, likelihood: Likelihood, rows: Tensor, generator: Generator) -> Tensor:
        """x ~ p(x | z, y), (B, *event_shape)."""


def given_z(observation: Observation, y: Tensor, space: Space, like: Tensor) -> GivenZ:
    """The way for this observation.

    Args:
        observation: each entry by itself, or block means of integers; masks for real numbers.
        y: what is seen.
        space: where x lives.
        like: of the type and on the device that numbers shall have.

    Raises:
        NoDensity: another observation.
        ImpossibleEvidence: block means that no x has.
    """
    if isinstance(observation, BlockMean) and space.levels is not None:
        kind = Sums if space.levels <= FEW_LEVELS else NormalSums
        return kind(observation, y, space)
    if isinstance(observation, Entrywise) and space.levels is not None:
        return Levels(levels_table(observation, y, space, like).unflatten(1, y.shape[1:]))
    if isinstance(observation, Mask):
        return Reals(observation.seen, y)
    raise NoDensity(f"p(y | z) has no closed form for a {type(observation).__name__} of such x.")


class Levels(GivenZ):
    """Integers, each seen by itself.

    Args:
        evidence: log p(y_i | x_i = l), (rows, *event_shape, levels).
    """

    def __init__(self, evidence: Tensor) -> None:
        self.evidence = evidence

    def log_seen(self, likelihood: Likelihood, rows: Tensor) -> Tensor:
        """log p(y | z) = sum_i log sum_l p(l | z) p(y_i | l), exact, nats, (B,)."""
        return torch.logsumexp(likelihood.table() + self.evidence[rows], -1).flatten(1).sum(1)

    def draw(self, likelihood: Likelihood, rows: Tensor, generator: Generator) -> Tensor:
        """x ~ p(x | z, y), exact."""
        return runtime.categorical(likelihood.table() + self.evidence[rows], generator=generator)


class Reals(GivenZ):
    """Real numbers, some of them seen.

    Args:
        seen: True where y is seen.
        y: (rows, *event_shape).
    """

    def __init__(self, seen: Tensor, y: Tensor) -> None:
        self.seen, self.y = seen, y

    def log_seen(self, likelihood: Likelihood, rows: Tensor) -> Tensor:
        """log p(y | z), exact, nats, (B,)."""
        return torch.where(self.seen, likelihood.log_prob(self.y[rows]), 0.0).flatten(1).sum(1)

    def draw(self, likelihood: Likelihood, rows: Tensor, generator: Generator) -> Tensor:
        """x ~ p(x | z, y), exact."""
        return torch.where(self.seen, self.y[rows], likelihood.sample(generator))


class Sums(GivenZ):
    """Block means of integers, by a dynamic programme over partial sums.

    Args:
        observation: block means.
        y: (rows, C, h, w).
        space: where x lives.
    """

    def __init__(self, observation: BlockMean, y: Tensor, space: Space) -> None:
        self.observation, self.y, self.space = observation, y, space
        self.sums = sums_in_reach(observation, y, space, "block sums given z")
        self.blocks = blocks_of(space.event_shape, observation.factor).to(y.device)

    def _partial(self, likelihood: Likelihood) -> PartialSums:
        table = likelihood.table().flatten(1, -2)
        return PartialSums(table.double().exp()[:, self.blocks])

    def log_seen(self, likelihood: Likelihood, rows: Tensor) -> Tensor:
        """log p(y | z), the convolution of each block's entries; exact, nats, (B,)."""
        return self._partial(likelihood).log_prob(torch.arange(len(rows), device=rows.device), self.sums[rows])

    def draw(self, likelihood: Likelihood, rows: Tensor, generator: Generator) -> Tensor:
        """x ~ p(x | z, y), exact."""
        each = torch.arange(len(rows), device=rows.device)
        x = torch.zeros(len(rows), self.space.dims, dtype=torch.long, device=rows.device)
        x[:, self.blocks] = self._partial(likelihood).draw(each, self.sums[rows], generator)
        return x.view(-1, *self.space.event_shape)


class NormalSums(Sums):
    """Block means of integers of many levels, whose sum is nearly normal: biased, by the central limit theorem."""

    def _moments(self, table: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of every entry, (B, blocks, m)."""
        level = torch.arange(table.shape[-1], device=table.device, dtype=table.dtype)
        mean = (table.exp() * level).sum(-1)
        spread = (table.exp() * (level - mean.unsqueeze(-1)).square()).sum(-1)
        return mean.flatten(1)[:, self.blocks], spread.flatten(1)[:, self.blocks] + 1 / 12

    def log_seen(self, likelihood: Likelihood, rows: Tensor) -> Tensor:
        """log N(sum; sum of means, sum of variances), biased, nats, (B,)."""
        mean, spread = (part.sum(-1) for part in self._moments(likelihood.table()))
        distance = (self.sums[rows] - mean).square() / spread
        return -0.5 * (distance + spread.log() + math.log(2 * math.pi)).sum(1)

    def draw(self, likelihood: Likelihood, rows: Tensor, generator: Generator) -> Tensor:
        """A draw of p(x | z), moved onto the sums by as much as each entry is uncertain; biased."""
        table = likelihood.table()
        drawn = runtime.categorical(table, generator=generator).flatten(1)[:, self.blocks].to(table)
        _, spread = self._moments(table)
        missing = (self.sums[rows] - drawn.sum(-1)).unsqueeze(-1)
        x = torch.zeros(len(rows), self.space.dims, dtype=table.dtype, device=rows.device)
        x[:, self.blocks] = drawn + missing * spread / spread.sum(-1, keepdim=True)
        return on_levels(x, self.observation, self.y[rows], self.space).view(-1, *self.space.event_shape)
