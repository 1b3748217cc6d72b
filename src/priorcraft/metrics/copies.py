"""Does a sampler repeat its training rows?"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.answer import Answer
from priorcraft.core import Space
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.metrics.calibration import wilson
from priorcraft.metrics.features import Features, draw

MAX_ROWS = 1_000  # of each kind that is compared with all training rows
MIN_SAMPLES = 50
QUANTILE = 0.005
NEIGHBOURS = 5
AT_ONCE = 4096  # rows that are compared with as many
POWER = 0.95  # share of disguised training rows that has to be found
DISGUISE = 0.05  # share of entries that the disguise changes
MAX_FALSE = 0.05  # largest false positive rate with which samples are acquitted


class Verdict(StrEnum):
    """What the copy check concludes."""

    NONE = "no copies"
    COPIES = "copies"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class CopyCheck(Answer):
    """How many samples are copies of training rows, by a rule with known errors on the user's own data.

    Args:
        share: of the samples that the rule calls copies.
        threshold: relative distance below which a row is called a copy.
        verdict: "copies" if `share` exceeds `false_share` by more than both 95 % intervals; "no copies" otherwise,
            but "cannot tell" if the rule is blind: control_share < 0.95, false_share may exceed 0.05, or there are
            fewer than 50 samples.
        control_share: of slightly changed training rows that the rule calls copies: its power.
        false_share: of real test rows that the rule calls copies: its false positive rate.
    """

    share: float
    threshold: float
    verdict: Verdict
    control_share: float
    false_share: float

    def to_dict(self) -> dict[str, Any]:
        """The share, its positive control and the verdict as plain values for JSON."""
        return {"share": self.share, "control": self.control_share, "verdict": self.verdict.value}


class CopyTest:
    """Nearest-training-row check with a positive control; threshold and controls depend on the data alone.

    A row's relative distance is that to its nearest training row, divided by the mean distance to the next five (as
    in Carlini et al. 2023, arXiv:2301.13188: plain images are near to everything without being copies). A row is
    called a copy if this is smaller than the 0.5 % quantile of the validation rows, which were not trained on; so
    about 0.5 % of fresh real rows are called copies by chance, measured on test rows as `false_share`.

    Args:
        splits: the data set; at most 1,000 rows of each kind are compared with all training rows.
        seed: of the draws.
    """

    def __init__(self, splits: Splits, *, seed: int = 0) -> None:
        self.splits, self.seed = splits, seed
        self._features = Features(splits)

    def test(self, samples: Tensor) -> CopyCheck:
        """Judges samples (B, *event_shape).

        Raises:
            DataError: samples outside the space.
        """
        samples = self._draw(Rows(self.splits.space.check(samples, "samples")), "samples")
        hits, (false, n) = self._hits(samples), self._false
        verdict = self._verdict(hits, len(samples))
        return CopyCheck(hits / len(samples), self.threshold, verdict, self.control_share, false / n)

    def suspects(self, x: Tensor) -> Tensor:
        """Which of the points x (B, *event_shape) the rule calls copies, bool, (B,)."""
        return self._relative(self.splits.space.check(x)) < self.threshold

    def _verdict(self, hits: int, n: int) -> Verdict:
        false = wilson(*self._false)[1]
        if wilson(hits, n)[0] > false:
            return Verdict.COPIES
        blind = self.control_share < POWER or false > MAX_FALSE or n < MIN_SAMPLES
        return Verdict.CANNOT_TELL if blind else Verdict.NONE

    @cached_property
    def threshold(self) -> float:
        """The 0.5 % quantile of the relative distances of validation rows."""
        return float(self._relative(self._draw(self.splits.valid, "valid")).quantile(QUANTILE, interpolation="lower"))

    @cached_property
    def control_share(self) -> float:
        """Share of training rows that are still called copies after a change of one level in 5 % of their entries."""
        x = self._draw(self.splits.train, "control")
        return self._hits(_disguised(x, self.splits.space, runtime.keyed(self.seed, "copies", "disguise"))) / len(x)

    @cached_property
    def _false(self) -> tuple[int, int]:
        """How many test rows are called copies, and of how many."""
        x = self._draw(self.splits.test, "test")
        return self._hits(x), len(x)

    def _draw(self, rows: Rows, purpose: str) -> Tensor:
        return draw(rows, MAX_ROWS, generator=runtime.keyed(self.seed, "copies", purpose)).x

    def _hits(self, x: Tensor) -> int:
        return int(self.suspects(x).sum())

    def _relative(self, x: Tensor) -> Tensor:
        """Distance to the nearest training row over the mean distance to the next ones; 1 where those are all equal."""
        return torch.cat([self._relative_of(part) for part in x.split(AT_ONCE)])

    def _relative_of(self, x: Tensor) -> Tensor:
        f = self._features(x)
        near = torch.full((len(f), NEIGHBOURS + 1), torch.inf)
        for rows in self.splits.train.x.split(AT_ONCE):
            distances = torch.cdist(f, self._features(rows))
            near = torch.cat([near, distances], 1).topk(NEIGHBOURS + 1, largest=False).values
        first, rest = near[:, 0], near[:, 1:].mean(1)
        rounding = 1e-3 * f.norm(dim=1) + 1e-6
        return torch.where(rest > rounding, first / rest, torch.ones_like(rest))


def copies(samples: Tensor, splits: Splits, *, seed: int = 0) -> CopyCheck:
    """`CopyTest` on samples (B, *event_shape); for several samplers, keep one test and its controls."""
    return CopyTest(splits, seed=seed).test(samples)


def _disguised(x: Tensor, space: Space, generator: torch.Generator) -> Tensor:
    """x with 5 % of its entries moved by one level, or by a twentieth of the data's spread for real numbers."""
    u = torch.rand(x.shape, generator=generator)
    if space.levels is None:
        return x + (u < DISGUISE) * DISGUISE * x.std(0)
    step = (u < DISGUISE).long() - 2 * (u < DISGUISE / 2).long()
    moved = x.long() + step
    return torch.where(moved == space.clamp(moved), moved, x.long() - step)
