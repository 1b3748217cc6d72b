"""Naive Bayes: the entries of x are independent, given the class."""

from collections.abc import Sequence

from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Exact, Space, Summed
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.counting import IMPOSSIBLE, evenly, log_frequencies, table_log_prob, weighted_counts
from priorcraft.settings import Smoothing


class NaiveBayes(Exact, Summed):
    """Independent entries, per class.

    p(x | c) = prod_i p(x_i | c),   p(x_i = l | c) = (n_cil + s / levels) / (n_c + s)

    Args:
        space: integers.
        context: labels, or None for one product of independent entries.
        smoothing: s, the number of imagined rows spread over the levels.

    Raises:
        UsageError: real-valued space.
    """

    log_table: Tensor

    def __init__(self, space: Space, context: Space | None = None, *, smoothing: Smoothing = 2.0) -> None:
        super().__init__(space, context)
        if space.levels is None:
            raise UsageError("naive-bayes counts integers, and this data set is real-valued; use mixture or ppca.")
        self.smoothing = smoothing
        uniform = evenly(space).clamp_min(IMPOSSIBLE).log()
        self.register_buffer("log_table", uniform.repeat(max(self.classes, 1), 1, 1))

    def expect(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None) -> list[Tensor]:
        """The log-likelihood of some rows, and how often each level stands in each entry of each class."""
        x = self.space.check(x)
        counts = weighted_counts(x.flatten(1), self.class_weights(x, given), self.space, seen)
        return [self.log_prob(x, given).double().sum(), counts]

    def maximise(self, sums: Sequence[Tensor], rounds: int = 1) -> None:
        """One round of EM; with every label known, the first is the maximum of the smoothed likelihood."""
        self.log_table.copy_(log_frequencies(sums[1], self.space, self.smoothing))

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        each = table_log_prob(self.log_table, x.flatten(1))
        return each[:, 0] if given is None else each.gather(1, given.unsqueeze(1)).squeeze(1)

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        table = self.log_table.expand(n, -1, -1) if given is None else self.log_table[given]
        return runtime.categorical(table, generator=generator).view(n, *self.space.event_shape)
