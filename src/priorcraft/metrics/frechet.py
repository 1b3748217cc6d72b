"""How far apart two clouds of features lie, as if both were Gaussian."""

import torch
from torch import Tensor

from priorcraft.errors import UsageError


def frechet(a: Tensor, b: Tensor) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^1/2), the squared 2-Wasserstein distance of two Gaussians.

    (Dowson & Landau 1982; on features of a classifier: Heusel et al. 2017, arXiv:1706.08500.) Biased upwards, less so
    with more rows: compare figures of as many rows alone, beside that of real rows against real rows. It depends on
    whose features they are.

    Args:
        a, b: features, (N, D) and (M, D), at least two rows each.

    Raises:
        UsageError: features of different lengths, or fewer than two rows.

    >>> a = torch.tensor([[0.0], [2.0]])
    >>> frechet(a, a + 3)
    9.0
    """
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise UsageError(f"a and b must be features (N, D), N at least 2, not {tuple(a.shape)} and {tuple(b.shape)}.")
    a, b = a.double(), b.double()
    s, t = (torch.cov(x.T).reshape(x.shape[1], -1) for x in (a, b))
    root = symmetric_root(s)
    cross = torch.linalg.eigvalsh(root @ t @ root).clamp_min(0).sqrt().sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + s.trace() + t.trace() - 2 * cross)


def symmetric_root(s: Tensor) -> Tensor:
    """The symmetric square root of a covariance, (D, D)."""
    values, vectors = torch.linalg.eigh(s)
    return vectors * values.clamp_min(0).sqrt() @ vectors.T
