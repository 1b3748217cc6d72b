"""Whether a bound can be trusted: annealed importance sampling on a model, from its own q(z | x)."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.explicit.approximate.ais import Path, forward, reverse, tuned, untuned
from priorcraft.explicit.approximate.bounds import Estimate, estimate
from priorcraft.explicit.approximate.variational import Variational, repeated


class Sandwich(NamedTuple):
    """Two bounds on the mean log p(x) of data that the model has made itself, nats.

    Args:
        lower: by annealing from q(z | x) to p(x, z).
        upper: by annealing back from the z that made x.
        standard_error: of the mean of their difference.
    """

    lower: float
    upper: float
    standard_error: float


def _log_normal(noise: Tensor) -> Tensor:
    return (-0.5 * (noise.square() + math.log(2 * math.pi))).sum(-1)


def path_of(model: Variational, x: Tensor, given: Tensor | None, steps: int, leapfrog: int) -> Path:
    """From q(z | x) to p(x, z), in the noise of q, where both have the scale of a standard normal.

    Args:
        x: one point a chain, (N, *event_shape).
    """

    def target(noise: Tensor) -> Tensor:
        return model.log_weights_at(noise.unsqueeze(0), x, given)[0] + _log_normal(noise)

    return untuned(_log_normal, target, steps, leapfrog)


def annealed(
    model: Variational,
    x: Tensor,
    given: Tensor | None = None,
    *,
    steps: int = 200,
    chains: int = 8,
    leapfrog: int = 5,
    generator: Generator | None = None,
) -> Estimate:
    """Annealed importance sampling estimate of log p(x | given). Lower bound in expectation, nats.

    log 1/M sum_m w_m,   E[w_m] = p(x)   (Neal 2001, arXiv:physics/9803008; Wu et al. 2016, arXiv:1611.04273)

    Args:
        model: with its parameters fixed; put into evaluation mode by the caller.
        x: points, (B, *event_shape).
        given: their contexts, known ones.
        steps: temperatures between q(z | x) and p(x, z).
        chains: independent weights M for each x.
        leapfrog: leapfrog steps a temperature.
    """
    generator = runtime.fresh(generator)
    x, given = model.space.check(x), model._check_context(given, len(x))
    rows, contexts = repeated(chains, x), None if given is None else repeated(chains, given)
    path = path_of(model, rows, contexts, steps, leapfrog)
    path = tuned(path, _start(model, len(rows), generator), generator)
    log_w = forward(path, _start(model, len(rows), generator), generator).unflatten(0, (chains, len(x)))
    return estimate(lambda n: log_w, chains, chains)


def sandwich(
    model: Variational,
    n: int,
    given: Tensor | None = None,
    *,
    steps: int = 200,
    leapfrog: int = 5,
    generator: Generator | None = None,
) -> Sandwich:
    """Lower and upper bound on the mean log p(x | given) of n simulated points (bidirectional Monte Carlo).

    The truth lies between them; where they meet, annealing with these steps can be trusted on this model
    (Grosse, Ghahramani & Adams 2015, arXiv:1511.02543).

    Args:
        n: points to simulate.
        given: one context for all, or n of them; drawn from p(c) if left out.
    """
    generator = runtime.fresh(generator)
    given = model._context_for(n, given, generator)
    with torch.no_grad():
        z = model.prior(n, given=given, generator=generator)
        x = model.draw(z, given, generator=generator)
        exact = model.noise_of(z, x, given)
    path = path_of(model, x, given, steps, leapfrog)
    path = tuned(path, _start(model, n, generator), generator)
    lower = forward(path, _start(model, n, generator), generator)
    upper = reverse(path, exact, generator)
    return Sandwich(float(lower.mean()), float(upper.mean()), float((upper - lower).std() / math.sqrt(n)))


def _start(model: Variational, n: int, generator: Generator) -> Tensor:
    return runtime.normal((n, model.latent), generator=generator, like=model.log_prior)
