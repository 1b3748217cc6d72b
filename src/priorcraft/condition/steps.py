"""What comes next in an order that is not drawn one entry at a time: tables of the entries of a block, step by step."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

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


class CellSteps(Steps):
    """The same for one block that is the next cell of a convolution: its features are computed once.

    An entry further on than the next sees what is known of its cell, and zeros for the rest.
    """

    model: MaskedConvolution

    def __init__(
        self, model: MaskedConvolution, order: Tensor, x: Tensor, start: int, given: Tensor | None, features: Tensor
    ) -> None:
        super().__init__(model, order, x, start, given)
        self.start = start
        self.codes = features.new_zeros(len(x), model.cells.members.shape[1], model.features)
        assert model.within is not None
        self.within = WithinSteps(model.within, model.leave)
        self.within.begin(features)
        self.by_class = None if model.by_class is None or given is None else model.by_class[given][:, order]

    def again(self) -> Steps:
        """The same steps from their start, with the features that are known already."""
        steps = copy.copy(self)
        steps.x, steps.codes = self.x.clone(), torch.zeros_like(self.codes)
        return steps

    def log_p(self, q: int, past: int) -> Tensor:
        """log p of every level of the entry at position q, given the first `past` positions, (B, levels)."""
        outputs = self.within.at(q - self.start, self.codes)
        outputs = outputs if self.by_class is None else outputs + self.by_class[:, q]
        entry = self.order[q : q + 1]
        return self.model.likelihood(outputs[:, None], self._foreseen(q, past), entry).table()[:, 0]

    def push(self, values: Tensor, position: int) -> None:
        """Takes the values at one more position."""
        foreseen = self._foreseen(position, position)
        super().push(values, position)
        self.codes[:, position - self.start] = self.model.code(values[:, None], foreseen)[:, 0]

    def _foreseen(self, q: int, past: int) -> Foreseen | None:
        """What the first `past` positions foresee of position q."""
        if self.model.linear is None:
            return None
        known = torch.zeros(len(self.order), dtype=torch.bool, device=self.x.device)
        known[self.order[:past]] = True
        return self.model.linear.plan(self.order).at(self.x, self.order[q : q + 1], known)


def steps_of(model: Autoregressive, order: Tensor, x: Tensor, start: int, given: Tensor | None, ahead: int) -> Steps:
    """The faster kind where the model has it and looks `ahead` positions far."""
    if isinstance(model, MaskedAutoregressive):
        solved = SolvedSteps(model, order, x, start, given)
        if solved.steps.block >= ahead:
            return solved
    cell = cell_of(model, order[start : start + ahead])
    if isinstance(model, MaskedConvolution) and cell is not None:
        return CellSteps(model, order, x, start, given, model.features_at(x, order, start, cell, given))
    return Steps(model, order, x, start, given)


def cell_of(model: Autoregressive, block: Tensor) -> int | None:
    """The cell of a convolution with a network within cells that these entries are, in this order; None if none is."""
    if not isinstance(model, MaskedConvolution) or model.within is None:
        return None
    members = model.cells.members
    same = (members == block.cpu()).all(1).nonzero() if len(block) == members.shape[1] else block[:0]
    return int(same) if len(same) else None


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
    """The same where every block is a cell of a convolution: each feature is computed once, and not once a block."""

    model: MaskedConvolution

    def __init__(self, model: MaskedConvolution, order: Tensor, size: int, cells: Sequence[int]) -> None:
        super().__init__(model, order, size)
        self.cells, self.stages = cells, model.cells.stages(order)
        self.stage: Stage | None = None
        self.last: int | None = None

    def at(self, start: int, x: Tensor, given: Tensor | None) -> Steps:
        """The steps of the block that begins at position `start`; x (B, D) holds those before it."""
        cell = self.cells[start // self.size]
        stage = next(stage for stage in self.stages if bool(stage.entries[self.order[start]]))
        if stage is not self.stage:
            self.stage, self.last = stage, None
            self.local, self.place = self.model.in_turn(x, self.order, stage, stage.known, given)
        while True:  # past cells that are known from earlier stages
            features = self._next_features(x, stage)
            if self.last == cell:
                return CellSteps(self.model, self.order, x, start, given, features)

    def _next_features(self, x: Tensor, stage: Stage) -> Tensor:
        """Those of the stage's next cell, once the last one's codes are known."""
        if self.last is not None:
            entries = self.model.cells.members[self.last].to(x.device)
            codes = self.model.code(x[:, entries], self.model.foreseen(x, self.order, entries))
            self.local.push(codes.flatten(1), self.last)
        self.last = int(stage.cells[self.place])
        self.place += 1
        return self.local.features(self.last)

    def take(self, index: Tensor) -> None:
        """The points have become those of these numbers, (B,)."""
        self.local.take(index)


def turns_of(model: Autoregressive, order: Tensor, size: int) -> Turns:
    """The kind that computes features once, where the blocks are cells."""
    cells = [cell_of(model, block) for block in order.split(size)]
    known = [cell for cell in cells if cell is not None]
    if isinstance(model, MaskedConvolution) and len(known) == len(cells):
        return CachedTurns(model, order, size, known)
    return Turns(model, order, size)
