"""The steps of a block that is whole cells of a convolution, whose features are computed once a cell."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from priorcraft.condition.rollout import Rollout
from priorcraft.condition.steps import Steps
from priorcraft.explicit.exact.autoregressive import Autoregressive, MaskedConvolution
from priorcraft.explicit.exact.foreseen import Foreseen
from priorcraft.nn.local_steps import WithinSteps


class Features(Protocol):
    """Where the features of cells come from: `LocalSteps`, or one pass of the whole network."""

    def features(self, pixel: int) -> Tensor:
        """Those of a cell, (n, channels)."""
        ...

    def push(self, code: Tensor, pixel: int) -> None:
        """Takes the code of a cell, (n, features)."""
        ...


@dataclass(frozen=True)
class OnePass:
    """The features of a single cell that come last: nothing after it asks for more."""

    of_cell: Tensor

    def features(self, pixel: int) -> Tensor:
        """(n, channels)."""
        return self.of_cell

    def push(self, code: Tensor, pixel: int) -> None:
        """Nothing follows."""


class CellSteps(Steps):
    """`Steps` of a block that is the next cells of a convolution, whose features are computed once a cell.

    An entry further on than the next sees what is known, and zeros for the rest. Where entries are foreseen linearly,
    what is left of a sum follows the `Rollout` of the block instead.

    Args:
        model, order, x, start, given: as in `Steps`.
        walk: cells of the order from the first of the block to its last; those in between that the block does not
            hold have codes that are settled.
        size: entries of the block.
        source: of the features.
    """

    model: MaskedConvolution

    def __init__(
        self,
        model: MaskedConvolution,
        order: Tensor,
        x: Tensor,
        start: int,
        given: Tensor | None,
        walk: Sequence[int],
        size: int,
        source: Features,
    ) -> None:
        super().__init__(model, order, x, start, given)
        self.start, self.source, self.each = start, source, model.cells.members.shape[1]
        self.walk, self.cells = walk, cells_of(model, order[start : start + size])
        self.codes = model.log_prior.new_zeros(len(x), size, model.features)
        self.by_class = None if model.by_class is None or given is None else model.by_class[given][:, order]
        self.entries, self.within = WithinSteps(model.within, model.leave), list[WithinSteps]()
        self.plan = None if model.linear is None else model.linear.plan(order)
        self.expected: Rollout | None = None
        self._look_ahead(0)

    def again(self) -> Steps:
        """The same steps from their start."""
        steps = copy.copy(self)
        steps.x, steps.codes = self.x.clone(), torch.zeros_like(self.codes)
        steps._look_ahead(0)
        return steps

    def log_p(self, q: int, past: int) -> Tensor:
        """log p of every level of the entry at position q, given the first `past` positions, (B, levels)."""
        cell, rank = divmod(q - self.start, self.each)
        outputs = self.within[cell].at(rank, self._code(cell))
        outputs = outputs if self.by_class is None else outputs + self.by_class[:, q]
        entry = self.order[q : q + 1]
        return self.model.likelihood(outputs[:, None], self._foreseen(q, past), entry).table()[:, 0]

    def log_left(self, later: list[int], past: int, left: Tensor, levels: int) -> Tensor:
        """As of `Steps`, from the block's course where there is one."""
        if self.plan is None or not later:
            return super().log_left(later, past, left, levels)
        if self.expected is None:
            self.expected = self._rolled_out()
        drawn, sum_of = self.x[:, self.order[self.start : past]], torch.tensor(later, device=left.device) - self.start
        return self.expected.log_left(drawn.to(self.expected.mean), sum_of, left, levels)

    def _rolled_out(self) -> Rollout:
        """The block from its start, each entry taken at the mean that is expected of it."""
        assert self.plan is not None
        steps, means, variances, taken = self.again(), list[Tensor](), list[Tensor](), list[Tensor]()
        for p in range(self.start, self.start + self.codes.shape[1]):
            table = steps.log_p(p, p).exp()
            level = torch.arange(table.shape[1], device=table.device)
            means.append(table @ level.to(table))
            variances.append(table @ level.square().to(table) - means[-1].square())
            taken.append(means[-1].round().long())
            steps.push(taken[-1], p)
        block = self.order[self.start : self.start + len(means)]
        path = [torch.stack(each, 1).to(means[0]) for each in (taken, means, variances)]
        return Rollout(path[0], path[1], path[2], self.plan.among(block).to(means[0]))

    def push(self, values: Tensor, position: int) -> None:
        """Takes the values at one more position."""
        foreseen = self._foreseen(position, position)
        super().push(values, position)
        self.codes[:, position - self.start] = self.model.code(values[:, None], foreseen)[:, 0]
        cell, rank = divmod(position - self.start, self.each)
        if rank == self.each - 1:
            self.source.push(self._code(cell).flatten(1), self.cells[cell])
            self._look_ahead(cell + 1)

    def _code(self, cell: int) -> Tensor:
        """What is known of a cell of the block, (B, its entries, features)."""
        return self.codes[:, cell * self.each : (cell + 1) * self.each]

    def _look_ahead(self, cell: int) -> None:
        """Computes the features of the block's cells from this one on: exact for it, the others see zeros for it."""
        begun = self.within[:cell]
        after = self.walk.index(self.cells[cell - 1]) + 1 if cell else 0
        for number in self.walk[after:]:
            features = self.source.features(number)
            if number in self.cells:
                self.source.push(self._code(len(begun)).flatten(1), number)
                begun = [*begun, self.entries.begin(features)]
        self.within = begun

    def _foreseen(self, q: int, past: int) -> Foreseen | None:
        """What the first `past` positions foresee of position q."""
        if self.plan is None:
            return None
        return self.plan.at(self.x, self.order[q : q + 1], self._known(past))

    def _known(self, past: int) -> Tensor:
        """True for the entries at the first `past` positions, (D,)."""
        known = torch.zeros(len(self.order), dtype=torch.bool, device=self.x.device)
        return known.index_fill_(0, self.order[:past], True)


def cells_of(model: Autoregressive, block: Tensor) -> list[int]:
    """The whole cells of a convolution that these entries are, in this order; none if they are not."""
    if not isinstance(model, MaskedConvolution):
        return []
    members = model.cells.members
    cells = (model.cells.slots[block.cpu()] // members.shape[1]).unique_consecutive()
    return cells.tolist() if torch.equal(members[cells].flatten(), block.cpu()) else []
