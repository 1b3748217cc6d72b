"""Rows worked on in pieces where memory does not suffice for all at once: gradients add up, so the step is the same."""

from collections.abc import Callable, Sequence

from torch import Tensor

from priorcraft.errors import OutOfMemory, out_of_memory


class Pieces:
    """Into how many pieces the rows of a step are cut: one, and twice as many whenever memory runs out.

    A mean over rows is the mean of its pieces, weighted by their rows, up to rounding. What a step draws for a piece is
    drawn by a key of its own: other draws of the same distribution.

    >>> import torch
    >>> pieces, x = Pieces(), torch.arange(5.0)
    >>> def mean(i: int, rows: slice) -> list[Tensor]:
    ...     if rows.stop - rows.start > 2:
    ...         raise MemoryError
    ...     return [x[rows].mean()]
    >>> pieces.mean(slice(0, 5), mean), pieces.count
    ([tensor(2.)], 4)
    """

    def __init__(self) -> None:
        self.count = 1

    def mean(self, rows: slice, part: Callable[[int, slice], Sequence[Tensor]]) -> list[Tensor]:
        """The mean over rows of what `part` says of each: equally many tensors of equal shapes.

        Raises:
            OutOfMemory: not even one row at a time fits.
        """
        while True:
            try:
                return self._summed(rows, part)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if self.count >= rows.stop - rows.start:
                    raise OutOfMemory("a training step of a single row; make the model smaller (--set ...)") from None
            self.count *= 2

    def _summed(self, rows: slice, part: Callable[[int, slice], Sequence[Tensor]]) -> list[Tensor]:
        n, count = rows.stop - rows.start, min(self.count, rows.stop - rows.start)
        if count <= 1:
            return list(part(0, rows))
        total = list[Tensor]()
        for i in range(count):
            piece = slice(rows.start + n * i // count, rows.start + n * (i + 1) // count)
            share = (piece.stop - piece.start) / n
            found = [number * share for number in part(i, piece)]
            total = found if not total else [a.add_(b) for a, b in zip(total, found, strict=True)]
        return total

    def findings(self) -> list[str]:
        """A sentence where rows were cut."""
        said = (
            f"memory did not suffice for a whole batch: each was cut into {self.count} pieces, their gradients added."
        )
        return [said] if self.count > 1 else []
