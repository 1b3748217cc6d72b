"""Weighted counts of integers, and what a table of them says of x."""

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 4096  # rows counted at once, so that one-hot codes stay small


def one_hot_chunks(x: Tensor, levels: int) -> list[tuple[slice, Tensor]]:
    """x (N, D) as one-hot rows (n, D * levels), a few thousand rows at a time."""
    slices = [slice(i, i + ROWS) for i in range(0, len(x), ROWS)]
    return [(s, F.one_hot(x[s].long(), levels).flatten(1)) for s in slices]


def log_frequencies(x: Tensor, weights: Tensor, levels: int, smoothing: float) -> Tensor:
    """Smoothed log frequencies of every level of every entry, for every column of weights.

    Args:
        x: integers, (N, D).
        weights: share of each row that belongs to each of Z groups, (N, Z).
        levels: number of levels.
        smoothing: imagined rows per group, spread evenly over the levels.

    Returns:
        log p(x_i = l | z), (Z, D, levels).
    """
    counts = torch.zeros(weights.shape[1], x.shape[1] * levels, dtype=weights.dtype, device=x.device)
    for rows, code in one_hot_chunks(x, levels):
        counts += weights[rows].T @ code.to(weights.dtype)
    counts = counts.unflatten(1, (x.shape[1], levels)) + smoothing / levels
    return (counts / counts.sum(-1, keepdim=True)).log()


def table_log_prob(log_table: Tensor, x: Tensor) -> Tensor:
    """sum_i log p(x_i | z) for every z, exact, nats, (N, Z), from log_table (Z, D, levels)."""
    flat = log_table.flatten(1).T
    return torch.cat([code.to(flat.dtype) @ flat for _, code in one_hot_chunks(x, log_table.shape[-1])])
