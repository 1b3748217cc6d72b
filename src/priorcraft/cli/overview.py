"""`priorcraft --help`: every command with its first sentence, said before any library is imported."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap

from priorcraft import declared
from priorcraft.cli.lines import spelled

SUMMARY = "One learned prior, every question: fit p(x) to your own images or tables, and ask it."
EXIT_CODES = (
    "Exit codes: 0 ok, 1 failure, 2 usage, 3 bad data, 4 diverged, 75 stopped but resumable, 130 interrupted. "
    "Results go to stdout, progress to stderr."
)
HELP, VERSION = ("--help", "-h"), "--version"
OPTIONS = {
    "--help (-h)": "Display this message and exit.",
    "--install-completion": "Install shell completion for this application.",
    VERSION: "Display application version.",
}
STUDIO = Path(__file__).parent / "studio.py"  # the one command that is no verb: it serves a page and gives no answer


def commands() -> dict[str, str]:
    """The first sentence of every command by its name, in order.

    >>> commands()["sample"], "studio" in commands()
    ('Draw from a fitted model.', True)
    """
    found = {function.replace("_", "-"): declared.summary(function) for function in declared.names()}
    return dict(sorted((found | {"studio": declared.first_sentence(STUDIO)}).items()))


def overview(width: int) -> str:
    """What `priorcraft --help` prints, in lines of at most that many characters."""
    head = ["Usage: priorcraft COMMAND", "", *wrap(SUMMARY, width), ""]
    return "\n".join([*head, *_box("Commands", commands() | OPTIONS, width), "", *wrap(EXIT_CODES, width)])


def _box(title: str, rows: Mapping[str, str], width: int) -> Iterator[str]:
    """Names and what is said of them, side by side in a frame."""
    names = max(map(len, rows)) + 2
    yield f"╭─ {title} ".ljust(width - 1, "─") + "╮"
    for name, words in rows.items():
        for i, line in enumerate(wrap(words, max(20, width - names - 4))):
            yield f"│ {'' if i else name:{names}}{line}".ljust(width - 2) + " │"
    yield f"╰{'─' * (width - 2)}╯"


def told(words: list[str]) -> bool:
    """Answers what needs no command: `--help`, `--version`, and no word at all; whether it did."""
    if words == [VERSION]:
        from priorcraft import __version__

        print(__version__)
    elif not words or (len(words) == 1 and words[0] in HELP):
        print(spelled(overview(_width()), sys.stdout))
    else:
        return False
    return True


def _width() -> int:
    """Columns of the terminal; 80 where nobody watches."""
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        return 80
