"""Columns of cells: each different text once, and which row holds which."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from priorcraft.cells.compute import pc
from priorcraft.cells.types import is_opaque
from priorcraft.errors import DataError, did_you_mean

EMPTY = -1  # in the place of a word's number: there is nothing in the cell


@dataclass(frozen=True)
class CellColumn:
    """One column: its different values, and the number of the value in each row.

    Args:
        name: of the column.
        codes: which of the values stands in each row, int32, (N,); -1 where the cell is empty.
        distinct: the values, each once: texts, or the numbers, times or truth values of a typed column.
        typed: whether the source says of what type the values are; texts of a file say nothing.
        dtype: the type by the name that a data frame gives it; "" without one.
        ordered: whether the source says that the values are in order.
        objects: of a column of Python objects that no type tells, what stands in each row, (N,); None of others.
        values: of a frame's categories that are no words, the categories themselves; None of others.
    """

    name: str
    codes: np.ndarray
    distinct: pa.Array
    typed: bool = False
    dtype: str = ""
    ordered: bool = False
    objects: np.ndarray | None = field(default=None, repr=False, compare=False)
    values: Sequence[Any] | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def empty(self) -> np.ndarray:
        """Where there is nothing, bool, (N,)."""
        return self.codes == EMPTY

    @property
    def categories(self) -> tuple[str, ...]:
        """Of a frame's column of categories all of them, seen or not, in their order; () of others."""
        return tuple(self.texts.to_pylist()) if self.typed and self.dtype.startswith("category") else ()

    @cached_property
    def counts(self) -> np.ndarray:
        """How often each of the values stands there, (V,)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.distinct))

    @cached_property
    def texts(self) -> pa.Array:
        """The different values as text, (V,)."""
        if pa.types.is_string(self.distinct.type):
            return self.distinct
        if is_opaque(self.distinct.type):
            return pa.array([str(value) for value in self.distinct.to_pylist()], pa.string())
        if pa.types.is_boolean(self.distinct.type):
            return pa.array(["True" if value else "False" for value in self.distinct.to_pylist()], pa.string())
        return pc.cast(self.distinct, pa.string())

    def without(self, gone: np.ndarray) -> "CellColumn":
        """The same column with some of the values, bool (V,), taken as empty."""
        if not gone.any():
            return self
        number = np.where(gone, EMPTY, np.cumsum(~gone) - 1).astype(np.int32)
        codes = np.where(self.codes < 0, EMPTY, number[self.codes])
        return replace(self, codes=codes, distinct=self.distinct.filter(pa.array(~gone)))

    def take(self, rows: np.ndarray) -> "CellColumn":
        """Some of the rows, by number or by mask."""
        return replace(self, codes=self.codes[rows], objects=None if self.objects is None else self.objects[rows])

    def cell(self, row: int) -> str:
        """The text of one cell, "" where it is empty."""
        return "" if self.codes[row] < 0 else str(self.texts[int(self.codes[row])])


@dataclass(frozen=True)
class Cells:
    """A table of cells.

    Args:
        source: what the user called it.
        columns: in their order.
        rows: number of rows.
        notes: what was found in reading it.
        first: number of the first row, as messages name it.
        unit: what messages call a row: "line" of a file, "row" of a frame.
        decimal_comma: whether the file separates cells by something that leaves the comma to numbers.
        kind: "text", "parquet", "pandas", "polars" or "arrow".
        index: names of the rows of a pandas frame; None without any.
        labels: names of its columns, where they are not all texts; () else.
    """

    source: str
    columns: tuple[CellColumn, ...]
    rows: int
    notes: tuple[str, ...] = ()
    first: int = 1
    unit: str = "row"
    decimal_comma: bool = False
    kind: str = "text"
    index: Any = field(default=None, repr=False, compare=False)
    labels: tuple[Any, ...] = field(default=(), repr=False, compare=False)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    def __getitem__(self, name: str) -> CellColumn:
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(f"{self.source} has no column '{name}'; {did_you_mean(name, self.names)}")

    def place(self, row: int) -> str:
        """What messages call a row."""
        return f"{self.unit} {row + self.first}"

    def take(self, rows: np.ndarray) -> "Cells":
        """Some of the rows, by number or by mask."""
        taken = tuple(column.take(rows) for column in self.columns)
        count = int(rows.sum()) if rows.dtype == bool else len(rows)
        return replace(self, columns=taken, rows=count, index=None if self.index is None else self.index[rows])

    def with_columns(self, columns: Sequence[CellColumn]) -> "Cells":
        """The same table with other columns."""
        return replace(self, columns=tuple(columns))


def column_of_texts(name: str, texts: pa.Array | pa.ChunkedArray) -> CellColumn:
    """A column of a text file: spaces around a cell do not count, and an empty text is an empty cell."""
    found = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if not pa.types.is_dictionary(found.type):
        found = found.dictionary_encode()
    words = pc.utf8_trim_whitespace(found.dictionary.cast(pa.string()))
    codes = found.indices.fill_null(EMPTY).to_numpy(zero_copy_only=False).astype(np.int32)
    once = words.dictionary_encode()
    if len(once.dictionary) < len(words):
        number = once.indices.to_numpy(zero_copy_only=False).astype(np.int32)
        codes, words = np.where(codes < 0, EMPTY, number[codes]).astype(np.int32), once.dictionary
    column = CellColumn(name, codes, words)
    return column.without(pc.equal(words, "").to_numpy(zero_copy_only=False))
