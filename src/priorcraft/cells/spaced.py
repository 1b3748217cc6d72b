"""Text files whose cells stand apart by white space, aligned or not."""

import re
from collections import Counter
from itertools import islice

from priorcraft.cells.numerals import PLAIN

LINES = 50  # that are looked at
MOST = 0.8  # of them must have equally many cells; the reader names a line that has not
PIECE = re.compile(rb'"[^"\r\n]*"|\'[^\'\r\n]*\'(?=[ \t\r\n]|$)|[^ \t\r\n]+')
NUMBER = re.compile(PLAIN.encode())


def spaced(text: bytes) -> bytes | None:
    """The same text with a tab between cells, if white space is what separates them, else None.

    It is where all or almost all of the first lines have equally many cells, and there is a sign of it that prose has
    not: a column of numbers, a wider gap, or a quoted cell. Names may be one fewer, as R writes them, or follow a #.

    Args:
        text: from the line of names on.

    >>> spaced(b"x   y\\n1  2.5\\n20 3\\n")
    b'x\\ty\\n1\\t2.5\\n20\\t3\\n'
    >>> spaced(b"comment\\nvery good\\nbad\\n")
    """
    lines = [line for line in islice(text.splitlines(), LINES) if line.strip()]
    names, *rows = [PIECE.findall(line) for line in lines]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    if names[0][:1] in b"#%" and len(names) - (len(names[0]) == 1) == width:
        text, lines[0] = (line.lstrip().removeprefix(names[0][:1]) for line in (text, lines[0]))
        names = PIECE.findall(lines[0])
    whole = [row for row in rows if len(row) == width]
    fits = width > 1 and len(names) in (width, max(width - 1, 2)) and len(whole) >= MOST * len(rows)
    if not (fits and (_number(whole) or any(re.search(rb"\S[ \t]{2,}\S|[ \t][\"']", line) for line in lines))):
        return None
    return b"\n".join(b"\t".join(map(_cell, PIECE.findall(line))) for line in text.splitlines()) + b"\n"


def _number(rows: list[list[bytes]]) -> bool:
    """Whether some column holds numbers and words of emptiness alone."""
    return any(
        all(NUMBER.match(cell.replace(b",", b".")) or cell in (b"NA", b"?", b".") for cell in column)
        and any(NUMBER.match(cell.replace(b",", b".")) for cell in column)
        for column in zip(*rows, strict=True)
    )


def _cell(piece: bytes) -> bytes:
    """A cell as it stands in a file separated by tabs."""
    return (
        b'"' + piece[1:-1].replace(b'"', b'""') + b'"' if len(piece) > 1 and piece[:1] == piece[-1:] == b"'" else piece
    )
