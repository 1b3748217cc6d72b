"""Tables: .csv files and data frames, a row an observation, a column a variable."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from priorcraft.datasets.columns import BINS, MOST, Column, Columns, column_of, empty
from priorcraft.datasets.labels import by_number
from priorcraft.datasets.raw import Raw
from priorcraft.disk import parsing
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.probability.reading import Frame, Rows, from_csv, from_frame

PARQUET = ".parquet"
SUFFIXES = (".csv", ".tsv", ".txt", PARQUET)


def read_table(source: str | Path | Frame) -> Rows:
    """The cells of a text file, a parquet file or a data frame.

    Raises:
        DataError: a damaged file, or parquet without pandas and pyarrow.
    """
    if isinstance(source, Frame):
        return from_frame(source)
    if Path(source).suffix.lower() != PARQUET:
        return from_csv(source)
    try:
        from pandas import read_parquet

        with parsing(source, "parquet"):
            return replace(from_frame(read_parquet(source)), source=str(source))
    except ImportError:
        raise DataError(
            f"{source} needs pandas and pyarrow: pip install 'priorcraft[tables]', or save a .csv."
        ) from None


def open_table(
    source: str | Path | Frame,
    *,
    label: str | None = None,
    bins: int | None = None,
    known: Columns | None = None,
    whole: bool = False,
) -> Raw:
    """A table as rows of integers, one column each; rows with empty cells are left out, with a note.

    Args:
        source: a text file with a header, separated by comma, semicolon or tab; a parquet file; or a pandas data frame.
        label: the column that is the class.
        bins: into how many bins of equally many rows a column of more different numbers is put; None for
            twice the cube root of the rows (Rice's rule), at most 16.
        known: the columns of an earlier table, whose states these must have; their label need not be there.
        whole: refuse empty cells, so that answers and rows stay side by side.

    Raises:
        UsageError: no such label, or bins outside 2 ... 32.
        DataError: a damaged file, no column to learn from, no whole row, or a state that `known` does not have.
    """
    table = read_table(source)
    if bins is not None and not 2 <= bins <= MOST:
        raise UsageError(f"levels of a table, its bins of numbers, must lie in 2 ... {MOST}, not {bins}.")
    left_out = dict[str, str]()
    if known is None:
        few = max(2, round(2 * len(table.rows) ** (1 / 3)))
        known, left_out = _found(table, label, bins or min(few, BINS))
    x, y = encoded(table, known)
    there = (x >= 0).all(1)
    if whole and not there.all():
        place, _ = table.rows[int((~there).argmax())]
        raise DataError(f"{table.source}, {place}: a cell is empty; fill such cells in with impute first.")
    if not there.any():
        raise DataError(f"{table.source} has no row without an empty cell; fill some rows, or take columns out.")
    notes = [f"column '{name}' is left out: {why}." for name, why in left_out.items()]
    if not there.all():
        notes.append(f"{int((~there).sum())} of {len(x)} rows have empty cells and are left out; impute fills them in.")
    labels = {} if y is None else {"train": y[there]}
    return Raw(table.source, {"train": x[there]}, labels, max(known.sizes), known.classes or None, tuple(notes), known)


def encoded(table: Rows, columns: Columns) -> tuple[np.ndarray, np.ndarray | None]:
    """The rows of a table as integers, -1 where empty, (N, D), and their labels as text, "" where empty, (N,).

    Raises:
        DataError: a column that is not there, or a cell that its column does not have.
    """
    places = [place for place, _ in table.rows]
    missing = [column.name for column in columns.columns if column.name not in table.names]
    if missing:
        known = ", ".join(column.name for column in columns.columns)
        raise DataError(f"{table.source} has no column '{missing[0]}'; needed are {known}.")
    each = [column.encode(cells_of(table, column.name), places, table.source) for column in columns.columns]
    x = np.stack(each, 1)
    if columns.label is None or columns.label not in table.names:
        return x, None
    label = Column(columns.label, columns.classes).encode(cells_of(table, columns.label), places, table.source)
    return x, np.array([*columns.classes, ""])[label]  # the last one, number -1, stands for an empty cell


def cells_of(table: Rows, name: str) -> list[str]:
    """One column."""
    i = table.names.index(name)
    return [row[i] for _, row in table.rows]


def _found(table: Rows, label: str | None, bins: int) -> tuple[Columns, dict[str, str]]:
    """The columns to learn from, and why the others are not."""
    if label is not None and label not in table.names:
        raise UsageError(f"{table.source} has no column '{label}' for a label: {did_you_mean(label, table.names)}")
    found = {name: column_of(name, cells_of(table, name), bins) for name in table.names if name != label}
    columns = tuple(column for column in found.values() if isinstance(column, Column))
    left_out = {name: why for name, why in found.items() if isinstance(why, str)}
    if not columns:
        reasons = "; ".join(f"'{name}' is {why}" for name, why in left_out.items()) or "there is but the label"
        raise DataError(f"{table.source} has no column to learn from: {reasons}.")
    kept = [name for name in table.names if name not in left_out]
    if label is None:
        return Columns(columns), left_out
    classes = sorted({cell for cell in cells_of(table, label) if not empty(cell)}, key=by_number)
    return Columns(columns, label, kept.index(label), tuple(classes)), left_out


def written(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """A table as comma-separated text in UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
