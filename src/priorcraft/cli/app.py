"""The application that reads the words of a command."""

from cyclopts import App, CycloptsError, UnusedCliTokensError

from priorcraft import __version__
from priorcraft.cli.overview import EXIT_CODES, SUMMARY, commands
from priorcraft.errors import UsageError


def call(words: list[str]) -> None:
    """Runs one command.

    Raises:
        UsageError: words that are none of its.
        PriorcraftError: what the command says no to.
    """
    try:
        application()(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        raise UsageError(misuse(error)) from error


def application() -> App:
    """Every command by name; a command's module is imported when the command is run."""
    app = App(name="priorcraft", version=__version__, help_format="plaintext", help=SUMMARY, help_epilogue=EXIT_CODES)
    for name, summary in commands().items():
        home = "studio" if name == "studio" else "command"
        app.command(f"priorcraft.cli.{home}:{name.replace('-', '_')}", name=name, help=summary)
    app.register_install_completion_command()
    return app


def misuse(error: CycloptsError) -> str:
    """What is wrong with the words of a command, and whose --help tells how they go."""
    command = " ".join(["priorcraft", *(error.command_chain or ())])
    spare = error.unused_tokens if isinstance(error, UnusedCliTokensError) else []
    sentence = f"'{spare[0]}' is one word too many." if spare else str(error)
    return f"{sentence} See {command} --help."
