"""Words: categories without an order, or with one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import torch
from torch import Generator

from priorcraft import runtime
from priorcraft.cells import CellColumn
from priorcraft.core import Finer
from priorcraft.datasets.columns.codec import Codec, Coded, Leaves, some
from priorcraft.datasets.labels import by_number

MOST = 32  # states of one digit


@dataclass(frozen=True)
class Word(Codec):
    """Words, each a state; beyond 32 of them the rarer share a coarse state and differ in a fine digit.

    Args:
        words: the words, a leaf each.
        firsts: the first leaf of each coarse state, see `Leaves`.
        rare, counts: words beyond all digits, which share one more leaf, the last, and how often each was there.
        ordered: whether their order means something.
        boolean: whether they are the two values of a truth.
        rows: how many rows they were counted in.
    """

    words: tuple[str, ...]
    firsts: tuple[int, ...]
    rare: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    ordered: bool = False
    boolean: bool = False
    rows: int = 0
    kind: ClassVar[str] = "word"

    def __post_init__(self) -> None:
        if Leaves(self.firsts).firsts[-1] != len(self.words) + bool(self.rare) or len(self.rare) != len(self.counts):
            raise ValueError("every word needs a leaf, and every rare one a count.")

    @property
    def sizes(self) -> tuple[int, ...]:
        """States of one or two digits."""
        return Leaves(self.firsts).sizes

    @property
    def finer(self) -> tuple[Finer, ...]:
        """The fine digit, if there is one."""
        return Leaves(self.firsts).finer()

    @property
    def unordered(self) -> bool:
        """Whether their order means nothing."""
        return not self.ordered

    @property
    def states(self) -> tuple[str, ...]:
        """Every word that it knows."""
        return (*self.words, *self.rare)

    def described(self) -> str:
        """The first of the words."""
        kind = "ordered words" if self.ordered else "boolean" if self.boolean else "words"
        return f"{len(self.states)} {kind}: {some(self.states, 6)}"

    def encode_distinct(self, column: CellColumn) -> Coded:
        """A leaf for each word; new ones have none."""
        leaf = {word: i for i, word in enumerate(self.words)} | dict.fromkeys(self.rare, len(self.words))
        share = np.log(np.array(self.counts) / sum(self.counts)) if self.rare else np.zeros(0)
        rest = dict(zip(self.rare, share.tolist(), strict=True))
        texts = self._known(column.texts.to_pylist())
        found = np.array([leaf.get(word, -1) for word in texts], dtype=np.int64)
        new = np.log(self.rows + 1.0)  # one imagined row says what was never said
        within = np.array([rest.get(word, 0.0 if word in leaf else -new) for word in texts], dtype=float)
        return Coded(Leaves(self.firsts).digits(found), within, found < 0, np.where(found < 0, new, 0.0))

    def _known(self, texts: list[str]) -> list[str]:
        """Truth values of a frame are those of a file, whatever their capitals."""
        if not self.boolean:
            return texts
        lower = {word.lower(): word for word in self.words}
        return [lower.get(text.lower(), text) for text in texts]

    def decode(self, x: np.ndarray, generator: Generator) -> np.ndarray:
        """The number of each word in `states`; of rare ones one by its share."""
        found = Leaves(self.firsts).leaf(x)
        if self.rare:
            rare = found >= len(self.words)
            share = np.cumsum(self.counts) / sum(self.counts)
            u = runtime.uniform((int(rare.sum()),), generator=generator, like=torch.zeros(0, dtype=torch.float64))
            found[rare] = len(self.words) + np.searchsorted(share, u.numpy(), side="right").clip(0, len(self.rare) - 1)
        return found

    def write(self, values: np.ndarray) -> list[str]:
        """The words themselves."""
        return np.array(self.states, dtype=object)[values].tolist()

    def typed(self, values: np.ndarray) -> pa.Array:
        """Words as a dictionary, truth values as such."""
        if self.boolean and {word.lower() for word in self.words} == {"true", "false"}:
            return pa.array([word.lower() == "true" for word in self.write(values)], pa.bool_())
        return pa.DictionaryArray.from_arrays(
            pa.array(values, pa.int32()), pa.array(self.states, pa.string()), ordered=self.ordered
        )


def words_of(column: CellColumn, *, order: Sequence[str] = (), ordered: bool = False, boolean: bool = False) -> Word:
    """The words of a column, in a stated order or their own: numbers by value, then the alphabet.

    Up to 32 words have a state each. Of more, the most frequent have, and the others share coarse states in the order
    of their frequency, up to 32 in each; what is left beyond 16 such groups is rare.
    """
    texts, counts = column.texts.to_pylist(), column.counts
    rows = int(counts.sum())
    seen = dict(zip(texts, counts.tolist(), strict=True))
    if order or ordered or len(texts) <= MOST:
        rest = sorted((word for word in texts if word not in order), key=by_number)
        words = [*order, *(texts if ordered and not order else rest)]
        if len(words) <= MOST:
            return Word(tuple(words), tuple(range(len(words) + 1)), ordered=ordered, boolean=boolean, rows=rows)
        width = -(-len(words) // MOST)
        firsts = (*range(0, len(words), width), len(words))
        return Word(tuple(words), firsts, ordered=ordered, rows=rows)
    ranked = sorted(texts, key=lambda word: (-seen[word], by_number(word)))
    single, room = MOST // 2, MOST * MOST // 2
    grouped = [word for word in ranked[single : single + room] if seen[word] > 1 or len(ranked) <= single + room]
    rare = [word for word in ranked[single:] if word not in set(grouped)]
    width = -(-len(grouped) // (MOST // 2 - bool(rare)))
    words = [*ranked[:single], *grouped]
    firsts = [*range(single), *range(single, len(words), max(width, 1)), len(words)]
    if rare:
        firsts.append(len(words) + 1)
    return Word(tuple(words), tuple(firsts), tuple(rare), tuple(seen[word] for word in rare), rows=rows)
