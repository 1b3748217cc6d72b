"""Long readings: by several processes of this machine, and who is told how far they are."""

import multiprocessing
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from priorcraft.errors import DataError

Told = Callable[[str, int, int], None]  # what is read, how much of it is, and of how much
P = TypeVar("P")
T = TypeVar("T")


def _silent(what: str, done: int, of: int) -> None:
    return


_listener: ContextVar[Told] = ContextVar("listener", default=_silent)


@contextmanager
def telling(listener: Told) -> Iterator[None]:
    """Within the block, `listener` hears how far every reading is."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(what: str, done: int, of: int) -> None:
    """Says how far a reading is."""
    _listener.get()(what, done, of)


def _unheard(sentence: str) -> None:
    return


_hearer: ContextVar[Callable[[str], None]] = ContextVar("hearer", default=_unheard)


@contextmanager
def hearing(hearer: Callable[[str], None]) -> Iterator[None]:
    """Within the block, `hearer` is told what is done to data before the work begins."""
    token = _hearer.set(hearer)
    try:
        yield
    finally:
        _hearer.reset(token)


def say(sentence: str) -> None:
    """Says what is done to data, before the work."""
    _hearer.get()(sentence)


def processors() -> int:
    """How many processes this one may use at a time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def by_processes(work: Callable[[P], T], pieces: Sequence[P], count: int) -> Iterator[T]:
    """What `work` makes of each piece, in their order, by `count` processes; few results wait at any time.

    Processes are forked where the system can: the work must be arithmetic of NumPy and Pillow, never of torch.

    Raises:
        DataError: a process was ended from outside.
    """
    if count < 2 or len(pieces) < 2:
        yield from map(work, pieces)
        return
    way = "fork" if sys.platform == "linux" else "spawn"
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # threads do not matter to such work
        pool = ProcessPoolExecutor(min(count, len(pieces)), multiprocessing.get_context(way))
        waiting = deque[Future[T]]()
        try:
            for piece in pieces:
                waiting.append(pool.submit(work, piece))
                if len(waiting) > 2 * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise DataError("a process that read the data was ended from outside (too little memory?).") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
