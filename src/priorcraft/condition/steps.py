"""What comes next in an order that is not drawn one entry at a time: tables of the entries of a block, step by step."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor

from priorcraft.condition.rollout import Rollout
from priorcraft.condition.sums import convolved
from priorcraft.explicit.exact.autoregressive import Autoregressive, MaskedAutoregressive, MaskedConvolution
from priorcraft.explicit.exact.cells import Stage
from priorcraft.explicit.exact.foreseen import Foreseen
from priorcraft.nn.local_steps import WithinSteps
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
    """The same for a block that is the next cells of a convolution, whose features are computed once a cell.

    An entry further on than the next sees what is known, and zeros for the rest.

    Args:
        model, order, x, start, given: as in `Steps`.
        walk: cells of the order from the first of the block to its last; those in between that the block does not
            hold have codes that are settled.
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
        self.walk, self.cells = walk, cells_of(model, order[start : start + size]) or []
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
        """As of `Steps`; where entries are foreseen linearly, their sum is about what that makes of it, given l."""
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


def log_left(tables: list[Tensor], left: Tensor, levels: int) -> Tensor:
    """log p~(left - l) of independent entries, whose log tables are given, for every level l, (B, levels)."""
    nothing = torch.ones(len(left), 1, dtype=torch.float64, device=left.device)
    total = reduce(convolved, [table.double().exp() for table in tables], nothing)
    rest = left.unsqueeze(1) - torch.arange(levels, device=left.device)
    inside = (rest >= 0) & (rest < total.shape[1])
    log_p = total.gather(1, rest.clamp(0, total.shape[1] - 1)).log()
    return log_p.masked_fill(~inside, -torch.inf)


def steps_of(model: Autoregressive, order: Tensor, x: Tensor, start: int, given: Tensor | None, ahead: int) -> Steps:
    """The faster kind where the model has it and looks `ahead` positions far."""
    if isinstance(model, MaskedAutoregressive):
        solved = SolvedSteps(model, order, x, start, given)
        if solved.steps.block >= ahead:
            return solved
    cells = cells_of(model, order[start : start + ahead])
    if isinstance(model, MaskedConvolution) and len(cells) == 1:
        last = OnePass(model.features_at(x, order, start, cells[0], given))
        return CellSteps(model, order, x, start, given, cells, ahead, last)
    return turns_of(model, order, ahead).at(start, x, given) if cells else Steps(model, order, x, start, given)


def cells_of(model: Autoregressive, block: Tensor) -> list[int]:
    """The whole cells of a convolution that these entries are, in this order; none if they are not."""
    if not isinstance(model, MaskedConvolution):
        return []
    members = model.cells.members
    cells = (model.cells.slots[block.cpu()] // members.shape[1]).unique_consecutive()
    return cells.tolist() if torch.equal(members[cells].flatten(), block.cpu()) else []


class Turns:
    """The steps of one block after another along an order, for points that may be drawn again in between.

    Args:
        model: autoregressive, on integers.
        order: (D,).
        size: entries of a block.
    """

    def __init__(self, model: Autoregressive, order: Tensor, size: int) -> None:
        self.model, self.order, self.size = model, order, size

    def at(self, start: int, x: Tensor, given: Tensor | None) -> Steps:
        """The steps of the block that begins at position `start`; x (B, D) holds those before it."""
        return steps_of(self.model, self.order, x, start, given, self.size)

    def take(self, index: Tensor) -> None:
        """The points have become those of these numbers, (B,)."""


class CachedTurns(Turns):
    """The same where every block is cells of a convolution: each feature is computed once, and not once a block."""

    model: MaskedConvolution
    stage: Stage | None = None

    def at(self, start: int, x: Tensor, given: Tensor | None) -> Steps:
        """The steps of the block that begins at position `start`; x (B, D) holds those before it."""
        stage = stage_of(self.model, self.order, self.order[start])
        if stage is not self.stage:
            done = torch.zeros_like(stage.known).index_fill_(0, self.order[:start].cpu(), True)
            self.local, self.place = self.model.in_turn(x, self.order, stage, done, given)
            self.stage = stage
        last = cells_of(self.model, self.order[start : start + self.size])[-1]
        end = stage.cells.tolist().index(last) + 1
        walk, self.place = stage.cells[self.place : end].tolist(), end
        return CellSteps(self.model, self.order, x, start, given, walk, self.size, self.local)

    def take(self, index: Tensor) -> None:
        """The points have become those of these numbers, (B,)."""
        self.local.take(index)


def stage_of(model: MaskedConvolution, order: Tensor, entry: Tensor) -> Stage:
    """The stage of an order in which an entry is."""
    return next(stage for stage in model.cells.stages(order) if bool(stage.entries[entry]))


def turns_of(model: Autoregressive, order: Tensor, size: int) -> Turns:
    """The kind that computes features once, where each block is cells of one stage."""
    blocks = order.split(size)
    cached = isinstance(model, MaskedConvolution) and all(
        cells_of(model, block) and stage_of(model, order, block[0]).entries[block].all() for block in blocks
    )
    return (CachedTurns if cached else Turns)(model, order, size)
