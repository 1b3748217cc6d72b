"""The normal distribution, entry by entry."""

import math

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.errors import NoDensity


class Gaussian:
    """p(x) = N(x; mean, scale^2), entry by entry.

    >>> round(float(Gaussian(torch.zeros(1), torch.zeros(1)).log_prob(torch.zeros(1))), 4)
    -0.9189
    """

    def __init__(self, mean: Tensor, log_scale: Tensor) -> None:
        self.loc, self.log_scale = mean, log_scale

    @classmethod
    def from_parameters(cls, parameters: Tensor) -> "Gaussian":
        """Takes (..., 2): mean and log scale, the latter held above e^-7."""
        return cls(parameters[..., 0], parameters[..., 1].clamp_min(-7.0))

    def log_prob(self, x: Tensor) -> Tensor:
        """log density, exact, nats, shape of x."""
        z = (x - self.loc) * (-self.log_scale).exp()
        return -0.5 * (z.square() + math.log(2 * math.pi)) - self.log_scale

    def quantile(self, u: Tensor) -> Tensor:
        """The x at which the distribution function passes the uniforms u, shape of u."""
        return self.loc + self.log_scale.exp() * torch.special.ndtri(u.clamp(1e-7, 1 - 1e-7))

    def sample(self, generator: Generator) -> Tensor:
        """One exact draw."""
        noise = runtime.normal(tuple(self.loc.shape), generator=generator, like=self.loc)
        return self.loc + self.log_scale.exp() * noise

    def mean(self) -> Tensor:
        """E[x], exact."""
        return self.loc

    def table(self) -> Tensor:
        """None: real numbers have no levels.

        Raises:
            NoDensity: always.
        """
        raise NoDensity("a normal distribution has no table: its entries are real numbers and have no levels.")


def kl_divergence(q: Gaussian, p: Gaussian) -> Tensor:
    """KL(q || p) entry by entry, exact, nats."""
    ratio = (q.log_scale - p.log_scale).mul(2).exp()
    distance = ((q.loc - p.loc) * (-p.log_scale).exp()).square()
    return 0.5 * (ratio + distance - 1) - q.log_scale + p.log_scale
