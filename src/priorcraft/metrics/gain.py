"""Data augmentation, and whether it helps: p(x | c) samples against the classical tricks, on rows held out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import Answer
from priorcraft.core import UNLABELLED, Classifier, Space
from priorcraft.datasets.splits import Rows
from priorcraft.errors import DataError, UsageError

MATTERS = 0.01  # a gain that cannot be larger than one point of accuracy is called none
LEAST = 2  # synthetic rows of each class from which a classifier can learn without real ones
DRAWS = 2000  # of the bootstrap
NEIGHBOURS = 5
Draw = Callable[[Tensor, Generator], Rows]
Fit = Callable[[Tensor, Tensor], Classifier]
REAL, CLASSICAL, SYNTHETIC, ALONE = "real", "real + classical", "real + synthetic", "synthetic alone"


class Verdict(StrEnum):
    """What the proof concludes."""

    HELPS = "helps"
    NOT = "does not help"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Gain(Answer):
    """Difference of two accuracies on the same held-out rows, with its 95 % interval.

    Args:
        mean: over held-out rows and repeats.
        interval: by resampling rows and repeats together.
    """

    mean: float
    interval: tuple[float, float]

    @property
    def verdict(self) -> Verdict:
        """ "helps" if the interval lies above 0, "does not help" if it lies below one point, else "cannot tell"."""
        if self.interval[0] > 0:
            return Verdict.HELPS
        return Verdict.NOT if self.interval[1] < MATTERS else Verdict.CANNOT_TELL

    def __format__(self, spec: str) -> str:
        """The mean and its interval: "+0.024 (+0.007 to +0.044)"."""
        return f"{self.mean:{spec or '+.3f'}} ({between(self.interval)})"


@dataclass(frozen=True)
class Arm(Answer):
    """What a classifier learned from one training set.

    Args:
        training: what the set is made of.
        accuracy: share of the held-out rows that it answers rightly, over all repeats.
        gain, interval: over real rows alone, as in `Gain`; None for the real rows themselves.
        verdict: whether the added rows help.
    """

    training: str
    accuracy: float
    gain: float | None
    interval: tuple[float, float] | None
    verdict: Verdict | None


def between(interval: tuple[float, float] | None) -> str:
    """An interval in a cell.

    >>> between((0.007, 0.044)), between(None)
    ('+0.007 to +0.044', '-')
    """
    return "-" if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def moved(x: Tensor, *, generator: Generator) -> Tensor:
    """Images (N, C, H, W), each shifted by up to a pixel, or sheared by as much; what comes in is 0."""
    kind = torch.randint(1, 7, (len(x),), generator=generator)
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1))
    height, width = x.shape[-2:]
    corners = {1: (0, 1), 2: (2, 1), 3: (1, 0), 4: (1, 2)}
    out = x.clone()
    for k, (top, left) in corners.items():
        out[kind == k] = padded[kind == k][..., top : top + height, left : left + width]
    for k, lean in ((5, 1), (6, -1)):
        out[kind == k] = _sheared(padded[kind == k], lean)[..., 1 : 1 + height, 1 : 1 + width]
    return out


def _sheared(padded: Tensor, lean: int) -> Tensor:
    """The upper third moved by a pixel one way, the lower third the other way."""
    third = padded.shape[-2] // 3
    out = padded.clone()
    out[..., :third, :] = padded[..., :third, :].roll(lean, -1)
    out[..., -third:, :] = padded[..., -third:, :].roll(-lean, -1)
    return out


def smote(x: Tensor, pick: Tensor, space: Space, *, generator: Generator) -> Tensor:
    """Points between a row and one of its five nearest of the same class (Chawla et al. 2002), rounded for integers.

    Args:
        x: rows of one class, (N, *event_shape).
        pick: numbers of the rows to start from, (n,).
    """
    flat = x.flatten(1).double()
    distance = torch.cdist(flat[pick], flat)
    near = distance.topk(min(NEIGHBOURS + 1, len(x)), largest=False).indices
    other = near.gather(1, torch.randint(near.shape[1], (len(pick), 1), generator=generator))[:, 0]
    u = torch.rand(len(pick), 1, generator=generator, dtype=flat.dtype)
    found = (flat[pick] + u * (flat[other] - flat[pick])).view(len(pick), *x.shape[1:])
    return found.to(x.dtype) if space.levels is None else found.round().to(x.dtype)


def classically(rows: Rows, space: Space) -> Draw:
    """Draws a row for each asked class by the classical tricks: half SMOTE, half a move if images."""
    y = known(rows)

    def draw(wanted: Tensor, generator: Generator) -> Rows:
        x = torch.empty((len(wanted), *space.event_shape), dtype=rows.x.dtype)
        for c in wanted.unique().tolist():
            own, place = rows.x[y == c], wanted == c
            pick = torch.randint(len(own), (int(place.sum()),), generator=generator)
            made = smote(own, pick, space, generator=generator)
            if space.is_image:
                coin = torch.rand(len(pick), generator=generator) < 0.5
                made[coin] = moved(own[pick], generator=generator)[coin]
            x[place] = made
        return Rows(x, wanted)

    return draw


def known(rows: Rows) -> Tensor:
    """The labels.

    Raises:
        DataError: none at all, or fewer than two classes.
    """
    if rows.y is None or len(rows.y[rows.y != UNLABELLED].unique()) < 2:
        raise DataError("augmentation needs labelled training rows of at least two classes.")
    return rows.y


@dataclass(frozen=True)
class Proof:
    """What classifiers learned from real rows and from added ones, on the same held-out rows, over paired seeds.

    Args:
        right: arm to whether each held-out row was answered rightly in each repeat, (R, N).
        y: the labels of the held-out rows, (N,).
        seed: of the bootstrap.
    """

    right: dict[str, Tensor]
    y: Tensor
    seed: int

    def gain(self, arm: str, over: str = REAL) -> Gain:
        """By how much an arm is better than another. Unbiased; interval by a two-way bootstrap."""
        difference = self.right[arm].double() - self.right[over].double()
        return Gain(float(difference.mean()), interval(difference, generator=runtime.keyed(self.seed, "gain", arm)))

    def table(self) -> tuple[Arm, ...]:
        """The training sets side by side."""
        gains = {arm: None if arm == REAL else self.gain(arm) for arm in self.right}
        return tuple(
            Arm(arm, float(self.right[arm].double().mean()), g and g.mean, g and g.interval, g and g.verdict)
            for arm, g in gains.items()
        )

    def per_class(self, classes: Sequence[str]) -> dict[str, float]:
        """Gain of the synthetic rows in each class that is held out."""
        difference = (self.right[SYNTHETIC].double() - self.right[REAL].double()).mean(0)
        return {name: float(difference[self.y == c].mean()) for c, name in enumerate(classes) if (self.y == c).any()}


def prove(
    train: Rows,
    held_out: Rows,
    arms: dict[str, Draw],
    fit: Callable[[int], Fit],
    wanted: Tensor,
    *,
    repeats: int = 5,
    seed: int = 0,
) -> Proof:
    """Trains a classifier on real rows alone and with what each arm adds, and asks it about held-out rows.

    Args:
        train: real rows; the unlabelled ones are left out.
        held_out: labelled rows that neither the classifiers nor the generative model have seen.
        arms: CLASSICAL and SYNTHETIC to what draws rows with given labels.
        fit: from a seed, a function of rows and labels that gives a classifier.
        wanted: labels of the rows to add, (n,).
        repeats: draws of the added rows, with the same seed for every arm.
        seed: of the draws.

    Raises:
        DataError: no labelled rows to learn from, or none held out.
    """
    y = known(train)
    real = train.where(y != UNLABELLED)
    if held_out.y is None or not bool((held_out.y != UNLABELLED).any()):
        raise DataError("the proof needs labelled held-out rows; give y_test, or more rows.")
    if repeats < 1:
        raise UsageError(f"repeats must be at least 1, not {repeats}.")
    asked = held_out.where(held_out.y != UNLABELLED)
    rounds = [_round(real, asked, arms, fit(r), wanted, runtime.mix(seed, "proof", r)) for r in range(repeats)]
    right = {arm: torch.stack([each[arm] for each in rounds]) for arm in rounds[0]}
    return Proof(right, asked.y if asked.y is not None else wanted[:0], seed)


def _round(real: Rows, asked: Rows, arms: dict[str, Draw], fit: Fit, wanted: Tensor, seed: int) -> dict[str, Tensor]:
    """Whether each held-out row is answered rightly, by arm, (N,)."""
    added = {arm: draw(wanted, runtime.keyed(seed, arm)) for arm, draw in arms.items()}
    sets = {REAL: real, **{arm: joined(real, rows) for arm, rows in added.items()}}
    counts = torch.bincount(wanted, minlength=int(known(real).max()) + 1)
    if int(counts.min()) >= LEAST:
        sets[ALONE] = added[SYNTHETIC]
    return {arm: _right(fit, rows, asked) for arm, rows in sets.items()}


def _right(fit: Fit, rows: Rows, asked: Rows) -> Tensor:
    return fit(rows.x, known(rows)).log_posterior(asked.x).argmax(1).cpu() == asked.y


def joined(real: Rows, added: Rows) -> Rows:
    """Real rows, then added ones."""
    x = torch.cat([real.x, added.x.to(real.x.dtype)])
    return Rows(x, torch.cat([known(real), added.y if added.y is not None else added.x.new_empty(0)]).long())


def interval(difference: Tensor, *, generator: Generator) -> tuple[float, float]:
    """95 % interval of the mean of (R, N) numbers: repeats and rows are resampled together, as both were drawn."""
    repeats, n = difference.shape
    means = []
    for _ in range(DRAWS):
        r = torch.randint(repeats, (repeats,), generator=generator)
        rows = torch.randint(n, (n,), generator=generator)
        means.append(difference[r].mean(0)[rows].mean())
    low, high = torch.stack(means).quantile(torch.tensor([0.025, 0.975], dtype=difference.dtype)).tolist()
    return low, high
