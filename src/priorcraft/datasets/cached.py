"""Large data are read once: a prepared copy is kept in the user's cache."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from priorcraft.cells.reading import files_of
from priorcraft.cells.stored import StoredCells, stored
from priorcraft.contents import printable
from priorcraft.datasets.prepared import CELLS, FORMAT, about, is_prepared, open_prepared, save, stored_table
from priorcraft.datasets.shelf import MEMORY, Shelf
from priorcraft.datasets.splits import Splits
from priorcraft.disk import WriteFailed, tree
from priorcraft.errors import DataError

LARGE_BYTES, LARGE_FILES = 2**26, 10_000  # of a source, from which on a copy is kept
ABOUT = "cells.json"  # what is known of cells that are kept as they are
CELL_BYTES = 8  # that a cell of a parquet file is taken for, however small it was packed


def cache() -> Path:
    """Where prepared copies are kept: $XDG_CACHE_HOME/priorcraft, or ~/.cache/priorcraft."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "priorcraft"


def large(source: Path) -> bool:
    """Whether a file or folder is worth a prepared copy."""
    files = _files(source)
    return len(files) > LARGE_FILES or sum(_unpacked(name or source, status) for name, status in files) > LARGE_BYTES


def _unpacked(file: str | Path, status: os.stat_result) -> int:
    """The bytes of a file, or of the cells of a parquet file where they are more."""
    if not str(file).lower().endswith(".parquet"):
        return status.st_size
    try:
        found = pyarrow.parquet.read_metadata(file)
    except (OSError, pa.ArrowException):  # who reads it says what is wrong
        return status.st_size
    return max(status.st_size, found.num_rows * found.num_columns * CELL_BYTES)


def through_cache(source: Path, how: Mapping[str, Any], read: Callable[[Shelf], Splits]) -> Splits:
    """A prepared copy of large data, made now if there is none of these files, as they are, read in this way.

    Args:
        source: a file or a folder.
        how: they are read; a copy is for one way.
        read: reads them and puts the arrays on a shelf.

    Raises:
        DataError: as `read`.
    """
    place = cache() / _mark(source, how)
    if is_prepared(place):
        with suppress(DataError):  # a damaged copy is made anew
            return _told(open_prepared(place), source, "read from")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tree(place) as partial:
            prepare(read, partial)
    except WriteFailed:  # no room, or another process was first
        return _told(open_prepared(place), source, "read from") if is_prepared(place) else read(MEMORY)
    return _told(open_prepared(place), source, "kept in")


def kept_cells(source: Path) -> StoredCells:
    """The cells of a long table of text, kept in the cache as they are, so that any stretch is read without the rest.

    Raises:
        Unusual: see `stored`.
        WriteFailed: no room.
    """
    place = cache() / _mark(source, {"cells": "as they are"})
    if not (place / CELLS).is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with tree(place) as partial:
                found = about(stored(files_of(source), str(source), partial / CELLS))
                (partial / ABOUT).write_text(json.dumps(found))
        except WriteFailed:  # another process was first, or there is no room
            if not (place / CELLS).is_file():
                raise
    return stored_table(place, json.loads((place / ABOUT).read_text()))


def prepare(read: Callable[[Shelf], Splits], folder: Path) -> None:
    """Writes what `read` finds into a folder; what it needs on the way lies beside it and is removed."""
    work = folder / "work"
    work.mkdir()
    shelf = Shelf(work)
    save(read(shelf), folder, shelf)
    shutil.rmtree(work)


def _told(data: Splits, source: Path, how: str) -> Splits:
    place = "" if data.folder is None else printable(data.folder)
    note = f"a prepared copy of {printable(source)} is {how} {place}, so that nothing is read twice."
    return replace(data, notes=(*data.notes, note))


def _files(source: Path) -> list[tuple[str, os.stat_result]]:
    """The files of a source and what is known of them, without opening any."""
    if not source.is_dir():
        return [("", source.stat())]
    found, entered = list[tuple[str, os.stat_result]](), set[tuple[int, int]]()
    for folder, subfolders, names in os.walk(source, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in entered:  # by a link, so that loops end
            subfolders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        subfolders.sort()
        for name in sorted(names):
            with suppress(OSError):
                path = os.path.join(folder, name)
                found.append((path, os.stat(path)))
    return found


def _mark(source: Path, how: Mapping[str, Any]) -> str:
    """A name for one way of reading these files, as they are."""
    digest = hashlib.sha256(repr((FORMAT, os.path.realpath(source), sorted(how.items()))).encode())
    for name, status in _files(source):
        digest.update(repr((name, status.st_mtime_ns, status.st_size)).encode())
    return digest.hexdigest()[:32]
