"""Ridge regression, judged on rows that it was not fitted to."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

FOLDS = 5
RIDGES = (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)  # imagined rows of each column's variance
LEAST = 1e-3  # standard error of a prediction, in those of its goal


class Fitted(NamedTuple):
    """A regression: weight (F,), bias; what it expects of each row by the other folds (N,), and its error there."""

    weight: Tensor
    bias: Tensor
    expected: Tensor
    error: Tensor


class Ridge(nn.Module):
    """The regressions of D entries on the same columns.

    Args:
        entries: D.
        columns: F.
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor

    def __init__(self, entries: int, columns: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(entries, columns))
        self.register_buffer("bias", torch.zeros(entries))
        self.register_buffer("scale", torch.ones(entries))

    def forward(self, i: int, columns: Tensor) -> Tensor:
        """What is expected of entry i, (B,), from columns (B, F)."""
        return columns @ self.weight[i] + self.bias[i]


def cross_fitted(columns: Tensor, goal: Tensor, order: Tensor) -> Fitted:
    """Least squares with the ridge that predicts best across five folds.

    Args:
        columns: (N, F).
        goal: (N,).
        order: a permutation of the rows, which says who is in which fold.

    >>> x = torch.arange(40.0, dtype=torch.float64)
    >>> found = cross_fitted(x.unsqueeze(1), 2 * x + 1, torch.arange(40))
    >>> bool((found.expected - (2 * x + 1)).abs().max() < 0.01)
    True
    """
    n, spread = len(columns), (columns - columns.mean(0)).square().mean(0).clamp_min(1e-6)
    fold = torch.empty_like(order).scatter_(0, order, torch.arange(n, device=order.device) % FOLDS)
    ridges = torch.tensor(RIDGES, dtype=columns.dtype, device=columns.device).view(-1, 1, 1) * torch.diag(spread)
    expected = columns.new_zeros(len(RIDGES), n)
    for k in range(FOLDS):
        out = fold == k
        weight, bias = _solved(columns[~out], goal[~out], ridges)
        expected[:, out] = weight @ columns[out].T + bias
    error = (expected - goal).square().mean(1)
    best = int(error.argmin())
    weight, bias = _solved(columns, goal, ridges[best : best + 1])
    return Fitted(weight[0], bias[0, 0], expected[best], error[best].sqrt().clamp_min(LEAST))


def _solved(columns: Tensor, goal: Tensor, ridges: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (R, F) and bias (R, 1) for each ridge (R, F, F)."""
    if not len(columns) or not columns.shape[1]:
        mean = goal.mean() if len(goal) else goal.new_zeros(())
        return columns.new_zeros(len(ridges), columns.shape[1]), mean.expand(len(ridges), 1)
    centre, mean = columns.mean(0), goal.mean()
    apart = columns - centre
    weight = torch.linalg.solve(apart.T @ apart + ridges, (apart.T @ (goal - mean)).expand(len(ridges), -1))
    return weight, (mean - weight @ centre).unsqueeze(1)
