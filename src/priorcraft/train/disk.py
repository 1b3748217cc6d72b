"""Writing so that a reader finds the old content or the new one, whole, whenever the machine stops."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from priorcraft.errors import CheckpointError

T = TypeVar("T")

TEMPORARY = ".tmp"
_PAUSES = (0.05, 0.2, 0.5)  # seconds between the attempts of a failing write
_JSON_LIMIT = 64 * 2**20


class WriteFailed(CheckpointError):
    """The disk refused a write; what was there before is intact, and trying again may help."""


@contextmanager
def explained(what: str, folder: Path, needed: int = 0) -> Iterator[None]:
    """Turns an OSError within into `WriteFailed`, with the bytes needed and the bytes free."""
    try:
        yield
    except OSError as error:
        size = f" It needs {needed:,} bytes; {_free(folder):,} are free." if needed else ""
        raise WriteFailed(
            f"{what} could not be written in {folder}: {error.strerror}.{size} "
            "Nothing that was saved before was touched."
        ) from error


def _free(folder: Path) -> int:
    return shutil.disk_usage(next(p for p in (folder, *folder.absolute().parents) if os.path.exists(p))).free


def retried(action: Callable[[], T]) -> T:
    """The result of `action`, tried again a few times, for less than a second, while the disk refuses."""
    for pause in _PAUSES:
        try:
            return action()
        except WriteFailed:
            time.sleep(pause)
    return action()


def write_all(fd: int, data: bytes) -> None:
    """Writes every byte: one call may write fewer."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_synced(path: Path, data: bytes) -> None:
    """Writes a file and returns once the disk has it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Returns once the disk has the folder's list of names."""
    if sys.platform == "win32":  # folders cannot be opened there
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace(path: Path, data: bytes) -> None:
    """Gives a file new content in one instant."""
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        write_synced(temporary, data)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def discard(folder: Path) -> None:
    """Deletes a folder in one instant: it loses its name before its first file."""
    temporary = folder.with_name(folder.name + TEMPORARY)
    os.rename(folder, temporary)
    sync_folder(folder.parent)
    shutil.rmtree(temporary, ignore_errors=True)


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
