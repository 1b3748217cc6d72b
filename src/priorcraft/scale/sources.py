"""Rows on disk, any stretch of which can be read without the rest."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import torch

from priorcraft.datasets.prepared import is_prepared, open_prepared
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.errors import DataError

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
        try:
            found = [pyarrow.parquet.ParquetFile(file) for file in files]
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{path} cannot be read as parquet: {str(error).splitlines()[0]}.") from None
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
def rows_of(source: str, part: str = "test") -> ParquetRows | PreparedRows:
    """The rows of a folder or file, opened once in each process.

    Args:
        source: a parquet file, a folder of them, or a prepared folder.
        part: train, valid or test, of a prepared folder.

    Raises:
        DataError: neither.
    """
    path = Path(source)
    if is_prepared(path):
        return PreparedRows(open_prepared(path), part)
    if path.is_dir() or path.suffix.lower() == ".parquet":
        return ParquetRows(path)
    raise DataError(
        f"{source} cannot be read in chunks; give a parquet file, a folder of them, or data that were prepared "
        "(priorcraft data SOURCE --prepare --out FOLDER)."
    )
