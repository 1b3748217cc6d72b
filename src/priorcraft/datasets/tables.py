"""Tables: text files, parquet files and data frames, a row an observation, a column a variable."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from priorcraft.cells import SUFFIXES, CellColumn, Cells, read_cells
from priorcraft.cells.emptiness import emptied
from priorcraft.cells.reading import files_of
from priorcraft.cells.stored import Unusual
from priorcraft.datasets.blocks import open_blocks, told_of_holes, told_of_silent
from priorcraft.datasets.columns import Column, Columns, Recognised, Types, as_stated, beside, recognised, stated
from priorcraft.datasets.columns.aside import Constant, Identifier
from priorcraft.datasets.columns.word import MOST, words_of
from priorcraft.datasets.labels import by_number
from priorcraft.datasets.raw import Raw
from priorcraft.datasets.shelf import MEMORY, Shelf
from priorcraft.datasets.weights import repeats, weight_of
from priorcraft.errors import DataError, UsageError, did_you_mean

__all__ = ["SUFFIXES", "columns_of", "open_table"]

BINS = 16  # coarse states of a column of numbers, unless asked otherwise
MANY_CLASSES = 100
Missing = Literal["fill", "keep"]


def open_table(
    source: str | Path | Any,
    *,
    label: str | None = None,
    bins: int | None = None,
    types: str | Path | Types | None = None,
    empty: str | None = None,
    missing: Missing = "fill",
    known: Columns | None = None,
    whole: bool = False,
    partial: bool = False,
    shelf: Shelf = MEMORY,
) -> Raw:
    """A table as rows of integers: each column has none, one or several entries, see `Columns`.

    Args:
        source: a text file with a header; a parquet file; or a data frame of pandas, polars or Arrow.
        label: the column that is the class.
        bins: coarse states of a column of more different numbers; None for twice the cube root of the rows (Rice's
            rule), at most 16.
        types: kinds of columns that the user knows better, see `columns.stated`.
        empty: words that are taken as empty in place of the rule, separated by commas.
        missing: "fill": what is missing is learned around, and samples are whole; "keep": an empty cell is a state
            of its column, and is drawn like the others.
        known: the columns of an earlier table, whose states these have; their label need not be there.
        partial: whether columns of `known` may be lacking; their cells are then holes.
        whole: for questions; weights are then passed over, so that answers and rows stay side by side.
        shelf: where the arrays of a long table are put; with a folder it is read block by block.

    Raises:
        UsageError: no such label, or bins outside 2 ... 32.
        DataError: a damaged file, no column to learn from, or a cell of another kind than `known` says.
    """
    if bins is not None and not 2 <= bins <= MOST:
        raise UsageError(f"levels of a table, its bins of numbers, must lie in 2 ... {MOST}, not {bins}.")

    told = beside(Path(source)) if types is None and isinstance(source, str | Path) else None

    def recognise(cells: Cells) -> Columns:
        few = max(2, round(2 * cells.rows ** (1 / 3)))
        found = columns_of(cells, label, bins or min(few, BINS), types=told or types, empty=empty, missing=missing)
        note = f"the kinds of columns are taken from {told}; --types says others."
        return found if told is None else replace(found, notes=(note, *found.notes))

    if shelf.folder is not None and isinstance(source, str | Path):
        with suppress(Unusual):
            asked = {"whole": whole, "lacking": partial}
            raw = open_blocks(files_of(source), str(source), shelf, recognise, known, empty, **asked)
            if raw is not None and raw.columns is not None and raw.table is not None:
                return replace(raw, notes=(*raw.notes, *told_of_lacking(raw.columns.lacking(raw.table))))
    found = read_cells(source)
    cleared = emptied(found, empty if known is None else known.empty)
    cells, columns = cleared.cells, known or recognise(cleared.cells)
    notes = [*found.notes, *([*cleared.notes, *columns.notes] if known is None else cleared.found)]
    coded = columns.encode(columns.completed(cells) if partial else cells)
    notes += told_of_lacking(columns.lacking(cells))
    for column in (column for column, new in zip(columns.columns, np.any(coded.beyond, axis=0), strict=True) if new):
        rows = int(coded.beyond[:, columns.columns.index(column)].sum())
        notes.append(f"'{column.name}' has {rows:,} cell{'s' * (rows > 1)} beyond what the model has seen.")
    x, seen = np.maximum(coded.x, 0), coded.x >= 0
    labels, rest, strange = coded.labels, coded.rest, coded.strange
    rows = np.arange(len(x))
    if columns.weight is not None and not whole:
        rows, told = repeats(cells[columns.weight], found.source)
        x, seen, rest, strange, notes = x[rows], seen[rows], rest[rows], strange[rows], [*notes, told]
        labels = None if labels is None else labels[rows]
    if not whole and not seen.any(1).all():
        kept = seen.any(1)
        notes.append(told_of_silent(int((~kept).sum())))
        x, seen, rest, strange, rows = x[kept], seen[kept], rest[kept], strange[kept], rows[kept]
        labels = None if labels is None else labels[kept]
    if not len(x):
        raise DataError(f"{found.source} has no row with a cell that says anything; fill some rows.")
    if not seen.all():
        notes.append(told_of_holes(int((~seen.all(1)).sum()), len(x), known=known is not None))
    return Raw(
        found.source,
        {"train": x},
        {} if labels is None else {"train": labels},
        max(columns.sizes),
        columns.classes or None,
        tuple(notes),
        columns,
        seen=None if seen.all() else seen,
        rest=rest,
        strange=strange,
        table=cells.take(rows),
    )


def told_of_lacking(names: Sequence[str]) -> list[str]:
    """A sentence about columns that are not there."""
    if not names:
        return []
    few = ", ".join(f"'{name}'" for name in names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return [f"there is no column {few}: what the model knows of it is summed out, as of empty cells."]


def columns_of(
    cells: Cells,
    label: str | None,
    bins: int,
    *,
    types: str | Path | Types | None = None,
    empty: str | None = None,
    missing: Missing = "fill",
) -> Columns:
    """The columns of a table: which kind each is of, and why.

    Raises:
        UsageError: no such label, a kind for a column that is not there.
        DataError: no column to learn from.
    """
    if label is not None and label not in cells.names:
        raise UsageError(f"{cells.source} has no column '{label}' for a label: {did_you_mean(label, cells.names)}")
    said = stated(types)
    for name in said:
        if name not in cells.names:
            raise UsageError(f"types: {cells.source} has no column '{name}': {did_you_mean(name, cells.names)}")
    weight = weight_of(cells, {name: kind.kind for name, kind in said.items()}, label)
    kinds = {
        column.name: as_stated(column, said[column.name], bins, cells.source, comma=cells.decimal_comma)
        if column.name in said
        else recognised(column, bins, comma=cells.decimal_comma)
        for column in cells.columns
        if column.name not in (label, weight)
    }
    all_ = tuple(_column(cells[name], kind, missing) for name, kind in kinds.items())
    notes = [_told(column, int(cells[column.name].empty.sum())) for column in all_ if not column.sizes]
    almost = [column for column in all_ if column.sizes and column.reason.startswith("it would be")]
    notes += [f"column '{column.name}' is taken as words; {column.reason}." for column in almost]
    if weight is not None:
        notes.append(
            f"column '{weight}' says how often each row counts, and is no variable; --types {weight}=number if it is."
        )
    if not any(column.sizes for column in all_):
        reasons = "; ".join(f"'{column.name}': {column.codec.described()}" for column in all_)
        raise DataError(f"{cells.source} has no column to learn from: {reasons or 'there is but the label'}.")
    if label is None:
        return Columns(all_, weight=weight, empty=empty, source=cells.kind, notes=tuple(notes))
    classes = tuple(sorted(cells[label].texts.to_pylist(), key=by_number))
    if len(classes) > MANY_CLASSES:
        notes.append(
            f"'{label}' has {len(classes):,} classes; if it is a number, leave --label out and ask for it with impute."
        )
    place = [name for name in cells.names if name != weight].index(label)
    own = cells[label]
    return Columns(
        all_, label, place, classes, weight, empty, own.dtype, cells.kind, own.categories, notes=tuple(notes)
    )


def _column(column: CellColumn, kind: Recognised, missing: Missing) -> Column:
    holes = missing == "keep" and bool(column.empty.any())
    if holes and isinstance(kind.codec, Constant) and kind.codec.value:  # a word, or nothing
        boolean = pa.types.is_boolean(column.distinct.type)
        kind = Recognised(words_of(column, boolean=boolean), f"{kind.reason}, or nothing")
    keeps = holes and bool(kind.codec.sizes)
    return Column(column.name, kind.codec, kind.reason, column.dtype, keeps, column.categories)


def _told(column: Column, empty: int) -> str:
    if isinstance(column.codec, Constant) and column.codec.value and empty:
        return (
            f"column '{column.name}' says {column.codec.value} or nothing ({empty:,} empty cells) and is left out of "
            f"p(x): it says {column.codec.value} throughout samples; --missing keep draws its empty cells, too."
        )
    why = f": {column.reason}" if not isinstance(column.codec, Constant) else ""
    kept = "" if isinstance(column.codec, (Identifier, Constant)) else "; impute keeps it"
    return f"column '{column.name}' is left out of p(x), {column.codec.described()}{why}{kept}."
