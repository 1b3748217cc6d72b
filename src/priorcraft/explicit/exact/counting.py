"""Weighted counts of integers, and what a table of them says of x."""

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 4096  # rows counted at once, so that one-hot codes stay small


def one_hot_chunks(x: Tensor, levels: int) -> list[tuple[slice, Tensor]]:
    """x (N, D) as one-hot rows (n, D * levels), a few thousand rows at a time."""
    slices = [slice(i, i + ROWS) for i in range(0, len(x), ROWS)]
    return [(s, F.one_hot(x[s].long(), levels).flatten(1)) for s in slices]


def shown(code: Tensor, seen: Tensor | None, rows: slice) -> Tensor:
    """One-hot rows (n, D * levels), with zeros for the entries that are not seen (N, D)."""
    return code if seen is None else code * seen[rows].repeat_interleave(code.shape[1] // seen.shape[1], 1)


def log_frequencies(x: Tensor, weights: Tensor, levels: int, smoothing: float, seen: Tensor | None = None) -> Tensor:
    """Smoothed log frequencies of every level of every entry, for every column of weights.

    Args:
        x: integers, (N, D).
        weights: share of each row that belongs to each of Z groups, (N, Z).
        levels: number of levels.
        smoothing: imagined rows per group, spread evenly over the levels.
        seen: True where an entry counts, (N, D); all do if None.

    Returns:
        log p(x_i = l | z), (Z, D, levels).
    """
    counts = torch.zeros(weights.shape[1], x.shape[1] * levels, dtype=weights.dtype, device=x.device)
    for rows, code in one_hot_chunks(x, levels):
        counts += weights[rows].T @ shown(code, seen, rows).to(weights.dtype)
    counts = counts.unflatten(1, (x.shape[1], levels)) + smoothing / levels
    return (counts / counts.sum(-1, keepdim=True)).log()


def table_log_prob(log_table: Tensor, x: Tensor, seen: Tensor | None = None) -> Tensor:
    """sum_i log p(x_i | z) over the seen entries for every z, exact, nats, (N, Z), from log_table (Z, D, levels)."""
    flat = log_table.flatten(1).T
    chunks = one_hot_chunks(x, log_table.shape[-1])
    return torch.cat([shown(code, seen, rows).to(flat.dtype) @ flat for rows, code in chunks])
