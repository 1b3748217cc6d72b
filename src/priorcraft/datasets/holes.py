"""A table with empty cells: what is seen of its rows, and the table again with draws in the holes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Generator, Tensor

from priorcraft.cells import CellColumn, Cells, read_cells
from priorcraft.cells.emptiness import emptied, without
from priorcraft.cells.writing import arrow_table
from priorcraft.core import UNLABELLED
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.columns.column import Column


@dataclass(frozen=True)
class Holes:
    """A table as rows of a model, with what is missing.

    Args:
        cells: the table as it was read.
        columns: what the model knows of it.
        x, seen: its rows, (B, D), and which entries are there.
        labels: classes, (B,), -1 where not known; None if the model has none.
        empty: which cells of each column of `columns.columns` are empty, (B, C); the others are never changed.
        rest: log p of what is seen of a row given its integers, nats, (B,).
        strange: by how many nats a row's values are stranger than its integers say, (B,).
        added: columns that the table lacked.
        classes: of the model.
    """

    cells: Cells
    columns: Columns
    x: Tensor
    seen: Tensor
    labels: Tensor | None
    empty: np.ndarray
    rest: np.ndarray
    strange: np.ndarray
    added: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        source: str | Path | Any,
        columns: Columns,
        classes: tuple[str, ...],
        words: Mapping[str, list[str]] | None = None,
    ) -> "Holes":
        """A table in columns that are known.

        Args:
            source: cells, or what `read_cells` takes.
            columns, classes: of the model.
            words: that are empty cells in each column, where `source` is a part of a table; None asks all of it.

        Raises:
            DataError: a file that cannot be read, or cells of another kind than its columns.
        """
        given = source if isinstance(source, Cells) else read_cells(source)
        cells = columns.completed(given)
        cleared = columns.read(cells) if words is None else without(cells, words).cells
        coded = columns.encode(cleared)
        labels = None
        if classes:
            names = [""] * cells.rows if coded.labels is None else coded.labels.tolist()
            labels = torch.tensor([classes.index(name) if name in classes else UNLABELLED for name in names])
        points = torch.from_numpy(coded.x.astype(np.int64))
        empty = np.stack([cleared[column.name].empty for column in columns.columns], 1)
        seen = points >= 0
        for i, column in enumerate(columns.columns):  # an empty cell is a hole, also where it is a state by itself
            if column.keeps:
                seen[:, columns.layout[column.name]] &= torch.from_numpy(~empty[:, i, None])
        return cls(
            cells,
            columns,
            points.clamp_min(0),
            seen,
            labels,
            empty,
            coded.rest,
            coded.strange,
            tuple(columns.lacking(given)),
            classes,
        )

    @property
    def open(self) -> np.ndarray:
        """Rows with at least one empty cell, (B,)."""
        return np.any(self.empty, axis=1) | self.unlabelled

    @property
    def open_labels(self) -> Tensor | None:
        """The classes of the rows in `open`, -1 where not known; None if the model has none."""
        return None if self.labels is None else self.labels[torch.from_numpy(self.open)]

    @property
    def unlabelled(self) -> np.ndarray:
        """Rows whose class is an empty cell, (B,)."""
        if self.labels is None or self.columns.label not in self.cells.names:
            return np.zeros(len(self.x), bool)
        return (self.labels == UNLABELLED).numpy()

    def notes(self) -> list[str]:
        """Which words are taken as empty, what stays empty, and why."""
        known = {column.name for column in self.columns.columns} | ({self.columns.label} if self.classes else set())
        cleared = emptied(self.cells, self.columns.empty)
        left = [column.name for column in cleared.cells.columns if column.name not in known and column.empty.any()]
        told = [f"empty cells of '{name}' stay empty: the model does not draw that column." for name in left]
        told = [*cleared.found, *told]
        return [*told, *(f"there is no column '{name}'; it is drawn like empty cells." for name in self.added)]

    def filled(self, drawn: np.ndarray, classes: np.ndarray | None, generator: Generator) -> Cells:
        """The table with draws in its empty cells, and nowhere else.

        Args:
            drawn, classes: rows of `open`, (B', D), and the numbers of their classes, (B',); None leaves those empty.
            generator: of the values that the integers of a row stand for.
        """
        rows = np.flatnonzero(self.open)
        columns = {column.name: column for column in self.cells.columns}
        for i, column in enumerate(self.columns.columns):
            holes = self.empty[rows, i]
            if not holes.any():
                continue
            own = drawn[holes][:, self.columns.layout[column.name]]
            values, gone = column.decode(own, generator)
            new = _cells(columns[column.name], column, values)
            columns[column.name] = _with(columns[column.name], rows[holes], new, gone)
        nameless = self.unlabelled[rows]
        if classes is not None and self.columns.label is not None and nameless.any():
            old = columns[self.columns.label]
            new = pa.array(np.array(self.classes)[classes[nameless]], pa.string()).cast(old.distinct.type)
            columns[old.name] = _with(old, rows[nameless], new, np.zeros(len(new), bool))
        return self.cells.with_columns([columns[name] for name in self.cells.names])

    def table(self, drawn: np.ndarray, classes: np.ndarray | None, generator: Generator) -> pa.Table:
        """The table n times over, filled from draws (B', n, D) and classes (B', n), and numbered if n is above 1."""
        named = [None] * drawn.shape[1] if classes is None else list(classes.T)
        each = [arrow_table(self.filled(drawn[:, i], named[i], generator)) for i in range(drawn.shape[1])]
        if len(each) == 1:
            return each[0]
        number = "imputation"
        while number in self.cells.names:
            number += "_"
        numbers = np.repeat(np.arange(1, len(each) + 1), self.cells.rows)
        return pa.concat_tables(each, promote_options="permissive").add_column(0, number, pa.array(numbers))


def _cells(cells: CellColumn, column: Column, values: np.ndarray) -> pa.Array:
    """Values as the column's cells are held: words of a file, else its own type."""
    if not cells.typed or pa.types.is_string(cells.distinct.type):
        return pa.array(column.codec.write(values), pa.string())
    new = column.codec.typed(values)
    return new.cast(cells.distinct.type, safe=False) if new.type != cells.distinct.type else new


def _with(cells: CellColumn, rows: np.ndarray, new: pa.Array, gone: np.ndarray) -> CellColumn:
    """A column with new cells in some of its rows, empty where they are `gone`."""
    once = pa.concat_arrays([cells.distinct, new]).dictionary_encode()
    number = once.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    codes = np.append(number[: len(cells.distinct)], -1)[cells.codes]  # an empty cell is the last
    codes[rows] = np.where(gone, -1, number[len(cells.distinct) :])
    return replace(cells, codes=codes.astype(np.int32), distinct=once.dictionary)
