"""What every tree-structured model can do: each marginal and each conditional, exactly, for any mask."""

import math
from abc import abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Exact, LearnsFromHoles, Space, Summed
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.digits import Digits
from priorcraft.explicit.exact.forest import Forest, Upward
from priorcraft.explicit.exact.holes import seen_points
from priorcraft.settings import DRAWS, whole

NUMBERS = 2**22  # of one (N, C, R, K) tensor; rows are taken in pieces of this size


class Groups(NamedTuple):
    """Rows arranged by class, so that a class is one matrix product.

    classes: those that occur, (C,).
    row: which row stands where, (C, R).
    weight: how much it counts there, 0 where it only fills up, (C, R).
    """

    classes: Tensor
    row: Tensor
    weight: Tensor

    @classmethod
    def of(cls, weights: Tensor) -> "Groups":
        """From p(class | row), (B, C): a row stands in each class that it may belong to."""
        classes = (weights > 0).any(0).nonzero().squeeze(1)
        weights = weights[:, classes]
        weight, row = weights.T.topk(int((weights > 0).sum(0).max()), -1)
        return cls(classes, row, weight)

    def rows(self, grouped: Tensor) -> Tensor:
        """(..., C, R) back to (..., B), where each row stands in one class."""
        taken = self.weight > 0
        values = grouped[..., taken]
        return torch.empty_like(values).index_copy_(-1, self.row[taken], values)


class TreeModel(Exact, Summed, LearnsFromHoles):
    """A uniform mixture of M trees with a discrete state at each entry.

    p(x | c) = 1/M sum_m sum_z prod_i p(z_i | z_parent(i), c) p(x_i | z_i)

    No order of the entries is chosen: any of them may be seen or hidden. The classes share the trees.

    Args:
        space: integers.
        context: labels or None.
        trees: M.
        states: K; None for one state a level.

    Raises:
        UsageError: real-valued space, a context that is no label, or fewer than one tree or state.
    """

    log_transition: Tensor

    def __init__(self, space: Space, context: Space | None, trees: int, states: int | None) -> None:
        if space.levels is None:
            raise UsageError("a tree counts integers, and this data set is real-valued; use mixture or ppca.")
        if context is not None and not context.is_label:
            raise UsageError("a tree takes class labels as context, or none; for another context use autoregressive.")
        super().__init__(space, context)
        self.levels, self.states = space.levels, space.levels if states is None else states
        if trees < 1 or self.states < 1:
            raise UsageError(f"at least one tree and one state are needed, not {trees} and {states}.")
        self.forest, self.digits = Forest(trees, space.dims), Digits(space)
        shape = (trees * space.dims, max(self.classes, 1), self.states, self.states)
        self.register_buffer("log_transition", torch.full(shape, -math.log(self.states)))

    @abstractmethod
    def _emission(self) -> Tensor:
        """log p(x_i = l | z_i = k), (N, levels, K)."""

    def log_marginal(self, x: Tensor, seen: Tensor, given: Tensor | None = None) -> Tensor:
        """log p(x_seen | given), the hidden entries summed out. Exact, nats, (B,).

        Args:
            x: points, (B, *event_shape); hidden entries may hold anything.
            seen: True where x counts, (B, *event_shape), or one mask for all.
            given: labels, (B,); the class is summed out where it is not known.
        """
        x, seen = self._observed(x, seen)
        return self._over_classes(lambda x, c: self._seen_log_prob(x, seen, c), x, given)

    @torch.no_grad()
    def sample_given(
        self, x: Tensor, seen: Tensor, n: int = 1, *, given: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """n exact draws of the hidden entries from p(x_hidden | x_seen), seen ones untouched, (B, n, *event_shape).

        Args as in `log_marginal`.
        """
        n = whole("n", n, DRAWS)
        x, seen = self._observed(x, seen)
        generator = runtime.fresh(generator)
        log_class = self._log_class(x, seen, given).repeat_interleave(n, 0)
        label = runtime.categorical(log_class, generator=generator) if self.classes else None
        drawn = self._draw(x.repeat_interleave(n, 0), seen.repeat_interleave(n, 0), label, generator)
        return drawn.view(len(x), n, *self.space.event_shape)

    def conditional_tables(self, x: Tensor, seen: Tensor, given: Tensor | None = None) -> Tensor:
        """p(x_i = l | x_seen) of every entry, (B, *event_shape, levels), one-hot where seen. Exact.

        Args as in `log_marginal`.
        """
        x, seen = self._observed(x, seen)
        weights = self._log_class(x, seen, given).exp()
        tables = torch.zeros(len(x), self.space.dims, self.levels).to(self.log_transition)
        for c in range(weights.shape[1]):
            some = weights[:, c] > 0
            label = torch.full((int(some.sum()),), c, device=x.device) if self.classes else None
            tables[some] += weights[some, c].view(-1, 1, 1) * self._tables(x[some], seen[some], label)
        return tables.view(*x.shape, self.levels)

    def _observed(self, x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """x with zeros where hidden, and one mask a row."""
        return seen_points(self.space, x, seen)

    def _log_class(self, x: Tensor, seen: Tensor, given: Tensor | None) -> Tensor:
        """log p(c | x_seen), or the label where it is known, (B, max(C, 1))."""
        if not self.classes:
            self._check_context(given, len(x))
            return torch.zeros(len(x), 1).to(self.log_prior)
        summed = self._joint(lambda x, c: self._seen_log_prob(x, seen, c), x).log_softmax(-1)
        if given is None:
            return summed
        self._check_context(given.clamp_min(0), len(x))
        known = F.one_hot(given.clamp_min(0), self.classes).to(summed).log()
        return torch.where((given == UNLABELLED).unsqueeze(1), summed, known)

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        return self._seen_log_prob(x, None, given)

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        x = torch.zeros(n, *self.space.event_shape, dtype=torch.long, device=self.log_transition.device)
        return self._draw(x, torch.zeros_like(x, dtype=torch.bool), given, generator)

    def _seen_log_prob(self, x: Tensor, seen: Tensor | None, label: Tensor | None) -> Tensor:
        if seen is not None:
            seen = seen.repeat_interleave(len(x) // len(seen), 0)
        each = []
        for rows in self._pieces(len(x)):
            groups, up = self._messages(x, seen, label, rows)
            each.append(groups.rows(up.log_prob).logsumexp(0) - math.log(self.forest.trees))
        return torch.cat(each)

    def _draw(self, x: Tensor, seen: Tensor, label: Tensor | None, generator: Generator) -> Tensor:
        drawn = torch.empty_like(x)
        for rows in self._pieces(len(x)):
            groups, up = self._messages(x, seen, label, rows)
            states = self.forest.draw(up.belief, self.log_transition[:, groups.classes].exp(), generator)
            tree = runtime.categorical(groups.rows(up.log_prob).T, generator=generator)
            nodes = self.forest.nodes()[tree]
            states = groups.rows(states)[nodes, torch.arange(len(nodes), device=x.device).unsqueeze(1)]
            levels = self._levels(
                self._emission()[nodes, :, states], x[rows].flatten(1), seen[rows].flatten(1), generator
            )
            drawn[rows] = levels.view_as(x[rows])
        return torch.where(seen, x, drawn)

    def _levels(self, log_emission: Tensor, x: Tensor, seen: Tensor, generator: Generator) -> Tensor:
        """A level for each entry, (B, D), from log p(x_i = l | z_i) (B, D, levels) and what is seen (B, D)."""
        return runtime.categorical(log_emission, generator=generator)

    def _tables(self, x: Tensor, seen: Tensor, label: Tensor | None) -> Tensor:
        """p(x_i = l | x_seen, label), (B, D, levels)."""
        tables = F.one_hot(x.flatten(1), self.levels).to(self.log_transition)
        for rows in self._pieces(len(x)):
            groups, up = self._messages(x, seen, label, rows)
            transition = self.log_transition[:, groups.classes].exp()
            posterior, _ = self.forest.downward(up, transition, groups.weight)
            states = groups.rows(posterior.movedim(-1, 0))[:, self.forest.nodes()]
            emission = self._emission().exp()[self.forest.nodes()]
            tree = groups.rows(up.log_prob).softmax(0)
            expected = torch.einsum("mb,kmdb,mdlk->bdl", tree, states, emission)
            tables[rows] = torch.where(seen[rows].flatten(1).unsqueeze(-1), tables[rows], expected)
        return tables

    def _pieces(self, rows: int) -> list[slice]:
        step = max(1, NUMBERS // (len(self.log_transition) * self.states))
        return [slice(i, i + step) for i in range(0, rows, step)]

    def _messages(self, x: Tensor, seen: Tensor | None, label: Tensor | None, rows: slice) -> tuple[Groups, Upward]:
        x = x[rows].flatten(1)
        weights = self.log_prior.new_ones(len(x), 1) if label is None else self._one_hot(label[rows])
        groups = Groups.of(weights)
        mask = None if seen is None else seen[rows].flatten(1)[groups.row]
        evidence = self._log_evidence(x[groups.row], mask)
        return groups, self.forest.upward(evidence, self.log_transition[:, groups.classes].exp())

    def _one_hot(self, label: Tensor) -> Tensor:
        return F.one_hot(label, self.classes).to(self.log_prior)

    def _log_evidence(self, x: Tensor, seen: Tensor | None) -> Tensor:
        """log p(x_i | z_i) where seen, 0 where hidden, (N, C, R, K), from rows (C, R, D)."""
        evidence = F.embedding(self._shown(x), self._emission().flatten(0, 1))
        if seen is None:
            return evidence
        return evidence.masked_fill_(~seen.movedim(-1, 0)[self.forest.variable].unsqueeze(-1), 0.0)

    def _shown(self, x: Tensor) -> Tensor:
        """Which of the N * levels rows of the emission table each entry is, (N, C, R), for rows (C, R, D)."""
        nodes = torch.arange(len(self.log_transition), device=x.device).view(-1, 1, 1)
        return nodes * self.levels + x.movedim(-1, 0)[self.forest.variable]


def leaning(
    counts: Tensor, smoothing: float, spread: Tensor | float | None = None, fits: Tensor | float = 1.0
) -> Tensor:
    """p(k | j, c) from counts (N, C, J, K), where classes and parents with few rows lean on those with many.

    p(k | j, c) = (n_cjk + s b_cjk) / (n_cj + s),   b_cjk = p(k | j) p(k | c) / p(k) over its sum

    Class and parent then act on k each by itself, as in naive Bayes, where rows say no more.

    Args:
        counts: rows with k under the parent's j, in each class; they may be expected counts.
        smoothing: s, imagined rows for each j.
        spread: how the imagined rows lie over k where nothing else is known, (N, 1, 1, K); evenly if None.
        fits: 1 where k can be under j, and 0 where imagined rows have no place, (N, 1, J, K).
    """
    even = smoothing / 2 * (1 / counts.shape[-1] if spread is None else spread)
    shared = normalised(counts.sum(1, keepdim=True) + even, -1)
    every = normalised(counts.sum((1, 2), keepdim=True) + even, -1)
    alone = normalised(counts.sum(2, keepdim=True) + smoothing / 2 * every, -1)
    return normalised(counts + smoothing * normalised(shared * alone / every * fits, -1), -1)


def normalised(counts: Tensor, dim: int) -> Tensor:
    """Counts divided by their sum, which is kept from zero."""
    counts = counts + 1e-12
    return counts / counts.sum(dim, keepdim=True)
