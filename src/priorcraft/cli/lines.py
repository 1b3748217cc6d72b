"""Lines on a terminal, whatever characters it has."""

import sys
from typing import TextIO

from priorcraft.contents import legible

PLAIN = str.maketrans({"≤": "<=", "±": "+-", "─": "-", "│": "|"} | dict.fromkeys("╭╮╰╯", "+"))


def say(text: str) -> None:
    """One line on stderr, whatever the terminal's encoding."""
    print(spelled(legible(text), sys.stderr), file=sys.stderr, flush=True)


def spelled(text: str, stream: TextIO) -> str:
    """The text in characters that the stream has."""
    encoding = stream.encoding or "ascii"
    if not encoding.lower().startswith("utf"):
        text = text.translate(PLAIN)
    return text.encode(encoding, "replace").decode(encoding)
