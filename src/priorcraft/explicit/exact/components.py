"""Components of a mixture: what each value of z says of x, and how weighted rows change it."""

import math

import torch
from torch import Generator, Tensor, nn

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.explicit.exact.counting import log_frequencies, table_log_prob


class CategoricalComponents(nn.Module):
    """p(x | z) = prod_i p(x_i | z) on integers; with two levels these are Bernoullis.

    Args:
        space: integers.
        count: number of components Z.
        smoothing: imagined rows per component.
    """

    log_table: Tensor

    def __init__(self, space: Space, count: int, smoothing: float) -> None:
        super().__init__()
        levels = space.levels or 2
        self.smoothing = smoothing
        self.register_buffer("log_table", torch.full((count, space.dims, levels), -math.log(levels)))

    def maximise(self, x: Tensor, weights: Tensor) -> None:
        """The M-step: x (N, D), responsibilities (N, Z)."""
        self.log_table.copy_(log_frequencies(x, weights, self.log_table.shape[-1], self.smoothing))

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z), exact, nats, (N, Z)."""
        return table_log_prob(self.log_table, x)

    def sample(self, z: Tensor, generator: Generator) -> Tensor:
        """One draw for every z, (B, D)."""
        return runtime.categorical(self.log_table[z], generator=generator)

    def mean(self) -> Tensor:
        """E[x | z], (Z, D)."""
        return self.log_table.exp() @ torch.arange(self.log_table.shape[-1]).to(self.log_table)


class GaussianComponents(nn.Module):
    """p(x | z) = N(x; mean_z, cov_z) with a full covariance that is pulled towards the data's own diagonal.

    Args:
        space: real numbers.
        count: number of components Z.
        smoothing: imagined rows per component that have the variance of the whole data, shrunk to a tenth.
    """

    means: Tensor
    cholesky: Tensor

    def __init__(self, space: Space, count: int, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("means", torch.zeros(count, space.dims))
        self.register_buffer("cholesky", torch.eye(space.dims).repeat(count, 1, 1))

    def maximise(self, x: Tensor, weights: Tensor) -> None:
        """The M-step: x (N, D), responsibilities (N, Z)."""
        x, weights = x.to(self.means), weights.to(self.means)
        total = weights.sum(0)
        means = (weights.T @ x + self.smoothing * 1e-3 * x.mean(0)) / (total + self.smoothing * 1e-3).unsqueeze(1)
        floor = x.var(0, correction=0).clamp_min(1e-6 * float(x.var(correction=0)) + 1e-12) * 0.1
        for z in range(len(means)):
            centred = x - means[z]
            scatter = (centred * weights[:, z : z + 1]).T @ centred + torch.diag(self.smoothing * floor)
            self.cholesky[z] = torch.linalg.cholesky(scatter / (total[z] + self.smoothing))
        self.means.copy_(means)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z), exact, nats, (N, Z)."""
        return torch.stack([self._gaussian(x.to(self.means), z) for z in range(len(self.means))], 1)

    def _gaussian(self, x: Tensor, z: int) -> Tensor:
        root = self.cholesky[z]
        white = torch.linalg.solve_triangular(root, (x - self.means[z]).T, upper=False)
        return -0.5 * (white.square().sum(0) + x.shape[1] * math.log(2 * math.pi)) - root.diagonal().log().sum()

    def sample(self, z: Tensor, generator: Generator) -> Tensor:
        """One draw for every z, (B, D)."""
        noise = runtime.normal((len(z), self.means.shape[1], 1), generator=generator, like=self.means)
        return self.means[z] + (self.cholesky[z] @ noise).squeeze(-1)

    def mean(self) -> Tensor:
        """E[x | z], (Z, D)."""
        return self.means
