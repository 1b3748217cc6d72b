"""Whether a bound can be trusted: annealed importance sampling on a model, from its own q(z | x)."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import Answer
from priorcraft.explicit.approximate.ais import Path, forward, reverse, tuned, untuned
from priorcraft.explicit.approximate.bounds import Estimate, estimate
from priorcraft.explicit.approximate.variational import Variational, repeated

CLOSE = 0.5  # nats within which two estimates of log p(x) agree
FIRST_STEPS, MOST_STEPS = 50, 200  # temperatures of annealing, doubled until the sandwich closes
SIMULATED = 32  # points of the sandwich


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
    given = model.contexts(n, given, generator=generator)
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


@dataclass(frozen=True)
class Trial(Answer):
    """Two estimates of the mean log p(x) of the same rows, and how far the second is to be believed; all in nats.

    Args:
        bound: importance-weighted bound, a lower bound.
        annealed: by annealing, another lower bound; the truth is at least the larger of the two.
        standard_error: of their difference, from the draws alone.
        lower, upper: the sandwich on simulated data, whose log p(x) lies between.
        steps: temperatures of annealing.
        rows: how many.
    """

    bound: float
    annealed: float
    standard_error: float
    lower: float
    upper: float
    steps: int
    rows: int

    @property
    def trusted(self) -> bool:
        """Whether the sandwich has closed, and annealing finds no more than the bound did."""
        return self.closed and self.annealed - self.bound <= CLOSE + 2 * self.standard_error

    @property
    def closed(self) -> bool:
        """Whether annealing is sure of itself on simulated data."""
        return self.upper - self.lower <= CLOSE

    @property
    def verdict(self) -> str:
        """What follows, in a sentence."""
        more, width = self.annealed - self.bound, self.upper - self.lower
        if not self.closed:
            return (
                f"not decided: on data that the model made itself, log p(x) is known to {width:.2f} nats alone after "
                f"{self.steps} steps of annealing, not to {CLOSE}; the bound is still a bound."
            )
        if not self.trusted:
            return (
                f"the bound is loose: annealing, which does not depend on q(z | x), finds {more:.2f} nats more; take "
                "more samples."
            )
        return (
            f"the bound can be trusted: annealing, which does not depend on q(z | x), is {more:+.2f} nats beside it, "
            f"and on data that the model made itself log p(x) is known to {max(width, 0.0):.2f} nats."
        )

    def to_dict(self) -> dict[str, Any]:
        """The trial as plain values for JSON."""
        return super().to_dict() | {"trusted": self.trusted, "verdict": self.verdict}


def trial(
    model: Variational,
    x: Tensor,
    given: Tensor | None = None,
    *,
    k: int = 1000,
    chains: int = 4,
    generator: Generator | None = None,
) -> Trial:
    """Holds bound(x, k) against annealed importance sampling, with as many steps as close the sandwich, up to 200.

    Args:
        model: in evaluation mode.
        x: a few points, (B, *event_shape).
        given: their contexts, known ones.
        k: draws of the bound.
        chains: annealed weights for each x.

    Raises:
        UsageError: k outside 1 ... 10^6.
    """
    generator = runtime.fresh(generator)
    first = model.estimate(x, k, given, generator=generator)
    contexts = None if given is None else given.repeat(SIMULATED // len(x) + 1, *[1] * (given.dim() - 1))[:SIMULATED]
    steps, between = _closing(model, contexts, generator)
    second = annealed(model, x, given, steps=steps, chains=chains, generator=generator)
    error = (first.standard_error.square() + second.standard_error.square()).sum().sqrt() / len(x)
    values = float(first.value.mean()), float(second.value.mean())
    return Trial(*values, float(error), between.lower, between.upper, steps, len(x))


def _closing(model: Variational, given: Tensor | None, generator: Generator) -> tuple[int, Sandwich]:
    """The fewest steps at which the sandwich is closed, or the most that are tried."""
    steps = FIRST_STEPS
    while True:
        between = sandwich(model, SIMULATED, given, steps=steps, generator=generator)
        if between.upper - between.lower <= CLOSE or steps >= MOST_STEPS:
            return steps, between
        steps *= 2
