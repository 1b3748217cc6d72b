"""Where the arrays of data are put while they are read: in memory, or into the files of a folder, which are mapped."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from priorcraft.mapped import array_of, blocks, let_go, tensor_of


@dataclass(frozen=True)
class Shelf:
    """A place for arrays, in which they are made a block of rows at a time.

    Args:
        folder: where each is a file NAME.npy; None keeps them in memory.

    >>> Shelf().made("x", np.arange(3), lambda part: 2 * part, np.dtype("uint8"))
    array([0, 2, 4], dtype=uint8)
    """

    folder: Path | None = None

    def empty(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array to be filled."""
        if self.folder is None or 0 in shape:
            return np.empty(shape, dtype)
        return np.lib.format.open_memmap(self.folder / f"{name}.npy", "w+", dtype, shape)

    def numbers(self, name: str, count: int) -> np.ndarray:
        """0 ... count - 1."""
        made = self.empty(name, (count,), np.dtype(np.int64))
        for part in blocks(made):
            made[part] = np.arange(part.start, part.stop)
        return made

    def made(
        self, name: str, source: np.ndarray, change: Callable[[np.ndarray], np.ndarray], dtype: np.dtype
    ) -> np.ndarray:
        """What `change` makes of the rows of an array, block by block."""
        made = self.empty(name, (len(source), *change(source[:0]).shape[1:]), dtype)
        for rows in blocks(source):
            made[rows] = change(source[rows])
        return made

    def taken(self, name: str, source: Tensor, rows: Tensor) -> Tensor:
        """Some rows of a tensor, by mask or by number."""
        if self.folder is None:
            return source[rows]
        number = rows.nonzero().squeeze(1) if rows.dtype == torch.bool else rows
        there = array_of(source)
        made = self.empty(name, (len(number), *source.shape[1:]), there.dtype)
        for part in blocks(made):
            made[part] = there[number[part].numpy()]
            let_go(there)
        return tensor_of(made)


MEMORY = Shelf()
