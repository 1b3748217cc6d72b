"""Are conditional samples of the class that was asked for?"""

from functools import cached_property

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.errors import DataError, UsageError
from priorcraft.metrics.calibration import wilson
from priorcraft.metrics.features import Features

MAX_FIT = 10_000  # the cost of fitting the judge is quadratic in its rows
MAX_TEST = 2_000


class Judge:
    """A support vector machine with a Gaussian kernel, fitted to real labelled training and validation rows.

    About 0.99 right on 8x8 digits. It judges by the class alone: a sampler that repeats one perfect image of each
    class has fidelity 1, so read it beside the two-sample test and the copy check.

    Args:
        splits: a data set with labels; of more than 10,000 rows, 10,000 are drawn.
        seed: of that draw.

    Raises:
        DataError: no labels, or fewer than two classes among them.
    """

    def __init__(self, splits: Splits, *, seed: int = 0) -> None:
        self.splits, self.seed = splits, seed
        from sklearn.svm import SVC  # here: it brings pandas along, and few answers have a judge

        self._features = Features(splits)
        x, y = self._labelled("fit", MAX_FIT, splits.train, splits.valid)
        if len(y.unique()) < 2:
            raise DataError("splits must have labels of at least two classes for a judge; found one class.")
        self._machine = SVC(C=10.0, gamma="scale").fit(self._features(x).numpy(), y.numpy())

    def _labelled(self, purpose: str, n: int, *parts: Rows) -> tuple[Tensor, Tensor]:
        """At most n of the rows whose class is known, and their classes."""
        known = [(rows.x[where], rows.y[where]) for rows in parts if rows.y is not None for where in [_known(rows.y)]]
        x, y = (torch.cat(part) for part in zip(*known, strict=True)) if known else (torch.empty(0), torch.empty(0))
        if not len(y):
            raise DataError(f"splits must have labels to {purpose} a judge of classes; found none.")
        keep = torch.randperm(len(y), generator=runtime.keyed(self.seed, "judge", purpose))[:n]
        return x[keep], y[keep]

    def judged(self, x: Tensor) -> Tensor:
        """The class that the judge sees in each of x (B, *event_shape), (B,)."""
        return torch.from_numpy(self._machine.predict(self._features(self.splits.space.check(x)).numpy()))

    @cached_property
    def accuracy(self) -> float:
        """Share of real test rows (at most 2,000) that the judge gets right: the ceiling for `fidelity`."""
        return self.fidelity(*self._labelled("test", MAX_TEST, self.splits.test))

    def fidelity(self, x: Tensor, y: Tensor) -> float:
        """Share of samples that are judged to be of the class that was asked for. Biased by the judge's own errors.

        Args:
            x: conditional samples, (B, *event_shape).
            y: the classes they were asked to be of, (B,).
        """
        return self._hits(x, y) / len(x)

    def interval(self, x: Tensor, y: Tensor) -> tuple[float, float]:
        """Wilson's 95 % interval of `fidelity`; it covers the draw of the samples, not the judge's errors."""
        return wilson(self._hits(x, y), len(x))

    def _hits(self, x: Tensor, y: Tensor) -> int:
        if not len(x) or y.shape != x.shape[:1]:
            raise UsageError(f"y must hold one class for each of at least one x, not {tuple(y.shape)} for {len(x)}.")
        return int((self.judged(x) == y.cpu()).sum())


def _known(y: Tensor) -> Tensor:
    return y != UNLABELLED
