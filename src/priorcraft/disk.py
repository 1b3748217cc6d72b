"""Writing so that a reader finds the old content or the new one, whole, whenever the machine stops.

Every file that the program writes is written by a function of this file (a law), so that this holds for all of them.
"""

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from priorcraft.errors import CheckpointError

T = TypeVar("T")

TEMPORARY = ".tmp"
_OWNED = re.compile(r"\.(?P<pid>\d+)-(?P<host>[0-9a-f]{8})-[0-9a-f]{8}\.tmp")  # a temporary of one process
_PAUSES = (0.05, 0.2, 0.5)  # seconds between the attempts of a failing write
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # of file systems without second names


class WriteFailed(CheckpointError):
    """The disk refused a write; what was there before is intact, and trying again may help."""


@contextmanager
def explained(what: str, folder: Path, needed: int = 0, *, so_far: Path | None = None) -> Iterator[None]:
    """Turns an OSError within into `WriteFailed`, with the bytes needed and the bytes free.

    Args:
        what: could not be written.
        folder: where.
        needed: bytes, as far as they are known.
        so_far: a folder of what was written until then, where they are not.
    """
    try:
        yield
    except OSError as error:
        needed = needed if so_far is None else sum(p.lstat().st_size for p in so_far.rglob("*") if p.is_file())
        free = f"{_free(folder):,}" if needed or error.errno == errno.ENOSPC else ""
        more = "" if so_far is None else "more than "
        size = f" It needs {more}{needed:,} bytes; {free} are free." if free else ""
        raise WriteFailed(
            f"{what} could not be written in {folder}: {error.strerror}.{size} "
            "Nothing that was saved before was touched."
        ) from error


def _free(folder: Path) -> int:
    return shutil.disk_usage(next(p for p in (folder, *folder.absolute().parents) if os.path.exists(p))).free


def publish(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Writes a file that others find whole or not at all, with the rights that the umask leaves, and nothing beside it.

    Raises:
        FileExistsError: something is there by now, and may not be replaced; it is as it was.
        WriteFailed: the disk refuses.
    """
    with aside(path) as temporary, explained(path.name, path.parent, len(data)):
        write_synced(temporary, data)
        if overwrite:
            os.replace(temporary, path)
        free = overwrite or named(temporary, path)
    if not free:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` for what is not whole yet: what has it at the end is taken away."""
    sweep(path.parent)
    temporary = _temporary(path)
    try:
        yield temporary
    finally:
        _remove(temporary)


def _temporary(path: Path) -> Path:
    """A hidden name beside `path` that says whose it is."""
    return path.with_name(f".{os.getpid()}-{_host()}-{secrets.token_hex(4)}{TEMPORARY}")


def _host() -> str:
    return hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()


def sweep(folder: Path) -> None:
    """Takes away what processes of this machine left unfinished in a folder when they were killed."""
    if sys.platform == "win32" or not os.path.isdir(folder):  # there no process can be looked for without harm
        return
    for name in os.listdir(folder):
        found = _OWNED.fullmatch(name)
        if found and found["host"] == _host() and not _alive(int(found["pid"])):
            _remove(folder / name)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True


def _remove(path: Path) -> None:
    """Deletes a file or a folder, if it can be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()


def named(source: Path, path: Path) -> bool:
    """Gives a whole file its name, if that is free; returns whether it was."""
    try:
        os.link(source, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _moved(source, path)
    return True


def _moved(source: Path, path: Path) -> bool:
    """The same where files cannot have two names: the name is taken by an empty file first."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        return False
    try:
        os.replace(source, path)
    except OSError:
        path.unlink()
        raise
    return True


@contextmanager
def tree(path: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name when it is complete, and else was never there.

    Args:
        path: a name that is free, or an empty folder; parents are made.

    Raises:
        WriteFailed: the disk refuses, or something is at `path` by now.
    """
    temporary = _temporary(path)
    try:
        with explained(path.name, path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with explained(path.name, path.parent):
            os.mkdir(temporary)
        with explained(path.name, path.parent, so_far=temporary):
            yield temporary
            os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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


@dataclass(frozen=True)
class Stream:
    """What `numpy.save` and the like write into, every byte by `write_all`."""

    fd: int

    def write(self, data: bytes) -> int:
        """Writes all of it."""
        write_all(self.fd, data)
        return len(data)


@contextmanager
def stream(path: Path, *, sync: bool = False) -> Iterator[Stream]:
    """A file to write piece by piece: one in a `tree`, or one that is renamed when it is whole.

    Args:
        path: the file; it is written anew.
        sync: whether to return once the disk has it.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        yield Stream(fd)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def write(path: Path, data: bytes) -> None:
    """Writes a file of a `tree`, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with stream(path) as file:
        file.write(data)


def write_synced(path: Path, data: bytes) -> None:
    """Writes a file and returns once the disk has it."""
    with stream(path, sync=True) as file:
        file.write(data)


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
        _remove(temporary)
        raise
    sync_folder(path.parent)


def discard(folder: Path) -> None:
    """Deletes a folder in one instant: it loses its name before its first file."""
    temporary = folder.with_name(folder.name + TEMPORARY)
    os.rename(folder, temporary)
    sync_folder(folder.parent)
    shutil.rmtree(temporary, ignore_errors=True)
