"""One rule of what says nothing: which words of a column stand for an empty cell."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from priorcraft.cells.column import CellColumn, Cells
from priorcraft.cells.compute import pc
from priorcraft.cells.numerals import numeral_of
from priorcraft.cells.types import is_category

# no table means a word by them
ALWAYS = (
    "#N/A",
    "#NA",
    "<NA>",
    "N/A",
    "NaN",
    "nan",
    "-nan",
    "-NaN",
    "n/a",
    "?",
    "NULL",
    "#NULL!",
    "#DIV/0!",
    "#VALUE!",
)
# a country, a garage, a surname: empty only in a table that has them among its numbers, too
SOMETIMES = ("NA", "na", "None", "none", "null", "Null", "NaT", "-", "--", ".", "1.#QNAN", "#REF!", "#NAME?", "#NUM!")


@dataclass(frozen=True)
class Emptied:
    """A table in which words that say nothing are empty cells.

    Args:
        cells: the table.
        taken: column to word to how many cells.
    """

    cells: Cells
    taken: dict[str, dict[str, int]]

    @property
    def notes(self) -> list[str]:
        """The same as `found`, with the way to say otherwise."""
        return [f"{told} Others are named by --empty." for told in self.found]

    @property
    def found(self) -> list[str]:
        """A sentence a word: where it was taken as empty, and how often."""
        words = dict[str, dict[str, int]]()
        for name, found in self.taken.items():
            for word, count in found.items():
                words.setdefault(word, {})[name] = count
        return [
            f"'{word}' is taken as empty: "
            + ", ".join(f"{count:,} in '{name}'" for name, count in list(places.items())[:4])
            + (f" and {len(places) - 4} more columns" if len(places) > 4 else "")
            + "."
            for word, places in words.items()
        ]


def emptied(cells: Cells, words: str | None = None) -> Emptied:
    """Takes words that say nothing as empty cells.

    An empty cell is empty. In a column that is of numbers but for them, all of `ALWAYS` and `SOMETIMES` are, too; in
    other columns those of `ALWAYS`, and those of `SOMETIMES` that stand in a column of numbers of the same table. In a
    frame or a parquet file, which say themselves what is missing, a word is a word, and what is but spaces is empty.

    Args:
        cells: the table.
        words: what the user takes as empty, separated by commas, in place of this rule; "" for no word at all.
    """
    return without(cells, rule(cells, words))


def rule(cells: Cells, words: str | None = None) -> dict[str, list[str]]:
    """The words of each column that are taken as empty; args as in `emptied`."""
    if words is not None:
        own = [word.strip() for word in words.split(",") if word.strip()]
        return {column.name: [*own, *_blank(column)] for column in cells.columns}
    texts = [column for column in cells.columns if not column.typed]
    numbers = {column.name for column in texts if _numbers_but_for(column, cells.decimal_comma)}
    seen = {word for column in texts if column.name in numbers for word in _found(column, SOMETIMES)}
    found = {
        column.name: [*ALWAYS, *(SOMETIMES if column.name in numbers else () if _short_codes(column) else seen)]
        for column in texts
    }
    return found | {column.name: blank for column in cells.columns if (blank := _blank(column))}


def _blank(column: CellColumn) -> list[str]:
    """Texts of a frame that hold nothing but spaces; those of files are empty cells already."""
    if not column.typed or is_category(column.dtype) or not pa.types.is_string(column.distinct.type):
        return []
    blank = pc.equal(pc.utf8_trim_whitespace(column.distinct), "")
    return column.distinct.filter(blank).to_pylist() if pc.any(blank).as_py() else []


def _numbers_but_for(column: CellColumn, comma: bool) -> bool:
    """Whether all but words of emptiness are numbers, and there are such words."""
    gone = _among(column, (*ALWAYS, *SOMETIMES))
    rest = column.distinct.filter(pa.array(~gone))
    return bool(gone.any()) and len(rest) > 0 and numeral_of(rest, comma=comma) is not None


def _short_codes(column: CellColumn) -> bool:
    """Whether every word is of two capital letters, as the codes of countries are, in which NA is Namibia."""
    return bool(len(column.distinct)) and bool(pc.all(pc.match_substring_regex(column.distinct, "^[A-Z]{2}$")).as_py())


def _among(column: CellColumn, words: Iterable[str]) -> np.ndarray:
    """Which of the values are among the words, bool, (V,)."""
    return pc.is_in(column.texts, pa.array(list(words), pa.string())).to_numpy(zero_copy_only=False)


def _found(column: CellColumn, words: Sequence[str]) -> list[str]:
    return column.texts.filter(pa.array(_among(column, words))).to_pylist()


def without(cells: Cells, words: Mapping[str, list[str]]) -> Emptied:
    """Takes the words that are given for each column as empty cells."""
    taken, columns = dict[str, dict[str, int]](), list[CellColumn]()
    for column in cells.columns:
        named = words.get(column.name, ())
        gone = _among(column, named) if named else np.zeros(len(column.distinct), dtype=bool)
        if gone.any():
            names = column.texts.filter(pa.array(gone)).to_pylist()
            taken[column.name] = dict(zip(names, column.counts[gone].tolist(), strict=True))
        columns.append(column.without(gone))
    return Emptied(cells.with_columns(columns), taken)
