"""What comes next in an order that is not drawn one entry at a time: tables of the entries of a block, step by step."""

from functools import reduce

import torch
from torch import Tensor

from priorcraft.condition.sums import convolved
from priorcraft.explicit.exact.autoregressive import Autoregressive, MaskedAutoregressive
from priorcraft.nn.triangular import TriangularSteps


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
        self.known = x, start

    def again(self) -> "Steps":
        """The same steps from their start."""
        x, start = self.known
        return type(self)(self.model, self.order, x, start, self.given)

    def log_p(self, q: int, past: int) -> Tensor:
        """log p of every level of the entry at position q, given the first `past` positions, (B, levels)."""
        order = self.order.clone()
        order[past], order[q] = self.order[q], self.order[past]
        likelihood = self.model.conditionals(self.x, order, self.given)
        return likelihood.table()[:, order[past]]

    def log_left(self, later: list[int], past: int, left: Tensor, levels: int) -> Tensor:
        """log p~(left - l) of the sum of later positions, for every level l at position `past`, (B, levels).

        p~ convolves their tables as if they were independent of each other and of l.
        """
        return log_left([self.log_p(q, past) for q in later], left, levels)

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
        return likelihood.table()

    def push(self, values: Tensor, position: int) -> None:
        """Takes the values at one more position."""
        self.steps.push(self.model.entries.code(values.view(1, -1, 1)), position)


def log_left(tables: list[Tensor], left: Tensor, levels: int) -> Tensor:
    """log p~(left - l) of independent entries, whose log tables are given, for every level l, (B, levels)."""
    nothing = torch.ones(len(left), 1, dtype=torch.float64, device=left.device)
    total = reduce(convolved, [table.double().exp() for table in tables], nothing)
    rest = left.unsqueeze(1) - torch.arange(levels, device=left.device)
    inside = (rest >= 0) & (rest < total.shape[1])
    log_p = total.gather(1, rest.clamp(0, total.shape[1] - 1)).log()
    return log_p.masked_fill(~inside, -torch.inf)
