"""What a file holds: its bytes or its JSON, or one sentence that names the file and what is wrong with it."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from priorcraft.errors import CheckpointError, DataError, PriorcraftError

_JSON_LIMIT = 64 * 2**20


@contextmanager
def parsing(path: str | Path, what: str, remedy: str = "") -> Iterator[None]:
    """Whatever a library raises at the bytes of a file becomes one sentence that names the file.

    No list of exceptions would be complete: a decoder that is fed garbage raises whatever it stumbles upon.

    Args:
        path: the file.
        what: what it should be, e.g. "an array file".
        remedy: a sentence.

    Raises:
        DataError: in place of any exception within that is not a sentence already.
    """
    try:
        yield
    except (PriorcraftError, ImportError):
        raise
    except Exception as error:
        said = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), "") or type(error).__name__
        sentence = f"{printable(path)} cannot be read as {what}: {escaped(str(said)).rstrip('.'):.200}. {remedy}"
        raise DataError(sentence.rstrip()) from error


def escaped(name: str | Path) -> str:
    """A name that any terminal can print: what is no character, or none that can be seen, by its number.

    >>> escaped("a\\0b\\n")
    'a\\\\x00b\\\\n'
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def legible(text: str) -> str:
    """A text without what would steer a terminal: control characters by their number, but for ends of lines and tabs.

    >>> legible("a\\x1b[31m\\tb\\n")
    'a\\\\x1b[31m\\tb\\n'
    """
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: repr(found.group())[1:-1], text)


def brief(text: str, most: int = 48) -> str:
    """A cell's text within a sentence: in one line, and not longer.

    >>> brief("a\\nb"), brief("x" * 99, 9)
    ('a\\\\nb', 'xxxxxx...')
    """
    line = legible(text).replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= most else line[: most - 3] + "..."


def printable(path: str | Path) -> str:
    """The same, shortened in its middle."""
    name = escaped(path)
    return name if len(name) <= 120 else f"{name[:60]}...{name[-57:]}"


def read_bytes(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        CheckpointError: it is missing, something other than a file, or unreadable.
    """
    if not os.path.isfile(path):
        raise CheckpointError(f"{path} is {'not a file' if os.path.exists(path) else 'missing'}.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error


def tail(path: Path, place: int) -> tuple[int, bytes]:
    """The bytes of a file that grows, and the place where they begin.

    Args:
        path: the file; nothing is read where there is none.
        place: where to begin; from the end where it is negative. A file that became shorter is read from its beginning.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(size + place, 0) if place < 0 else place if place <= size else 0
            file.seek(start)
            return start, file.read()
    except OSError:
        return max(place, 0), b""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CheckpointError: as `read_bytes`, or the file does not hold one JSON object.
    """
    data = read_bytes(path)
    if len(data) > _JSON_LIMIT:
        raise CheckpointError(f"{path} has {len(data):,} bytes; at most {_JSON_LIMIT:,} were expected.")
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} does not hold JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} must hold one JSON object, not {type(value).__name__}.")
    return value
