"""One column of a table: its kind, its cells as integers, and integers as cells with the type that they had."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from torch import Generator

from priorcraft.cells import CellColumn, Cells
from priorcraft.cells.types import is_text
from priorcraft.contents import brief
from priorcraft.core import Finer
from priorcraft.datasets.columns.aside import Constant, Identifier, Text
from priorcraft.datasets.columns.codec import Codec, Coded
from priorcraft.datasets.columns.date import Date
from priorcraft.datasets.columns.legacy import legacy_codec
from priorcraft.datasets.columns.number import Number
from priorcraft.datasets.columns.word import Word
from priorcraft.errors import DataError

CODECS: dict[str, type[Codec]] = {codec.kind: codec for codec in (Word, Number, Date, Constant, Text, Identifier)}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: of the column.
        codec: its kind, and what its integers stand for.
        reason: why it is of that kind.
        dtype: its type in the data frame that it was learned from; "" without one.
        keeps: whether an empty cell is a state of its own, the last of its first entry.
        categories: of a frame's column of categories all of them, in their order; () of others.
    """

    name: str
    codec: Codec
    reason: str = ""
    dtype: str = ""
    keeps: bool = False
    categories: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """States of its entries; () where it is left out of p(x)."""
        sizes = self.codec.sizes
        return (self.gone + 1, *sizes[1:]) if self.keeps and sizes else sizes

    @property
    def gone(self) -> int:
        """The state of an empty cell in its first entry, where it has one."""
        alone = isinstance(self.codec, Word) and len(self.codec.states) == 1
        return 1 if alone else self.codec.sizes[0]

    @property
    def finer(self) -> tuple[Finer, ...]:
        """Which of its entries are fine digits of others; an empty cell has the first of each."""
        return tuple(
            replace(digit, states=(*digit.states, 1)) if self.keeps and digit.of == 0 else digit
            for digit in self.codec.finer
        )

    def encode(self, column: CellColumn, cells: Cells) -> Coded:
        """The integers of its cells.

        Raises:
            DataError: a cell of another kind, with the line that it stands in.
        """
        try:
            coded = self.codec.encode(column)
        except ValueError as wrong:
            row = next(i for i in range(len(column)) if column.cell(i) == str(wrong))
            raise DataError(
                f"{cells.source}, {cells.place(row)}: '{self.name}' must be a {self.codec.kind}, "
                f"written like {self.codec.like}, not '{brief(str(wrong))}'; write it so, or empty it."
            ) from None
        if not (self.keeps and self.codec.sizes):
            return coded
        missing = np.zeros(coded.x.shape[1], dtype=np.int64)
        missing[0] = self.gone
        return coded._replace(x=np.where(column.empty[:, None], missing, coded.x))

    def decode(self, x: np.ndarray, generator: Generator) -> tuple[np.ndarray, np.ndarray]:
        """A value for each row of integers (N, entries), and which of them are empty cells."""
        values = self.codec.decode(x, generator)
        if isinstance(self.codec, Constant) and not self.codec.value:
            return values, np.ones(len(x), dtype=bool)
        if not (self.keeps and self.codec.sizes):
            return values, np.zeros(len(x), dtype=bool)
        return values, x[:, 0] == self.gone

    def as_json(self) -> dict[str, Any]:
        """For a run's config.json."""
        more = {"name": self.name, "reason": self.reason, "dtype": self.dtype, "keeps": self.keeps}
        return more | {"codec": self.codec.as_json(), "categories": list(self.categories)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Column":
        """The inverse of `as_json`; also of what runs kept before there were kinds."""
        if "codec" not in found:
            return cls(str(found["name"]), legacy_codec(found))
        codec = CODECS[found["codec"]["kind"]].of_json(found["codec"])
        categories = tuple(found.get("categories", ()))
        return cls(found["name"], codec, found["reason"], found["dtype"], bool(found["keeps"]), categories)


class Decoded(NamedTuple):
    """One column of drawn rows.

    column: which. values: as its codec has them, (N,). empty: which cells are empty, (N,).
    """

    column: Column
    values: np.ndarray
    empty: np.ndarray

    def take(self, rows: np.ndarray) -> "Decoded":
        """Some of the rows, by number or by mask."""
        return self._replace(values=self.values[rows], empty=self.empty[rows])

    @classmethod
    def joined(cls, parts: Sequence["Decoded"]) -> "Decoded":
        """The rows of several parts of one column."""
        values, empty = ([getattr(part, name) for part in parts] for name in ("values", "empty"))
        return cls(parts[0].column, np.concatenate(values), np.concatenate(empty))

    @property
    def texts(self) -> list[str]:
        """Its cells as text, "" where they are empty."""
        written = self.column.codec.write(self.values)
        return ["" if gone else text for text, gone in zip(written, self.empty, strict=True)]

    @property
    def typed(self) -> pa.Array:
        """Its cells with their own type; what a frame had as text is text."""
        codec = self.column.codec
        if self.column.categories:
            ordered = isinstance(codec, Word) and codec.ordered
            return in_categories(self.texts, self.column.categories, ordered=ordered)
        plain = codec.write(self.values) if is_text(self.column.dtype) and isinstance(codec, Number) else None
        return with_holes(codec.typed(self.values) if plain is None else pa.array(plain, pa.string()), self.empty)


def in_categories(texts: Sequence[str], categories: Sequence[str], *, ordered: bool = False) -> pa.Array:
    """Texts as a dictionary of all categories in their order, nothing where a text is empty."""
    where = {category: i for i, category in enumerate(categories)}
    codes = pa.array([where.get(text) for text in texts], pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(categories, pa.string()), ordered=ordered)


def with_holes(values: pa.Array, empty: np.ndarray) -> pa.Array:
    """Values with nothing where a cell is empty."""
    if not empty.any():
        return values
    rows = np.arange(len(values))
    return values.take(pa.array(np.where(empty, -1, rows), pa.int64(), mask=empty))
