"""The steps of one block after another along an order, by the fastest way that a model has."""

import torch
from torch import Tensor

from priorcraft.condition.cell_steps import CellSteps, OnePass, cells_of
from priorcraft.condition.steps import SolvedSteps, Steps
from priorcraft.explicit.exact.autoregressive import Autoregressive, MaskedAutoregressive, MaskedConvolution
from priorcraft.explicit.exact.cells import Stage


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
        stage = self.model.cells.stage_of(self.order, self.order[start])
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


def turns_of(model: Autoregressive, order: Tensor, size: int) -> Turns:
    """The kind that computes features once, where each block is cells of one stage."""
    blocks = order.split(size)
    cached = isinstance(model, MaskedConvolution) and all(
        cells_of(model, block) and model.cells.stage_of(order, block[0]).entries[block].all() for block in blocks
    )
    return (CachedTurns if cached else Turns)(model, order, size)
