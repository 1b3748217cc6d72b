"""Generators without a density: z is sought that shows what was seen."""

import math

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.condition.sums import on_levels, sums_in_reach
from priorcraft.core import UNLABELLED, LinearObservation, Posterior
from priorcraft.implicit.gan import GAN
from priorcraft.observe import BlockMean, Mask


class Inversion(Posterior):
    """Langevin steps in z on an energy that allows for an error of the generator.

    U(z) = |y - A G(z, c)|^2 / 2 tau^2 + |z|^2 / 2,   z <- z - step grad U + sqrt(2 step) e

    Begins at the best of many draws from the prior, the class among them, and cools tau from half the range down to
    `tolerance`. What comes out is G(z), moved onto what was seen: with a mask, the seen entries are put in the place of
    what G shows there; blocks of integers are moved onto their sums. `generator_error` says how far that was (root mean
    square, in units of y).

    Args:
        model: a generator.
        observation: linear.
        y: what is seen.
        given: labels, (B,), -1 where not known; None if none is.
        start: draws from the prior, for each row, among which the chains begin.
        steps: Langevin steps.
        tolerance: final tau, as a share of the range of x.
    """

    kind = "approximate"
    method = "inversion by Langevin steps in z"

    def __init__(
        self,
        model: GAN,
        observation: LinearObservation,
        y: Tensor,
        given: Tensor | None,
        *,
        start: int = 500,
        steps: int = 100,
        tolerance: float = 0.1,
    ) -> None:
        super().__init__()
        self.model, self.observation, self.y, self.given = model, observation, y, given
        self.start, self.steps = start, steps
        if isinstance(observation, BlockMean) and model.space.levels is not None:
            sums_in_reach(observation, y, model.space, self.method)
        spread = float(model.scale.mean()) * 4 if model.space.levels is None else model.space.levels - 1
        self.tau = [tolerance * spread * 5 ** (1 - t / max(steps - 1, 1)) for t in range(steps)]
        self.spread = spread

    def _energy(self, z: Tensor, c: Tensor | None, y: Tensor, tau: float) -> Tensor:
        error = (y - self.observation.forward(self.model.decode(z, c))).flatten(1)
        return 0.5 * error.square().sum(1) / tau**2 + 0.5 * z.square().sum(1)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        z, c = self._start(n, generator)
        y = self.y.to(z).repeat_interleave(n, 0)
        for tau in self.tau:
            step = 0.02 * min(1.0, (10 * tau / self.spread) ** 2)
            z = self._descended(z, c, y, tau, step, generator)
        x = self.model.decode(z, c)
        error = (y - self.observation.forward(x)).flatten(1)
        self.diagnostics["generator_error"] = float(error.square().mean().sqrt())
        self.diagnostics["steps"] = self.steps
        if self.model.space.levels is not None:
            x = on_levels(x.flatten(1), self.observation, self.y, self.model.space).view(x.shape)
        if isinstance(self.observation, Mask):
            x = torch.where(self.observation.seen, self.y.repeat_interleave(n, 0), x.to(self.y.dtype))
        return x.view(len(self.y), n, *self.model.space.event_shape)

    def _descended(
        self, z: Tensor, c: Tensor | None, y: Tensor, tau: float, step: float, generator: Generator
    ) -> Tensor:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self._energy(z, c, y, tau).sum(), z)
        slope = slope * (10 / slope.norm(dim=1, keepdim=True).clamp_min(10))  # far from y, a long step would overshoot
        noise = runtime.normal(tuple(z.shape), generator=generator, like=z)
        return z.detach() - step * slope + math.sqrt(2 * step) * noise

    def _start(self, n: int, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """n draws of (z, c) for each row, out of `start` weighted at the first tau."""
        zs, cs = [], []
        for i in range(len(self.y)):
            given = None if self.given is None or int(self.given[i]) == UNLABELLED else self.given[i]
            c = self.model.contexts(self.start, given, generator=generator)
            z = self.model.prior(self.start, given=c, generator=generator)
            log_w = 0.5 * z.square().sum(1) - self._energy(z, c, self.y[i : i + 1].to(z), self.tau[0])
            chosen = runtime.categorical(log_w.expand(n, -1), generator=generator)
            zs.append(z[chosen])
            cs.append(None if c is None else c[chosen])
        return torch.cat(zs), None if cs[0] is None else torch.cat([c for c in cs if c is not None])
