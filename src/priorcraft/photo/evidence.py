"""Seen pixels that are hidden for the purpose: what they say about each prior, and about its spread."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.optimize import nnls
from torch import Generator, Tensor

SHARE, CELL = 0.05, 64  # of the seen pixels that are hidden at most; side of the cells by which long strokes are cut
TRIES = 16
CALM = 0.2  # strength of the wish that all candidates count alike, beside the energy of their error
USUAL = 6.0  # by how much the spread of a field of overlapping windows falls short
NORMAL_90 = 1.6449  # half of the central 90 % of a normal


def held_out(hidden: Tensor, generator: Generator) -> Tensor:
    """Seen pixels to hide, (H, W): parts of the mask itself, moved to where everything is seen.

    Of some moves the one is taken that brings most of the mask to seen places; its connected parts, cut at the lines of
    a grid, are taken in random order up to a share of the seen pixels, those first that touch nothing hidden.
    """
    mask = hidden.numpy()
    near, best = np.asarray(ndimage.binary_dilation(mask, iterations=2), bool), np.zeros_like(mask)
    for _ in range(TRIES):
        move = [int(torch.randint(length, (), generator=generator)) for length in mask.shape]
        moved = np.roll(mask, move, (0, 1)) & ~mask
        best = max(best, moved, key=lambda m: int((m & ~near).sum()) or float(m.sum()) / m.size)
    best[::CELL], best[:, ::CELL] = False, False
    parts = np.zeros(mask.shape, np.int32)
    ndimage.label(best, np.ones((3, 3)), parts)
    size = np.bincount(parts.ravel(), minlength=1)
    touching = np.bincount(parts.ravel(), near.ravel(), minlength=1) > 0
    size[0] = 0
    order = torch.randperm(int(parts.max()), generator=generator).numpy() + 1
    order = order[np.argsort(touching[order], kind="stable")]
    room = max(SHARE * float((~mask).sum()), 1.0)
    taken = order[(np.cumsum(size[order]) - size[order]) < room]
    return torch.from_numpy(np.isin(parts, taken))


def weights(candidates: Tensor, truth: Tensor) -> Tensor:
    """Non-negative weights with sum 1 that bring candidates (k, n) nearest to the truth (n,), least squares (k,).

    >>> weights(torch.tensor([[0.0, 0.0], [4.0, 4.0]]), torch.tensor([1.0, 1.0])).tolist()
    [0.74..., 0.25...]
    """
    error = (candidates - truth).double().T.numpy()
    energy, k = np.square(error.mean(1)).sum() + 1e-12, len(candidates)
    one, calm = 1e3 * np.sqrt(energy + np.square(error).sum()) * np.ones((1, k)), np.sqrt(CALM * energy) * np.eye(k)
    found, _ = nnls(np.vstack([error, one, calm]), np.concatenate([np.zeros(len(error)), one[0, :1], calm.sum(1) / k]))
    return torch.from_numpy(found / found.sum()).float()


@dataclass(frozen=True)
class Verdict:
    """What pixels whose truth is known say of a method.

    Args:
        weights: of each candidate in the mean, (k,).
        stretch: the factor by which its normal spread has to be multiplied to hold 90 % of the errors.
    """

    weights: Tensor
    stretch: float

    def mean(self, candidates: Tensor) -> Tensor:
        """The weighted mean of candidates (k, ...)."""
        return torch.einsum("k,k...->...", self.weights, candidates)


def undecided(count: int) -> Verdict:
    """All candidates alike, and the widening that photographs usually need: where nothing can be tried."""
    return Verdict(torch.full((count,), 1 / count), USUAL)


def verdict(candidates: Tensor, deviations: Tensor, truth: Tensor, basis: Tensor) -> Verdict:
    """Weights and scale from pixels whose truth is known.

    Args:
        candidates: (k, C, pixels), in turned directions of colour.
        deviations: draws of the field less its mean, (n, C, pixels), likewise.
        truth: (C, pixels), likewise.
        basis: those directions, (C, C): the errors count in the picture's own channels.
    """
    if not truth.numel():
        return undecided(len(candidates))
    share = weights(candidates.flatten(1), truth.flatten())
    error = basis.T @ (torch.einsum("k,k...->...", share, candidates) - truth)
    ratio = (error.abs() / (basis.T @ deviations).std(0).clamp_min(1e-6)).flatten().sort().values
    return Verdict(share, float(ratio[int(0.9 * (len(ratio) - 1))]) / NORMAL_90)
