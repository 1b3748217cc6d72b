"""The command line: thin, and fast to say --help."""

import os
import sys
import warnings

from priorcraft.cli.lines import say
from priorcraft.cli.overview import told
from priorcraft.errors import PriorcraftError, out_of_memory

FAILURE, INTERRUPTED = 1, 130


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; every refusal is a sentence on stderr and an exit code."""
    if arguments is None:  # a process of our own: threads that spin for each other stall on a busy machine
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    for name in ("stdout", "stderr"):  # one that is closed is written to in vain, as a pipe is that nobody reads
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    warnings.showwarning = lambda message, *rest, **more: say(f"Note: {message}")
    try:
        words = sys.argv[1:] if arguments is None else arguments
        if not told(words):
            from priorcraft.cli.app import call

            call(words)
    except PriorcraftError as error:
        leave(str(error), error.exit_code)
    except KeyboardInterrupt:
        leave("interrupted.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        leave(f"{error.filename or 'what is printed'}: {error.strerror or error}.", FAILURE)
    except Exception as error:
        leave(reason(error), FAILURE)


def reason(error: Exception) -> str:
    """What to say of an error that is no refusal: memory ran out, or this program is wrong, and says so."""
    if out_of_memory(error):
        return "there is not enough memory; try a smaller n, batch_size or model."
    said = f"{type(error).__name__}: {first_line(error)}" if str(error) else type(error).__name__
    return (
        f"a fault of this program, not of yours ({said}); nothing that was saved is touched. PRIORCRAFT_TRACE=1 shows "
        "where; please report it."
    )


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def leave(sentence: str, code: int) -> None:
    """Ends with a sentence and an exit code; with PRIORCRAFT_TRACE set, with the place of the error too."""
    if os.environ.get("PRIORCRAFT_TRACE"):
        raise
    say(f"priorcraft: {sentence}")
    sys.exit(code)
