"""What every kind of column can do: cells to integers of p(x) and what is left over, and back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import pyarrow as pa
from torch import Generator

from priorcraft import typed
from priorcraft.cells import CellColumn
from priorcraft.contents import brief
from priorcraft.core import Finer

HIDDEN = -1  # in the place of an integer: empty, or a value that the column does not know


class Coded(NamedTuple):
    """A column's cells as integers.

    x: one integer an entry, -1 where the cell is empty or unknown, int64, (N, entries).
    rest: log p(value | its integers), nats: a probability for words and whole numbers, a density for decimals; 0
        where the cell is empty; (N,).
    beyond: values that the column had not shown when it was learned: new words, numbers outside its range; (N,).
    strange: by how many nats a value is less probable than if anything could stand there, at least 0: numbers evenly
        over ten times their range, and any new word; what `unusual` looks for; (N,).
    """

    x: np.ndarray
    rest: np.ndarray
    beyond: np.ndarray
    strange: np.ndarray


class Codec(ABC):
    """How the cells of one kind of column become entries of x, and entries become cells.

    Its dataclass fields are what `config.json` keeps.
    """

    kind: ClassVar[str]

    @property
    def sizes(self) -> tuple[int, ...]:
        """States of each of its entries; () for a column that is left out of p(x)."""
        return ()

    @property
    def finer(self) -> tuple[Finer, ...]:
        """Which of its entries are the fine digits of others, numbered within the column."""
        return ()

    @property
    def unordered(self) -> bool:
        """Whether the integers of its entries are names."""
        return False

    @property
    def continuous(self) -> bool:
        """Whether `rest` is a density, in nats per unit, and not a probability."""
        return False

    @property
    def like(self) -> str:
        """How one of its values is written."""
        return ""

    @abstractmethod
    def described(self) -> str:
        """The column in a few words."""

    def encode(self, column: CellColumn) -> Coded:
        """The integers of every row.

        Raises:
            ValueError: a cell of another kind, which the message names.
        """
        code = self.encode_distinct(column)
        empty = Coded(np.full((1, len(self.sizes)), HIDDEN), np.zeros(1), np.zeros(1, dtype=bool), np.zeros(1))
        return Coded(*(np.concatenate(pair)[column.codes] for pair in zip(code, empty, strict=True)))

    @abstractmethod
    def encode_distinct(self, column: CellColumn) -> Coded:
        """The integers of every different value."""

    @abstractmethod
    def decode(self, x: np.ndarray, generator: Generator) -> np.ndarray:
        """Values for integers x (N, entries), drawn within what the integers say."""

    @abstractmethod
    def write(self, values: np.ndarray) -> list[str]:
        """Values as the cells of a text file."""

    def typed(self, values: np.ndarray) -> pa.Array:
        """Values as a frame holds them."""
        return pa.array(self.write(values), pa.string())

    def as_json(self) -> dict[str, Any]:
        """For a run's config.json."""
        return {"kind": self.kind} | asdict(self)  # pyright: ignore[reportArgumentType]

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Self:
        """The inverse of `as_json`: every field checked for its type."""
        return typed.read(cls, {key: value for key, value in found.items() if key != "kind"}, cls.kind)


@dataclass(frozen=True)
class Leaves:
    """The states of a column in two digits: a coarse one, and a finer one within it.

    A leaf is numbered by its place; coarse state k holds the leaves firsts[k] ... firsts[k+1]-1.

    >>> leaves = Leaves((0, 1, 4))
    >>> leaves.sizes, leaves.digits(np.array([0, 3])).tolist(), leaves.leaf(np.array([[0, 2], [1, 2]])).tolist()
    ((2, 3), [[0, 0], [1, 2]], [0, 3])
    """

    firsts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.firsts) < 2 or self.firsts[0] or min(np.diff(self.firsts)) < 1:
            raise ValueError(f"leaves must be numbered upwards from 0, not {self.firsts}.")

    @property
    def sizes(self) -> tuple[int, ...]:
        """States of the coarse digit, and of the fine one where there is one."""
        finest = max(np.diff(self.firsts))
        coarse = max(2, len(self.firsts) - 1)
        return (coarse,) if finest < 2 else (coarse, int(finest))

    def finer(self, at: int = 0) -> tuple[Finer, ...]:
        """The fine digit of a column whose coarse one is entry `at`, if it has one.

        >>> Leaves((0, 1, 4)).finer()
        (Finer(entry=1, of=0, states=(1, 3)),)
        """
        if len(self.sizes) < 2:
            return ()
        states = tuple(np.diff(self.firsts).tolist())
        return (Finer(at + 1, at, states + (1,) * (self.sizes[0] - len(states))),)

    def digits(self, leaf: np.ndarray) -> np.ndarray:
        """Both digits of each leaf, -1 for leaf -1, (N, 1 or 2)."""
        first = np.array(self.firsts)
        coarse = np.searchsorted(first, leaf, side="right") - 1
        fine = leaf - first[coarse.clip(0)]
        both = np.stack([coarse, fine], 1) if len(self.sizes) == 2 else coarse[:, None]
        return np.where(leaf[:, None] < 0, HIDDEN, both)

    def leaf(self, x: np.ndarray) -> np.ndarray:
        """The leaf of digits x (N, 1 or 2); a fine digit that a coarse state does not have is its last."""
        first = np.array(self.firsts)
        coarse = x[:, 0].clip(0, len(first) - 2)
        most = first[coarse + 1] - first[coarse] - 1
        return first[coarse] + (np.minimum(x[:, 1], most) if x.shape[1] > 1 else 0)


def some(names: Sequence[str], most: int = 4) -> str:
    """The first few names, for a sentence."""
    return ", ".join(map(brief, names[:most])) + (" ..." if len(names) > most else "")
