"""Components of a mixture: what each value of z says of x, and how weighted rows change it.

Entries may be missing: they are summed or integrated out, exactly, and count for nothing in the M-step.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.explicit.exact.counting import IMPOSSIBLE, evenly, log_frequencies, table_log_prob, weighted_counts


class Components(nn.Module, ABC):
    """p(x | z) for Z values of z, the first `used` of which take part.

    Args:
        count: Z.
        smoothing: imagined rows per component.
    """

    used: Tensor

    def __init__(self, count: int, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("used", torch.tensor(count))

    def maximise(self, x: Tensor, weights: Tensor, seen: Tensor | None = None) -> None:
        """The M-step: x (N, D), responsibilities (N, used), and which entries are there (N, D); all if None."""
        self.settle(self.expect(x, weights, seen))

    @abstractmethod
    def expect(self, x: Tensor, weights: Tensor, seen: Tensor | None = None) -> list[Tensor]:
        """Sums over some rows, all that the M-step needs of them; args as in `maximise`."""

    @abstractmethod
    def settle(self, sums: Sequence[Tensor]) -> None:
        """The M-step from the sums over all rows."""

    @abstractmethod
    def log_prob(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """log p(x_seen | z), exact, nats, (N, used)."""

    @abstractmethod
    def sample(self, z: Tensor, generator: Generator) -> Tensor:
        """One draw for every z, (B, D)."""

    @abstractmethod
    def mean(self) -> Tensor:
        """E[x | z], (Z, D)."""


class CategoricalComponents(Components):
    """p(x | z) = prod_i p(x_i | z) on integers; with two levels these are Bernoullis.

    Args:
        space: integers.
        count: number of components Z.
        smoothing: imagined rows per component.
    """

    log_table: Tensor

    def __init__(self, space: Space, count: int, smoothing: float) -> None:
        super().__init__(count, smoothing)
        self.space = space
        self.register_buffer("log_table", evenly(space).clamp_min(IMPOSSIBLE).log().repeat(count, 1, 1))

    def expect(self, x: Tensor, weights: Tensor, seen: Tensor | None = None) -> list[Tensor]:
        """Counts of levels, (used, D, levels); entries that are missing are not counted."""
        return [weighted_counts(x, weights, self.space, seen)]

    def settle(self, sums: Sequence[Tensor]) -> None:
        """Smoothed frequencies of the levels."""
        self.log_table[: self.used] = log_frequencies(sums[0], self.space, self.smoothing).to(self.log_table)

    def log_prob(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """log p(x_seen | z), exact, nats, (N, used)."""
        return table_log_prob(self.log_table[: self.used], x, seen)

    def sample(self, z: Tensor, generator: Generator) -> Tensor:
        """One draw for every z, (B, D)."""
        return runtime.categorical(self.log_table[z], generator=generator)

    def mean(self) -> Tensor:
        """E[x | z], (Z, D)."""
        return self.log_table.exp() @ torch.arange(self.log_table.shape[-1]).to(self.log_table)


class Pattern(NamedTuple):
    """Rows in which the same entries are there.

    rows: their numbers, (n,).
    seen: numbers of these entries, (d,).
    white: L^-1 (x_seen - m_seen) of every component, (Z, d, n), for the covariance L L' of the seen entries.
    root: L of every component, (Z, d, d).
    """

    rows: Tensor
    seen: Tensor
    white: Tensor
    root: Tensor


class GaussianComponents(Components):
    """p(x | z) = N(x; mean_z, cov_z) with a full covariance that is pulled towards the data's own diagonal.

    Args:
        space: real numbers.
        count: number of components Z.
        smoothing: imagined rows per component that have the variance of the whole data, shrunk to a tenth.
    """

    means: Tensor
    cholesky: Tensor

    def __init__(self, space: Space, count: int, smoothing: float) -> None:
        super().__init__(count, smoothing)
        self.register_buffer("means", torch.zeros(count, space.dims))
        self.register_buffer("cholesky", torch.eye(space.dims).repeat(count, 1, 1))

    def maximise(self, x: Tensor, weights: Tensor, seen: Tensor | None = None) -> None:
        """The M-step from all rows at once; args as above."""
        if seen is None:  # then the means are but what moments are taken about, and numbers far from zero stay exact
            self.means[: self.used] = x.to(self.means).mean(0)
        super().maximise(x, weights, seen)

    def expect(self, x: Tensor, weights: Tensor, seen: Tensor | None = None) -> list[Tensor]:
        """Moments of the rows about the means, with E[x_i | x_seen, z] for what is missing and its variance added.

        (Ghahramani & Jordan 1994, Supervised learning from incomplete data via an EM approach)
        """
        x, weights, means = x.to(self.means), weights.to(self.means), self.means[: self.used].double()
        filled, spare = self._completed(x, weights, seen)
        weights, there = weights.double(), torch.ones_like(x, dtype=torch.double) if seen is None else seen.double()
        columns = (x.double() - means[0]) * there
        first, second = list[Tensor](), list[Tensor]()
        for mean, rows, share, spread in zip(means, filled, weights.T, spare, strict=True):
            apart = rows.double() - mean
            first.append(share @ apart)
            second.append((apart * share.unsqueeze(1)).T @ apart + spread)
        of_columns = [there.sum(0), columns.sum(0), columns.square().sum(0)]
        return [*of_columns, weights.sum(0), torch.stack(first), torch.stack(second)]

    def settle(self, sums: Sequence[Tensor]) -> None:
        """Means and covariances from moments about the means so far."""
        n, one, two, total, first, second = sums
        n, before, few = n.clamp_min(1), self.means[: self.used].double(), self.smoothing * 1e-3
        centre, spread = before[0] + one / n, (two / n - (one / n).square()).clamp_min(0)
        overall = (n * (spread + (centre - (n * centre).sum() / n.sum()).square())).sum() / n.sum()
        floor = spread.clamp_min(1e-6 * float(overall) + 1e-12) * 0.1
        for z, (old, count, s, scatter) in enumerate(zip(before, total, first, second, strict=True)):
            mean = (s + count * old + few * centre) / (count + few)
            moved = mean - old
            cross = torch.outer(moved, s)
            scatter = scatter - cross - cross.T + count * torch.outer(moved, moved)
            scatter = scatter + torch.diag(self.smoothing * floor)
            self.cholesky[z] = torch.linalg.cholesky(scatter / (count + self.smoothing)).to(self.cholesky)
            self.means[z] = mean.to(self.means)

    def _completed(self, x: Tensor, weights: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor]:
        """E[x | x_seen, z] of every row, (Z, N, D), and the sum of weight times Var[x | x_seen, z], (Z, D, D)."""
        means, root = self.means[: self.used], self.cholesky[: self.used]
        filled, spare = x.expand(len(means), *x.shape), torch.zeros_like(root)
        if seen is None:
            return filled, spare
        filled, covariance = filled.clone(), root @ root.mT
        for rows, entries, white, part in self._patterns(x, seen):
            # rows of L that belong to all entries, given the seen ones: cov[:, seen] L_seen^-T
            across = torch.linalg.solve_triangular(part, covariance[:, entries], upper=False).mT
            filled[:, rows] = means.unsqueeze(1) + (across @ white).mT
            left = covariance - across @ across.mT
            spare += weights[rows].sum(0).view(-1, 1, 1) * left
        return torch.where(seen, x, filled), spare

    def _patterns(self, x: Tensor, seen: Tensor) -> Iterator[Pattern]:
        """The rows, grouped by what is missing."""
        means, root = self.means[: self.used], self.cholesky[: self.used]
        masks, which = seen.unique(dim=0, return_inverse=True)
        for p, mask in enumerate(masks):
            rows, entries = (which == p).nonzero().flatten(), mask.nonzero().flatten()
            part = torch.linalg.cholesky(root[:, entries] @ root[:, entries].mT)
            apart = x[rows][:, entries].T - means[:, entries].unsqueeze(2)
            yield Pattern(rows, entries, torch.linalg.solve_triangular(part, apart, upper=False), part)

    def log_prob(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """log p(x_seen | z), exact, nats, (N, used)."""
        x = x.to(self.means)
        if seen is None:
            return torch.stack([self._gaussian(x, z) for z in range(int(self.used))], 1)
        out = self.means.new_empty(len(x), int(self.used))
        for rows, entries, white, root in self._patterns(x, seen):
            constant = root.diagonal(dim1=1, dim2=2).log().sum(1) + 0.5 * len(entries) * math.log(2 * math.pi)
            out[rows] = -0.5 * white.square().sum(1).T - constant
        return out

    def _gaussian(self, x: Tensor, z: int) -> Tensor:
        root = self.cholesky[z]
        white = torch.linalg.solve_triangular(root, (x - self.means[z]).T, upper=False)
        return -0.5 * (white.square().sum(0) + x.shape[1] * math.log(2 * math.pi)) - root.diagonal().log().sum()

    def sample(self, z: Tensor, generator: Generator) -> Tensor:
        """One draw for every z, (B, D)."""
        noise = runtime.normal((len(z), self.means.shape[1], 1), generator=generator, like=self.means)
        return self.means[z] + (self.cholesky[z] @ noise).squeeze(-1)

    def mean(self) -> Tensor:
        """E[x | z], (Z, D)."""
        return self.means


def column_moments(x: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and variance of each column over the entries that are there, (D,), (D,).

    >>> x, seen = torch.tensor([[0.0, 1], [2, 9]]), torch.tensor([[True, True], [True, False]])
    >>> [m.tolist() for m in column_moments(x, seen)]
    [[1.0, 1.0], [1.0, 0.0]]
    """
    there = torch.ones_like(x) if seen is None else seen.to(x)
    n = there.sum(0).clamp_min(1)
    mean = (x * there).sum(0) / n
    return mean, ((x - mean).square() * there).sum(0) / n
