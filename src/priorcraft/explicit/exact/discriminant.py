"""Linear and quadratic discriminants: one Gaussian a class, with a covariance that they share or one each."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Exact, Space, Summed
from priorcraft.core.abilities import Total, alone, in_stretches
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.gaussian_cells import log_kernels, sample_around, tops_of
from priorcraft.explicit.exact.scatter import Moments, Scatter, origins

FEW = 1e-3  # imagined rows of a class at the mean of all rows: a class without rows has a mean too
ROUNDING = 1e-6  # added to every variance, in the units of the data: a constant entry has one too
CONSTANT = 1e-12  # share of its mean up to which an entry's spread is rounding


class Discriminant(Exact, Summed):
    """A Gaussian in each class: linear discriminants if the classes share its covariance, quadratic ones if not.

    p(x | c) = N(x; m_c, S),   S = (1 - r) S_within + r v I   (linear; Fisher 1936)
    p(x | c) = N(x; m_c, S_c),   S_c = (1 - r_c) S_c' + r_c S   (quadratic; Friedman 1989)

    The shares r are Ledoit and Wolf's, in closed form: expected squared error of the sample covariance over its squared
    distance from what it is drawn to (Ledoit & Wolf 2004); v is the mean variance, real columns in units of their
    spread. On integers p(x) is the Gaussian's chain of cells, as in
    `PPCA`, and sums to one exactly.

    Args:
        space: real numbers or integers.
        context: labels; without them there is one Gaussian.
        shared: whether the classes share the covariance.

    Raises:
        UsageError: a context that is no label.
    """

    means: Tensor
    roots: Tensor

    def __init__(self, space: Space, context: Space | None = None, *, shared: bool = True) -> None:
        super().__init__(space, context)
        if context is not None and not context.is_label:
            raise UsageError("a discriminant takes class labels as context, or none; for another, use autoregressive.")
        classes = max(self.classes, 1)
        self.register_buffer("means", torch.zeros(classes, space.dims))
        self.register_buffer("roots", torch.eye(space.dims).repeat(1 if shared else classes, 1, 1))

    @torch.no_grad()
    def update(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None, *, total: Total = alone) -> Tensor:
        """Means and shrunken covariances; one round of EM over the labels that are not known.

        Args as in `Summed.update`.
        """
        self._origins = origins(x, given, self.classes)
        self._units = self._spreads(x, total)
        return super().update(x, given, seen, total=total)

    def _spreads(self, x: Tensor, total: Total) -> Tensor:
        """Units in which one variance suits all entries: one level, or the spread of a real-valued column, (D,)."""
        centre = self._origins.mean(0)
        if self.space.levels is not None:
            return torch.ones_like(centre)

        def columns(rows: slice) -> list[Tensor]:
            y = x[rows].flatten(1).double() - centre
            return [y.sum(0), y.square().sum(0)]

        first, second = (each / len(x) for each in in_stretches(slice(0, len(x), 1), len(x), columns, total))
        spread, mean = (second - first.square()).clamp_min(0).sqrt(), (centre + first).abs()
        return torch.where(spread > CONSTANT * mean, spread, mean.clamp_min(1.0) * ROUNDING)

    def expect(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None) -> list[Tensor]:
        """The log-likelihood of some rows, and the moments of each class."""
        x, weights = self.space.check(x), self.class_weights(x, given).double()
        moments = Moments.of(x.flatten(1).double() / self._units, weights, self._origins / self._units)
        return [self.log_prob(x, given).double().sum(), *moments]

    def maximise(self, sums: Sequence[Tensor], rounds: int = 1) -> None:
        """Means and roots from the moments."""
        moments, origins = Moments(*sums[1:]), self._origins / self._units
        means = moments.means(origins, FEW)
        roots = self._covariance_roots(moments.about(means - origins))
        self.means.copy_(means * self._units)
        self.roots.copy_(roots * self._units.unsqueeze(1))

    def _covariance_roots(self, scatters: list[Scatter]) -> Tensor:
        """L of every covariance L L', (1 or K, D, D)."""
        within = sum(scatters[1:], scatters[0])
        eye = torch.eye(len(within.products), dtype=within.products.dtype, device=within.products.device)
        common = within.shrunk(within.covariance.diagonal().mean() * eye)
        shared = len(self.roots) < len(scatters)
        covariances = [common] if shared else [scatter.shrunk(common) for scatter in scatters]
        return torch.linalg.cholesky(torch.stack(covariances) + ROUNDING * eye)

    def _root(self, c: int) -> Tensor:
        return self.roots[c % len(self.roots)]

    def _log_kernels(self, x: Tensor, means: Tensor, root: Tensor) -> Tensor:
        """log p(x | m) for Gaussians around the means, (B, M); real numbers are first moved near zero."""
        origin = torch.zeros_like(means[0]) if self.space.levels is not None else means.mean(0)
        return log_kernels(x.flatten(1).to(means) - origin, means - origin, root, tops_of(self.space))

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        out = self.means.new_empty(len(x))
        label = torch.zeros(len(x), dtype=torch.long, device=x.device) if given is None else given
        for c in label.unique().tolist():
            out[label == c] = self._log_kernels(x[label == c], self.means[c : c + 1], self._root(c)).squeeze(1)
        return out

    def _joint(self, density: object, x: Tensor) -> Tensor:
        groups = [self.means] if len(self.roots) == 1 else self.means.split(1)
        each = [self._log_kernels(x, means, root) for means, root in zip(groups, self.roots, strict=True)]
        return torch.cat(each, 1) + self.log_prior

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        noise = runtime.normal((n, self.space.dims), generator=generator, like=self.means)
        label = torch.zeros(n, dtype=torch.long, device=noise.device) if given is None else given
        x = torch.empty_like(noise)
        for c in label.unique().tolist():
            rows = label == c
            x[rows] = sample_around(self.means[label[rows]], self._root(c), noise[rows], tops_of(self.space)).to(x)
        return (x if self.space.levels is None else x.long()).view(n, *self.space.event_shape)
