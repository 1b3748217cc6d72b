"""The values of a table as they were read, before anything is made of them: what is judged is judged by these."""

from dataclasses import dataclass

import numpy as np

from priorcraft.cells import CellColumn, Cells
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.columns.date import Date, seconds_of
from priorcraft.datasets.columns.number import Number, numbers_of
from priorcraft.datasets.columns.word import Word

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class RawValues:
    """Rows of raw values.

    Args:
        names: of the columns.
        values: float64, (N, C), nan where a cell is empty; a word is its number in `words`, a date its days since 1970.
        words: of each column the words that its numbers stand for; None for numbers and dates.
    """

    names: tuple[str, ...]
    values: np.ndarray
    words: tuple[tuple[str, ...] | None, ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def categorical(self) -> np.ndarray:
        """Which columns hold words, bool, (C,)."""
        return np.array([words is not None for words in self.words])


def raw_values(cells: Cells, columns: Columns) -> RawValues:
    """The columns of p(x) and the label; nothing is refused but a missing column.

    A word that the columns do not know gets a number beyond theirs, and what should be a number or a date and is none
    counts as empty.

    Args:
        cells: the table as it was read, or as `Columns.read` left it.
        columns: what is known of it.

    Raises:
        DataError: a column that is not there.
    """
    cleared = columns.read(cells)
    found = [_values(cleared[column.name], column.codec) for column in columns.columns]
    names = [column.name for column in columns.columns]
    if columns.label is not None and columns.label in cells.names:
        names.append(columns.label)
        found.append(_words(cleared[columns.label], columns.classes))
    return RawValues(tuple(names), np.stack([values for values, _ in found], 1), tuple(words for _, words in found))


def _values(column: CellColumn, codec: object) -> tuple[np.ndarray, tuple[str, ...] | None]:
    if isinstance(codec, Word):
        return _words(column, codec.states)
    if isinstance(codec, Number):
        distinct = numbers_of(column, codec.numeral)
    else:
        assert isinstance(codec, Date)
        distinct = seconds_of(column, codec.format) / SECONDS_A_DAY
    return np.append(distinct, np.nan)[column.codes], None


def _words(column: CellColumn, known: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    texts = column.texts.to_pylist()
    new = [text for text in texts if text not in set(known)]
    number = {word: float(i) for i, word in enumerate((*known, *new))}
    return np.array([*(number[text] for text in texts), np.nan])[column.codes], (*known, *new)
