"""How a text file is written: its encoding, what stands between cells, and its line of names."""

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from priorcraft.cells.spaced import spaced
from priorcraft.errors import DataError

SEPARATORS = ",;\t|"
LOOKED_AT = 50  # lines
BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class Dialect:
    """A text file that is ready to be read in columns.

    Args:
        text: UTF-8 from the line of names on.
        names: of the columns; a last one called None holds nothing.
        separator: between cells.
        line: number of the line of names.
        notes: what was found.
        spaced: whether the file has white space where `text` has separators.
    """

    text: bytes
    names: list[str | None]
    separator: str
    line: int
    notes: tuple[str, ...]
    spaced: bool = False


def dialect_of(raw: bytes, source: str) -> Dialect:
    """Looks at the first lines of a file.

    Raises:
        DataError: an empty file, or one that is no text.
    """
    text, notes = _utf8(raw, source)
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
    return Dialect(text, _fitting(names, head[1:]), separator, line, notes, apart is not None)


def _utf8(raw: bytes, source: str) -> tuple[bytes, tuple[str, ...]]:
    for mark, name in BOMS.items():
        if raw.startswith(mark):
            try:
                text = raw[len(mark) :].decode(name)
            except UnicodeDecodeError:
                raise DataError(f"{source} begins like {name} text and is damaged; save it as CSV in UTF-8.") from None
            return text.encode(), ()
    if b"\0" in raw[:65536]:
        raise DataError(f"{source} is no text; save it as CSV in UTF-8.")
    try:
        raw.decode()
        return raw, ()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.encode(), (f"not UTF-8 (line {line}); read as Western European text (Windows-1252).",)


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
    longer = bool(rows) and all(len(row) == len(names) + 1 for row in rows)
    if longer and all(not row[-1].strip() for row in rows):
        return [*names, None]
    if longer:
        return ["", *names]
    if len(names) > 1 and not names[-1] and all(not row[-1].strip() for row in rows if len(row) == len(names)):
        return [*names[:-1], None]
    return list(names)
