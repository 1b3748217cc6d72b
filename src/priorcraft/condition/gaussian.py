"""Gaussians and their mixtures, seen through a matrix: the posterior in closed form."""

import math

import torch
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.condition.components import class_weights, component_weights
from priorcraft.condition.evidence import ExactPosterior, possible
from priorcraft.condition.sums import on_levels, sums_in_reach
from priorcraft.core import LinearObservation, Posterior
from priorcraft.errors import NoDensity
from priorcraft.explicit.exact.components import GaussianComponents
from priorcraft.explicit.exact.discriminant import Discriminant
from priorcraft.explicit.exact.gaussian_mixture import GaussianMixture
from priorcraft.explicit.exact.mixture import FiniteMixture
from priorcraft.explicit.exact.ppca import PPCA
from priorcraft.observe import BlockMean, Mask

Normals = FiniteMixture | PPCA | Discriminant
ROUNDING = 1e-10  # of the variance, so that a matrix without noise can be inverted


def normal_components(model: Normals, rows: int, given: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The model as a mixture of normals: log p(k) of each row, (B, K), means (K, D), covariances (K, D, D)."""
    if isinstance(model, PPCA):
        eye = torch.eye(model.space.dims, dtype=torch.float64, device=model.means.device)
        weight = model.weight.double()
        covariance = weight @ weight.mT + model.noise.double().view(-1, 1, 1) * eye
        return class_weights(model, rows, given).double(), model.means.double(), covariance
    if isinstance(model, Discriminant):
        root = model.roots.double().expand(len(model.means), -1, -1)
        return class_weights(model, rows, given).double(), model.means.double(), root @ root.mT
    assert isinstance(model.components, GaussianComponents)
    root = model.components.cholesky.double()
    return component_weights(model, rows, given).double(), model.components.means.double(), root @ root.mT


class Gaussian(ExactPosterior):
    """Conditioning of normals, component by component.

    x | y, k ~ N(m + G (y - A m), V - G A V),   p(k | y) ∝ p(k) N(y; A m, S)
    with S = A V A' + noise^2 I and G = V A' S^-1

    A draw moves a draw (x, y') of the joint onto the evidence: x + G (y - y') (Matheron's rule).

    Args:
        model: a mixture of normals, discriminants, or probabilistic PCA, on real numbers.
        observation: linear, with or without noise.
        y: what is seen.
        given: labels, (B,), -1 where not known; None if none is.
    """

    method = "closed form of Gaussians"

    def __init__(
        self,
        model: FiniteMixture | PPCA | Discriminant,
        observation: LinearObservation,
        y: Tensor,
        given: Tensor | None,
    ) -> None:
        super().__init__()
        self.model, self.observation, self.y = model, observation, y
        prior, self.means, self.covariance = normal_components(model, len(y), given)
        self.matrix, kept = matrix_of(observation, model, y)
        self.seen = y.flatten(1).double()[:, kept]
        self.gain, log_y = self._condition()
        self.posterior, log_evidence = probability.posterior(prior, log_y)
        self.log_evidence = possible(log_evidence, self.method)

    def _condition(self) -> tuple[Tensor, Tensor]:
        """G of every component, (K, D, M), and log p(y | k), (B, K)."""
        across = self.matrix @ self.covariance  # (K, M, D)
        spread = across @ self.matrix.T
        noise = self.observation.noise**2 + ROUNDING * spread.diagonal(dim1=1, dim2=2).mean(1)
        root = torch.linalg.cholesky(spread + noise.view(-1, 1, 1) * torch.eye(len(self.matrix)).to(spread))
        centred = self.seen.unsqueeze(1) - self.means @ self.matrix.T
        white = torch.linalg.solve_triangular(root, centred.permute(1, 2, 0), upper=False)
        scale = root.diagonal(dim1=1, dim2=2).log().sum(1) + 0.5 * len(self.matrix) * math.log(2 * math.pi)
        return torch.cholesky_solve(across, root).mT, -0.5 * white.square().sum(1).T - scale

    def _sample(self, n: int, generator: Generator) -> Tensor:
        k = runtime.categorical(self.posterior.repeat_interleave(n, 0), generator=generator)
        root = torch.linalg.cholesky(self.covariance)
        x = torch.empty(len(k), self.means.shape[1]).to(self.means)
        for component in k.unique().tolist():
            rows = (k == component).nonzero().flatten()
            noise = runtime.normal((len(rows), x.shape[1]), generator=generator, like=x)
            joint = self.means[component] + noise @ root[component].T
            error = runtime.normal((len(rows), len(self.matrix)), generator=generator, like=x)
            missing = self.seen[rows // n] - joint @ self.matrix.T - self.observation.noise * error
            x[rows] = joint + missing @ self.gain[component].T
        drawn = x.to(self.y.dtype).view(len(self.y), n, *self.model.space.event_shape)
        if isinstance(self.observation, Mask):
            return torch.where(self.observation.seen, self.y.unsqueeze(1), drawn)
        return drawn

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | y): of the hidden entries for a mask, of all of x where there is noise. Exact, nats, (B,).

        Raises:
            NoDensity: a linear observation without noise that is no mask; x then lies in a subspace.
        """
        if not self.observation.noise and not isinstance(self.observation, Mask):
            raise NoDensity("log p(x | y) is not defined here: without noise, x lies in a subspace.")
        return self.model.log_prob(x).double() + self.observation.log_prob(self.y, x) - self.log_evidence


class RoundedGaussian(Posterior):
    """Gaussians over integers taken as real numbers: conditioned in closed form, then put on the integers.

    Draws are rounded to 0 ... levels-1; block means are met exactly, by adding or taking ones where rounding did
    most. Approximate: the cells of the entries are not looked at.

    Args:
        model: mixtures of Gaussians, probabilistic PCA or discriminants, on integers.
        observation: linear, with or without noise.
        y: what is seen.
        given: labels, (B,), -1 where not known; None if none is.
    """

    kind = "approximate"
    method = "continuous Gaussians, conditioned in closed form and rounded"

    def __init__(
        self,
        model: GaussianMixture | PPCA | Discriminant,
        observation: LinearObservation,
        y: Tensor,
        given: Tensor | None,
    ) -> None:
        super().__init__()
        if isinstance(observation, BlockMean):
            sums_in_reach(observation, y, model.space, self.method)
        self.continuous = Gaussian(model, observation, y.double(), given)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        x, about = self.continuous.sample(n, generator=generator), self.continuous
        return on_levels(x.flatten(0, 1).flatten(1), about.observation, about.y, about.model.space).view(x.shape)


def matrix_of(
    observation: LinearObservation, model: FiniteMixture | PPCA | Discriminant, y: Tensor
) -> tuple[Tensor, Tensor]:
    """A as (M, D), and which entries of y its rows are; rows that see nothing are left out."""
    dims = model.space.dims
    unit = torch.eye(dims, dtype=torch.float64, device=y.device).view(dims, *model.space.event_shape)
    matrix = observation.forward(unit).flatten(1).T
    kept = (matrix != 0).any(1)
    return matrix[kept], kept
