"""The columns of a table that a model knows: cells to rows of integers, and rows of integers to cells again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from torch import Generator

from priorcraft.cells import CellColumn, Cells
from priorcraft.cells.column import EMPTY
from priorcraft.cells.emptiness import emptied
from priorcraft.cells.stored import StoredCells
from priorcraft.cells.types import is_category
from priorcraft.contents import brief
from priorcraft.core import Finer
from priorcraft.datasets.columns.aside import Identifier, Text
from priorcraft.datasets.columns.codec import HIDDEN
from priorcraft.datasets.columns.column import Column, Decoded, in_categories
from priorcraft.datasets.columns.naming import Stretch
from priorcraft.errors import DataError


class Encoded(NamedTuple):
    """A table as integers.

    x: int16, (N, entries); -1 where a cell is empty or holds what its column does not know.
    rest: log p(row | its integers), nats, see `Coded`, (N,).
    beyond: cells that their column had not shown, (N, modelled columns).
    strange: what is stranger in the row than its integers say, nats, see `Coded`, (N,).
    labels: classes as text, "" where not known, (N,); None without a label.
    """

    x: np.ndarray
    rest: np.ndarray
    beyond: np.ndarray
    strange: np.ndarray
    labels: np.ndarray | None


@dataclass(frozen=True)
class Columns:
    """The columns of a table, in their order.

    Args:
        all: every column but the label and the weights, those that are left out of p(x) among them.
        label: name of the column that is the class, if any.
        place: how many of the columns stand before it.
        classes: its states.
        weight: name of the column that says how much a row counts, if any.
        empty: the words that the user takes as empty, in place of the rule; None for the rule.
        label_dtype: type of the label in a data frame.
        label_categories: of a label of categories all of them, in their order.
        source: what the columns were learned from: "text", "parquet", "pandas", "polars" or "arrow"; "" if not known.
    """

    all: tuple[Column, ...]
    label: str | None = None
    place: int = 0
    classes: tuple[str, ...] = ()
    weight: str | None = None
    empty: str | None = None
    label_dtype: str = ""
    source: str = ""
    label_categories: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Those that have entries in x."""
        return tuple(column for column in self.all if column.sizes)

    @cached_property
    def layout(self) -> dict[str, np.ndarray]:
        """The entries of x that tell each column: all first digits come before the finer ones."""
        depths = [(d, i) for i, column in enumerate(self.columns) for d in range(len(column.sizes))]
        order = {slot: entry for entry, slot in enumerate(sorted(depths))}
        return {
            column.name: np.array([order[d, i] for d in range(len(column.sizes))])
            for i, column in enumerate(self.columns)
        }

    @property
    def entries(self) -> list[tuple[str, str, list[int]]]:
        """Name, kind and entries of x of each modelled column."""
        return [(c.name, c.codec.kind, self.layout[c.name].tolist()) for c in self.columns]

    @property
    def sizes(self) -> tuple[int, ...]:
        """States of each entry of x."""
        sizes = np.zeros(sum(len(column.sizes) for column in self.columns), dtype=int)
        for column in self.columns:
            sizes[self.layout[column.name]] = column.sizes
        return tuple(sizes.tolist())

    @property
    def finer(self) -> tuple[Finer, ...]:
        """Which entries of x are the fine digit of another."""
        places = [(self.layout[column.name].tolist(), digit) for column in self.columns for digit in column.finer]
        return tuple(Finer(at[digit.entry], at[digit.of], digit.states) for at, digit in places)

    @property
    def unordered(self) -> tuple[int, ...]:
        """Which entries of x are names."""
        named = [self.layout[column.name] for column in self.columns if column.codec.unordered]
        return tuple(sorted(int(entry) for entries in named for entry in entries))

    @property
    def header(self) -> list[str]:
        """The names in samples: all but texts, the label among them."""
        names = [column.name for column in self.all if not isinstance(column.codec, Text)]
        if self.label is None:
            return names
        before = sum(not isinstance(column.codec, Text) for column in self.all[: self.place])
        return [*names[:before], self.label, *names[before:]]

    def read(self, cells: Cells) -> Cells:
        """A table in which what says nothing is empty, by the rule of these columns."""
        return emptied(cells, self.empty).cells

    def lacking(self, cells: Cells | StoredCells) -> list[str]:
        """Names of the modelled columns that a table does not have."""
        return [column.name for column in self.columns if column.name not in cells.names]

    def completed(self, cells: Cells) -> Cells:
        """A table with the modelled columns that it lacks, empty, if it has any of them."""
        missing = [column for column in self.columns if column.name not in cells.names]
        if len(missing) == len(self.columns):
            return cells
        nothing, no_text = np.full(cells.rows, EMPTY, dtype=np.int32), pa.array([], pa.string())
        more = [CellColumn(column.name, nothing, no_text, dtype=column.dtype) for column in missing]
        return cells.with_columns([*cells.columns, *more])

    def encode(self, cells: Cells) -> Encoded:
        """The rows of a table, of which what says nothing has been emptied.

        Raises:
            DataError: a column that is not there, or a cell of another kind.
        """
        missing = self.lacking(cells)
        if missing:
            known = ", ".join(column.name for column in self.columns)
            raise DataError(f"{cells.source} has no column '{missing[0]}'; needed are {known}.")
        x = np.full((cells.rows, len(self.sizes)), HIDDEN, dtype=np.int16)
        rest, strange = np.zeros(cells.rows), np.zeros(cells.rows)
        beyond = np.zeros((cells.rows, len(self.columns)), dtype=bool)
        for i, column in enumerate(self.columns):
            coded = column.encode(cells[column.name], cells)
            x[:, self.layout[column.name]] = coded.x
            rest += coded.rest
            strange += coded.strange
            beyond[:, i] = coded.beyond
        return Encoded(x, rest, beyond, strange, self._labels(cells))

    def _labels(self, cells: Cells) -> np.ndarray | None:
        if self.label is None or self.label not in cells.names:
            return None
        column = cells[self.label]
        names = [*self._classes_of(column.texts.to_pylist()), ""]
        unknown = [i for i, name in enumerate(names[:-1]) if name not in self.classes]
        if unknown:
            row = int(np.isin(column.codes, unknown).argmax())
            few = ", ".join(self.classes[:8]) + (" ..." if len(self.classes) > 8 else "")
            raise DataError(
                f"{cells.source}, {cells.place(row)}: '{self.label}' must be one of {few}, "
                f"not '{brief(column.cell(row))}'; empty such cells, or take '{self.label}' out."
            )
        return np.array(names)[column.codes]

    def _classes_of(self, texts: list[str]) -> list[str]:
        """Texts as classes are written; of numbers, 1.0 is the class 1 where there is no other that is one."""
        numbers = {name: as_number(name) for name in reversed(self.classes)}
        by_value = {number: name for name, number in numbers.items() if number is not None}
        return [
            text
            if text in self.classes
            else by_value.get(value, text)
            if (value := as_number(text)) is not None
            else text
            for text in texts
        ]

    @property
    def dtypes(self) -> dict[str, str]:
        """The types in the data frame that the columns were learned from."""
        found = {column.name: column.dtype for column in self.all}
        return found if self.label is None else found | {self.label: self.label_dtype}

    def decoded(self, x: np.ndarray, generator: Generator, stretch: Stretch | None = None) -> tuple[Decoded, ...]:
        """Each column of samples with its values for rows x (N, entries), and which of them are empty.

        With a stretch of a long answer, names of rows are unique among all of its rows.
        """
        found = list[Decoded]()
        for column in self.all:
            own = x[:, self.layout[column.name]] if column.sizes else x[:, :0]
            if isinstance(column.codec, Identifier) and stretch is not None:
                found.append(Decoded(column, column.codec.named(len(x), stretch), np.zeros(len(x), dtype=bool)))
            elif not isinstance(column.codec, Text):
                found.append(Decoded(column, *column.decode(own, generator)))
        return tuple(found)

    def cells(self, x: np.ndarray, labels: Sequence[str] | None, generator: Generator) -> list[list[str]]:
        """Rows x (N, entries), and the names of their classes, as cells of text under the header."""
        return self.cells_of(self.decoded(x, generator), labels)

    def cells_of(self, drawn: Sequence[Decoded], labels: Sequence[str] | None) -> list[list[str]]:
        """The same of rows that `decoded` gave."""
        found = [each.texts for each in drawn]
        if self.label is not None:
            found.insert(self.header.index(self.label), self._label_cells(labels, len(drawn[0].values)))
        return [list(row) for row in zip(*found, strict=True)]

    def table_of(self, drawn: Sequence[Decoded], labels: Sequence[str] | None) -> pa.Table:
        """The same with the columns' own types."""
        found = {each.column.name: each.typed for each in drawn}
        if self.label is not None:
            names = self._label_cells(labels, len(drawn[0].values))
            found[self.label] = (
                in_categories(names, self.label_categories)
                if self.label_categories
                else _as_label(pa.array(names, pa.string()), self.label_dtype)
            )
        return pa.table({name: found[name] for name in self.header})

    def _label_cells(self, labels: Sequence[str] | None, n: int) -> list[str]:
        alone = self.classes[0] if len(self.classes) == 1 else ""
        return list(labels or [alone] * n)

    def as_json(self) -> dict[str, Any]:
        """For a run's config.json."""
        return {
            "columns": [column.as_json() for column in self.all],
            "label": self.label,
            "place": self.place,
            "classes": list(self.classes),
            "weight": self.weight,
            "empty": self.empty,
            "label_dtype": self.label_dtype,
            "label_categories": list(self.label_categories),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Columns":
        """The inverse of `as_json`."""
        return cls(
            tuple(Column.from_json(column) for column in found["columns"]),
            found["label"],
            int(found["place"]),
            tuple(found["classes"]),
            found.get("weight"),
            found.get("empty"),
            found.get("label_dtype", ""),
            found.get("source", ""),
            tuple(found.get("label_categories", ())),
        )


def as_number(text: str) -> float | None:
    """The number that a text is, if it is one."""
    try:
        return float(text)
    except ValueError:
        return None


def _as_label(words: pa.Array, dtype: str) -> pa.Array:
    """The names of classes with the type that a data frame had them in: numbers and truth values, else words."""
    if is_category(dtype):
        return words.dictionary_encode()
    try:
        return words.cast(pa.type_for_alias(dtype.lower()))
    except (ValueError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return words
