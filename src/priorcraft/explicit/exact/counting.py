"""Weighted counts of integers, and what a table of them says of x."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from priorcraft.core import Space

CODES = 2**24  # numbers of one-hot codes at once, 128 MB


def one_hot_chunks(x: Tensor, levels: int) -> Iterator[tuple[slice, Tensor]]:
    """x (N, D) as one-hot rows (n, D * levels), as many at a time as memory likes."""
    step = max(1, CODES // (x.shape[1] * levels))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        yield rows, F.one_hot(x[rows].long(), levels).flatten(1)


def cells(x: Tensor, levels: int) -> Tensor:
    """The number of the cell (entry, level) that each entry of x (N, D) lies in, 0 ... D * levels - 1, (N, D).

    >>> cells(torch.tensor([[0, 2], [1, 0]]), 3).tolist()
    [[0, 5], [1, 3]]
    """
    return x.long() + torch.arange(x.shape[1], device=x.device) * levels


IMPOSSIBLE = 1e-30  # p of a level that an entry does not have; finite as a logarithm, as everything on disk


def weighted_counts(x: Tensor, weights: Tensor, space: Space, seen: Tensor | None = None) -> Tensor:
    """How often each level stands in each entry, for every column of weights, (Z, D, levels).

    Args:
        x: integers, (N, D).
        weights: share of each row that belongs to each of Z groups, (N, Z).
        space: where rows live.
        seen: True where an entry counts, (N, D); all do if None.
    """
    levels = space.levels or 2
    # the former takes time with the groups, the latter with the levels
    counted = by_group(x, weights, levels, seen) if levels > weights.shape[1] else by_level(x, weights, levels, seen)
    return counted.unflatten(1, (x.shape[1], levels))


def log_frequencies(counts: Tensor, space: Space, smoothing: float) -> Tensor:
    """Smoothed log p(x_i = l | z) from counts (Z, D, levels), of the same shape.

    Args:
        counts: as `weighted_counts` makes them.
        space: where rows live.
        smoothing: imagined rows per group, spread evenly over the levels that an entry has.
    """
    counts = counts + smoothing * evenly(space).to(counts)
    return (counts / counts.sum(-1, keepdim=True)).clamp_min(IMPOSSIBLE).log()


def evenly(space: Space) -> Tensor:
    """The uniform distribution over the levels of each entry, (D, levels).

    >>> evenly(Space((2,), 4, sizes=(4, 2))).tolist()
    [[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0.0, 0.0]]
    """
    allowed = space.allowed
    even = torch.ones(space.dims, space.levels or 2) if allowed is None else allowed.float()
    return even / even.sum(-1, keepdim=True)


def by_group(x: Tensor, weights: Tensor, levels: int, seen: Tensor | None) -> Tensor:
    """The weight in each cell, (Z, D * levels), counted for one group after another."""
    where, size = cells(x, levels).flatten(), x.shape[1] * levels
    each = (group.unsqueeze(1).expand(x.shape) * (1 if seen is None else seen) for group in weights.T)
    return torch.stack([torch.bincount(where, own.flatten(), size) for own in each]).to(weights)


def by_level(x: Tensor, weights: Tensor, levels: int, seen: Tensor | None) -> Tensor:
    """The same as a product of matrices, for all groups at once."""
    counts = torch.zeros(weights.shape[1], x.shape[1] * levels, dtype=weights.dtype, device=x.device)
    for rows, code in one_hot_chunks(x, levels):
        code = code if seen is None else code * seen[rows].repeat_interleave(levels, 1)
        counts += weights[rows].T @ code.to(weights.dtype)
    return counts


def table_log_prob(log_table: Tensor, x: Tensor, seen: Tensor | None = None) -> Tensor:
    """sum_i log p(x_i | z) over the seen entries for every z, exact, nats, (N, Z), from log_table (Z, D, levels)."""
    flat = log_table.flatten(1).T.contiguous()
    counted = None if seen is None else seen.to(flat.dtype)
    return F.embedding_bag(cells(x, log_table.shape[-1]), flat, mode="sum", per_sample_weights=counted)
