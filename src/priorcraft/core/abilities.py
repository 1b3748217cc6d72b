"""What else a model can do: move between x and z, name classes, be fitted."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from priorcraft.mapped import let_go


class LatentVariable(ABC):
    """p(x) = integral of p(x | z) p(z) dz: z can be drawn, moved, and decoded."""

    @abstractmethod
    def prior(self, n: int, *, given: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """n draws of z from p(z), (n, latent)."""

    @abstractmethod
    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of p(x | z) in the data's own units, (B, *event_shape)."""

    def standardised(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """z in units of p(z | c), a draw of which becomes N(0, I); z itself where that has no closed form, (B, latent).

        In these units a hierarchy's lower layers follow when an upper one is moved.
        """
        return z

    def unstandardised(self, u: Tensor, given: Tensor | None = None) -> Tensor:
        """The z that `standardised` makes into u, (B, latent)."""
        return u


class Encoder(LatentVariable):
    """A latent-variable model that also knows q(z | x) or p(z | x)."""

    @abstractmethod
    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of q(z | x), (B, latent)."""


class Classifier(ABC):
    """p(c | x). A discriminative classifier is not `Generative`: that absence is the lesson."""

    @abstractmethod
    def log_posterior(self, x: Tensor) -> Tensor:
        """log p(c | x), nats, (B, K)."""


class ClosedForm(ABC):
    """A model whose parameters have a closed-form update from all rows at once (counting, or one round of EM)."""

    @abstractmethod
    def update(self, x: Tensor, given: Tensor | None) -> Tensor:
        """One update; returns the mean log-likelihood of the rows before it, nats."""


Total = Callable[[int, Callable[[int, slice], Sequence[Tensor]]], list[Tensor]]  # as `Shards.total`
AT_ONCE = 2**14  # rows that are summed over at once


def alone(n: int, part: Callable[[int, slice], Sequence[Tensor]]) -> list[Tensor]:
    """The sum over n rows by one process: that of its only part."""
    return list(part(0, slice(0, n)))


class Summed(ClosedForm):
    """A model whose closed-form update knows its rows through sums alone, which may be made anywhere and added."""

    @abstractmethod
    def expect(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None) -> list[Tensor]:
        """What `maximise` needs to know of some rows: first their log-likelihood, nats, (), then other sums.

        Args:
            x: rows, (B, *event_shape).
            given: labels, (B,), or None.
            seen: which entries are there, bool, (B, *event_shape); all if None.
        """

    @abstractmethod
    def maximise(self, sums: Sequence[Tensor], rounds: int = 1) -> None:
        """The update from the sums over all rows, or over those of one of so many rounds."""

    def rounds(self, n: int) -> list[slice]:
        """Which of n rows make one update after another, all of them in one pass."""
        return [slice(0, n, 1)]

    @torch.no_grad()
    def update(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None, *, total: Total = alone) -> Tensor:
        """One pass of updates; returns the mean log-likelihood of the rows of each before it, nats.

        Takes memory for 16,384 rows, however many there are.

        Args:
            x, given, seen: as in `expect`.
            total: sums over parts of the rows, wherever they are made, see `Shards`.
        """
        each, likely = self.rounds(len(x)), list[Tensor]()
        for of in each:

            def expected(rows: slice) -> list[Tensor]:
                found = self.expect(x[rows], *(None if other is None else other[rows] for other in (given, seen)))
                let_go(x)
                return found

            sums = in_stretches(of, len(x), expected, total)
            likely.append(sums[0])
            self.maximise(sums, len(each))
        return torch.stack(likely).sum() / len(x)


def in_stretches(of: slice, n: int, expected: Callable[[slice], list[Tensor]], total: Total) -> list[Tensor]:
    """The sums over some of n rows, 16,384 of them at once.

    Args:
        of: which rows.
        n: how many there are.
        expected: the sums over a stretch.
        total: as in `Summed.update`.
    """

    def part(_: int, own: slice) -> list[Tensor]:
        found = list[Tensor]()
        for start in range(own.start, own.stop, AT_ONCE):
            stop = min(start + AT_ONCE, own.stop)
            sums = expected(slice(of.start + start * of.step, of.start + stop * of.step, of.step))
            found = [a + b for a, b in zip(found, sums, strict=True)] if found else sums
        return found

    return total(len(range(*of.indices(n))), part)


class LearnsFromHoles(ClosedForm):
    """A model whose closed-form update sums over what is missing, and so learns from rows with holes exactly."""

    @abstractmethod
    def update(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None) -> Tensor:
        """One update from the entries that are there, bool (N, *event_shape), all if None; as `ClosedForm.update`."""


class Trainable(ABC):
    """A density whose training loss is more than -log p or -elbo: random orders, warm-up, free bits."""

    def before_step(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Moves what follows no gradient, once a step, from all rows of it; `loss_terms` may see them in parts."""
        return

    @abstractmethod
    def loss_terms(
        self, x: Tensor, given: Tensor | None, *, progress: float, generator: Generator
    ) -> dict[str, Tensor]:
        """ "loss" to descend, nats, and whatever else is worth recording; scalars."""
