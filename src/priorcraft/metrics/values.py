"""Rows as a two-sample test sees them: numbers and words, either with holes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.cells import Cells
from priorcraft.core import Space
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.columns.date import Date, seconds_of
from priorcraft.datasets.columns.number import Number, numbers_of
from priorcraft.errors import DataError

DAY = 86_400  # seconds


@dataclass(frozen=True)
class Values:
    """Rows of raw values, before anything is put into bins.

    Args:
        numbers: (N, P), float64, nan where empty.
        words: (N, Q), int64, -1 where empty; the same word has the same integer in all sets that are compared.
        names: of the P columns of numbers, then of the Q columns of words.

    >>> ages = Values.of(Space((2,)), torch.tensor([[31.0, 1.5], [64.0, float("nan")]]))
    >>> len(ages), ages.names, len(ages[torch.tensor([1])])
    (2, ('entry 0', 'entry 1'), 1)
    """

    numbers: Tensor
    words: Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: Tensor) -> "Values":
        return Values(self.numbers[rows], self.words[rows], self.names)

    def beside(self, other: "Values") -> "Values":
        """These rows, then the others.

        Raises:
            DataError: other columns.
        """
        if self.names != other.names or self.numbers.shape[1] != other.numbers.shape[1]:
            raise DataError(f"samples must have the columns {', '.join(self.names)}, not {', '.join(other.names)}.")
        return Values(torch.cat([self.numbers, other.numbers]), torch.cat([self.words, other.words]), self.names)

    @classmethod
    def of(cls, space: Space, x: Tensor, columns: Columns | None = None) -> "Values":
        """Points x (B, *event_shape) of a space: pixels, bits and real numbers are numbers, other integers words."""
        flat = x.detach().cpu().flatten(1)
        names = [f"entry {i}" for i in range(space.dims)]
        counts = [space.levels in (None, 2) or space.is_image] * space.dims
        for name, kind, entries in () if columns is None else columns.entries:
            for digit, entry in enumerate(entries):
                names[entry], counts[entry] = f"{name}, digit {digit + 1}" if digit else name, kind != "word"
        return cls.split(flat, tuple(names), torch.tensor(counts))

    @classmethod
    def of_table(cls, cells: Cells, columns: Columns) -> "Values":
        """Cells as they stand in a table, of the columns that a model knows; dates are days, the label is left out."""
        numbers, words, names = list[np.ndarray](), list[np.ndarray](), ([], [])
        for column in columns.columns:
            found, codec = cells[column.name], column.codec
            is_word = not isinstance(codec, Number | Date)
            if isinstance(codec, Number):
                values = numbers_of(found, codec.numeral)
            elif isinstance(codec, Date):
                values = seconds_of(found, codec.format) / DAY
            else:
                values = np.array([runtime.mix(text) for text in found.texts.to_pylist()], dtype=np.int64)
            missing = values.dtype.type(-1 if is_word else np.nan)
            each = np.where(found.codes < 0, missing, values[found.codes] if len(values) else missing)
            (words if is_word else numbers).append(each)
            names[is_word].append(column.name)
        none = np.empty((cells.rows, 0))
        a, b = (np.stack(part, 1) if part else none for part in (numbers, words))
        return cls(torch.from_numpy(a).double(), torch.from_numpy(b).long(), (*names[0], *names[1]))

    @classmethod
    def split(cls, flat: Tensor, names: tuple[str, ...], counts: Tensor) -> "Values":
        """Columns (N, D) divided into numbers, where `counts` (D,) says so, and words."""
        ordered = [names[int(i)] for i in torch.cat([counts.nonzero()[:, 0], (~counts).nonzero()[:, 0]])]
        return cls(flat[:, counts].double(), flat[:, ~counts].long(), tuple(ordered))
