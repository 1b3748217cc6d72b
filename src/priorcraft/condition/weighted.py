"""Weighted draws: for any model and any observation, and step by step along a chain."""

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.condition.evidence import effective_size, levels_table, possible
from priorcraft.core import UNLABELLED, Entrywise, Generative, Observation, Posterior
from priorcraft.errors import ImpossibleEvidence, NoDensity
from priorcraft.explicit.exact.autoregressive import Autoregressive

MANY = 64  # particles, from which on every class has its share of them; fewer begin at chance
NONE_AGREES = (
    "none of {draws} draws from the prior shows what was seen, and {model} has no better engine for such evidence: "
    "allow for noise, or take another model."
)


class Importance(Posterior):
    """Draws of p(x), weighted by p(y | x) and drawn again: for every model, and good only where y says little.

    p(x | y) ≈ sum_i w_i delta(x - x_i),   w_i ∝ p(y | x_i)     (self-normalised; biased by O(1 / draws))

    Args:
        model: any.
        observation: any.
        y: what is seen; rows first.
        given: labels, (B,), or None.
        draws: how many points of p(x) for each row.
    """

    kind = "approximate"
    method = "importance sampling from the prior"

    def __init__(
        self, model: Generative, observation: Observation, y: Tensor, given: Tensor | None, *, draws: int = 2000
    ) -> None:
        super().__init__()
        self.model, self.observation, self.y, self.given, self.draws = model, observation, y, given, draws

    def _sample(self, n: int, generator: Generator) -> Tensor:
        rows = len(self.y[0] if isinstance(self.y, tuple) else self.y)
        found, sizes = [], []
        for i in range(rows):
            label = None if self.given is None or int(self.given[i]) == UNLABELLED else self.given[i]
            x = self.model.sample(self.draws, given=label, generator=generator)
            log_w = self.observation.log_prob(row_of(self.y, i, self.draws), x)
            if not bool(torch.isfinite(log_w).any()):
                raise ImpossibleEvidence(NONE_AGREES.format(draws=self.draws, model=type(self.model).__name__))
            sizes.append(effective_size(log_w[None])[0])
            found.append(x[runtime.categorical(log_w.expand(n, -1), generator=generator)])
        self.diagnostics["effective_share"] = float(torch.stack(sizes).mean()) / self.draws
        self.diagnostics["draws"] = self.draws
        return torch.stack(found)


def row_of(y: Tensor | tuple[Tensor, ...], i: int, n: int) -> Tensor | tuple[Tensor, ...]:
    """Row i of y, n times over."""
    if isinstance(y, tuple):
        return tuple(part[i].expand(n, *part.shape[1:]) for part in y)
    return y[i].expand(n, *y.shape[1:])


class Sequential(Posterior):
    """Sequential Monte Carlo along the chain rule: each entry is drawn given the past and its own evidence.

    q(x_i | past) ∝ p(x_i | past) p(y_i | x_i);  weights grow by sum_l p(l | past) p(y_i | l), and when their
    effective number falls below half the particles, these are drawn again (Gordon, Salmond & Smith 1993; Doucet &
    Johansen 2009). Consistent in the number of particles; the estimate of the evidence is unbiased.

    Args:
        model: autoregressive, on integers.
        observation: each entry by itself: a mask, noise, quantisation, or several of them.
        y: what is seen.
        given: labels, (B,), -1 where not known; None if none is.
        particles: at least this many for each row, whatever n.
    """

    kind = "approximate"
    method = "sequential Monte Carlo"

    def __init__(
        self,
        model: Autoregressive,
        observation: Entrywise,
        y: Tensor,
        given: Tensor | None,
        *,
        particles: int = 64,
    ) -> None:
        super().__init__()
        if model.space.levels is None:
            raise NoDensity("sequential Monte Carlo enumerates levels; this model's space is real-valued.")
        self.model, self.given, self.particles = model, given, particles
        self.evidence = levels_table(observation, y, model.space, model.log_prior)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        k, rows = max(n, self.particles), len(self.evidence)
        particles = Particles(self.model, rows, k, self.given, generator)
        for i in self.model.orders[0].tolist():
            likelihood = self.model.conditionals(particles.x, self.model.orders[0], particles.c)
            log_p = likelihood.table()[:, i] + self.evidence[:, i].repeat_interleave(k, 0)
            particles.x[:, i] = runtime.categorical(log_p, generator=generator)
            particles.weigh(log_p.logsumexp(-1))
        self.diagnostics |= particles.diagnostics
        return particles.draw(n).view(rows, n, *self.model.space.event_shape)


class Particles:
    """k weighted, unfinished points for each of B rows.

    Args:
        model: what they are drawn from; classes are drawn evenly from p(c) where they are not known.
        rows: B.
        k: how many.
        given: labels, (B,), or None.
        generator: source of randomness.
    """

    def __init__(self, model: Autoregressive, rows: int, k: int, given: Tensor | None, generator: Generator) -> None:
        self.k, self.generator, self.log_evidence = k, generator, torch.zeros(rows)
        self.x = torch.zeros(rows * k, model.space.dims, dtype=torch.long, device=model.device)
        self.c = given.repeat_interleave(k, 0) if given is not None else None
        self.log_w = torch.zeros(rows, k, device=model.device)
        self.smallest = 1.0
        if model.classes:
            spread = model.log_prior.exp().cumsum(0)
            half = spread.new_full((rows, 1), 0.5)
            shift = half if k >= MANY else runtime.uniform((rows, 1), generator=generator, like=half)
            u = (torch.arange(k, device=spread.device) + shift) / k
            drawn = torch.searchsorted(spread / spread[-1], u.to(spread)).flatten()
            self.c = drawn if self.c is None else torch.where(self.c == UNLABELLED, drawn, self.c)

    def weigh(self, log_w: Tensor) -> Tensor | None:
        """Multiplies the weights; draws again where too few count, and returns the numbers of those drawn, (B * k,)."""
        self.log_w = self.log_w + log_w.view_as(self.log_w)
        possible(self.log_w.logsumexp(1), "sequential Monte Carlo")
        share = effective_size(self.log_w) / self.k
        self.smallest = min(self.smallest, float(share.mean()))
        poor = share < 0.5
        return self._again(poor) if bool(poor.any()) else None

    def _again(self, poor: Tensor) -> Tensor:
        chosen = systematic(self.log_w, self.k, self.generator)
        own = torch.arange(self.k, device=chosen.device).expand_as(chosen)
        chosen = torch.where(poor[:, None], chosen, own)
        index = (chosen + torch.arange(len(chosen), device=chosen.device)[:, None] * self.k).flatten()
        self.x = self.x[index]
        self.c = None if self.c is None else self.c[index]
        self.log_w = torch.where(poor[:, None], 0.0, self.log_w)
        return index

    @property
    def diagnostics(self) -> dict[str, float]:
        """Effective share of the particles at the end and at its worst, and how many distinct ones there are."""
        final = effective_size(self.log_w).mean() / self.k
        distinct = [len(x.unique(dim=0)) for x in self.x.view(len(self.log_w), self.k, -1)]
        return {
            "effective_share": float(final),
            "smallest_share": self.smallest,
            "distinct_share": sum(distinct) / len(self.x),
            "particles": self.k,
        }

    def draw(self, n: int) -> Tensor:
        """n points for each row, by their weights, (B, n, D)."""
        chosen = systematic(self.log_w, n, self.generator)
        shuffled = torch.argsort(torch.rand(chosen.shape, generator=self.generator), dim=1).to(chosen.device)
        chosen = chosen.gather(1, shuffled)
        return self.x.view(len(self.log_w), self.k, -1).gather(1, chosen[..., None].expand(-1, -1, self.x.shape[1]))


def systematic(log_w: Tensor, n: int, generator: Generator) -> Tensor:
    """n indices for each row of weights (B, k), evenly spaced in their distribution function, (B, n).

    >>> systematic(torch.tensor([[0.0, 0.0]]), 4, runtime.keyed(0)).tolist()
    [[0, 0, 1, 1]]
    """
    cdf = log_w.softmax(-1).cumsum(-1)
    u = runtime.uniform((len(log_w), 1), generator=generator, like=log_w)
    points = (torch.arange(n, device=log_w.device) + u) / n * cdf[:, -1:]
    return torch.searchsorted(cdf, points.to(cdf), right=True).clamp_max(log_w.shape[1] - 1)
