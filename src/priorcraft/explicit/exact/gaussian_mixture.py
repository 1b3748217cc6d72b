"""A mixture of Gaussians with full covariances, also on integers."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.components import GaussianComponents
from priorcraft.explicit.exact.gaussian_cells import log_kernels, sample_around
from priorcraft.explicit.exact.mixture import FiniteMixture
from priorcraft.explicit.exact.scatter import Moments
from priorcraft.settings import Count

CELL = 1 / 12  # variance of a cell of width 1
FEW = 1e-3  # imagined rows of a component at the mean of all rows


class CellComponents(GaussianComponents):
    """p(x | z) on integers: a Gaussian's chain of cells, its covariance shrunken towards what all components share.

    S_z = (1 - r_z) S_z' + r_z S, with Ledoit and Wolf's share r_z as in `Discriminant`.

    Args:
        space: integers.
        count: number of components Z.
    """

    def __init__(self, space: Space, count: int) -> None:
        super().__init__(space, count, smoothing=0.0)
        self.tops = space.tops

    def expect(self, x: Tensor, weights: Tensor, seen: Tensor | None = None) -> list[Tensor]:
        """Moments about the means so far, of the integers taken as real numbers."""
        _whole(seen)
        return list(Moments.of(x.double(), weights.double(), self.means[: self.used].double()))

    def settle(self, sums: Sequence[Tensor]) -> None:
        """Weighted means and shrunken covariances."""
        moments, before = Moments(*sums), self.means[: self.used].double()
        means = moments.means(before, FEW)
        scatters = moments.about(means - before)
        within = sum(scatters[1:], scatters[0])
        eye = torch.eye(means.shape[1], dtype=means.dtype, device=means.device)
        common = within.shrunk(within.covariance.diagonal().mean() * eye)
        covariances = torch.stack([scatter.shrunk(common) for scatter in scatters]) + CELL * eye
        self.means[: self.used] = means.to(self.means)
        self.cholesky[: self.used] = torch.linalg.cholesky(covariances).to(self.cholesky)

    def log_prob(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """log p(x | z), exact, nats, (N, used)."""
        _whole(seen)
        x, parts = x.to(self.means), zip(self.means[: self.used], self.cholesky, strict=False)
        return torch.cat([log_kernels(x, mean[None], root, self.tops) for mean, root in parts], 1)

    def sample(self, z: Tensor, generator: Generator) -> Tensor:
        """One draw for every z, (B, D)."""
        noise = runtime.normal((len(z), self.means.shape[1]), generator=generator, like=self.means)
        x = torch.empty(noise.shape, dtype=torch.long, device=noise.device)
        for component in z.unique().tolist():
            rows = z == component
            x[rows] = sample_around(self.means[z[rows]], self.cholesky[component], noise[rows], self.tops)
        return x


def _whole(seen: Tensor | None) -> None:
    if seen is not None:
        raise UsageError("a mixture of Gaussians on integers takes no rows with holes; fit `mixture` to those.")


def gaussians(space: Space, count: int) -> GaussianComponents:
    """So many Gaussians for a space."""
    return GaussianComponents(space, count, smoothing=2.0) if space.levels is None else CellComponents(space, count)


class GaussianMixture(FiniteMixture):
    """Gaussians with full covariances, shared by the classes and weighted anew in each of them.

    p(x | c) = sum_z p(z | c) N(x; m_z, S_z), fitted by EM (Dempster, Laird & Rubin 1977)

    On real numbers as in `Mixture`, on integers each Gaussian is a chain of cells as in `PPCA`, which sums to one
    exactly. Of patches of photographs it is a strong prior (Zoran & Weiss 2011, "From learning models of natural image
    patches to whole image restoration").

    Args:
        space: where x lives.
        context: labels or None.
        components: number of Gaussians; None leaves the choice to the training.

    >>> model = GaussianMixture(Space((1, 4, 4), 17), components=2)
    >>> model.sample(3, generator=runtime.keyed(0)).shape
    torch.Size([3, 1, 4, 4])
    """

    def __init__(self, space: Space, context: Space | None = None, *, components: Count | None = None) -> None:
        super().__init__(space, context, partial(gaussians, space), components)

    def _features(self, x: Tensor) -> Tensor:
        """Contrast and not brightness: images around their own mean."""
        flat = super()._features(x)
        return flat - flat.mean(1, keepdim=True) if self.space.is_image else flat
