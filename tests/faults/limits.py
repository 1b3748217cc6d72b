"""A command in a process that may take 2 GB and a minute, and what goes otherwise than it must."""

import importlib
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from faults.writing import typed

CODES = {0, 1, 2, 3, 4, 75, 130}  # that are documented
MEMORY, SECONDS = 2 * 2**30, 60
LIBRARIES = ("scipy.sparse.linalg", "scipy.stats", "scipy.ndimage", "sklearn.linear_model", "sklearn.ensemble")
LIBRARIES += ("sklearn.datasets", "pandas", "pyarrow.parquet", "pyarrow.csv", "matplotlib.pyplot", "PIL.Image")


def limited(ask: Callable[[], tuple[int, str]], place: Path) -> str:
    """Asks in a child process, in a folder; what is wrong with the answer, or "".

    Args:
        ask: returns an exit code and what was said on stderr.
        place: the folder.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.close(reader)
        _answer(ask, place, writer)
    os.close(writer)
    said, end = b"", time.monotonic() + SECONDS
    while select.select([reader], [], [], max(0, end - time.monotonic()))[0]:
        if not (more := os.read(reader, 2**16)):
            break
        said += more
    else:
        os.kill(pid, signal.SIGKILL)
        said = json.dumps([0, f"not answered within {SECONDS} seconds"]).encode()
    os.close(reader)
    status = os.waitpid(pid, 0)[1]
    return judged(*json.loads(said)) if said else f"ended by signal or code {status}, and nothing said"


def _answer(ask: Callable[[], tuple[int, str]], place: Path, writer: int) -> None:
    """Asks under the limits and writes what came of it; does not return."""
    try:
        os.chdir(place)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        most = MEMORY + resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        try:
            found = ask()
        except BaseException as error:
            found = (-1, f"{type(error).__name__}: {error}")
        os.write(writer, json.dumps([found[0], found[1][:8000]]).encode())
    finally:
        os._exit(0)


def judged(code: int, said: str) -> str:
    """What is wrong with an exit code and the words on stderr, or ""."""
    lines = [line for line in said.splitlines() if line.startswith("priorcraft: ")]
    if said.startswith("not answered"):
        return said
    if code not in CODES or "Traceback" in said or "a fault of this program" in said or ".py:" in said:
        return f"exit {code}: {said[-300:]}"
    if code and not lines:
        return f"exit {code} without a sentence: {said[-300:]}"
    return f"more than {MEMORY:,} bytes: {said[-300:]}" if "not enough memory" in said else ""


def load_libraries() -> None:
    """Imports, once for all children, what they import when they need it: libraries are mapped beyond the limit."""
    for name in LIBRARIES:
        importlib.import_module(name)


def command(words: Sequence[str], place: Path) -> str:
    """Types a command under the limits; what is wrong, or ""."""
    return limited(lambda: typed(*words), place)
