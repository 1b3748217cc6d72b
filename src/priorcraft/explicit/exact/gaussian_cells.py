"""A multivariate Gaussian on integers: each factor of its chain is integrated over a cell, exactly."""

import math

import torch
from torch import Tensor

from priorcraft.core import Space
from priorcraft.explicit.exact.ppca import log_normal_mass

CHUNK = 2**18  # pairs of a row and a centre: their masses stay in the cache
SAFE = 1e-9  # in float64, a mass above it keeps seven digits when taken as a difference
BLOCK = 8  # masses multiplied before a logarithm is taken


def whiten(root: Tensor, x: Tensor) -> Tensor:
    """L^-1 x for every row, (N, D); a Gaussian of covariance L L' becomes a standard one."""
    return torch.linalg.solve_triangular(root, x.T, upper=False).T


def log_kernels(x: Tensor, centres: Tensor, root: Tensor, tops: Tensor | None) -> Tensor:
    """log p(x_b) under a Gaussian around every centre m, with covariance L L', exact, nats, (B, M).

    With integers, p(x) = prod_i p(x_i | x_1 ... x_{i-1}), each factor the Gaussian's mass in the cell of x_i, the outer
    cells reaching to infinity; it sums to one over 0 ... tops for any centre.

    Args:
        x: (B, D), floating point.
        centres: (M, D), real numbers.
        root: L, lower triangular, (D, D).
        tops: the largest integer of each entry, (D,); None for a density of real numbers.
    """
    white, means = whiten(root, x), whiten(root, centres)
    if tops is None:
        constant = 0.5 * x.shape[1] * math.log(2 * math.pi) + root.diagonal().log().sum()
        return -0.5 * torch.cdist(white, means, compute_mode="donot_use_mm_for_euclid_dist").square() - constant
    half = 0.5 / root.diagonal()
    upper = torch.where(x >= tops.to(x), math.inf, white + half).double()
    lower = torch.where(x <= 0, -math.inf, white - half).double()
    size, means = max(1, CHUNK // max(len(means), 1)), means.double().T.contiguous()
    parts = [_chain(a, b, means) for a, b in zip(lower.split(size), upper.split(size), strict=True)]
    return torch.cat(parts).to(x)


def _chain(lower: Tensor, upper: Tensor, means: Tensor) -> Tensor:
    """Sum over i of the log mass between lower_bi - means_im and upper_bi - means_im, (B, M)."""
    total = lower.new_zeros(len(lower), means.shape[1])
    for i, block in enumerate(means.split(BLOCK)):
        product = torch.ones_like(total)
        for j, mean in enumerate(block, start=i * BLOCK):
            _multiply_mass(product, total, lower[:, j, None] - mean, upper[:, j, None] - mean)
        total += product.log_()
    return total


def _multiply_mass(product: Tensor, total: Tensor, lower: Tensor, upper: Tensor) -> None:
    """Mass as a difference into the product; where that would lose its digits, its logarithm into the total."""
    mass = torch.erf(upper * math.sqrt(0.5)).sub_(torch.erf(lower * math.sqrt(0.5))).mul_(0.5)
    doubtful = mass < SAFE
    if bool(doubtful.any()):
        total[doubtful] += log_normal_mass(lower[doubtful], upper[doubtful])
        mass.masked_fill_(doubtful, 1.0)
    product.mul_(mass)


def sample_around(centres: Tensor, root: Tensor, noise: Tensor, tops: Tensor | None) -> Tensor:
    """One draw around every centre, (B, D): the chain of cells followed from the first entry to the last.

    Args:
        centres: (B, D).
        root: L, (D, D).
        noise: standard normal, (B, D).
        tops: as in `log_kernels`.
    """
    if tops is None:
        return centres + noise @ root.T
    x, white = torch.empty_like(centres), torch.zeros_like(centres)
    for i in range(centres.shape[1]):
        mean = centres[:, i] + white[:, :i] @ root[i, :i]
        x[:, i] = (mean + root[i, i] * noise[:, i]).round().clamp(0, int(tops[i]))
        white[:, i] = (x[:, i] - mean) / root[i, i]
    return x.long()


def tops_of(space: Space) -> Tensor | None:
    """The largest integer of each entry, (D,); None for real numbers."""
    return None if space.levels is None else space.tops
