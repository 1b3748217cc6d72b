"""How a text file is written: its encoding, what stands between cells, and its line of names."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from priorcraft.cells.encodings import utf8_of
from priorcraft.cells.spaced import spaced
from priorcraft.errors import DataError

SEPARATORS = ",;\t|"
LOOKED_AT = 50  # lines
HEAD = 2**16  # bytes in which names end


@dataclass(frozen=True)
class Dialect:
    """A text file that is ready to be read in columns.

    Args:
        text: UTF-8 from the line of names on.
        names: of the columns; a last one called None holds nothing.
        separator: between cells.
        line: number of the line of names.
        height: lines that the names take, more than one where a line ends within quotes.
        notes: what was found.
        spaced: whether the file has white space where `text` has separators.
    """

    text: bytes
    names: list[str | None]
    separator: str
    line: int
    notes: tuple[str, ...]
    spaced: bool = False
    height: int = 1


def dialect_of(raw: bytes, source: str) -> Dialect:
    """Looks at the first lines of a file.

    Raises:
        DataError: an empty file, or one that is no text.
    """
    text, notes = utf8_of(raw, source)
    line, start, separator = 1, 0, ""
    while start < len(text):  # nothing stands before the names, but blank lines and what spreadsheets say to each other
        end = _end(text, start)
        first = text[start:end].strip()
        if first[:4].lower() == b"sep=" and len(first) <= 5:
            separator = (first[4:5] or b"\t").decode()
        elif first.strip(b',;\t|" '):
            break
        start, line = end + 1, line + 1
    else:
        raise DataError(f"{source} is empty; a line of column names and at least one row are needed.")
    text = text[start:]
    apart = None
    if not separator:
        separator, fits = _separator(text)
        apart = None if fits else spaced(text)
    if apart is not None:
        text, separator, notes = apart, "\t", (*notes, "cells are separated by white space.")
    head = _parsed(text, separator)
    names = [name.strip() for name in head[0]]
    if _like_a_row(names, head[1:]):
        few = ", ".join(names[:4]) + ", ..." * (len(names) > 4)
        told = f"line {line} ({few}) is taken for the names of the columns, but reads like a row"
        notes = (*notes, f"{told}: put a line of names above it if it is one.")
    return Dialect(text, _fitting(names, head[1:]), separator, line, notes, apart is not None, _height(text, separator))


def _height(text: bytes, separator: str) -> int:
    """How many lines the names take."""
    end = _end(text, 0)
    if text.count(b'"', 0, end) % 2 == 0:
        return 1
    lines = csv.reader(io.StringIO(text[:HEAD].decode(errors="ignore"), newline=""), delimiter=separator)
    next(lines, None)
    return lines.line_num


def _like_a_row(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether what stands for names would be a row as well: numbers over numbers, and words that come again below.

    Years and other whole numbers at equal distances are names.
    """
    columns = [
        [cell.strip() for cell in cells] for cells in zip(*(r for r in rows if len(r) == len(names)), strict=True)
    ]
    if not columns or not all(names):
        return False
    over = [name for name, cells in zip(names, columns, strict=True) if all(map(_digits, filter(None, cells)))]
    if not all(_digits(name) if name in over else name in cells for name, cells in zip(names, columns, strict=True)):
        return False
    steps = {int(b) - int(a) for a, b in pairwise(over)} if all(name.isdecimal() for name in over) else set[int]()
    return not over or not ((len(steps) == 1 and min(steps) > 0) or (over[0].isdecimal() and len(over) == 1))


def _digits(cell: str) -> bool:
    return re.fullmatch(r"[-+(]?[^\w\s.-]? ?\.?[0-9][0-9.,:/ T-]*([eE][-+]?[0-9]+)? ?[%\)]?", cell) is not None


def _end(text: bytes, start: int) -> int:
    end = text.find(b"\n", start)
    end = len(text) if end < 0 else end
    early = text.find(b"\r", start, end)
    return end if early < 0 else early


def _parsed(text: bytes, separator: str) -> list[list[str]]:
    """The cells of the first lines."""
    cut = 0
    for _ in range(LOOKED_AT):
        cut = _end(text, cut) + 1
        if cut >= len(text):
            break
    lines = csv.reader(io.StringIO(text[:cut].decode(errors="ignore"), newline=""), delimiter=separator)
    try:
        return [row for row in islice(lines, LOOKED_AT) if row] or [[""]]
    except csv.Error:
        return [text[: _end(text, 0)].decode().split(separator)]


def _separator(text: bytes) -> tuple[str, bool]:
    """The one that cuts the first lines into most cells, equally many in each; else that of the line of names.

    And whether it does so, and leaves no gap among the names.
    """

    def fitness(separator: str) -> tuple[bool, int]:
        rows = _parsed(text, separator)
        width = len(rows[0])
        return (width > 1 and all(len(row) in (width, width + 1) for row in rows[1:]), width)

    best = max(SEPARATORS, key=fitness)
    names = [name.strip() for name in _parsed(text, best)[0]]
    return best, fitness(best)[0] and all(names[1:-1])


def _fitting(names: list[str], rows: Sequence[Sequence[str]]) -> list[str | None]:
    """The names, with one more where every row has one more cell: a separator at its end, or R's names of rows."""
    title = len(names) == 1 and " " in names[0]
    longer = bool(rows) and not title and all(len(row) == len(names) + 1 for row in rows)
    if longer and all(not row[-1].strip() for row in rows):
        return [*names, None]
    if longer:
        return ["", *names]
    if len(names) > 1 and not names[-1] and all(not row[-1].strip() for row in rows if len(row) == len(names)):
        return [*names[:-1], None]
    return list(names)
