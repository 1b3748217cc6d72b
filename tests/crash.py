"""Kills a process at a chosen one of its file operations, as a crash or as a loss of power would.

    for k in range(len(operations(script))):
        killed = run_until_operation(script, k)
        ...                                     # look at what is on the disk

The script runs in a forked copy of this process: nothing is imported again, and nothing that it does in memory is
seen here. Counted are the calls of `os` that change the disk, whoever makes them.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from priorcraft.scale.chunks import Job

Script = Callable[[], object]

COUNTED = ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink", "remove", "rmdir", "ftruncate", "link")


class _Fuse:
    """Counts operations in a process that will not outlive them, and kills it at the k-th.

    With `power_loss`, the disk forgets what was not synced: the content of files, new files and new names in folders.
    """

    def __init__(self, k: int | None, power_loss: bool) -> None:
        self.k = k
        self.power_loss = power_loss
        self.log: list[str] = []
        self.copies: dict[int, int] = {}  # of open files: still there when their number is closed and used again
        self.unsynced: set[int] = set()
        self.created: set[int] = set()
        self.renamed: list[tuple[str, str]] = []
        self.real = {name: getattr(os, name) for name in COUNTED}
        self.real["fsync"] = lambda fd: None  # a kill does not need it, and it is slow
        for name in COUNTED:
            setattr(os, name, self._wrapped(name))

    def _wrapped(self, name: str) -> Callable:
        def operation(*args, **kwargs):
            if len(self.log) == self.k:
                self._die(name, args)
            self.log.append(name)
            created = name == "open" and args[1] & os.O_CREAT and not os.path.lexists(args[0])
            result = self.real[name](*args, **kwargs)
            if self.power_loss:
                self._note(name, args, result)
            if self.power_loss and created:
                self.created.add(self.copies[result])
            return result

        return operation

    def _note(self, name: str, args: tuple, result: object) -> None:
        if name == "open" and isinstance(result, int):
            self.copies[result] = os.dup(result)
        elif name == "write":
            self.unsynced.add(self.copies[args[0]] if args[0] in self.copies else int(args[0]))
        elif name == "fsync":
            self._settle(args[0])
        elif name in ("rename", "replace"):
            self.renamed.append((os.fspath(args[0]), os.fspath(args[1])))

    def _settle(self, fd: int) -> None:
        """A synced file keeps its content, a synced folder its names."""
        self.unsynced.discard(self.copies.get(fd, fd))
        self.created = {file for file in self.created if os.path.dirname(_path(file)) != _path(fd)}
        self.renamed = [(a, b) for a, b in self.renamed if os.path.dirname(os.path.realpath(b)) != _path(fd)]

    def _die(self, name: str, args: tuple) -> None:
        if name == "write":
            self.real["write"](args[0], bytes(args[1])[: len(args[1]) // 2])
        if self.power_loss:
            self._lose_power()
        os.kill(os.getpid(), signal.SIGKILL)

    def _lose_power(self) -> None:
        for fd in self.unsynced:
            self.real["ftruncate"](fd, 0)
        for path in filter(os.path.exists, map(_path, self.created)):
            self.real["unlink"](path)
        for source, target in reversed(self.renamed):
            if os.path.exists(target) and not os.path.exists(source):
                self.real["rename"](target, source)


def _path(fd: int) -> str:
    return os.readlink(f"/proc/self/fd/{fd}")


def _forked(script: Script, k: int | None, power_loss: bool, log: int | None = None) -> int:
    """Exit status of a child that runs `script` on a fuse and may write the names of its operations to `log`."""
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return os.waitpid(pid, 0)[1]
    try:
        fuse = _Fuse(k, power_loss)
        script()
        if log is not None:
            fuse.real["write"](log, " ".join(fuse.log).encode())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


def run_until_operation(script: Script, k: int, *, power_loss: bool = False) -> bool:
    """Runs `script` and kills it before its k-th file operation (from 0), or half-way if that is a write.

    Returns:
        Whether it was killed; False if it ended before. An exception in it fails the test.
    """
    status = _forked(script, k, power_loss)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert status == 0, f"the script failed before operation {k}; its trace is on stderr"
    return False


def run_for(script: Script, seconds: float) -> bool:
    """Runs `script` and kills it after so long; returns whether it was killed, and False if it ended before."""
    pid, end = os.fork(), time.monotonic() + seconds
    if pid == 0:
        script()
        os._exit(0)
    while time.monotonic() < end:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def operations(script: Script, log: Path) -> list[str]:
    """The names of the file operations of a whole run of `script`; `log` is a file to note them in."""
    fd = os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        assert _forked(script, None, False, fd) == 0, "the script failed; its trace is on stderr"
        return os.pread(fd, 2**24, 0).decode().split()
    finally:
        os.close(fd)


def die_at_the_third_chunk(job: "Job", folder: str, chunk: int) -> int:
    """Computes a chunk in a worker, which ends itself at the third, once the first two are on the disk."""
    from priorcraft.scale.content import compute

    if chunk != 2:
        return compute(job, folder, chunk)
    while not all(job.file(Path(folder), i).exists() for i in range(2)):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives this")
