"""One writer at a time.

The lock is the kernel's (flock): it ends with the process that holds it, however that process ends, so that no lock
is ever stale. The file's content only tells others who holds it.
"""

import json
import os
import socket
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from priorcraft import disk
from priorcraft.errors import RunBusy

if sys.platform != "win32":
    import fcntl

_held: set[int] = set()


class RunLock:
    """Holds a lock file while its `with` block runs, and blocks within that block.

    Args:
        path: the lock file; it stays when the lock ends.

    Raises:
        RunBusy: on entry, if somebody else holds it; names the process and its host.
        WriteFailed: on entry, if the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None
        self._depth = 0

    @property
    def held(self) -> bool:
        """Whether this very object holds the lock, in the process that took it."""
        return self._fd in _held

    def __enter__(self) -> "RunLock":
        if not self.held:
            with disk.explained("The lock of this run", self.path.parent):
                self._fd = _acquire(self.path)
            _held.add(self._fd)
            self._depth = 0
        self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        if self._fd is not None and self.held:
            _held.remove(self._fd)
            try:
                with suppress(OSError):  # a dying disk: who held it is then said of nobody, since the lock itself ends
                    os.ftruncate(self._fd, 0)
            finally:
                os.close(self._fd)
        self._fd = None


def _acquire(path: Path) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _flock(fd, path)
            if _is_at(fd, path):
                _sign(fd)
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _flock(fd: int, path: Path) -> None:
    try:
        if sys.platform == "win32":
            raise OSError(0, "no flock on this system")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunBusy(
            f"{path.parent} is being written by {_holder(fd)}; wait for it or choose another --out."
        ) from None
    except OSError as error:
        warnings.warn(f"{path.parent} cannot be locked ({error.strerror}): let one process write there.", stacklevel=4)


def _is_at(fd: int, path: Path) -> bool:
    """Whether the locked file is still the one that others will find: it may have been deleted in between."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _sign(fd: int) -> None:
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    os.ftruncate(fd, 0)
    disk.write_all(fd, json.dumps(holder).encode())


def _holder(fd: int) -> str:
    holder = _signature(fd)
    if holder is None:
        return "another process"  # which has not signed yet
    return f"process {holder['pid']} on {holder['host']} since {holder['since']}"


def _signature(fd: int) -> dict[str, Any] | None:
    try:
        holder: dict[str, Any] = json.loads(os.pread(fd, 4096, 0))
        return {"pid": int(holder["pid"]), "host": str(holder["host"]), "since": holder["since"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def writer_of(path: Path) -> int | None:
    """The process on this host that holds a lock file, so that it can be sent a signal; None if none does.

    The lock itself is only tried where a process has signed that never unsigned, so that nobody who comes to take
    it finds it taken by a look.

    >>> writer_of(Path("nowhere/lock")) is None
    True
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    holder = _signature(fd)
    try:
        if holder is not None and holder["host"] == socket.gethostname() and sys.platform != "win32":
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return None if holder is None else holder["pid"]
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(fd)
    return None


def _forget() -> None:
    """A forked worker that outlives its parent must not keep the parent's lock."""
    for fd in _held:
        os.close(fd)
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget)
