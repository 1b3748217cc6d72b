"""Whether draws of p(x | y) are as spread as they say: ranks of the truth among them, and coverage of their sets."""

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import Answer
from priorcraft.errors import UsageError

LEVELS = (0.5, 0.8, 0.9)
PROJECTIONS = 3  # random directions in which ranks are taken
ERROR = 0.01  # probability that a perfect posterior is called uncalibrated
BINS = 10  # of the rank plot
TOO_FEW = 30  # simulated sets below which nothing is said


class Verdict(StrEnum):
    """What ranks say of a posterior."""

    CALIBRATED = "no fault found"
    NARROW = "too narrow"
    WIDE = "too wide"
    SHIFTED = "shifted"
    TOO_FEW = "too few sets"


@dataclass(frozen=True)
class Covered(Answer):
    """How often sets of a nominal level hold the truth.

    Args:
        level: nominal share.
        entries: share of hidden entries inside their central set of that level.
        low, high: 95 % interval of `entries`, from the spread between simulated sets.
        joint: share of whole truths inside the ball around a random point that holds `level` of the draws (TARP).
    """

    level: float
    entries: float
    low: float
    high: float
    joint: float


@dataclass(frozen=True)
class Calibration:
    """Ranks of the truth among draws, uniform on (0, 1) if and only if the draws come from the right posterior.

    Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari & Gelman 2018, arXiv:1804.06788) of the mean of
    what is hidden and of random projections, and the distance to a random point (TARP; Lemos, Coogan, Hezaveh &
    Perreault-Levasseur 2023, arXiv:2302.03026). Ties are broken at random, so that integers have uniform ranks, too.

    Args:
        ranks: (T, F), one row a simulated set, one column a figure.
        names: of the figures.
        covered: coverage of sets of 50, 80 and 90 %.
        draws: of each posterior; 0 where its probabilities are known.
        hidden: what the sets are of, in words.
    """

    ranks: Tensor
    names: tuple[str, ...]
    covered: tuple[Covered, ...]
    draws: int
    hidden: str = "hidden entries"

    @property
    def z(self) -> Tensor:
        """Shift and excess spread of each figure's ranks in standard errors, (2, F): Neyman's smooth test (1937)."""
        t, n = 2 * self.ranks.double() - 1, len(self.ranks)
        return torch.stack([math.sqrt(3) * t, math.sqrt(5) * (1.5 * t * t - 0.5)]).sum(1) / math.sqrt(n)

    @property
    def p(self) -> float:
        """p of deviations as large as the largest, for all figures together (Bonferroni)."""
        largest = float(self.z.abs().max())
        return min(1.0, self.z.numel() * math.erfc(largest / math.sqrt(2)))

    @property
    def verdict(self) -> Verdict:
        """The largest deviation, if chance does not explain it."""
        if len(self.ranks) < TOO_FEW:
            return Verdict.TOO_FEW
        if self.p > ERROR:
            return Verdict.CALIBRATED
        _, spread = self.z
        if self._told(float(spread.abs().max())):
            return Verdict.NARROW if float(spread[spread.abs().argmax()]) > 0 else Verdict.WIDE
        return Verdict.SHIFTED

    def _told(self, z: float) -> bool:
        """Whether chance does not explain the largest of all deviations."""
        return self.z.numel() * math.erfc(z / math.sqrt(2)) <= ERROR

    @property
    def told(self) -> str:
        """The verdict in a sentence."""
        at = self.covered[-1]
        said = f"sets of {at.level:.0%} hold {at.entries:.1%} of the {self.hidden} ({at.low:.1%} to {at.high:.1%})"
        sets = f"{len(self.ranks)} truths" + (f" and {self.draws} draws of each" if self.draws else "")
        if self.verdict is Verdict.TOO_FEW:
            return f"Too few sets to tell: {len(self.ranks)}, at least {TOO_FEW} are needed; {said}."
        if self.verdict is Verdict.CALIBRATED:
            return f"No fault found in {sets}: {said}."
        figure = self.names[int(self.z.abs().argmax()) % self.z.shape[1]]
        return f"Not calibrated: {self.verdict.value} (ranks of {figure}, p = {self.p:.1g}, {sets}); {said}."


def calibration(truth: Tensor, draws: Tensor, hidden: Tensor, around: Tensor, *, generator: Generator) -> Calibration:
    """Compares each truth with its draws.

    Args:
        truth: what was hidden in part, (T, *event_shape).
        draws: of p(x | y), (T, n, *event_shape).
        hidden: True where it was, broadcast to the shape of truth.
        around: points that know nothing of the truths, such as other draws of p(x), (T, *event_shape).
        generator: of projections and ties.

    Raises:
        UsageError: nothing is hidden, or shapes that do not agree.
    """
    if draws.shape[2:] != truth.shape[1:] or len(draws) != len(truth):
        raise UsageError(
            f"draws must be (T, n, ...) for truths (T, ...), not {tuple(draws.shape)}, {tuple(truth.shape)}."
        )
    where = hidden.expand(truth.shape).flatten(1)
    if not bool(where.any()):
        raise UsageError("hidden must be True somewhere: where all is seen there is nothing to be calibrated.")
    t, d = truth.double().flatten(1) * where, draws.double().flatten(2) * where[:, None]
    directions = torch.randn(t.shape[1], PROJECTIONS, generator=generator, dtype=torch.float64)
    directions = torch.cat([torch.ones(t.shape[1], 1, dtype=torch.float64), directions], 1)
    centre = around.double().flatten(1) * where
    figures = torch.cat([t @ directions, (t - centre).square().sum(1, keepdim=True)], 1)
    drawn = torch.cat([d @ directions, (d - centre[:, None]).square().sum(2, keepdim=True)], 2)
    ranks = rank(figures, drawn, generator=generator)
    inside = (rank(t, d, generator=generator) - 0.5).abs()
    covered = tuple(_covered(level, inside, where, ranks[:, -1]) for level in LEVELS)
    names = ("the mean", *["a random projection"] * PROJECTIONS, "the distance to a random point")
    return Calibration(ranks, names, covered, draws.shape[1])


def calibration_of_classes(log_posterior: Tensor, y: Tensor, *, generator: Generator) -> Calibration:
    """The same for classes: the mass of the classes that are more probable than the true one.

    Args:
        log_posterior: log p(c | x), nats, (T, K).
        y: true classes, (T,).
        generator: of ties, and of the place within the true class.
    """
    p = log_posterior.double().exp()
    true = p.gather(1, y[:, None])
    u = torch.rand(len(y), 1, generator=generator, dtype=torch.float64)
    ranks = (p * (p > true)).sum(1, keepdim=True) + u * (p * (p == true)).sum(1, keepdim=True)
    everywhere = torch.ones_like(ranks, dtype=torch.bool)
    covered = tuple(_covered(level, ranks / 2, everywhere, ranks[:, 0]) for level in LEVELS)
    return Calibration(ranks, ("the classes that are more probable",), covered, 0, "true classes")


def rank(truth: Tensor, draws: Tensor, *, generator: Generator) -> Tensor:
    """Place of each truth (T, F) among draws (T, n, F), uniform on (0, 1) if all come from one distribution, (T, F).

    (#{draws < truth} + u (#{draws = truth} + 1)) / (n + 1), u uniform   (Czado, Gneiting & Held 2009)
    """
    one = truth[:, None]
    tolerance = 1e-9 * (1 + one.abs())  # sums of integers in another order are equal all the same
    less, equal = (draws < one - tolerance).sum(1).double(), ((draws - one).abs() <= tolerance).sum(1)
    u = runtime.uniform(tuple(truth.shape), generator=generator, like=less)
    return (less + u * (equal + 1)) / (draws.shape[1] + 1)


def _covered(level: float, inside: Tensor, where: Tensor, joint: Tensor) -> Covered:
    """Coverage at one level.

    Args:
        level: nominal share.
        inside: distance of ranks from the middle of their set, up to 1/2, (T, D).
        where: entries that count, (T, D).
        joint: ranks of a distance, (T,).
    """
    hits = ((inside < level / 2) & where).sum(1).double()
    of = where.sum(1).double()
    share = float(hits.sum() / of.sum())
    error = float((hits - share * of).square().sum().sqrt() / of.sum())
    low, high = max(0.0, share - 1.96 * error), min(1.0, share + 1.96 * error)
    return Covered(level, share, low, high, float((joint < level).double().mean()))
