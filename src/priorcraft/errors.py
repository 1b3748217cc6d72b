"""Errors that are sentences: what was asked, what was expected, what was found, what to do.

Every class carries the exit code with which the command line ends (0 ok, 1 failure, 2 usage, 3 bad data,
4 diverged, 75 stopped but resumable, 130 interrupted).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class PriorcraftError(Exception):
    """Anything that priorcraft says no to, in a sentence."""

    exit_code = 1


class UsageError(PriorcraftError, ValueError):
    """An argument that cannot be used as given."""

    exit_code = 2


class DataError(PriorcraftError, ValueError):
    """Data that cannot be read, or that do not fit the model."""

    exit_code = 3


class ImpossibleEvidence(DataError):
    """The evidence e has p(e) = 0: the posterior p(. | e) does not exist."""


class NoDensity(PriorcraftError, AttributeError):
    """A density was asked of a model that does not have one."""


class CheckpointError(PriorcraftError):
    """A checkpoint that is torn, altered, foreign or made by a newer version."""


class RunBusy(PriorcraftError):
    """Another process is writing to this run folder."""


class Diverged(PriorcraftError):
    """A loss or gradient stopped being finite; the last good checkpoint is kept."""

    exit_code = 4


class OutOfMemory(PriorcraftError):
    """The machine's memory does not suffice; names what for."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is not enough memory for {what}.")


class Stopped(PriorcraftError):
    """Stopped by a signal at the end of a step; the run can be resumed."""

    exit_code = 75


class Interrupted(Stopped):
    """Stopped from the keyboard; the run can be resumed."""

    exit_code = 130


_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc", "could not create a primitive")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch's own has another class on every device.

    >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"))
    True
    >>> out_of_memory(RuntimeError("size mismatch, memory format"))
    False
    """
    return isinstance(error, MemoryError) or any(said in str(error) for said in _MEMORY)


@contextmanager
def within_memory(what: str) -> Iterator[None]:
    """Says in a sentence that memory ran out within, whichever library noticed it.

    Args:
        what: it was needed for, and what to do.

    Raises:
        OutOfMemory: in place of a library's error of another class.
    """
    try:
        yield
    except PriorcraftError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise OutOfMemory(what) from error
        raise


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause that offers the nearest known names.

    >>> did_you_mean("vea", ["vae", "gan"])
    "did you mean 'vae'? Known: gan, vae."
    """
    known = sorted(known)
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{hint}Known: {', '.join(known)}."
