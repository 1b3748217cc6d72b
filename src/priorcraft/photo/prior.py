"""A mixture of Gaussians for what stands in a window, whatever its brightness."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from priorcraft.photo.windows import centred

AT_ONCE = 16_384  # windows that are compared with the Gaussians together
ROUNDS, AGAIN = 6, 3  # of assignment and estimate, from nothing and from a mixture
PSEUDO = 20.0  # windows of the whole, by which each Gaussian is steadied


@dataclass(frozen=True)
class PatchPrior:
    """p(w) = sum_k pi_k N(w - mean(w); 0, S_k): a mixture of K Gaussians on mean-free windows of d pixels.

    The mean of a window has a flat prior. Windows are told apart by their first channel; the other channels have
    covariances of their own (Zoran & Weiss 2011, doi:10.1109/ICCV.2011.6126278; Yu, Sapiro & Mallat 2012,
    arXiv:1006.3056).

    Args:
        root: R_k, for which R_k R_k' is the precision of mean-free windows, (C, K, d, d).
        log_weight: log pi_k - 1/2 log det S_k of the first channel, (K,).
    """

    root: Tensor
    log_weight: Tensor

    @property
    def precision(self) -> Tensor:
        """R_k R_k', (C, K, d, d); a constant window costs nothing."""
        return self.root @ self.root.mT

    def nearest(self, windows: Tensor) -> Tensor:
        """The most probable Gaussian of each window (n, d) of the first channel, (n,)."""
        return torch.cat([self._log_joint(some).argmax(1) for some in centred(windows).split(AT_ONCE)])

    def _log_joint(self, w: Tensor) -> Tensor:
        return torch.stack(
            [
                log_weight - (w @ root).square().sum(1) / 2
                for root, log_weight in zip(self.root[0], self.log_weight, strict=True)
            ],
            1,
        )


def fit_prior(
    windows: Tensor, size: int, noise: float, *, start: PatchPrior | None = None, generator: Generator
) -> PatchPrior:
    """A mixture fitted by hard assignments: each window counts for its most probable Gaussian (classification EM).

    Args:
        windows: (C, n, d).
        size: number of Gaussians.
        noise: standard deviation that is added to every pixel.
        start: a mixture to go on from, which takes fewer rounds; without it, or from one of another size, windows are
            grouped by their likeness to some of them.
        generator: picks those.
    """
    w = centred(windows)
    again = start is not None and len(start.log_weight) == size
    kinds = start.nearest(w[0]) if start is not None and again else _first_kinds(w[0], size, generator)
    prior = _estimate(w, kinds, size, noise)
    for _ in range((AGAIN if again else ROUNDS) - 1 if size > 1 else 0):
        prior = _estimate(w, prior.nearest(w[0]), size, noise)
    return prior


def _first_kinds(w: Tensor, size: int, generator: Generator) -> Tensor:
    """Flat windows together, the others with that one of `size` windows which they, or their negatives, resemble."""
    length = w.norm(dim=1)
    unit = w / (length[:, None] + 1e-3)
    chosen = unit[torch.randint(len(w), (size,), generator=generator)]
    kinds = torch.cat([(some @ chosen.T).abs().argmax(1) for some in unit.split(AT_ONCE)])
    return kinds.masked_fill(length < length.quantile(0.25) if len(w) < 2**24 else length < length.mean() / 4, 0)


def _estimate(w: Tensor, kinds: Tensor, size: int, noise: float) -> PatchPrior:
    """Covariances of each kind, steadied by that of all windows, with `noise` added."""
    d = w.shape[-1]
    count = torch.bincount(kinds, minlength=size).to(w)
    groups = w[:, kinds.argsort()].split([int(n) for n in count], 1)
    scatter = torch.stack([group.mT.double() @ group.double() for group in groups], 1)  # else not positive, if flat
    whole = scatter.sum(1, keepdim=True) / max(w.shape[1], 1)
    cover = (scatter + PSEUDO * whole) / (count[:, None, None] + PSEUDO) + noise**2 * torch.eye(d, dtype=torch.float64)
    factor = torch.linalg.cholesky(cover)
    inverse = torch.linalg.solve_triangular(factor, torch.eye(d, dtype=torch.float64).expand_as(factor), upper=False)
    log_weight = ((count + 1) / (w.shape[1] + size)).log() - factor[0].diagonal(dim1=1, dim2=2).log().sum(1)
    return PatchPrior(centred(inverse).mT.float().contiguous(), log_weight.float())


def thin_plate(channels: int, stiffness: float = 0.03) -> PatchPrior:
    """One Gaussian on windows of 3 x 3 pixels, which wants them to bend little: its field is biharmonic filling.

    Args:
        stiffness: by how much it also wants them flat, so that no pixel is free.
    """
    bend = torch.tensor([0.0, 1, 0, 1, -4, 1, 0, 1, 0])[:, None]
    root = torch.cat([bend, stiffness * centred(torch.eye(9))], 1)
    return PatchPrior(root.expand(channels, 1, 9, 10), torch.zeros(1))


def noise_of(peak: float) -> float:
    """The standard deviation below which structure is not told from noise: a level and a half of 255.

    >>> noise_of(255.0)
    1.5
    """
    return 1.5 * peak / 255 if math.isfinite(peak) else 0.0
