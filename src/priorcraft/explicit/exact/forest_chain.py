"""A chain of decision forests over the columns of a table."""

from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import ClosedForm, Exact, Space
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.counting import evenly
from priorcraft.explicit.exact.digits import Digits
from priorcraft.explicit.exact.regression import Ridge, cross_fitted
from priorcraft.explicit.exact.scores import Scores
from priorcraft.settings import Range, Seed, Smoothing

BAG = 0.7  # share of the rows that a tree is grown on
LEAST_ROWS = 4  # of a leaf
SCALES = (0.35, 1.0, 2.5)  # of the Gaussians around a linear prediction, in its own standard errors
ROUNDS = 30  # of EM for the weights
ROWS = 4096  # whose conditionals are computed at once
MOST = 50_000  # rows that it looks at


class ForestChain(Exact, ClosedForm):
    """A chain over the entries in raster order whose every factor is a weighted mean of experts; exact.

    p(x | c) = prod_i p(x_i | x_1 ... x_{i-1}, c)
    p(x_i | past) = w_i0 p_i(x_i | c) + w_i1 1/T sum_t h_it(x_i | leaf) + sum_s w_is N(stretch of x_i; m_i(past), s v_i)

    The experts: the entry's frequencies in c; T randomised trees, whose leaves hold frequencies that are shrunk towards
    those of the nodes above (Breiman 2001; Geurts, Ernst & Wehenkel 2006); and, for an ordered entry, Gaussians
    around a ridge regression on the normal scores of what came before, integrated over the stretch of each state, as in
    a Gaussian copula. The regression is also a number on which trees split. Weights maximise by EM what is said of rows
    that were not looked at: trees are grown on 70 % of the rows, and regressions are fitted in five folds.

    Args:
        space: integers.
        context: labels or None.
        trees: T.
        leaves: most leaves of a tree.
        smoothing: s, imagined rows of a node that lie as those of its parent.
        tree_seed: source of the trees.

    Raises:
        UsageError: real-valued space, or a context that is no label.
    """

    feature: Tensor
    threshold: Tensor
    child: Tensor
    table: Tensor
    frequency: Tensor
    weights: Tensor
    grown: Tensor

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        trees: Annotated[int, Range(1, 256)] = 24,
        leaves: Annotated[int, Range(2, 4096)] = 64,
        smoothing: Smoothing = 3.0,
        tree_seed: Seed = 0,
    ) -> None:
        if space.levels is None or (context is not None and not context.is_label):
            raise UsageError("forests take integers, and class labels as context or none; use masked-mlp.")
        super().__init__(space, context)
        self.trees, self.smoothing, self.tree_seed, self.levels = trees, smoothing, tree_seed, space.levels
        self.scores, self.digits = Scores(space, self.classes), Digits(space)
        self.ridge = Ridge(space.dims, self.scores.width)
        nodes = (space.dims, trees, 2 * leaves - 1)
        self.register_buffer("feature", torch.zeros(nodes, dtype=torch.int32))
        self.register_buffer("threshold", torch.zeros(nodes))
        self.register_buffer(
            "child", torch.arange(nodes[2], dtype=torch.int32).view(1, 1, -1, 1).repeat(*nodes[:2], 1, 2)
        )
        self.register_buffer("table", evenly(space)[:, None, None].repeat(1, *nodes[1:], 1))
        self.register_buffer("frequency", evenly(space).unsqueeze(1).repeat(1, max(self.classes, 1), 1))
        self.register_buffer("weights", F.one_hot(torch.zeros(space.dims).long(), 2 + len(SCALES)).float())
        self.register_buffer("grown", torch.tensor(0))

    def update(self, x: Tensor, given: Tensor | None) -> Tensor:
        """Grows the forests, the first time; returns the mean log-likelihood of the rows before it, nats."""
        before = self.log_prob(x, given).mean()
        if not self.grown:
            some = torch.randperm(len(x), generator=runtime.keyed(self.tree_seed, "rows"))[:MOST].to(x.device)
            flat = self.space.check(x[some]).flatten(1)
            label = self._labelled(flat, None if given is None else given[some])
            self.scores.initialise(flat)
            for i in range(self.space.dims):
                self._grow(i, flat, label)
            self.grown.fill_(1)
        return before

    def _labelled(self, x: Tensor, given: Tensor | None) -> Tensor | None:
        """The labels, one drawn from p(c) where it is not known."""
        if not self.classes:
            return None
        drawn = runtime.categorical(self.log_prior.expand(len(x), -1), generator=runtime.keyed(self.tree_seed, "label"))
        return drawn if given is None else torch.where(given >= 0, given, drawn)

    def _grow(self, i: int, x: Tensor, given: Tensor | None) -> None:
        expected = self._regress(i, x, given)
        features, target = self._features(i, x, given, expected), x[:, i]
        goal = self.scores.of(i, x) if self.scores.ordered[i] else target
        known, goals = features.double().cpu().numpy(), goal.double().cpu().numpy()
        rng = np.random.default_rng([self.tree_seed, i])
        bags = rng.random((self.trees, len(x))) < BAG
        bags[:, 0] |= ~bags.any(1)
        self.frequency[i] = self._in_classes(i, target, given)
        code, held = F.one_hot(target, self.levels).to(self.table), []
        for t, bag in enumerate(bags):
            leaf = self._plant(i, t, known, goals, bag, int(rng.integers(2**31)))
            of_bag = torch.from_numpy(bag).to(x.device)
            self.table[i, t] = self._frequencies(i, t, leaf[of_bag], code[of_bag])
            held.append(torch.where(of_bag, torch.nan, self.table[i, t, leaf, target]))
            self.table[i, t] = self._frequencies(i, t, leaf, code)
        forest = torch.stack(held).nanmean(0).nan_to_num(1 / self.levels)
        said = [
            self._frequency(i, x, given)[torch.arange(len(x), device=x.device), target],
            forest,
            *self._gaussians(i, x, expected, target).T,
        ]
        self.weights[i] = weighed(torch.stack(said, 1))

    def _plant(self, i: int, t: int, known: np.ndarray, goal: np.ndarray, bag: np.ndarray, seed: int) -> Tensor:
        """Grows a tree on the rows of its bag; returns the leaf of every row."""
        from sklearn.tree import (
            DecisionTreeClassifier,
            DecisionTreeRegressor,
        )  # a second that other models need not wait

        most = (self.table.shape[2] + 1) // 2
        how = {"splitter": "random", "max_leaf_nodes": most, "min_samples_leaf": LEAST_ROWS, "max_features": 0.6}
        kind = DecisionTreeRegressor if self.scores.ordered[i] else DecisionTreeClassifier
        tree = kind(random_state=seed, **how).fit(known[bag], goal[bag])
        grown = tree.tree_
        inner = np.flatnonzero(grown.children_left >= 0)
        children = np.stack([grown.children_left, grown.children_right], 1)[inner]
        self.feature[i, t, inner] = torch.from_numpy(grown.feature[inner]).to(self.feature)
        self.threshold[i, t, inner] = torch.from_numpy(grown.threshold[inner]).to(self.threshold)
        self.child[i, t, inner] = torch.from_numpy(children).to(self.child)
        return torch.from_numpy(tree.apply(known)).to(self.table.device)

    def _frequencies(self, i: int, t: int, leaf: Tensor, code: Tensor) -> Tensor:
        """p(x_i | node), a node's imagined rows lying as those of the node above, (nodes, levels)."""
        counts = torch.zeros_like(self.table[i, t]).index_add_(0, leaf, code)
        children = self.child[i, t].tolist()
        inner = [node for node, (left, _) in enumerate(children) if left != node]
        for node in reversed(inner):  # children have larger numbers
            counts[node] = counts[children[node]].sum(0)
        share = evenly(self.space).to(counts)[i].expand_as(counts).clone()
        share[0] = (counts[0] + share[0]) / (counts[0].sum() + 1)
        for node in inner:
            own = counts[children[node]]
            share[children[node]] = (own + self.smoothing * share[node]) / (own.sum(1, keepdim=True) + self.smoothing)
        return share

    def _regress(self, i: int, x: Tensor, given: Tensor | None) -> Tensor:
        """Fits the regression of entry i; returns what it expects of each row by the folds that row is not in."""
        if not self.scores.ordered[i]:
            return self.scores.below.new_zeros(len(x))
        used, _ = self.scores.before(i)
        columns, goal = self._columns(i, x, given), self.scores.of(i, x)
        order = torch.randperm(len(x), generator=runtime.keyed(self.tree_seed, "folds", i)).to(x.device)
        found = cross_fitted(columns[:, used].double(), goal.double(), order)
        self.ridge.weight[i, used] = found.weight.to(self.ridge.weight)
        self.ridge.bias[i], self.ridge.scale[i] = found.bias, found.error
        return found.expected.to(self.table)

    def _columns(self, i: int, x: Tensor, given: Tensor | None) -> Tensor:
        """What comes before entry i as numbers, each column as finely as it is known by then, (B, width)."""
        coarse, fine = self.scores.columns(x, given)
        return torch.where(self.scores.before(i)[1], fine, coarse)

    def _features(self, i: int, x: Tensor, given: Tensor | None, expected: Tensor) -> Tensor:
        """What trees split on: classes, what comes before, and where the regression expects the entry."""
        label = [] if given is None else [F.one_hot(given, self.classes).to(expected)]
        return torch.cat([*label, x[:, :i].to(expected), self.scores.within(i, x, expected).unsqueeze(1)], 1).float()

    def _gaussians(self, i: int, x: Tensor, expected: Tensor, level: Tensor | None = None) -> Tensor:
        """The probability of every level, or of one a row, by each Gaussian, (B, S, levels) or (B, S)."""
        spread = self.ridge.scale[i] * torch.tensor(SCALES, device=x.device).to(expected)
        edges = (self.scores.edges(i, x).unsqueeze(1) - expected.view(-1, 1, 1)) / spread.view(1, -1, 1)
        mass = torch.special.ndtr(edges.double()).diff(dim=-1) + 1e-9 * self._possible(i, x).unsqueeze(1)
        mass = (mass / mass.sum(-1, keepdim=True)).to(expected)
        return mass if level is None else mass.gather(2, level.view(-1, 1, 1).expand(-1, len(SCALES), 1)).squeeze(2)

    def _possible(self, i: int, x: Tensor) -> Tensor:
        """1 for the levels that entry i can have, (B, levels)."""
        if self.scores.coarse[i] >= 0:
            most = self.scores.states[i][x[:, self.scores.coarse[i]]]
            return (torch.arange(self.levels, device=x.device) < most.unsqueeze(1)).double()
        return (evenly(self.space)[i] > 0).to(x.device).double().expand(len(x), -1)

    def _in_classes(self, i: int, target: Tensor, given: Tensor | None) -> Tensor:
        """p(x_i | c), each class with imagined rows that lie as those of all, (K, levels)."""
        place = target if given is None else given * self.levels + target
        counts = place.bincount(minlength=self.frequency[i].numel()).view_as(self.frequency[i]).to(self.table)
        every = counts.sum(0) + evenly(self.space).to(counts)[i]
        own = counts + self.smoothing * every / every.sum()
        return own / own.sum(1, keepdim=True)

    def _frequency(self, i: int, x: Tensor, given: Tensor | None) -> Tensor:
        """The entry's frequencies in the class, of what is possible, (B, levels)."""
        own = self.frequency[i][0 if given is None else given] * self._possible(i, x).to(self.table)
        return own / own.sum(1, keepdim=True)

    def conditional(self, i: int, x: Tensor, given: Tensor | None) -> Tensor:
        """p(x_i = l | x_1 ... x_{i-1}, c), exact, (B, levels), for x (B, D) of which only what comes before counts."""
        expected = self.ridge(i, self._columns(i, x, given))
        features, node = self._features(i, x, given, expected), x.new_zeros(self.trees, len(x))
        tree = torch.arange(self.trees, device=x.device).unsqueeze(1)
        feature, threshold, child = self.feature[i].long(), self.threshold[i], self.child[i].long()
        while True:
            value = features.gather(1, feature[tree, node].T).T
            below = child[tree, node, (value > threshold[tree, node]).long()]
            if torch.equal(below, node):
                break
            node = below
        forest = self.table[i][tree, node].mean(0) * self._possible(i, x).to(self.table)
        forest = forest / forest.sum(1, keepdim=True)
        experts = [self._frequency(i, x, given), forest, *self._gaussians(i, x, expected).unbind(1)]
        return torch.einsum("s,sbl->bl", self.weights[i].to(forest), torch.stack(experts))

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        parts = []
        for rows in torch.arange(len(x), device=x.device).split(ROWS):
            own, label = x[rows].flatten(1), None if given is None else given[rows]
            each = [self.conditional(i, own, label).gather(1, own[:, i : i + 1]) for i in range(self.space.dims)]
            parts.append(torch.cat(each, 1).log().sum(1))
        return torch.cat(parts)

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        x = torch.zeros(n, self.space.dims, dtype=torch.long, device=self.table.device)
        for i in range(self.space.dims):
            x[:, i] = runtime.categorical(self.conditional(i, x, given).log(), generator=generator)
        return x.view(n, *self.space.event_shape)


def weighed(said: Tensor) -> Tensor:
    """The weights of experts that maximise the likelihood of rows, by EM with one imagined row each, (S,).

    Args:
        said: the probability that each expert gave to each row without having seen it, (N, S).
    """
    weights = said.new_full((said.shape[1],), 1 / said.shape[1])
    for _ in range(ROUNDS):
        share = said * weights + 1e-30
        weights = (share / share.sum(1, keepdim=True)).sum(0) + 0.1
        weights = weights / weights.sum()
    return weights
