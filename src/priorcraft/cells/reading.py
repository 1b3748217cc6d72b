"""Files and frames as columns of cells."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from priorcraft.cells.column import Cells, column_of_texts
from priorcraft.cells.dialect import Dialect, dialect_of
from priorcraft.cells.frames import cells_of_frame, is_frame
from priorcraft.cells.stored import Unusual, stored
from priorcraft.contents import parsing
from priorcraft.errors import DataError

PARQUET = ".parquet"
SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data", PARQUET)
MOST_COLUMNS = 10_000
LOOKED_AT = 64  # files of a folder that say of what kind it is


def read_cells(source: str | Path | Any) -> Cells:
    """The cells of a text file, a parquet file or a data frame.

    Args:
        source: a path, also of a folder of files of one kind; or a data frame of pandas, polars or Arrow. Text may be
            separated by comma, semicolon, tab, a bar or white space, with or without a line `sep=;`, in UTF-8, UTF-16,
            Windows-1252 or an older encoding of another script, see `encodings`.

    Raises:
        DataError: a file that cannot be read, or is no table: names that are missing or there twice, rows of another
            length, no rows, or more than 10,000 columns.
    """
    if is_frame(source):
        cells = cells_of_frame(source)
    elif Path(source).is_dir():
        cells = _folder(Path(source))
    elif Path(source).suffix.lower() == PARQUET:
        cells = _parquet(Path(source))
    else:
        cells = _text(Path(source))
    _check_names(cells)
    return cells


def _check_names(cells: Cells) -> None:
    twice = [name for name, times in Counter(cells.names).items() if times > 1]
    if twice:
        found = f"'{twice[0]}' twice" if twice[0] else "two columns without a name"
        raise DataError(
            f"{cells.source} must name each column once; found {'; '.join([found, *cells.notes]).rstrip('.')}."
        )
    if "" in cells.names[1:]:
        raise DataError(f"{cells.source} must name each column once; found a column without a name.")
    if not cells.rows:
        raise DataError(f"{cells.source} has column names but no rows; at least one is needed.")


def _check_width(source: str, columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise DataError(
            f"{source} has {columns:,} columns, more than {MOST_COLUMNS:,}; keep those that belong together, or give "
            "numbers of one kind as an .npy array."
        )


def _parquet(path: Path) -> Cells:
    with parsing(path, "parquet"):
        _check_width(str(path), len(pyarrow.parquet.read_schema(path).names))
        table = pyarrow.parquet.read_table(path)
        index = [name for name in table.column_names if name.startswith("__index_level_")]
        cells = cells_of_frame(table.drop_columns(index), str(path))
    return replace(cells, kind="parquet")


def files_of(source: str | Path) -> list[Path]:
    """The files of a table: one, or those of a folder of parquet files, or of text files, in the order of their names.

    >>> files_of("table.csv")
    [PosixPath('table.csv')]
    """
    path = Path(source)
    if not os.path.isdir(path):
        return [path]
    found = sorted(file for file in _shown(path.rglob("*")) if file.suffix.lower() in SUFFIXES)
    return [file for file in found if file.suffix.lower() == PARQUET] or found


def is_folder_of_tables(path: Path) -> bool:
    """Whether a folder holds files of tables of one kind and, in the folders below it, nothing else."""
    if not os.path.isdir(path):
        return False
    own = {file.suffix.lower() for file in islice(_shown(path.iterdir()), LOOKED_AT)}
    kind = {PARQUET} if own == {PARQUET} else {".csv", ".tsv"}
    # a list beside folders of images tells of the images
    return bool(own) and own <= kind and all(file.suffix.lower() in kind for file in _shown(path.rglob("*")))


def _shown(found: Iterable[Path]) -> Iterator[Path]:
    """Those that are files and not hidden."""
    return (file for file in found if not file.name.startswith((".", "_")) and file.is_file())


def _folder(path: Path) -> Cells:
    """The files of a folder, one below the other."""
    files = files_of(path)
    if files[0].suffix.lower() != PARQUET:
        try:
            with TemporaryDirectory(prefix="priorcraft-") as place:
                table = stored(files, str(path), Path(place) / "cells.parquet")
                return table.take(np.arange(table.rows))
        except Unusual as reason:
            raise DataError(f"the files in {path} cannot be read as one table: {reason}.") from None
    with parsing(path, "parquet"):
        tables = [pyarrow.parquet.read_table(file) for file in files]
        names = [table.column_names for table in tables]
        if any(own != names[0] for own in names):
            raise DataError(f"the parquet files in {path} have different columns; put tables of one kind there.")
        table = pa.concat_tables(tables, promote_options="permissive").replace_schema_metadata()
        cells = cells_of_frame(table, str(path))
    return replace(cells, kind="parquet")


def _text(path: Path) -> Cells:
    with parsing(path, "a table"):
        dialect = dialect_of(path.read_bytes(), str(path))
    names = dialect.names
    _check_width(str(path), len(names))
    table = _table(dialect, str(path))
    columns = [column_of_texts(name, table.column(i)) for i, name in enumerate(names) if name is not None]
    return Cells(
        str(path),
        tuple(columns),
        table.num_rows,
        dialect.notes,
        first=dialect.line + dialect.height,
        unit="line",
        decimal_comma=dialect.separator != ",",
    )


def _table(dialect: Dialect, source: str) -> pa.Table:
    """Every column as text, each different text once."""
    wrong = list[Any]()

    def refuse(row: Any) -> str:
        wrong.append(row)
        return "skip"

    labels = [str(i) for i in range(len(dialect.names))]
    quoted = b'"' in dialect.text
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(dialect.text),
            pyarrow.csv.ReadOptions(
                column_names=labels,
                skip_rows=dialect.height,
                block_size=max(1 << 20, 64 * len(labels)),
                use_threads=not quoted,
            ),
            pyarrow.csv.ParseOptions(
                delimiter=dialect.separator, newlines_in_values=quoted, invalid_row_handler=refuse
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(labels, pa.dictionary(pa.int32(), pa.string())), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error) or "Could not skip" in str(error):
            return pa.table({label: pa.array([], pa.string()) for label in labels})
        raise DataError(f"{source} is not a table of comma-separated values: {str(error).splitlines()[0]}") from None
    if wrong:
        raise _of_another_length(dialect, source)
    if dialect.text.count(b'"') % 2:
        _check_last_quote(dialect, source)
    return table.unify_dictionaries()


def _check_last_quote(dialect: Dialect, source: str) -> None:
    """Refuses a quote that is never closed: all that follows it would be one cell."""
    reader = csv.reader(io.StringIO(dialect.text.decode(), newline=""), delimiter=dialect.separator)
    begin = last = 1
    for _ in reader:
        begin, last = last, reader.line_num + 1
    if last - begin > 1 and not dialect.text.rstrip().endswith(b'"'):
        raise DataError(f"{source}, line {begin + dialect.line - 1}: a quote is opened there and never closed.")


def _of_another_length(dialect: Dialect, source: str) -> DataError:
    """Which line it is; pyarrow does not say it where it reads in parallel."""
    wanted = len(dialect.names)
    reader = csv.reader(io.StringIO(dialect.text.decode(), newline=""), delimiter=dialect.separator)
    begin = 1
    for row in reader:
        if row and begin > 1 and len(row) != wanted:
            place = f"line {begin + dialect.line - 1}"
            told = f"{source}, {place}: {wanted} cells are needed, as in the header, not {len(row)}."
            if reader.line_num > begin + 1:
                told += f" A quote that is opened there ends in line {reader.line_num + dialect.line - 1}."
            elif begin <= dialect.height + 2 and wanted < len(row):
                told += f" Line {dialect.line} is taken for the header; take out what stands above the names."
            return DataError(told)
        begin = reader.line_num + 1
    return DataError(f"{source}: every row needs {wanted} cells, as in the header.")
