"""Samples of asked classes that a training set can be trusted with."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import Answer
from priorcraft.classifiers.discriminative import Discriminative
from priorcraft.core import UNLABELLED, Generative
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError, PriorcraftError, UsageError
from priorcraft.metrics.copies import CopyTest
from priorcraft.metrics.gain import known

CONFIDENCE = 0.05
ATTEMPTS = 6  # rounds of drawing before a class is given up
RULE = f"not suspected by the copy check, and p(class | x) >= {CONFIDENCE} by a classifier of the real rows"


@dataclass(frozen=True)
class Refused(Answer):
    """How many samples were drawn, and how many of these were not taken.

    Args:
        drawn: in all.
        suspected: of being copies of training rows.
        doubted: to be of the class that was asked for.
    """

    drawn: int = 0
    suspected: int = 0
    doubted: int = 0

    def to_dict(self) -> dict[str, int]:
        """The numbers, by their names."""
        return {"drawn": self.drawn, "suspected copies": self.suspected, "doubted": self.doubted}


class Vetted:
    """Draws samples of asked classes that pass the copy check and the confidence rule.

    Args:
        model: of any family, fitted with labels.
        splits: the data, with the model's classes.
        seed: of the check's draws.
    """

    def __init__(self, model: Generative, splits: Splits, seed: int) -> None:
        self.model, self.splits, self.copies = model, splits, CopyTest(splits, seed=seed)
        self.judge = Discriminative("logistic", splits.space, len(splits.classes))
        self.judge.fit(splits.train.x, known(splits.train))
        self.refused = Refused()

    def draw(self, wanted: Tensor, generator: Generator) -> Rows:
        """As `served`.

        Raises:
            PriorcraftError: a class of which no sample passes.
        """
        found = self.served(wanted, generator)
        if len(found.labels.unique()) < len(wanted.unique()):
            raise PriorcraftError(
                "no sample of some class passes the copy check and the confidence rule; train longer or take another "
                "model."
            )
        return found

    def served(self, wanted: Tensor, generator: Generator) -> Rows:
        """One sample for each label, (n,); labels that six rounds could not serve are left out."""
        missing, x, y = wanted, [], []
        for attempt in range(ATTEMPTS):
            device = self.model.device
            noise = runtime.keyed(int(torch.randint(2**62, (1,), generator=generator)), attempt, device=device)
            found = self.model.sample(len(missing), given=missing.to(device), generator=noise).cpu()
            fine = self._passes(found, missing)
            x.append(found[fine])
            y.append(missing[fine])
            missing = missing[~fine]
            if not len(missing):
                break
        return Rows(torch.cat(x), torch.cat(y))

    def _passes(self, x: Tensor, y: Tensor) -> Tensor:
        suspected = self.copies.suspects(x)
        doubted = self.judge.log_posterior(x).gather(1, y[:, None])[:, 0].exp() < CONFIDENCE
        old = self.refused
        self.refused = Refused(
            old.drawn + len(x), old.suspected + int(suspected.sum()), old.doubted + int(doubted.sum())
        )
        return ~(suspected | doubted)


def wanted_counts(splits: Splits, per_class: int, *, balance: bool = False) -> Tensor:
    """How many samples of each class are to be added to the training rows, (K,).

    Args:
        splits: the data.
        per_class: so many of each class.
        balance: instead, as many as are missing until each class has so many rows.

    Raises:
        DataError: a class without labelled rows.
        UsageError: nothing to add.
    """
    y = known(splits.train)
    counts = torch.bincount(y[y != UNLABELLED], minlength=len(splits.classes))
    empty = [splits.classes[c] for c in (counts == 0).nonzero().flatten().tolist()]
    if empty:
        raise DataError(f"class '{empty[0]}' has no labelled training row, so nothing says what it is; label some.")
    if per_class < 1:
        raise UsageError(f"per_class must be at least 1, not {per_class}.")
    missing = (per_class - counts).clamp_min(0) if balance else torch.full_like(counts, per_class)
    if not int(missing.sum()):
        raise UsageError(f"every class has {per_class} rows or more; there is nothing to balance.")
    return missing
