"""Autoregressive models that see block means: every block is drawn with exactly its sum."""

from functools import reduce

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.condition.evidence import possible
from priorcraft.condition.sums import block_sums, blocks_of, convolved
from priorcraft.condition.weighted import Particles
from priorcraft.core import Exact, Posterior
from priorcraft.errors import NoDensity
from priorcraft.explicit.exact.autoregressive import Autoregressive, MaskedAutoregressive
from priorcraft.likelihoods.discrete import Discrete
from priorcraft.nn.triangular import TriangularSteps
from priorcraft.observe import BlockMean


class Steps:
    """p(x_q | the first p positions) for any q that is still open; one pass of the network each.

    Args:
        model: autoregressive, on integers.
        order: (D,).
        x: (B, D); entries before `start` in the order are known.
        start: how many.
        given: labels, (B,), or None.
    """

    def __init__(self, model: Autoregressive, order: Tensor, x: Tensor, start: int, given: Tensor | None) -> None:
        self.model, self.order, self.x, self.given = model, order, x.clone(), given

    def log_p(self, q: int, past: int) -> Tensor:
        """log p of every level of the entry at position q, given the first `past` positions, (B, levels)."""
        order = self.order.clone()
        order[past], order[q] = self.order[q], self.order[past]
        likelihood = self.model.conditionals(self.x, order, self.given)
        assert isinstance(likelihood, Discrete)
        return likelihood.table()[:, order[past]]

    def push(self, values: Tensor, position: int) -> None:
        """Takes the values at one more position."""
        self.x[:, self.order[position]] = values


class SolvedSteps(Steps):
    """The same by a triangular solve, in which every unit is computed once."""

    model: MaskedAutoregressive

    def __init__(self, model: MaskedAutoregressive, order: Tensor, x: Tensor, start: int, given: Tensor | None) -> None:
        super().__init__(model, order, x, start, given)
        context = model._context_code(given)
        self.steps = TriangularSteps(model.net, order[None], len(x), None if context is None else context[None])
        if start:
            self.steps.push(model.entries.code(x[None][..., order[:start]]), 0)

    def log_p(self, q: int, past: int) -> Tensor:
        """log p of every level of the entry at position q, given the first `past` positions, (B, levels)."""
        entries = self.model.entries
        likelihood = entries.likelihood(self.steps.ahead(q, past)[0], entries.marginal[self.order[q]])
        assert isinstance(likelihood, Discrete)
        return likelihood.table()

    def push(self, values: Tensor, position: int) -> None:
        """Takes the values at one more position."""
        self.steps.push(self.model.entries.code(values.view(1, -1, 1)), position)


def steps_of(model: Autoregressive, order: Tensor, x: Tensor, start: int, given: Tensor | None, ahead: int) -> Steps:
    """The faster kind where the model has it and looks `ahead` positions far."""
    if isinstance(model, MaskedAutoregressive):
        solved = SolvedSteps(model, order, x, start, given)
        if solved.steps.block >= ahead:
            return solved
    return Steps(model, order, x, start, given)


class BlockChain(Posterior):
    """Sequential Monte Carlo over blocks, in which each entry is proposed with an eye to its block's sum.

    q(x_j | past, s) ∝ p(x_j | past) p~(what is left | past), where p~ convolves the p(x_i | past) of the block's
    later entries as if they were independent; the last entry is what is left. Weights p / q make up for p~ and for the
    sums of later blocks. Every draw has every sum; the number of particles decides how closely they follow p(x | y).

    Args:
        model: autoregressive, on integers.
        observation: block means.
        y: means, (B, C, h, w).
        given: labels, (B,), -1 where not known; None if none is.
        particles: at least this many for each row, whatever n.
        target: the density whose posterior is wanted, `model` itself if None; finished points are weighted by it,
            which also makes up for the one order in which they were drawn.
    """

    kind = "approximate"
    method = "sequential Monte Carlo with exact block sums"

    def __init__(
        self,
        model: Autoregressive,
        observation: BlockMean,
        y: Tensor,
        given: Tensor | None,
        *,
        particles: int = 64,
        target: Exact | None = None,
    ) -> None:
        super().__init__()
        if model.space.levels is None:
            raise NoDensity("block sums are met by enumerating levels; this model's space is real-valued.")
        self.model, self.given, self.particles, self.target = model, given, particles, target or model
        self.sums = block_sums(observation, y)
        self.blocks = blocks_of(model.space.event_shape, observation.factor).to(y.device)
        most = (model.space.levels - 1) * self.blocks.shape[1]
        inside = ((self.sums >= 0) & (self.sums <= most)).all(1)
        possible(torch.zeros(len(y)).masked_fill(~inside.cpu(), -torch.inf), "block sums")

    def _sample(self, n: int, generator: Generator) -> Tensor:
        k, rows, m = max(n, self.particles), len(self.sums), self.blocks.shape[1]
        particles = Particles(self.model, rows, k, self.given, generator)
        order = self.blocks.flatten()
        for b in range(len(self.blocks)):
            steps = steps_of(self.model, order, particles.x, b * m, particles.c, m)
            left = self.sums[:, b].repeat_interleave(k)
            particles.weigh(self._block(particles.x, steps, order, b * m, left, generator))
        x = particles.x.view(-1, *self.model.space.event_shape)
        own = self.model.log_prob_in(x, order, particles.c)
        particles.weigh(self.target.log_prob(x, particles.c) - own)
        self.diagnostics |= particles.diagnostics
        return particles.draw(n).view(rows, n, *self.model.space.event_shape)

    def _block(self, x: Tensor, steps: Steps, order: Tensor, start: int, left: Tensor, generator: Generator) -> Tensor:
        """Draws one block into x; returns log p / q of each row."""
        end, log_w = start + self.blocks.shape[1], torch.zeros(len(x), device=x.device)
        for p in range(start, end):
            tables = [steps.log_p(q, p) for q in range(p, end)]
            log_q = tables[0] + log_left(tables[1:], left, tables[0].shape[1])
            # a sum out of reach of p~'s rounding is out of reach of the row: its weight is zero
            reachable = torch.isfinite(log_q).any(1)
            drawn = runtime.categorical(torch.where(reachable[:, None], log_q, 0.0), generator=generator)
            ratio = (tables[0] - log_q.log_softmax(-1)).gather(1, drawn[:, None])[:, 0]
            log_w = (log_w + ratio).masked_fill(~reachable, -torch.inf)
            x[:, order[p]] = drawn
            left = left - drawn
            steps.push(drawn, p)
        return log_w


def log_left(tables: list[Tensor], left: Tensor, levels: int) -> Tensor:
    """log p~(left - l) of the later entries, whose log tables are given, for every level l, (B, levels)."""
    nothing = torch.ones(len(left), 1, dtype=torch.float64, device=left.device)
    total = reduce(convolved, [table.double().exp() for table in tables], nothing)
    rest = left.unsqueeze(1) - torch.arange(levels, device=left.device)
    inside = (rest >= 0) & (rest < total.shape[1])
    log_p = total.gather(1, rest.clamp(0, total.shape[1] - 1)).log()
    return log_p.masked_fill(~inside, -torch.inf).to(torch.get_default_dtype() if not tables else tables[0].dtype)
