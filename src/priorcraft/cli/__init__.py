"""The command line: thin, and fast to say --help."""

import os
import sys
import warnings

from cyclopts import App, CycloptsError, UnusedCliTokensError

from priorcraft import __version__
from priorcraft.errors import PriorcraftError

COMMANDS = {
    "demo": "priorcraft.cli.compare:demo",
    "fit": "priorcraft.cli.fit:fit",
    "compare": "priorcraft.cli.compare:compare",
    "evaluate": "priorcraft.cli.evaluate:evaluate",
    "sample": "priorcraft.cli.ask:sample",
    "score": "priorcraft.cli.ask:score",
    "inpaint": "priorcraft.cli.restore:inpaint",
    "upscale": "priorcraft.cli.restore:upscale",
    "impute": "priorcraft.cli.restore:impute",
    "classify": "priorcraft.cli.classify:classify",
    "unusual": "priorcraft.cli.classify:unusual",
    "augment": "priorcraft.cli.augment:augment",
    "translate": "priorcraft.cli.translate:translate",
    "encode": "priorcraft.cli.codes:encode",
    "decode": "priorcraft.cli.codes:decode",
    "interpolate": "priorcraft.cli.latent:interpolate",
    "traverse": "priorcraft.cli.latent:traverse",
    "analogy": "priorcraft.cli.latent:analogy",
    "latent-map": "priorcraft.cli.latent:latent_map",
    "bayes": "priorcraft.cli.bayes:bayes",
    "models": "priorcraft.cli.catalogue:models",
    "data": "priorcraft.cli.catalogue:data",
}
HELP = {
    "demo": "Fit a model of each family to handwritten digits, compare them, and show the report.",
    "fit": "Fit a model to data, in a run folder that can be killed and resumed.",
    "compare": "Fit several models to the same data under one budget, and write a report.",
    "evaluate": "Judge samples of any origin beside the data that they should look like.",
    "sample": "Draw from a fitted model.",
    "score": "How probable rows are under a fitted model, and what kind of number that is.",
    "inpaint": "Complete what a mask hides, in several ways, from one fitted model.",
    "impute": "Draw the missing values of an array, several times.",
    "upscale": "Enlarge images in several ways, each with exactly the block means that were seen.",
    "classify": "Classify rows by Bayes' theorem, beside classifiers that learn p(c | x) directly.",
    "unusual": "How unusual rows are: likelihood, typicality, and likelihood ratio.",
    "augment": "Add samples to a training set, and prove whether that helps.",
    "translate": "Images of one domain as images of another, several answers each.",
    "encode": "The latent codes z of images or rows.",
    "decode": "The images that codes z stand for.",
    "interpolate": "What lies between two images, along the line between their codes.",
    "traverse": "What single numbers of z do to an image.",
    "analogy": "A is to B as C is to what? Arithmetic with codes.",
    "latent-map": "Where rows lie in z, in two dimensions, and what is decoded there.",
    "bayes": "Bayes' theorem on a table of categories, one piece of evidence after another.",
    "models": "The models by name, and what is known of their density.",
    "data": "The built-in data sets, the forms that your own may have, and what some data turn out to be.",
}
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
    for name, target in COMMANDS.items():
        app.command(target, name=name, help=HELP[name])
    app.register_install_completion_command()
    return app


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; every refusal is a sentence on stderr and an exit code."""
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # threads that spin for each other stall on a busy machine
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
    except MemoryError:
        leave("there is not enough memory; try a smaller n, batch_size or model.", FAILURE)
    except OSError as error:
        leave(f"{error.filename or 'a file'}: {error.strerror or error}.", FAILURE)
    except RuntimeError as error:
        reason = "there is not enough memory" if "memory" in str(error) else f"torch refused ({first_line(error)})"
        leave(f"{reason}; try a smaller n, batch_size or model. PRIORCRAFT_TRACE=1 shows where.", FAILURE)


def misuse(error: CycloptsError) -> str:
    """What is wrong with the words of a command, and whose --help tells how they go."""
    command = " ".join(["priorcraft", *(error.command_chain or ())])
    spare = error.unused_tokens if isinstance(error, UnusedCliTokensError) else []
    sentence = f"'{spare[0]}' is one word too many." if spare else str(error)
    return f"{sentence} See {command} --help."


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def say(text: str) -> None:
    """One line on stderr, whatever the terminal's encoding."""
    encoding = sys.stderr.encoding or "ascii"
    print(text.encode(encoding, "replace").decode(encoding), file=sys.stderr, flush=True)


def leave(sentence: str, code: int) -> None:
    """Ends with a sentence and an exit code; with PRIORCRAFT_TRACE set, with the place of the error too."""
    if os.environ.get("PRIORCRAFT_TRACE"):
        raise
    say(f"priorcraft: {sentence}")
    sys.exit(code)
