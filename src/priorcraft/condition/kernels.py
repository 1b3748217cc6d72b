"""Kernel densities: the rows that agree with what was seen, and what their kernels say of the rest."""

import math

import torch
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.condition.components import class_weights
from priorcraft.condition.evidence import possible
from priorcraft.condition.sums import on_levels, sums_in_reach
from priorcraft.core import LinearObservation, Posterior
from priorcraft.explicit.exact.gaussian_cells import log_kernels
from priorcraft.explicit.exact.kernel import KernelDensity
from priorcraft.observe import BlockMean, Mask

LEAST = 1e-7  # share of the posterior below which a kernel is left out


def kernel_weights(model: KernelDensity, rows: int, given: Tensor | None) -> Tensor:
    """log p(kernel | label), the class summed out where it is not known, (B, M T)."""
    around = len(model._around()) // len(model.share)
    per_row = torch.logsumexp(class_weights(model, rows, given)[:, :, None] + model.share.T.log(), 1)
    return (per_row - math.log(around)).repeat_interleave(around, 1)


class Kernels(Posterior):
    """One Gaussian around every row and its deformations, all of one covariance, in an order with the seen first.

    On integers the kernels are chains of discretised Gaussians, as in `ReorderedChain`, and in another order not quite
    the same joint: approximate. On real numbers the conditioning is exact (see `Gaussian`).

    Args:
        model: a kernel density.
        observation: the mask that all rows share.
        y: what is seen, (B, *event_shape).
        given: labels, (B,), -1 where not known; None if none is.
    """

    kind = "approximate"
    method = "kernels weighted by what is seen, evidence first"

    def __init__(self, model: KernelDensity, observation: Mask, y: Tensor, given: Tensor | None) -> None:
        super().__init__()
        self.model, self.y = model, y
        seen = observation.seen.flatten().to(y.device)
        self.order, self.start = (~seen).long().argsort(stable=True), int(seen.sum())
        covariance = (model.root.double() @ model.root.double().T)[self.order][:, self.order]
        self.root = torch.linalg.cholesky(covariance)
        self.centres = model._around()[:, self.order].double()
        self.x = y.flatten(1)[:, self.order].double()
        self.tops = None if model.space.levels is None else model.space.tops.to(y.device)[self.order]
        log_y = kernel_weights(model, len(y), given).double()
        if self.start:
            seen_first = slice(0, self.start)
            root, tops = self.root[seen_first, seen_first], None if self.tops is None else self.tops[seen_first]
            log_y = log_y + log_kernels(self.x[:, seen_first], self.centres[:, seen_first], root, tops)
        self.posterior, log_evidence = probability.posterior(torch.zeros_like(log_y), log_y)
        self.log_evidence = possible(log_evidence, self.method)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        k = runtime.categorical(self.posterior.unsqueeze(1).expand(-1, n, -1), generator=generator).flatten()
        x, centre = self.x.repeat_interleave(n, 0), self.centres[k]
        known, hidden = slice(0, self.start), slice(self.start, None)
        white = torch.zeros_like(x)
        white[:, known] = torch.linalg.solve_triangular(
            self.root[known, known], (x - centre)[:, known].T, upper=False
        ).T
        noise = runtime.normal(tuple(x[:, hidden].shape), generator=generator, like=x)
        for j, i in enumerate(range(self.start, x.shape[1])):
            mean = centre[:, i] + white[:, :i] @ self.root[i, :i]
            x[:, i] = mean + self.root[i, i] * noise[:, j]
            if self.tops is not None:
                x[:, i] = x[:, i].round().clamp(0, int(self.tops[i]))
            white[:, i] = (x[:, i] - mean) / self.root[i, i]
        drawn = torch.empty_like(x).scatter_(1, self.order.expand(len(x), -1), x)
        shape = (len(self.y), n, *self.model.space.event_shape)
        return (drawn.to(self.y.dtype) if self.tops is None else drawn.long()).view(shape)


class LinearKernels(Posterior):
    """Kernels as continuous Gaussians, seen through a matrix: x + G (y - A x) as in `Gaussian`, then put on integers.

    On integers the draws are rounded to 0 ... levels-1; block means are met exactly, by adding or taking ones where
    rounding did most. Approximate for integers: the cells of the entries are not looked at.

    Args:
        model: a kernel density.
        observation: linear, with or without noise.
        y: what is seen.
        given: labels, (B,), -1 where not known; None if none is.
    """

    kind = "approximate"
    method = "continuous kernels, conditioned in closed form and rounded"

    def __init__(self, model: KernelDensity, observation: LinearObservation, y: Tensor, given: Tensor | None) -> None:
        super().__init__()
        self.model, self.observation, self.y = model, observation, y
        dims = model.space.dims
        unit = torch.eye(dims, dtype=torch.float64, device=y.device).view(dims, *model.space.event_shape)
        self.matrix = observation.forward(unit).flatten(1).T
        self.covariance_root = model.root.double()
        across = self.matrix @ self.covariance_root @ self.covariance_root.T
        spread = across @ self.matrix.T
        noise = observation.noise**2 + 1e-10 * spread.diagonal().mean()
        root = torch.linalg.cholesky(spread + noise * torch.eye(len(spread)).to(spread))
        self.gain = torch.cholesky_solve(across, root).T
        self.centres = model._around().double()
        shown = self.centres @ self.matrix.T
        log_y = log_kernels(y.flatten(1).double(), shown, root, None)
        prior = kernel_weights(model, len(y), given).double()
        self.posterior, log_evidence = probability.posterior(prior, log_y)
        self.log_evidence = possible(log_evidence, self.method)
        if isinstance(observation, BlockMean) and model.space.levels is not None:
            sums_in_reach(observation, y, model.space, self.method)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        k = runtime.categorical(self.posterior.unsqueeze(1).expand(-1, n, -1), generator=generator).flatten()
        noise = runtime.normal((len(k), self.model.space.dims), generator=generator, like=self.centres)
        joint = self.centres[k] + noise @ self.covariance_root.T
        error = runtime.normal((len(k), len(self.matrix)), generator=generator, like=joint)
        y = self.y.flatten(1).double().repeat_interleave(n, 0)
        x = joint + (y - joint @ self.matrix.T - self.observation.noise * error) @ self.gain.T
        shape = (len(self.y), n, *self.model.space.event_shape)
        if self.model.space.levels is None:
            return x.to(self.y.dtype).view(shape)
        return on_levels(x, self.observation, self.y, self.model.space).view(shape)
