"""An order of the entries of an image as stages, in each of which whole cells of pixels follow one another."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from priorcraft.core import Space
from priorcraft.errors import UsageError

MONOTONE = 4  # more stages than these along a raster, and other orders of the cells are worth their time


@dataclass(frozen=True)
class Stage:
    """A part of an order: entries that follow one another cell by cell, after others that are known everywhere.

    Args:
        entries: (D,), true for the entries of this stage.
        known: (D,), true for those of earlier stages.
        cells: (N,), an order of all cells, in which those of this stage come in their turn.
    """

    entries: Tensor
    known: Tensor
    cells: Tensor

    @property
    def seen(self) -> Tensor:
        """(D,), true for what may be seen when the stage is done."""
        return self.entries | self.known


class Cells:
    """The cells of an image: squares of patch x patch pixels with all their channels, pixel after pixel.

    Args:
        space: of the images.
        patch: side of a cell in pixels.

    Raises:
        UsageError: a side that `patch` does not divide.

    >>> Cells(Space((1, 2, 4), 2), 2).members.tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """

    def __init__(self, space: Space, patch: int) -> None:
        colours, height, width = space.event_shape
        if patch < 1 or height % patch or width % patch:
            raise UsageError(f"patch must divide the image's {height} x {width} pixels, not be {patch}.")
        self.height, self.width = height // patch, width // patch
        grid = torch.arange(space.dims).view(colours, self.height, patch, self.width, patch)
        self.members = grid.permute(1, 3, 2, 4, 0).reshape(self.height * self.width, -1)  # (N, entries of a cell)
        self.slots = self.members.flatten().argsort()  # entry e is number slots[e] in the raster of the cells
        self.rasters = rasters(self.height, self.width)

    def orders(self, count: int) -> Tensor:
        """The first `count` rasters of the cells as orders of the entries, (count, D)."""
        return self.members[self.rasters[:count]].flatten(1)

    def seen(self, codes: Tensor, which: Tensor) -> Tensor:
        """Codes (B, D, features) by cell, zero where the entry is not seen (D,); (B, N, entries of one, features)."""
        codes = codes if bool(which.all()) else codes * which.to(codes.device)[:, None]
        return codes[:, self.members.to(codes.device)]

    def planes(self, celled: Tensor) -> Tensor:
        """Codes by cell as an image of cells, whose channels come last in memory, (B, channels, height, width)."""
        return celled.flatten(2).unflatten(1, (self.height, self.width)).permute(0, 3, 1, 2)

    def stages(self, order: Tensor) -> list[Stage]:
        """The order (D,) cut where it turns back against a raster of the cells, or else where it comes back to a cell.

        The raster is that with the fewest cuts; evidence first in a raster order makes two stages.
        """
        return self._stages(tuple(order.tolist()))

    def stage_of(self, order: Tensor, entry: Tensor) -> Stage:
        """The stage of an order in which an entry is."""
        return next(stage for stage in self.stages(order) if bool(stage.entries[entry]))

    @lru_cache(maxsize=64)  # noqa: B019  (a model keeps one of these for its life)
    def _stages(self, order: tuple[int, ...]) -> list[Stage]:
        entries = torch.tensor(order)
        place = self.orders(len(self.rasters)).argsort(1)[:, entries]  # (8, D)
        back = place[:, 1:] < place[:, :-1]
        best = int(back.sum(1).argmin())
        turns, raster = (back[best].nonzero().flatten() + 1).tolist(), self.rasters[best]
        if len(turns) >= MONOTONE:
            turns, raster = self._returns(entries), None
        return [self._stage(entries, a, b, raster) for a, b in pairwise([0, *turns, len(order)])]

    def _returns(self, entries: Tensor) -> list[int]:
        """Where an order comes back to a cell that it has left, or to an earlier entry of the cell it is in."""
        cell, rank = (part.tolist() for part in self._cell_and_rank(entries))
        cuts, visited = list[int](), {cell[0]}
        for i in range(1, len(cell)):
            same = cell[i] == cell[i - 1]
            if (same and rank[i] < rank[i - 1]) or (not same and cell[i] in visited):
                cuts, visited = [*cuts, i], set()
            visited.add(cell[i])
        return cuts

    def _cell_and_rank(self, entries: Tensor) -> tuple[Tensor, Tensor]:
        size = self.members.shape[1]
        return self.slots[entries] // size, self.slots[entries] % size

    def _stage(self, order: Tensor, start: int, end: int, cells: Tensor | None) -> Stage:
        entries, known = torch.zeros(2, len(order), dtype=torch.bool)
        entries[order[start:end]], known[order[:start]] = True, True
        if cells is None:
            inside = list(dict.fromkeys(self._cell_and_rank(order[start:end])[0].tolist()))
            outside = sorted(set(range(len(self.members))) - set(inside))
            cells = torch.tensor(outside + inside)
        return Stage(entries, known, cells)


def rasters(height: int, width: int) -> Tensor:
    """The raster order of H * W cells, its flips and its transposes, (8, H * W).

    >>> rasters(2, 2)[:3].tolist()
    [[0, 1, 2, 3], [3, 2, 1, 0], [0, 2, 1, 3]]
    """
    grid = torch.arange(height * width).view(height, width)
    turned = [g.flip(flips) for flips in ((), (0, 1), (0,), (1,)) for g in (grid, grid.t())]
    return torch.stack([turned[i].flatten() for i in (0, 2, 1, 3, 4, 5, 6, 7)])
