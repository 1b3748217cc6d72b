"""Rows on disk, any stretch of which can be read without the rest."""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import torch

from priorcraft.cells import SUFFIXES, Cells, read_cells
from priorcraft.cells.reading import files_of, is_folder_of_tables
from priorcraft.cells.stored import StoredCells, Unusual
from priorcraft.contents import parsing
from priorcraft.datasets.blocks import SAMPLE, words_of
from priorcraft.datasets.cached import kept_cells, large
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.prepared import is_prepared, open_prepared
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.disk import WriteFailed
from priorcraft.errors import DataError, UsageError


def reached(data: object) -> str:
    """Data by a path that any process can open, whichever folder it runs in; a bundled data set keeps its name.

    Raises:
        UsageError: data in memory.
    """
    if not isinstance(data, str | Path):
        raise UsageError("other processes open the data themselves: give a name or a path, not data in memory.")
    return str(Path(data).absolute()) if Path(data).exists() else str(data)


PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Piece:
    """A row group of a parquet file.

    Args:
        path: the file.
        group: its number there.
        begin, end: the first of its rows among all, and the one after its last.
    """

    path: Path
    group: int
    begin: int
    end: int


class ParquetRows:
    """The rows of a parquet file or of a folder of them, in the order of the names.

    Raises:
        DataError: no such file, or files of different columns.
    """

    def __init__(self, path: Path) -> None:
        files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not files:
            raise DataError(f"{path} holds no parquet files.")
        with parsing(path, "parquet"):
            found = [pyarrow.parquet.ParquetFile(file) for file in files]
        names = {tuple(file.schema_arrow.names) for file in found}
        if len(names) > 1:
            raise DataError(f"the parquet files in {path} have different columns; put tables of one kind there.")
        groups = [
            (path, group, file.metadata.row_group(group).num_rows)
            for path, file in zip(files, found, strict=True)
            for group in range(file.num_row_groups)
        ]
        ends = list(accumulate(rows for _, _, rows in groups))
        self.pieces = [
            Piece(path, group, end - rows, end) for (path, group, rows), end in zip(groups, ends, strict=True)
        ]

    def __len__(self) -> int:
        return self.pieces[-1].end if self.pieces else 0

    def read(self, begin: int, end: int) -> pa.Table:
        """The rows from `begin` to before `end`."""
        found = list[pa.Table]()
        for piece in self.pieces:
            if piece.begin < end and begin < piece.end:
                with pyarrow.parquet.ParquetFile(piece.path, pre_buffer=False) as file:
                    group = file.read_row_group(piece.group, use_threads=False)
                found.append(group.slice(max(0, begin - piece.begin), min(end, piece.end) - max(begin, piece.begin)))
        return pa.concat_tables(found, promote_options="permissive")


class TextRows:
    """The rows of a text file or of a folder of them, in the order of the names; a long table is kept in the cache.

    Raises:
        DataError: no file, or files of different columns.
    """

    def __init__(self, path: Path) -> None:
        self.table = self._stored(path) or read_cells(path)
        self._words: dict[str, list[str]] | None = None

    @staticmethod
    def _stored(path: Path) -> StoredCells | None:
        if not large(path):
            return None
        try:
            return kept_cells(path)
        except (Unusual, WriteFailed):  # it is read whole
            return None

    def __len__(self) -> int:
        return self.table.rows

    def read(self, begin: int, end: int) -> Cells:
        """The rows from `begin` to before `end`."""
        found = self.table.take(np.arange(begin, end))
        columns = [column.without(column.counts == 0) for column in found.columns]  # values of other rows
        return replace(found.with_columns(columns), first=found.first + begin)

    def words(self, columns: Columns) -> dict[str, list[str]]:
        """The words that are empty cells in each column of the whole table."""
        if self._words is None:
            few = min(len(self), SAMPLE)
            self._words = words_of(self.table.take(np.arange(few) * len(self) // few), columns)
        return self._words


class PreparedRows:
    """The rows of one part of data that are prepared on disk."""

    def __init__(self, data: Splits, part: str) -> None:
        self.data, self.rows = data, data.rows(part)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, begin: int, end: int) -> Rows:
        """The rows from `begin` to before `end`, copied from their pages."""
        return self.rows.where(torch.arange(begin, end))


@lru_cache(maxsize=2)
def rows_of(source: str, part: str = "test") -> ParquetRows | TextRows | PreparedRows:
    """The rows of a folder or file, opened once in each process.

    Args:
        source: a parquet or a text file, a folder of them, or a prepared folder.
        part: train, valid or test, of a prepared folder.

    Raises:
        DataError: none of them.
    """
    path = Path(source)
    if is_prepared(path):
        return PreparedRows(open_prepared(path), part)
    if not path.exists():
        raise DataError(f"There is no {source}; give the rows that the question is about.")
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        text = path.is_file() or is_folder_of_tables(path)
        return TextRows(path) if text and files_of(path)[0].suffix.lower() != ".parquet" else ParquetRows(path)
    raise DataError(
        f"{source} cannot be read in chunks; give a .parquet or .csv file, a folder of them, or data that were "
        "prepared (priorcraft data SOURCE --prepare --out FOLDER)."
    )
