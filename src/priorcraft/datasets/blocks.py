"""Tables of any length: their columns are recognised on a sample, and the rows coded in blocks."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from priorcraft.cells import Cells
from priorcraft.cells.emptiness import ALWAYS, SOMETIMES, Emptied, rule, without
from priorcraft.cells.stored import StoredCells, stored
from priorcraft.core import UNLABELLED
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.columns.aside import Identifier
from priorcraft.datasets.columns.number import Number
from priorcraft.datasets.labels import by_number
from priorcraft.datasets.progress import by_processes, processors, tell
from priorcraft.datasets.raw import Raw
from priorcraft.datasets.shelf import Shelf
from priorcraft.mapped import array_of, blocks, let_go, tensor_of

SAMPLE = 2**17  # rows, evenly apart, on which columns are recognised

Recognise = Callable[[Cells], Columns]


def open_blocks(
    files: list[Path],
    source: str,
    shelf: Shelf,
    recognise: Recognise,
    known: Columns | None,
    words: str | None,
    *,
    whole: bool = False,
    lacking: bool = False,
) -> Raw | None:
    """A long table, never whole in memory; None if it is short, or its rows are weighted.

    Args:
        files: of the table.
        source: what the user called it.
        shelf: where its arrays are put, a folder.
        recognise: finds the columns of a sample of the rows.
        known: the columns of an earlier table, in place of that.
        words: what the user takes as empty.
        whole: for questions; rows that say nothing stay, too.
        lacking: whether columns of `known` may be lacking; their cells are then holes.

    Raises:
        Unusual: see `stored`.
        DataError: as `open_table`.
    """
    assert shelf.folder is not None
    table = stored(files, source, shelf.folder / "cells.parquet")
    if table.rows <= SAMPLE:
        return None
    found = _columns(table, recognise, known, words)
    if found[0].weight is not None and known is None:
        return None
    pa.default_memory_pool().release_unused()
    return _coded(table, *found, shelf, known=known is not None, whole=whole, lacking=lacking)


def _columns(
    table: StoredCells, recognise: Recognise, known: Columns | None, words: str | None
) -> tuple[Columns, dict[str, list[str]]]:
    """The columns of a long table by some of its rows, and the words that are empty cells in each."""
    places = np.arange(SAMPLE) * table.rows // SAMPLE
    few = table.take(places)
    if known is not None:
        return known, words_of(few, known)
    cleared = without(few, rule(few, words)).cells
    columns = _whole(recognise(cleared), cleared, places, table)
    return columns, words_of(few, columns)


def words_of(few: Cells, columns: Columns) -> dict[str, list[str]]:
    """The words that are empty cells in each column of a table, by some of its rows and by its columns."""
    empty = rule(few, columns.empty)
    if columns.empty is None and few.kind == "text":
        numbers = [column.name for column in columns.columns if isinstance(column.codec, Number)]
        empty |= {name: [*ALWAYS, *SOMETIMES] for name in numbers}
    return empty


def _whole(columns: Columns, few: Cells, places: np.ndarray, table: StoredCells) -> Columns:
    """Columns of a sample as those of the whole table: every class, and rows that are numbered one after another."""
    all_ = tuple(
        replace(column, codec=_numbered(column.codec, few[column.name].texts.to_pylist(), places, table.rows))
        if isinstance(column.codec, Identifier)
        else column
        for column in columns.all
    )
    classes = columns.classes
    if columns.label is not None:
        classes = tuple(sorted({*classes, *table.different(columns.label)}, key=by_number))
    note = f"columns were recognised on {SAMPLE:,} of {table.rows:,} rows, evenly apart."
    return replace(columns, all=all_, classes=classes, notes=(*columns.notes, note))


def _numbered(codec: Identifier, texts: list[str], places: np.ndarray, rows: int) -> Identifier:
    if len(texts) < len(places) or not all(text.isdecimal() for text in texts):
        return codec
    first = int(texts[0])
    if any(int(text) - first != place for text, place in zip(texts, places.tolist(), strict=True)):
        return replace(codec, rows=rows)
    return replace(codec, first=texts[0], last=str(first + rows - 1), consecutive=True, rows=rows)


@dataclass(frozen=True)
class Block:
    """Rows of a table as integers.

    Args:
        x, seen, rest, strange: as in `Rows`.
        beyond: how many cells of each column it had not shown, (C,).
        labels: numbers of their classes, -1 where not known; None without a label.
        taken: see `Emptied`.
    """

    x: np.ndarray
    seen: np.ndarray
    rest: np.ndarray
    strange: np.ndarray
    beyond: np.ndarray
    labels: np.ndarray | None
    taken: dict[str, dict[str, int]]


def code_block(number: int, table: StoredCells, columns: Columns, empty: dict[str, list[str]], lacking: bool) -> Block:
    """One block of a table as integers."""
    cleared = without(table.block(number), empty)
    coded = columns.encode(columns.completed(cleared.cells) if lacking else cleared.cells)
    labels = None
    if coded.labels is not None:
        number_of = {name: i for i, name in enumerate(columns.classes)}
        once, place = np.unique(coded.labels, return_inverse=True)
        labels = np.array([number_of.get(str(name), UNLABELLED) for name in once], np.int64)[place]
    x = np.maximum(coded.x, 0).astype(_smallest(columns))
    return Block(x, coded.x >= 0, coded.rest, coded.strange, coded.beyond.sum(0), labels, cleared.taken)


def _smallest(columns: Columns) -> np.dtype:
    return np.dtype(np.uint8 if max(columns.sizes) <= 256 else np.int16)


def _coded(
    table: StoredCells,
    columns: Columns,
    empty: dict[str, list[str]],
    shelf: Shelf,
    *,
    known: bool,
    whole: bool,
    lacking: bool,
) -> Raw:
    """The rows of a table on a shelf, coded block by block by several processes."""
    n, shape = table.rows, (table.rows, len(columns.sizes))
    x, seen = shelf.empty("coded.x", shape, _smallest(columns)), shelf.empty("coded.seen", shape, np.dtype(bool))
    rest, strange = (shelf.empty(f"coded.{name}", (n,), np.dtype(float)) for name in ("rest", "strange"))
    y = shelf.empty("coded.y", (n,), np.dtype(np.int64)) if columns.label in table.names else None
    beyond, taken = np.zeros(len(columns.columns), int), Counter[tuple[str, str]]()
    count = Counted()
    work = partial(code_block, table=table, columns=columns, empty=empty, lacking=lacking)
    for block in by_processes(work, range(table.blocks), processors()):
        rows = slice(count.rows, count.rows + len(block.x))
        x[rows], seen[rows], rest[rows], strange[rows] = block.x, block.seen, block.rest, block.strange
        if y is not None and block.labels is not None:
            y[rows] = block.labels
        beyond += block.beyond
        taken.update({(name, word): m for name, found in block.taken.items() for word, m in found.items()})
        count = count.and_of(block.seen)
        for each in (x, seen, rest, strange, y):
            let_go(each)
        tell("rows", count.rows, n)
    words = dict[str, dict[str, int]]()
    for (name, word), m in taken.items():
        words.setdefault(name, {})[word] = m
    notes = [*table.about.notes, *Emptied(table.about, words).notes, *([] if known else columns.notes)]
    for column, m in zip(columns.columns, beyond.tolist(), strict=True):
        if m:
            notes.append(f"'{column.name}' has {m:,} cell{'s' * (m > 1)} beyond what the model has seen.")
    labels, holes = {} if y is None else {"train": y}, None if count.open == 0 else seen
    told = {"seen": holes, "rest": rest, "strange": strange, "table": table, "numbered": y is not None}
    most, classes = max(columns.sizes), columns.classes or None
    raw = Raw(table.about.source, {"train": x}, labels, most, classes, columns=columns, **told)
    silent = 0 if whole else count.silent  # answers and rows stay side by side
    if silent:
        raw = _without_silent(raw, shelf)
        notes.append(told_of_silent(silent))
    if count.open > silent:
        notes.append(told_of_holes(count.open - silent, count.rows - silent, known=known))
    return replace(raw, notes=tuple(notes))


def told_of_silent(rows: int) -> str:
    """A sentence about rows without a cell that says anything."""
    return f"{rows:,} rows say nothing in any column of p(x) and are left out."


def told_of_holes(open_: int, rows: int, *, known: bool) -> str:
    """A sentence about rows with empty cells, of a table that is learned from, or asked about where it is `known`."""
    learned = "empty cells, which are learned around; impute fills them in"
    asked = "cells that are empty or not known, which are summed out or drawn"
    return f"{open_:,} of {rows:,} rows have {asked if known else learned}."


@dataclass(frozen=True)
class Counted:
    """So many rows, of which some have holes, and some say nothing at all."""

    rows: int = 0
    open: int = 0
    silent: int = 0

    def and_of(self, seen: np.ndarray) -> "Counted":
        """With the rows of another block."""
        open_, silent = int((~seen.all(1)).sum()), int((~seen.any(1)).sum())
        return Counted(self.rows + len(seen), self.open + open_, self.silent + silent)


def _without_silent(raw: Raw, shelf: Shelf) -> Raw:
    """The rows that say something."""
    if raw.seen is None:
        return raw
    kept = np.concatenate([raw.seen[rows].any(1) for rows in blocks(raw.seen)])

    def taken(name: str, array: np.ndarray) -> np.ndarray:
        return array_of(shelf.taken(f"kept.{name}", tensor_of(array), torch.from_numpy(kept)))

    more = {name: taken(name, getattr(raw, name)) for name in ("seen", "rest", "strange")}
    x, y = ({part: taken(letter, a) for part, a in each.items()} for letter, each in (("x", raw.x), ("y", raw.y)))
    return replace(raw, x=x, y=y, **more, place=np.flatnonzero(kept))
