"""Can a classifier tell samples from real rows?"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.errors import UsageError
from priorcraft.metrics.features import Features, draw, noise

MAX_ROWS = 500  # of each kind: beyond it the cost, cubic in rows, buys power that no sampler so far has needed
MIN_ROWS = 100  # below it, the floor is so wide that even poor samplers pass
REPEATS = 39  # one more draw falls outside the range of 39 of its like with probability 2/40 = 5 %
POOL = 4 * MAX_ROWS
FOLDS = 10
RIDGE = 0.1
WIDTH = 0.5  # of the kernel, in median squared distances between real rows
SOFTENING = 0.03  # keeps pixels that never vary in real rows from outweighing all others


class Verdict(StrEnum):
    """What the two-sample test concludes."""

    SAME = "not distinguishable"
    DIFFERENT = "distinguishable"
    TOO_FEW = "too few rows"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class TwoSample:
    """What a classifier could do with samples and real rows.

    Args:
        auc: out-of-fold area under the ROC curve: 0.5 without fault, 1 at worst, far below 0.5 if samples repeat test
            rows; None if refused.
        floor: range of the same figure for real rows against real rows; None if refused.
        verdict: "not distinguishable" if auc lies in the floor, else "distinguishable"; "too few rows" if refused;
            "cannot tell" if not even noise could be told from real rows.
        controls: the same figure for "noise" and for a "training copy".
        n: rows of each kind.
    """

    auc: float | None
    floor: tuple[float, float] | None
    verdict: Verdict
    controls: dict[str, float]
    n: int

    def as_dict(self) -> dict[str, Any]:
        """The verdict and its floor as plain values for JSON."""
        return {"auc": self.auc, "floor": self.floor and list(self.floor), "verdict": self.verdict.value}


class TwoSampleTest:
    """A classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv:1610.06545) with its floor and its controls.

    The classifier is a kernel ridge regression of ±1 on standardised features, its ten-fold cross-validation in closed
    form. The floor is the range of its AUC over 39 re-divisions of the real rows into two parts of n, so a perfect
    sampler is called distinguishable with probability 5 %. Floor and controls depend on the data alone and are
    computed once. The AUC is a lower bound on what the best classifier could do: passing proves nothing more than that
    this one failed.

    Args:
        splits: the data set.
        seed: of the choice of rows, folds and re-divisions; the same seed gives the same figures.
        rows: of each kind; at most 500, the number of test rows, and half of all rows.
    """

    def __init__(self, splits: Splits, *, seed: int = 0, rows: int = MAX_ROWS) -> None:
        parts = (splits.train, splits.valid, splits.test)
        self.n = min(rows, MAX_ROWS, len(splits.test), sum(map(len, parts)) // 2)
        self.splits, self.seed = splits, seed
        self._features = Features(splits)
        self._real = draw(splits.test, self.n, generator=runtime.keyed(seed, "two-sample", "real")).x

    def test(self, samples: Tensor) -> TwoSample:
        """Judges samples (at least n, *event_shape); of more than n, n are drawn.

        Raises:
            DataError: samples outside the space.
            UsageError: fewer samples than n; `two_sample` uses fewer rows then.
        """
        samples = self.splits.space.check(samples, "samples").cpu()
        if self.n < MIN_ROWS:
            return TwoSample(None, None, Verdict.TOO_FEW, {}, self.n)
        if len(samples) < self.n:
            raise UsageError(f"samples must hold at least {self.n} rows, not {len(samples)}; draw more of them.")
        auc = self._against_real(draw(Rows(samples), self.n, generator=self._keyed("samples")).x)
        return TwoSample(auc, self.floor, self._verdict(auc), self.controls, self.n)

    def _verdict(self, auc: float) -> Verdict:
        low, high = self.floor
        if self.controls["noise"] <= high:
            return Verdict.CANNOT_TELL
        return Verdict.SAME if low <= auc <= high else Verdict.DIFFERENT

    @cached_property
    def controls(self) -> dict[str, float]:
        """The AUC of samples whose answer is known: noise, near 1, and rows of the training set, near 0.5."""
        return {
            "noise": self._against_real(noise(self.splits, self.n, generator=self._keyed("noise"))),
            "training copy": self._against_real(draw(self.splits.train, self.n, generator=self._keyed("copy")).x),
        }

    @cached_property
    def floor(self) -> tuple[float, float]:
        """The smallest and the largest AUC of real rows against real rows."""
        K, generator = self._kernel(self._pool), self._keyed("floor")
        picks = [torch.randperm(len(K), generator=generator)[: 2 * self.n] for _ in range(REPEATS)]
        found = [_auc(K.index_select(0, pick).index_select(1, pick)) for pick in picks]
        return min(found), max(found)

    @cached_property
    def _pool(self) -> Tensor:
        """Real rows of all three splits, standardised, (at most POOL, D)."""
        x = torch.cat([rows.x for rows in (self.splits.train, self.splits.valid, self.splits.test)])
        return self._standard(draw(Rows(x), POOL, generator=self._keyed("pool")).x)

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        f = self._features(draw(self.splits.train, POOL, generator=self._keyed("scale")).x)
        return f.mean(0), f.std(0, correction=0) + SOFTENING

    def _standard(self, x: Tensor) -> Tensor:
        mean, spread = self._scale
        return (self._features(x) - mean) / spread

    @cached_property
    def _width(self) -> float:
        return WIDTH * float(torch.pdist(self._pool[:MAX_ROWS]).median().square().clamp_min(1e-6))

    def _kernel(self, f: Tensor) -> Tensor:
        """k(f, f') = exp(-|f - f'|^2 / width), (N, N)."""
        return torch.cdist(f, f).square_().div_(-self._width).exp_()

    def _against_real(self, x: Tensor) -> float:
        return _auc(self._kernel(self._standard(torch.cat([self._real, x]))))

    def _keyed(self, purpose: str) -> torch.Generator:
        return runtime.keyed(self.seed, "two-sample", purpose)


def two_sample(samples: Tensor, splits: Splits, *, seed: int = 0) -> TwoSample:
    """`TwoSampleTest` on as many rows as there are samples; for several samplers, keep one test and its floor."""
    return TwoSampleTest(splits, seed=seed, rows=len(samples)).test(samples)


def _auc(K: Tensor) -> float:
    """Out-of-fold AUC = p(f(x) > f(x')) + p(f(x) = f(x')) / 2, x in the kernel's first half and x' in its second."""
    n = len(K) // 2
    y = torch.cat([torch.ones(n), -torch.ones(n)])
    folds = torch.arange(n).remainder(FOLDS).repeat(2)
    answer = _out_of_fold(K, y, folds)
    return (1 + float((answer[:n, None] - answer[n:]).sign().double().mean())) / 2


def _out_of_fold(K: Tensor, y: Tensor, folds: Tensor) -> Tensor:
    """What kernel ridge regression says of each fold when fitted to the others, (N,).

    With G = (K + ridge I)^-1, the answer for fold B is y_B - (G_BB)^-1 (G y)_B: no refitting is needed.
    """
    G = torch.cholesky_inverse(torch.linalg.cholesky(K + RIDGE * torch.eye(len(K))))
    a, answer = G @ y, torch.empty_like(y)
    for fold in range(FOLDS):
        B = (folds == fold).nonzero().flatten()
        answer[B] = y[B] - torch.linalg.solve(G[B][:, B], a[B])
    return answer
