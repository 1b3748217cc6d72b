"""A batch cut into parts that are always the same, whoever computes them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.errors import UsageError
from priorcraft.train.workers import Workers

DEFAULT = 4  # parts of a batch, where workers are asked for


@dataclass(frozen=True)
class Shards:
    """Into how many parts rows are cut, and who computes them.

    What a step needs of its rows is a sum over them. Each part is summed by itself, by one thread, and the parts are
    added in their order, so that the result is the same bit for bit for every number of workers that divides `count`.

    Args:
        count: number of parts; with one, the rows are not cut and all threads work on them.
        workers: the processes among which the parts are divided evenly.

    Raises:
        UsageError: a count that the workers do not divide.

    >>> Shards(3).total(10, lambda s, rows: [torch.tensor(float(rows.stop - rows.start))])
    [tensor(10.)]
    """

    count: int = 1
    workers: Workers = field(default_factory=Workers)

    def __post_init__(self) -> None:
        self.check(self.count, self.workers.count)

    @staticmethod
    def check(count: int, workers: int) -> None:
        """Raises a UsageError for a number of workers that does not divide the number of shards."""
        if count < 1 or workers < 1 or count % workers:
            raise UsageError(
                f"the number of workers must divide the number of shards, {count}; {workers} does not. Take another "
                f"number of workers, or begin with --shards {4 * max(workers, 1)}."
            )

    @property
    def mine(self) -> range:
        """The parts that this process computes."""
        each = self.count // self.workers.count
        return range(self.workers.rank * each, (self.workers.rank + 1) * each)

    def cut(self, n: int) -> list[slice]:
        """Which of n rows belong to each part."""
        return [slice(n * s // self.count, n * (s + 1) // self.count) for s in range(self.count)]

    def total(self, n: int, part: Callable[[int, slice], Sequence[Tensor]]) -> list[Tensor]:
        """The sum over all parts of n rows of what `part` says of each: equally many tensors of equal shapes.

        Args:
            n: number of rows.
            part: from the number of a part and its rows to tensors; called for this process' parts alone.

        Raises:
            UsageError: fewer rows than parts.
        """
        if n < self.count:
            raise UsageError(f"{n} rows cannot be cut into {self.count} shards; take larger batches or fewer --shards.")
        cut = self.cut(n)
        if self.count == 1:
            return list(part(0, cut[0]))
        found = [list(part(s, cut[s])) for s in self.mine]
        return unpacked(self.workers.sum_in_order([torch.cat([t.flatten() for t in each]) for each in found]), found[0])

    def threads(self) -> AbstractContextManager[None]:
        """One thread where rows are cut: sums within a part are then made in one order, too."""
        return nullcontext() if self.count == 1 else runtime.one_thread()


def unpacked(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of the shapes and types of `like` from their numbers in one row."""
    pieces = flat.split([t.numel() for t in like])
    return [piece.view(t.shape).to(t.dtype) for piece, t in zip(pieces, like, strict=True)]
