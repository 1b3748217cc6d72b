"""Probabilistic PCA on integers, with what is seen first."""

import torch
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.condition.components import class_weights
from priorcraft.condition.evidence import possible
from priorcraft.core import Posterior
from priorcraft.explicit.exact.ppca import PPCA, log_normal_mass
from priorcraft.observe import Mask


class ReorderedChain(Posterior):
    """The chain of discretised Gaussians, in an order with the seen entries first.

    On integers PPCA is a chain: each factor of the Gaussian is integrated over a cell, in raster order. In another
    order the Gaussian is the same and the chain's joint is not quite, because a factor is conditioned on the points
    that x took and not on their cells. So this is the posterior of that neighbour of the model, not of the model
    itself: approximate, without a bound on the difference.

    Args:
        model: PPCA on integers.
        observation: the mask that all rows share.
        y: what is seen, (B, *event_shape).
        given: labels, (B,), -1 where not known; None if none is.
    """

    kind = "approximate"
    method = "discretised Gaussian chain, evidence first"

    def __init__(self, model: PPCA, observation: Mask, y: Tensor, given: Tensor | None) -> None:
        super().__init__()
        self.model, self.y = model, y.flatten(1)
        seen = observation.seen.flatten().to(y.device)
        self.order, self.start = (~seen).long().argsort(stable=True), int(seen.sum())
        self.tops = model.space.tops.to(y.device)[self.order]
        weight = model.weight.double()[:, self.order]
        eye = torch.eye(model.space.dims, dtype=torch.float64, device=weight.device)
        self.root = torch.linalg.cholesky(weight @ weight.mT + model.noise.double().view(-1, 1, 1) * eye)
        self.mean = model.means.double()[:, self.order]
        self.x = self.y[:, self.order].double()
        prior = class_weights(model, len(y), given).double()
        self.white = torch.stack([self._whitened(self.x, c) for c in range(len(self.mean))], 1)  # (B, C, D)
        log_y = self._factors(self.x, self.white)[..., : self.start].sum(-1)
        self.posterior, log_evidence = probability.posterior(prior, log_y)
        self.log_evidence = possible(log_evidence, self.method)

    def _whitened(self, x: Tensor, c: int) -> Tensor:
        return torch.linalg.solve_triangular(self.root[c], (x - self.mean[c]).T, upper=False).T

    def _factors(self, x: Tensor, white: Tensor) -> Tensor:
        """log p(x_i | earlier), for every class, (B, C, D)."""
        half = 0.5 / self.root.diagonal(dim1=1, dim2=2)
        upper = torch.where(x.unsqueeze(1) >= self.tops, torch.inf, white + half)
        lower = torch.where(x.unsqueeze(1) <= 0, -torch.inf, white - half)
        return log_normal_mass(lower, upper)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        c = runtime.categorical(self.posterior.repeat_interleave(n, 0), generator=generator)
        row = torch.arange(len(c), device=c.device) // n
        x, white, root, mean = self.x[row], self.white[row, c], self.root[c], self.mean[c]
        noise = runtime.normal(tuple(x.shape), generator=generator, like=x)
        for i in range(self.start, x.shape[1]):
            centre = mean[:, i] + (root[:, i, :i] * white[:, :i]).sum(1)
            x[:, i] = (centre + root[:, i, i] * noise[:, i]).round().clamp(0, int(self.tops[i]))
            white[:, i] = (x[:, i] - centre) / root[:, i, i]
        drawn = torch.empty_like(x).scatter_(1, self.order.expand(len(x), -1), x)
        return drawn.long().view(-1, n, *self.model.space.event_shape)
