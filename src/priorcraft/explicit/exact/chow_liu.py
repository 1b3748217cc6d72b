"""The Chow-Liu tree: each entry depends on one other, and the tree of these dependences is the best there is."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from priorcraft.core import Space
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.counting import evenly
from priorcraft.explicit.exact.left_out import Bells, backed_off
from priorcraft.explicit.exact.structure import chow_liu_tree
from priorcraft.explicit.exact.tree_model import Groups, TreeModel, leaning, normalised
from priorcraft.settings import Smoothing

NUMBERS = 2**28  # 1 GB of tables
WIDTHS = (1.0, 2.0, 5.0)  # of the bells over levels that have an order
AT_ONCE = 2**24  # numbers of the tables that are worked on
LEAST = -1e4  # log p of a state that is not the one that was seen


class ChowLiu(TreeModel):
    """A tree over the entries themselves, with tables per class; exact, fitted by counting.

    p(x | c) = prod_i p(x_i | x_parent(i), c)

    A fine digit is always a neighbour of its coarse one where that says which states it has, so that what cannot be
    has no probability. But for that, the tree maximises the summed mutual information (Chow & Liu 1968,
    doi:10.1109/TIT.1968.1054142), given the class where there are labels (tree-augmented naive Bayes: Friedman, Geiger
    & Goldszmidt 1997).

    Args:
        space: integers.
        context: labels or None.
        smoothing: s, imagined rows for each value of the parent, see `leaning`; None for as many as left-out rows ask
            for, entry by entry, see `backed_off`.

    Raises:
        UsageError: real-valued space, a context that is no label, or tables of more than 2^28 numbers.

    >>> from priorcraft.runtime import keyed
    >>> model = ChowLiu(Space((2,), levels=2), smoothing=0.0)
    >>> x = torch.tensor([[0, 0], [1, 1], [1, 1], [0, 1]])
    >>> model.initialise(x, None, generator=keyed(0))
    >>> _ = model.update(x, None)
    >>> model.log_prob(torch.tensor([[1, 1]])).exp()
    tensor([0.5000])
    """

    def __init__(self, space: Space, context: Space | None = None, *, smoothing: Smoothing | None = None) -> None:
        levels = space.levels or 1
        numbers = space.dims * levels**2 * max(1, context.levels or 1 if context is not None else 1)
        if numbers > NUMBERS:
            raise UsageError(
                f"chow-liu keeps levels^2 numbers an entry, here {numbers:,} in all, more than {NUMBERS:,}; "
                "use latent-tree, or data with fewer levels."
            )
        super().__init__(space, context, trees=1, states=None)
        self.smoothing = smoothing

    def _emission(self) -> Tensor:
        # A state is the level itself.
        identity = torch.eye(self.levels).to(self.log_transition)
        return identity.log().expand(self.space.dims, -1, -1)

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Counts p(c) and finds the tree; rows without a label count in every class by its share."""
        super().initialise(x, given, generator=generator)

        def weights(rows: slice) -> Tensor:
            return self.class_weights(self.space.check(x[rows]), None if given is None else given[rows])

        together = (self.digits.fine, self.digits.coarse)
        self.forest.plant([chow_liu_tree(x.flatten(1), weights, self.levels, together)])

    def expect(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None) -> list[Tensor]:
        """The log-likelihood of some rows, and the counts of the tables, expected where something is not known."""
        x, counts = self.space.check(x), torch.zeros_like(self.log_transition)
        if seen is None or bool(seen.all()):
            return [self._count(x, given, counts), counts]
        return [self._expect(x, given, seen, counts), counts]

    def maximise(self, sums: Sequence[Tensor], rounds: int = 1) -> None:
        """The tables from counts; with every label and entry known, the maximum of the smoothed likelihood."""
        spread, fits = self._spread(), self._fits()
        if self.smoothing is not None:
            self.log_transition.copy_(leaning(sums[1], self.smoothing, spread, fits).log())
            return
        fits = torch.as_tensor(fits).to(spread).expand(len(spread), 1, self.levels, self.levels)
        for part in torch.arange(len(spread), device=spread.device).split(max(1, AT_ONCE // sums[1][0].numel())):
            found = backed_off(sums[1][part], spread[part], fits[part], self._near(part))
            self.log_transition[part] = normalised(found, -1).log().to(self.log_transition)

    def _count(self, x: Tensor, given: Tensor | None, counts: Tensor) -> Tensor:
        """Adds what whole rows count; returns their log-likelihood."""
        weights = self.class_weights(x, given)
        for rows in self._pieces(len(x)):
            groups = Groups.of(weights[rows])
            place = self._cells(x[rows].flatten(1)[groups.row], groups.classes)
            counts.view(-1).index_add_(0, place.flatten(), groups.weight.expand_as(place).flatten().to(counts))
        return self.log_prob(x, given).double().sum()

    def _expect(self, x: Tensor, given: Tensor | None, seen: Tensor, counts: Tensor) -> Tensor:
        """Adds what rows with holes are expected to count, the states of what is missing summed out."""
        weights = self._log_class(x, seen, given).exp()
        for rows in self._pieces(len(x)):
            groups = Groups.of(weights[rows])
            transition = self.log_transition[:, groups.classes].exp()
            evidence = self._log_evidence(x[rows].flatten(1)[groups.row], seen[rows].flatten(1)[groups.row])
            up = self.forest.upward(evidence.clamp_min(LEAST), transition)
            counts.index_add_(1, groups.classes, self.forest.downward(up, transition, groups.weight)[1])
        return self.log_marginal(x, seen, given).double().sum()

    def _spread(self) -> Tensor:
        """The levels that each entry has, evenly, (N, 1, 1, levels)."""
        return evenly(self.space).to(self.log_transition)[self.forest.variable][:, None, None]

    def _near(self, nodes: Tensor) -> list[Bells]:
        """How rows spread over near levels, where these have an order: the nodes' and their parents'."""
        above = self.forest.parent[nodes]
        return [Bells(self._bells(nodes, width), self._bells(above, width)) for width in WIDTHS]

    def _bells(self, nodes: Tensor, width: float) -> Tensor:
        entry, level = self.forest.variable[nodes], torch.arange(self.levels).to(self.log_transition)
        bells = (-0.5 * ((level.unsqueeze(1) - level) / width).square()).exp()
        bells = bells * (self._spread()[nodes, :, 0] > 0).unsqueeze(-1)
        named = torch.tensor([i in self.space.unordered for i in entry.tolist()]).to(level) > 0
        bells = torch.where(named.view(-1, 1, 1, 1), torch.eye(self.levels).to(bells), bells)
        return bells / bells.sum(-2, keepdim=True).clamp_min(1e-12)

    def _fits(self) -> Tensor | float:
        """1 for the levels that can be under each of the parent's, (N, 1, levels, levels)."""
        if not len(self.digits):
            return 1.0
        fits = self.log_transition.new_ones(len(self.log_transition), 1, self.levels, self.levels)
        node, above = self.forest.nodes()[0], self.forest.parent
        for fine, coarse, states in zip(*self.digits.buffers(), strict=True):
            under = torch.arange(self.levels, device=states.device) < states.unsqueeze(1)  # (coarse, fine)
            child, parent = node[fine], node[coarse]
            if above[child] == parent:
                fits[child, 0] = under
            else:
                fits[parent, 0] = under.T
        return fits

    def _cells(self, x: Tensor, classes: Tensor) -> Tensor:
        """Where log p(x_i | x_parent(i), c) stands in the flat table, (N, C, R), for rows (C, R, D)."""
        value = x.movedim(-1, 0)[self.forest.variable]
        above = value[self.forest.parent].index_fill_(0, torch.zeros(1, dtype=torch.long, device=x.device), 0)
        nodes = torch.arange(len(value), device=x.device).view(-1, 1, 1)
        table = nodes * self.log_transition.shape[1] + classes.view(-1, 1)
        return (table * self.levels + above) * self.levels + value

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        label = torch.zeros(len(x), dtype=torch.long, device=x.device) if given is None else given
        cells = self._cells(x.flatten(1).unsqueeze(1), label)
        return self.log_transition.view(-1)[cells].sum(0).squeeze(-1)
