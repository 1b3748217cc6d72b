"""Probabilistic PCA: a continuous latent variable, integrated exactly."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Encoder, Exact, Space, Summed
from priorcraft.core.abilities import Total, alone
from priorcraft.explicit.exact.scatter import Moments, Scatter, origins
from priorcraft.settings import Smoothing, Width

FEW = 1e-3  # imagined rows of a class at the mean of all rows


class PPCA(Exact, Summed, Encoder):
    """A linear-Gaussian latent variable model, per class; the exact oracle for the VAE.

    p(z) = N(0, I),   p(x | z) = N(W z + mu, sigma^2 I),   p(x) = N(mu, W W' + sigma^2 I)
    (Tipping & Bishop 1999)

    On integers each factor p(x_i | x_1 ... x_{i-1}) of that Gaussian is integrated over the cell of x_i, the outer
    cells reaching to infinity: a chain of discretised Gaussians that sums to one exactly.

    Args:
        space: real numbers or integers.
        context: labels or None.
        latent: length q of z.
        smoothing: imagined rows per class with the spread of all rows; keeps classes of few rows apart from zero.
    """

    means: Tensor
    weight: Tensor
    noise: Tensor

    def __init__(
        self, space: Space, context: Space | None = None, *, latent: Width = 8, smoothing: Smoothing = 10.0
    ) -> None:
        super().__init__(space, context)
        self.latent, self.smoothing = min(latent, max(space.dims - 1, 1)), smoothing
        classes = max(self.classes, 1)
        self.register_buffer("means", torch.zeros(classes, space.dims))
        self.register_buffer("weight", torch.zeros(classes, space.dims, self.latent))
        self.register_buffer("noise", torch.ones(classes))

    @torch.no_grad()
    def update(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None, *, total: Total = alone) -> Tensor:
        """The closed-form maximum; one round of EM over the labels that are not known. Args as in `Summed.update`."""
        self._origins = origins(x, given, self.classes)
        return super().update(x, given, seen, total=total)

    def expect(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None) -> list[Tensor]:
        """The log-likelihood of some rows, and the moments of each class."""
        x, origins = self.space.check(x), self._origins
        moments = Moments.of(x.flatten(1).double(), self.class_weights(x, given).double(), origins)
        return [self.log_prob(x, given).double().sum(), *moments]

    def maximise(self, sums: Sequence[Tensor], rounds: int = 1) -> None:
        """Means, weights and noise from the moments."""
        moments, origins = Moments(*sums[1:]), self._origins
        overall = moments.about(moments.overall(origins) - origins)
        common, means = sum(overall[1:], overall[0]).covariance, moments.means(origins, FEW)
        for c, (mean, scatter) in enumerate(zip(means, moments.about(means - origins), strict=True)):
            self._settle(c, mean, scatter, common)

    def _settle(self, c: int, mean: Tensor, scatter: Scatter, common: Tensor) -> None:
        extra = self.smoothing if self.classes else 0.0
        total = scatter.weight.clamp_min(1e-9) + extra
        values, vectors = torch.linalg.eigh((scatter.products + extra * common) / total)
        noise = values[: -self.latent].mean().clamp_min(1e-6) if len(mean) > 1 else values.mean().clamp_min(1e-6)
        gains = (values[-self.latent :] - noise).clamp_min(0).sqrt()
        self.means[c], self.noise[c] = mean.to(self.means), noise.to(self.noise)
        self.weight[c] = (vectors[:, -self.latent :] * gains).to(self.weight)

    def _cholesky(self) -> Tensor:
        eye = torch.eye(self.space.dims, dtype=self.weight.dtype, device=self.weight.device)
        return torch.linalg.cholesky(self.weight @ self.weight.mT + self.noise.view(-1, 1, 1) * eye)

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        flat, roots, out = x.flatten(1).to(self.means), self._cholesky(), self.means.new_empty(len(x))
        classes = torch.zeros_like(out, dtype=torch.long) if given is None else given
        for c in classes.unique().tolist():
            rows = classes == c
            white = torch.linalg.solve_triangular(roots[c], (flat[rows] - self.means[c]).T, upper=False).T
            out[rows] = self._factors(white, flat[rows], roots[c].diagonal()).sum(1)
        return out

    def _factors(self, white: Tensor, x: Tensor, scale: Tensor) -> Tensor:
        """log p(x_i | x_1 ... x_{i-1}), whose mean lies white_i standard deviations below x_i."""
        if self.space.levels is None:
            return -0.5 * (white.square() + math.log(2 * math.pi)) - scale.log()
        half = 0.5 / scale
        upper = torch.where(x >= self.space.tops.to(x), math.inf, white + half)
        lower = torch.where(x <= 0, -math.inf, white - half)
        return log_normal_mass(lower, upper)

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        noise = runtime.normal((n, self.space.dims), generator=generator, like=self.means)
        classes = torch.zeros(n, dtype=torch.long, device=noise.device) if given is None else given
        root, mean = self._cholesky()[classes], self.means[classes]
        if self.space.levels is None:
            return (mean + (root @ noise.unsqueeze(-1)).squeeze(-1)).view(n, *self.space.event_shape)
        tops, x, white = self.space.tops, torch.empty_like(mean), torch.zeros_like(mean)
        for i in range(self.space.dims):
            centre = mean[:, i] + (root[:, i, :i] * white[:, :i]).sum(1)
            x[:, i] = (centre + root[:, i, i] * noise[:, i]).round().clamp(0, int(tops[i]))
            white[:, i] = (x[:, i] - centre) / root[:, i, i]
        return x.long().view(n, *self.space.event_shape)

    def prior(self, n: int, *, given: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """n draws of z ~ N(0, I), (n, latent)."""
        return runtime.normal((n, self.latent), generator=runtime.fresh(generator), like=self.means)

    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """W z + mu, (B, *event_shape)."""
        c = torch.zeros(len(z), dtype=torch.long, device=z.device) if given is None else given
        return ((self.weight[c] @ z.unsqueeze(-1)).squeeze(-1) + self.means[c]).view(len(z), *self.space.event_shape)

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """E[z | x] = (W'W + sigma^2 I)^-1 W' (x - mu), exact for real-valued x, (B, latent)."""
        c = torch.zeros(len(x), dtype=torch.long, device=x.device) if given is None else given
        weight = self.weight[c]
        inner = weight.mT @ weight + self.noise[c].view(-1, 1, 1) * torch.eye(self.latent).to(weight)
        centred = (x.flatten(1).to(self.means) - self.means[c]).unsqueeze(-1)
        return torch.linalg.solve(inner, weight.mT @ centred).squeeze(-1)


def log_normal_mass(lower: Tensor, upper: Tensor) -> Tensor:
    """log of the standard normal's mass between two points, exact to rounding even in the tails, nats."""
    flip = lower + upper > 0
    a, b = torch.where(flip, -upper, lower), torch.where(flip, -lower, upper)
    high, low = torch.special.log_ndtr(b), torch.special.log_ndtr(a)
    return high + torch.log1p(-(low - high).clamp_max(-1e-12).exp())
