"""Columns that are no part of p(x): constants, texts and identifiers, each with its own way through."""

import re
import string
import uuid
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Generator

from priorcraft import runtime
from priorcraft.cells import CellColumn
from priorcraft.contents import brief
from priorcraft.datasets.columns.codec import Codec, Coded
from priorcraft.datasets.columns.naming import Stretch, numerals, shaped, uuids

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", re.IGNORECASE)


@dataclass(frozen=True)
class Aside(Codec):
    """A column without entries; every cell of it is welcome."""

    def encode_distinct(self, column: CellColumn) -> Coded:
        """Nothing of each value."""
        n = len(column.distinct)
        return Coded(np.zeros((n, 0), dtype=np.int64), np.zeros(n), np.zeros(n, dtype=bool), np.zeros(n))

    def write(self, values: np.ndarray) -> list[str]:
        """The values, which are texts already."""
        return values.tolist()


@dataclass(frozen=True)
class Constant(Aside):
    """A column that always says the same, and will in samples.

    Args:
        value: what it says; "" for nothing.
    """

    value: str = ""
    kind: ClassVar[str] = "constant"

    def described(self) -> str:
        """What it says."""
        return f"always {brief(self.value)}" if self.value else "always empty"

    def decode(self, x: np.ndarray, generator: Generator) -> np.ndarray:
        """The value, once a row."""
        return np.full(len(x), self.value, dtype=object)


@dataclass(frozen=True)
class Text(Aside):
    """Texts of which nothing can be learned: kept where they are, and absent in samples.

    Args:
        different: how many there were.
    """

    different: int = 0
    kind: ClassVar[str] = "text"

    def described(self) -> str:
        """How many texts."""
        return f"{self.different:,} different texts, left out"

    def decode(self, x: np.ndarray, generator: Generator) -> np.ndarray:
        """Empty cells."""
        return np.full(len(x), "", dtype=object)


@dataclass(frozen=True)
class Identifier(Aside):
    """Names of rows, which say nothing else: made anew and unique in samples.

    Args:
        first, last: the smallest and largest in the order of text and length.
        consecutive: whether they are whole numbers one after another; new ones then begin at `first`.
        rows: how many there were.
    """

    first: str = ""
    last: str = ""
    consecutive: bool = False
    rows: int = 0
    kind: ClassVar[str] = "id"

    def described(self) -> str:
        """From where to where."""
        return f"identifiers from {brief(self.first)} to {brief(self.last)}, left out of p(x) and made anew in samples"

    def decode(self, x: np.ndarray, generator: Generator) -> np.ndarray:
        """One name a row, each once, in the form of the ones there were."""
        if self.consecutive:
            return np.array([str(int(self.first) + i) for i in range(len(x))], dtype=object)
        found = dict[str, None]()
        while len(found) < len(x):
            seed = int(runtime.uniform((1,), generator=generator, like=torch.zeros(0, dtype=torch.float64)) * 2**53)
            found |= dict.fromkeys(self._made(len(x) - len(found), len(found), np.random.default_rng(seed)))
        return np.array(list(found), dtype=object)

    def named(self, n: int, stretch: Stretch) -> np.ndarray:
        """Names of n rows of a long answer, unique among all of its rows."""
        if self.consecutive:
            made = [str(int(self.first) + stretch.begin + i) for i in range(n)]
        elif UUID.match(self.first):
            made = uuids(stretch, n)
        elif self.first.isdecimal() and self.last.isdecimal():
            width = len(self.first) if len(self.first) == len(self.last) else 0
            made = numerals(stretch, n, int(self.first), int(self.last), width)
        else:
            before = letters(self.last)
            made = shaped(stretch, n, self.last, len(before) if self.first.startswith(before) else 0)
        return np.array(made, dtype=object)

    def _made(self, n: int, already: int, rng: np.random.Generator) -> list[str]:
        if UUID.match(self.first):
            return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(n)]
        if self.first.isdecimal() and self.last.isdecimal():
            low, high = int(self.first), int(self.last)
            width = len(self.first) if len(self.first) == len(self.last) else 0
            room = high - low + 1 if high - low + 1 > 2 * (n + already) else 10 * (n + already)
            return [str(low + int(each)).zfill(width) for each in rng.random(n) * room]
        shape = self.last
        while _room(shape) < 4 * (n + already):
            shape += "0"
        before = letters(self.last)
        kept = len(before) if self.first.startswith(before) else 0
        return [shape[:kept] + "".join(_like(letter, rng) for letter in shape[kept:]) for _ in range(n)]


def letters(name: str) -> str:
    """What stands before the first digit of a name.

    >>> letters("INV-0042")
    'INV-'
    """
    return re.split(r"\d", name, maxsplit=1)[0]


def _room(shape: str) -> float:
    """How many names have this shape."""
    return float(
        np.prod([10.0 if c.isdigit() else 1.0 if i < 2 else 26.0 * c.isalpha() or 1.0 for i, c in enumerate(shape)])
    )


def _like(letter: str, rng: np.random.Generator) -> str:
    """A digit for a digit, a letter for a letter, and the rest as it is."""
    if letter.isdecimal():
        return str(rng.integers(10))
    if letter.isascii() and letter.isalpha():
        return str(rng.choice(list(string.ascii_lowercase if letter.islower() else string.ascii_uppercase)))
    return letter
