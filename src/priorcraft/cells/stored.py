"""A table of any length on disk: written block by block, read by blocks or by the numbers of its rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from priorcraft.cells.column import CellColumn, Cells, column_of_texts
from priorcraft.cells.dialect import Dialect, dialect_of
from priorcraft.cells.frames import cells_of_frame
from priorcraft.cells.writing import typed_array

ROWS = 2**16  # of a block
HEAD = 2**20  # bytes from which the dialect of a text file is told


class Unusual(Exception):
    """A file that is not read block by block: the reader of whole files says what is wrong with it, if anything."""


@dataclass(frozen=True)
class StoredCells:
    """The cells of a table that lies in a parquet file, a block of rows in each of its row groups.

    Args:
        path: the file.
        about: what its cells have in common; it has no rows.
        rows: number of rows.
        names: of the columns.
    """

    path: Path
    about: Cells
    rows: int
    names: tuple[str, ...]

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.rows // ROWS)

    def block(self, number: int) -> Cells:
        """The cells of one block."""
        with pyarrow.parquet.ParquetFile(self.path, pre_buffer=False) as file:
            return self._cells(file.read_row_group(number, use_threads=False), number * ROWS)

    def take(self, rows: np.ndarray) -> Cells:
        """Some of the rows, by number or by mask, in the order of the numbers."""
        number = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows)
        order = np.argsort(number, kind="stable")
        found, ascending = list[pa.Table](), number[order]
        with pyarrow.parquet.ParquetFile(self.path, pre_buffer=False) as file:
            for block in np.unique(ascending // ROWS).tolist():
                own = ascending[slice(*np.searchsorted(ascending, (block * ROWS, (block + 1) * ROWS)))] - block * ROWS
                found.append(file.read_row_group(block, use_threads=False).take(pa.array(own)))
            empty = file.schema_arrow.empty_table()
        table = pa.concat_tables(found) if found else empty
        return self._cells(table.take(pa.array(np.argsort(order))), 0)

    def different(self, name: str) -> set[str]:
        """The different texts of one column."""
        found = set[str]()
        with pyarrow.parquet.ParquetFile(self.path, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                one = file.read_row_group(group, columns=[name], use_threads=False)
                column = column_of_texts(name, one.column(0)) if self.about.kind == "text" else None
                column = column or cells_of_frame(one, self.about.source).columns[0]
                found.update(column.texts.to_pylist())
        return found

    def _cells(self, table: pa.Table, begin: int) -> Cells:
        first = self.about.first + begin
        if self.about.kind == "text":
            columns = tuple(column_of_texts(name, table.column(i)) for i, name in enumerate(self.names))
            return replace(self.about, columns=columns, rows=table.num_rows, first=first)
        return replace(cells_of_frame(table, self.about.source), kind=self.about.kind, first=first)


def kept(cells: Cells, path: Path) -> StoredCells:
    """Cells that are in memory, written into a file."""
    text = cells.kind == "text"
    columns = {column.name: (texts_of if text else typed_array)(column) for column in cells.columns}
    pyarrow.parquet.write_table(pa.table(columns), path, row_group_size=ROWS)
    return StoredCells(path, replace(cells, columns=(), rows=0), cells.rows, tuple(columns))


def texts_of(column: CellColumn) -> pa.Array:
    """The text of every cell, "" where it is empty."""
    texts = pa.concat_arrays([column.texts.cast(pa.string()), pa.array([""])])
    return texts.take(pa.array(np.where(column.codes < 0, len(texts) - 1, column.codes)))


def stored(files: Sequence[Path], source: str, path: Path) -> StoredCells:
    """Files of one kind as one table on disk, read and written block by block.

    Args:
        files: parquet files, or text files with the same line of names.
        source: what the user called them.
        path: the parquet file to write.

    Raises:
        Unusual: they have something that needs the whole file at once.
    """
    text = files[0].suffix.lower() != ".parquet"
    dialect = dialect_of(_head(files[0]), source) if text else None
    if dialect is not None and dialect.spaced:
        raise Unusual("cells are separated by white space")
    schema, batches = _texts(files, dialect) if dialect is not None else _typed(files)
    rows = 0
    try:
        with pyarrow.parquet.ParquetWriter(path, schema, write_page_index=False) as writer:
            for block in _of_size(batches, schema):
                writer.write_table(block, row_group_size=ROWS)
                rows += block.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise Unusual(str(error)) from None
    if not rows:
        raise Unusual("no rows")
    if text and sum(_quotes(file) for file in files) % 2:
        raise Unusual("a quote without a partner")
    if dialect is None:
        return StoredCells(path, Cells(source, (), 0, kind="parquet"), rows, tuple(schema.names))
    comma = dialect.separator != ","
    about = Cells(source, (), 0, dialect.notes, first=dialect.line + dialect.height, unit="line", decimal_comma=comma)
    return StoredCells(path, about, rows, tuple(schema.names))


def _typed(files: Sequence[Path]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    schemas = [pyarrow.parquet.read_schema(file).remove_metadata() for file in files]
    if any(schema != schemas[0] for schema in schemas):
        raise Unusual("files of different columns")
    names = [name for name in schemas[0].names if not name.startswith("__index_level_")]
    schema = pa.schema([schemas[0].field(name) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        for file in files:
            with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as one:
                yield from one.iter_batches(ROWS, columns=names)

    return schema, batches()


def _texts(files: Sequence[Path], dialect: Dialect) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    names = dialect.names
    if len({name for name in names if name is not None}) < sum(name is not None for name in names):
        raise Unusual("names that are there twice")
    labels = [str(i) for i in range(len(names))]
    kept = [label for label, name in zip(labels, names, strict=True) if name is not None]
    schema = pa.schema([(name, pa.string()) for name in names if name is not None])
    quoted = any(b'"' in _head(file) for file in files)

    def batches() -> Iterator[pa.RecordBatch]:
        for file in files:
            own = dialect if file == files[0] else dialect_of(_head(file), str(file))
            if own.names != names or own.separator != dialect.separator:
                raise Unusual("files of different columns")
            with pyarrow.csv.open_csv(
                file,
                pyarrow.csv.ReadOptions(
                    column_names=labels,
                    skip_rows=own.line + own.height - 1,
                    block_size=max(1 << 22, 64 * len(labels)),
                    use_threads=False,
                ),
                pyarrow.csv.ParseOptions(delimiter=own.separator, newlines_in_values=quoted),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(labels, pa.string()), include_columns=kept, strings_can_be_null=False
                ),
            ) as reader:
                for batch in reader:
                    yield batch.rename_columns(schema.names)

    return schema, batches()


def _head(file: Path) -> bytes:
    """The first lines of a file, as far as they are whole.

    Raises:
        Unusual: it is not in UTF-8.
    """
    with file.open("rb") as stream:
        found = stream.read(HEAD)
    found = found[: found.rfind(b"\n") + 1] or found
    try:
        found.decode()
    except UnicodeDecodeError as error:
        raise Unusual(str(error)) from None
    return found


def _quotes(file: Path) -> int:
    """How many quotes a file has, if there is one in its first lines."""
    if b'"' not in _head(file):
        return 0
    with file.open("rb") as stream:
        return sum(block.count(b'"') for block in iter(lambda: stream.read(HEAD), b""))


def _of_size(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Blocks of so many rows; the last may have fewer."""
    waiting, count = list[pa.RecordBatch](), 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= ROWS:
            table = pa.Table.from_batches(waiting, schema)
            yield table.slice(0, ROWS)
            waiting, count = table.slice(ROWS).to_batches(), count - ROWS
    if count:
        yield pa.Table.from_batches(waiting, schema)
