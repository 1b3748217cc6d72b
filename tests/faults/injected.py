"""Faults that are really there: the k-th file operation of a script fails, as on a full or dying disk."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OPERATIONS = ("open", "write", "fsync", "rename", "replace", "mkdir", "link", "ftruncate")


@contextmanager
def failing(k: int | None, code: int = errno.EIO) -> Iterator[list[str]]:
    """Within, the k-th operation that changes the disk raises OSError, and all later ones of its kind; none if None.

    Yields:
        The names of the operations so far.
    """
    done, broken = list[str](), set[str]()
    real = {name: getattr(os, name) for name in OPERATIONS}

    def wrapped(name: str) -> Callable[..., object]:
        def operation(*args: object, **kwargs: object) -> object:
            reads = name == "open" and not (isinstance(args[1], int) and args[1] & (os.O_WRONLY | os.O_RDWR))
            if not reads:
                done.append(name)
                if len(done) - 1 == k or name in broken:
                    broken.add(name)
                    raise OSError(code, os.strerror(code), args[0] if isinstance(args[0], str) else None)
            return real[name](*args, **kwargs)

        return operation

    for name in OPERATIONS:
        setattr(os, name, wrapped(name))
    try:
        yield done
    finally:
        for name, function in real.items():
            setattr(os, name, function)
