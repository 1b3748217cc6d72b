"""The command line: thin, and fast to say --help."""

import os
import sys
import warnings

from cyclopts import App, CycloptsError, UnusedCliTokensError

from priorcraft import __version__, declared
from priorcraft.cli.lines import say
from priorcraft.errors import PriorcraftError, out_of_memory

FAILURE, USAGE, INTERRUPTED = 1, 2, 130


def make_app() -> App:
    """The application; a command's module is imported when the command is run."""
    app = App(
        name="priorcraft",
        version=__version__,
        help_format="plaintext",
        help="One learned prior, every question: fit p(x) to your own images or tables, and ask it.",
        help_epilogue="Exit codes: 0 ok, 1 failure, 2 usage, 3 bad data, 4 diverged, 75 stopped but resumable, "
        "130 interrupted. Results go to stdout, progress to stderr.",
    )
    for function in declared.names():
        name = function.replace("_", "-")
        app.command(f"priorcraft.cli.command:{function}", name=name, help=declared.summary(function))
    app.command(
        "priorcraft.cli.studio:studio", name="studio", help="Open the studio: every idea moved by hand, in the browser."
    )
    app.register_install_completion_command()
    return app


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; every refusal is a sentence on stderr and an exit code."""
    if arguments is None:  # a process of our own: threads that spin for each other stall on a busy machine
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    warnings.showwarning = lambda message, *rest, **more: say(f"Note: {message}")
    try:
        make_app()(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except PriorcraftError as error:
        leave(str(error), error.exit_code)
    except CycloptsError as error:
        leave(misuse(error), USAGE)
    except KeyboardInterrupt:
        leave("interrupted.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        leave(f"{error.filename or 'a file'}: {error.strerror or error}.", FAILURE)
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


def misuse(error: CycloptsError) -> str:
    """What is wrong with the words of a command, and whose --help tells how they go."""
    command = " ".join(["priorcraft", *(error.command_chain or ())])
    spare = error.unused_tokens if isinstance(error, UnusedCliTokensError) else []
    sentence = f"'{spare[0]}' is one word too many." if spare else str(error)
    return f"{sentence} See {command} --help."


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def leave(sentence: str, code: int) -> None:
    """Ends with a sentence and an exit code; with PRIORCRAFT_TRACE set, with the place of the error too."""
    if os.environ.get("PRIORCRAFT_TRACE"):
        raise
    say(f"priorcraft: {sentence}")
    sys.exit(code)
