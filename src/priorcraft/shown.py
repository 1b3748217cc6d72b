"""The pieces that an answer is shown in, on a terminal and in a notebook: facts, tables, sentences and pictures."""

import sys
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from priorcraft.contents import legible

WIDTH = 140  # characters of a line where nobody watches
CELL = "padding:.15em .8em .15em 0;text-align:left;border:0;background:none;vertical-align:top"


class Piece(Protocol):
    """Something that can be printed and put on a page."""

    def text(self) -> str:
        """Lines for a terminal."""
        ...

    def html(self) -> str:
        """An element for a page."""
        ...


@dataclass(frozen=True)
class Facts:
    """Names and values, a line each; those that are None are left out.

    >>> print(Facts({"n": 3, "bits_per_dim": 2.25, "seed": None}).text())
    n             3
    bits per dim  2.25
    """

    values: Mapping[str, Any]

    def text(self) -> str:
        """A line a fact, values in one column."""
        there = {key: value for key, value in self.values.items() if value is not None}
        width = max(map(len, there), default=0)
        return "\n".join(f"{spaced(key):{width}}  {cell(value)}" for key, value in there.items())

    def html(self) -> str:
        """Two columns."""
        there = {key: value for key, value in self.values.items() if value is not None}
        rows = "".join(
            f"<tr><td style='{CELL};opacity:.7'>{escape(spaced(key))}</td>"
            f"<td style='{CELL}'>{escape(cell(value))}</td></tr>"
            for key, value in there.items()
        )
        return f"<table style='border:0;margin:.3em 0'>{rows}</table>"


@dataclass(frozen=True)
class Rows:
    """Rows with the same keys, as a table.

    Args:
        rows: the cells by the names of their columns.
        title: what the table is about.
    """

    rows: Sequence[Mapping[str, Any]]
    title: str | None = None

    def text(self) -> str:
        """The table with lines, in the width of the terminal."""
        from rich.console import Console
        from rich.table import Table

        table = Table(title=self.title, title_justify="left", header_style="bold")
        for i, key in enumerate(self.rows[0] if self.rows else ()):
            table.add_column(spaced(key), overflow="fold", no_wrap=i == 0)
        for row in self.rows:
            table.add_row(*(cell(value) for value in row.values()))
        console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, emoji=False, markup=False)
        with console.capture() as captured:
            console.print(table)
        return captured.get().rstrip("\n")

    def html(self) -> str:
        """A table with a head."""
        names = list(self.rows[0]) if self.rows else []
        head = "".join(f"<th style='{CELL}'>{escape(spaced(name))}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td style='{CELL}'>{escape(cell(value))}</td>" for value in row.values()) + "</tr>"
            for row in self.rows
        )
        title = f"<caption style='text-align:left;opacity:.7'>{escape(self.title)}</caption>" if self.title else ""
        return f"<table style='border:0;margin:.3em 0'>{title}<tr>{head}</tr>{body}</table>"


@dataclass(frozen=True)
class Sentence:
    """Words as they are."""

    words: str

    def text(self) -> str:
        """The words."""
        return legible(self.words)

    def html(self) -> str:
        """A paragraph."""
        return f"<p style='margin:.3em 0'>{escape(self.words)}</p>"


@dataclass(frozen=True)
class Picture:
    """A picture that a notebook shows; a terminal does not.

    Args:
        png: its bytes, or what draws them once a notebook asks.
        words: what is to be seen.
    """

    png: bytes | Callable[[], bytes]
    words: str

    def text(self) -> str:
        """Nothing."""
        return ""

    def html(self) -> str:
        """The picture, in the page itself, over its words."""
        content = self.png if isinstance(self.png, bytes) else self.png()
        source = "data:image/png;base64," + b64encode(content).decode()
        image = f"<img src='{source}' alt='{escape(self.words, quote=True)}' style='max-width:100%'>"
        words = f"<figcaption style='opacity:.7'>{escape(self.words)}</figcaption>"
        return f"<figure style='margin:.6em 0'>{image}{words}</figure>"


def spaced(name: str) -> str:
    """A name of a field as words.

    >>> spaced("bits_per_dim")
    'bits per dim'
    """
    return legible(name.replace("_", " "))


def cell(value: Any) -> str:
    """A value in a cell: numbers short, lists with commas, absence as a dash.

    >>> cell(None), cell(True), cell(0.123456), cell([1, 2])
    ('-', 'yes', '0.1235', '1, 2')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else legible(str(value))
