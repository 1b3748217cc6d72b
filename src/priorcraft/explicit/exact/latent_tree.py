"""The hidden Chow-Liu tree: a tree of latent variables, each of which shows one entry."""

import math
from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Space
from priorcraft.explicit.exact.hidden_tree import HiddenTree
from priorcraft.explicit.exact.structure import Tree, chow_liu_tree
from priorcraft.explicit.exact.tree_model import Groups, leaning, normalised
from priorcraft.settings import Range, Smoothing

ROWS = 8192  # that the structure and the first tables are read off
STAY = 0.5  # how often a state begins as its parent's


class LatentTree(HiddenTree):
    """A mixture of hidden Chow-Liu trees, fitted by EM; every marginal and conditional is exact.

    p(x | c) = 1/M sum_m sum_z prod_i p(z_i | z_parent(i), c) p(x_i | z_i)

    The tree of each member is the Chow-Liu tree of the data, the first member's of the rows as they are, the others'
    of rows weighted anew (Bayesian bootstrap, Rubin 1981); p(x) is the mean over members, so log_prob is the log of a
    mean of probabilities. Source: Liu & Van den Broeck 2021, arXiv:2106.02264, "Tractable regularization of
    probabilistic circuits".

    Smoothing is counted in imagined rows: s for each state of the parent, see `leaning`, and 2 s (levels - 1) for
    each state, spread over the levels near those that it has shown (names have none near them); levels are those of
    the entry.

    Args:
        space: integers.
        context: labels or None.
        members: M.
        latents: K, states of each z_i.
        smoothing: s.

    Raises:
        UsageError: real-valued space, a context that is no label, a number below 1, or negative smoothing.

    >>> from priorcraft.runtime import keyed
    >>> model = LatentTree(Space((2,), levels=2), members=1, latents=2)
    >>> x = torch.tensor([[0, 0], [1, 1]] * 50)
    >>> model.initialise(x, None, generator=keyed(0))
    >>> for _ in range(20):
    ...     _ = model.update(x, None)
    >>> table = model.conditional_tables(torch.tensor([[1, 0]]), torch.tensor([True, False]))
    >>> bool(table[0, 1, 1] > 0.9)
    True
    """

    log_emission: Tensor

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        members: Annotated[int, Range(1, 64)] = 4,
        latents: Annotated[int, Range(1, 1024)] = 16,
        smoothing: Smoothing = 0.5,
    ) -> None:
        super().__init__(space, context, members, latents)
        self.smoothing = smoothing
        shape = (members * space.dims, self.levels, latents)
        self.register_buffer("log_emission", torch.full(shape, -math.log(self.levels)))

    def _emission(self) -> Tensor:
        return self.log_emission

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Counts p(c), finds the trees, and begins with clusters of whole rows as the states of every z_i."""
        super().initialise(x, given, generator=generator)
        some = torch.randperm(len(x), generator=generator)[:ROWS].to(x.device)
        x, given = self.space.check(x[some]), None if given is None else given[some]
        flat = x.flatten(1)
        self.forest.plant(self._trees(flat, generator))
        real = self.space.to_network(flat, self.log_transition.dtype)
        clusters = [kmeans(real, self.states, generator) for _ in range(self.forest.trees)]
        shares = torch.stack([F.one_hot(k, self.states) for k in clusters]).to(self.log_transition)
        # The tables are still uniform, so a row without a label has the class weights p(c).
        self._begin(flat, shares, self.class_weights(x, given))

    def _trees(self, x: Tensor, generator: Generator) -> list[Tree]:
        weights = torch.ones(len(x), self.forest.trees, device=x.device)
        u = runtime.uniform((len(x), self.forest.trees - 1), generator=generator, like=weights)
        weights[:, 1:] = -torch.log1p(-u)
        return [chow_liu_tree(x, w.unsqueeze(1), self.levels) for w in weights.T]

    def _begin(self, x: Tensor, shares: Tensor, classes: Tensor) -> None:
        """First tables from the clusters of each member, shares (M, B, K)."""
        code = F.one_hot(x, self.levels).to(shares)
        counts = torch.stack([torch.einsum("bdl,bk->dlk", code, share) for share in shares])
        counts = counts[self.forest.member, self.forest.variable]
        marginal = normalised((counts.sum(-1, keepdim=True) + 0.5) * self._allowed(), 1)
        smooth = self._bells(counts, torch.full((len(counts), 1, 1), 0.5)) @ counts + 5 * marginal
        self.log_emission.copy_(normalised(smooth * self._allowed(), 1).log())
        stay = STAY * torch.eye(self.states) + (1 - STAY) / self.states
        self.log_transition.copy_(stay.log().expand_as(self.log_transition))
        root = normalised(torch.einsum("mbk,bc->mck", shares, classes) + 0.5, -1)
        self.log_transition[: len(shares), :, 0] = root.log()

    def rounds(self, n: int) -> list[slice]:
        """All rows make one update; 16,384 or more are taken in blocks, each of which moves the tables.

        After each of b blocks the tables move by 1 / sqrt(b) towards the block's own (stepwise EM: Cappe & Moulines
        2009, arXiv:0712.4273).
        """
        blocks = max(1, n // ROWS)
        return [slice(b, n, blocks) for b in range(blocks)]

    def expect(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None) -> list[Tensor]:
        """The log-likelihood of what is there of some rows, and the counts of the tables that are expected given it."""
        x = self.space.check(x)
        weights = self.class_weights(x, given) if seen is None else self._log_class(x, seen, given).exp()
        total = self._class_term(weights, given)
        transitions, emissions = torch.zeros_like(self.log_transition), torch.zeros_like(self.log_emission)
        for rows in self._pieces(len(x)):
            mask = None if seen is None else seen[rows].flatten(1)
            total += self._expect(x[rows].flatten(1), mask, Groups.of(weights[rows]), transitions, emissions)
        return [total, transitions, emissions]

    def maximise(self, sums: Sequence[Tensor], rounds: int = 1) -> None:
        """Moves the tables towards those of the expected counts, each member's by itself."""
        self._maximise(sums[1] * rounds, sums[2] * rounds, rounds**-0.5)

    def _class_term(self, weights: Tensor, given: Tensor | None) -> Tensor:
        """What turns sum_c p(c | x) log p(x | c) into log p(x), summed over the rows without a label."""
        if not self.classes:
            return weights.new_zeros(())
        unknown = weights if given is None else weights[given == UNLABELLED]
        return (unknown * self.log_prior - torch.xlogy(unknown, unknown)).sum()

    def _expect(self, x: Tensor, seen: Tensor | None, groups: Groups, transitions: Tensor, emissions: Tensor) -> Tensor:
        """The E-step: adds what the rows are expected to count; returns their weighted log-likelihood."""
        x = x[groups.row]
        seen = None if seen is None else seen[groups.row]
        transition = self.log_transition[:, groups.classes].exp()
        up = self.forest.upward(self._log_evidence(x, seen), transition)
        posterior, counts = self.forest.downward(up, transition, groups.weight)
        transitions.index_add_(1, groups.classes, counts)
        posterior *= groups.weight.unsqueeze(-1)
        if seen is not None:
            posterior *= seen.movedim(-1, 0)[self.forest.variable].unsqueeze(-1)
        if len(self.digits):
            self._expect_fine(x, posterior, emissions)
        emissions.view(-1, self.states).index_add_(0, self._shown(x).flatten(), posterior.flatten(0, 2))
        return (groups.weight * (up.log_prob.logsumexp(0) - math.log(self.forest.trees))).sum()

    def _maximise(self, transitions: Tensor, emissions: Tensor, step: float) -> None:
        """The M-step from expected counts, with imagined rows as the class says."""
        marginal = normalised((emissions.sum(-1, keepdim=True) + 0.5) * self._allowed(), 1)
        tops = self.space.tops.to(emissions)[self.forest.variable].view(-1, 1, 1)
        near = self._bells(emissions, (tops + 1) / 8) @ emissions + marginal
        imagined = 2 * self.smoothing * tops * normalised(near * self._allowed(), 1)
        move(self.log_transition, leaning(transitions, self.smoothing), step)
        move(self.log_emission, normalised((emissions + imagined) * self._allowed(), 1), step)

    def _bells(self, like: Tensor, width: Tensor) -> Tensor:
        """A bell around each level, as wide as an eighth of the levels that its entry has, (N, levels, levels).

        The levels of an entry that are names have no neighbours.
        """
        sizes, place = width.flatten().unique(return_inverse=True)
        bells = torch.stack([neighbours(self.levels, float(each)) for each in sizes]).to(like)[place]
        names = torch.zeros(self.space.dims, dtype=torch.bool, device=bells.device)
        names[list(self.space.unordered)] = True
        alone = torch.eye(self.levels).to(bells)
        bells = torch.where(names[self.forest.variable].view(-1, 1, 1), alone, bells)
        return normalised(bells * self._allowed(), 1)

    def _allowed(self) -> Tensor | float:
        """1 for the levels that each entry has, (N, levels, 1)."""
        allowed = self.space.allowed
        return 1.0 if allowed is None else allowed.to(self.log_emission)[self.forest.variable].unsqueeze(-1)


def move(log_table: Tensor, target: Tensor, step: float) -> None:
    """Moves a table of log probabilities towards the probabilities `target`, all the way where step is 1."""
    log_table.copy_(torch.lerp(log_table.exp(), target, step).log())


def neighbours(levels: int, width: float) -> Tensor:
    """A Gaussian bell around each level, columns sum to 1, (levels, levels)."""
    level = torch.arange(levels, dtype=torch.float64)
    return (-0.5 * ((level.unsqueeze(1) - level) / width).square()).softmax(0)


def kmeans(x: Tensor, k: int, generator: Generator, rounds: int = 8) -> Tensor:
    """The cluster of each row after a few rounds of Lloyd's algorithm from k random rows, int64, (B,)."""
    centres = x[torch.randperm(len(x), generator=generator)[torch.arange(k) % len(x)].to(x.device)]
    for _ in range(rounds):
        code = F.one_hot(torch.cdist(x, centres).argmin(1), k).to(x)
        count = code.sum(0).unsqueeze(1)
        centres = torch.where(count > 0, code.T @ x / count.clamp_min(1), centres)
    return torch.cdist(x, centres).argmin(1)
