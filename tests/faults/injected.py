"""Faults that are really there: the k-th file operation of a script fails, as on a full or dying disk; or there is no
memory for the k-th tensor."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

NO_MEMORY = "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you asked for 8 bytes."
OPERATIONS = ("open", "write", "fsync", "rename", "replace", "mkdir", "link", "ftruncate", "unlink", "rmdir")
WRITES = os.O_WRONLY | os.O_RDWR

watched: list[Callable[[str, str | None, int], None]] = []  # by the hook, which stays as long as the process


def _hook(event: str, args: tuple) -> None:
    if event == "open" and watched and isinstance(args[0], str | bytes):
        watched[-1](os.fsdecode(args[0]), args[1], args[2])


sys.addaudithook(_hook)


@contextmanager
def failing(k: int | None, code: int = errno.EIO) -> Iterator[list[str]]:
    """Within, the k-th operation that changes the disk raises OSError, and all later ones of its kind; none if None.

    Asks also that nothing is opened for writing but by `os.open`, as `priorcraft.disk` does: else it would be no
    operation here.

    Yields:
        The names of the operations so far.
    """
    done, broken, others = list[str](), set[str](), list[str]()
    real = {name: getattr(os, name) for name in OPERATIONS}

    def wrapped(name: str) -> Callable[..., object]:
        def operation(*args: object, **kwargs: object) -> object:
            reads = name == "open" and not (isinstance(args[1], int) and args[1] & WRITES)
            if not reads and args[0] != os.devnull:
                done.append(name)
                if len(done) - 1 == k or name in broken:
                    broken.add(name)
                    raise OSError(code, os.strerror(code), args[0] if isinstance(args[0], str) else None)
            return real[name](*args, **kwargs)

        return operation

    for name in OPERATIONS:
        setattr(os, name, wrapped(name))
    watched.append(lambda path, mode, flags: others.append(path) if mode and {*mode} & {*"wax+"} else None)
    try:
        yield done
    finally:
        watched.pop()
        for name, function in real.items():
            setattr(os, name, function)
    assert not [path for path in others if path != os.devnull], f"written without priorcraft.disk: {others}"


@contextmanager
def unreadable(k: int | None, place: Path) -> Iterator[list[str]]:
    """Within, the k-th opening of a file below a folder in order to read it raises OSError; none if None.

    Yields:
        The files so far.
    """
    done = list[str]()

    def look(path: str, mode: str | None, flags: int) -> None:
        if path.startswith(str(place)) and (not {*mode} & {*"wax+"} if mode else not flags & WRITES):
            done.append(path)
            if len(done) - 1 == k:
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    watched.append(look)
    try:
        yield done
    finally:
        watched.pop()


class Starving(TorchDispatchMode):
    """Within, torch's allocator has no memory for the k-th operation; for all if None. Counts them in `done`."""

    def __init__(self, k: int | None) -> None:
        super().__init__()
        self.k, self.done = k, 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: object, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Does it, or says what torch says."""
        self.done += 1
        if self.done - 1 == self.k:
            raise RuntimeError(NO_MEMORY)
        return func(*args, **(kwargs or {}))
