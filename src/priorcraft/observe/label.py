"""The class of x is seen."""

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Classifier, Observation


class Label(Observation):
    """y is the class of x, drawn from p(c | x).

    A model that was fitted with labels knows p(c | x) itself: there, hand the class to `posterior` as `given`, which
    is exact. This observation brings in a classifier of its own.

    Args:
        classifier: p(c | x).
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        """The most probable class, int64, (B,)."""
        return self.classifier.log_posterior(x).argmax(-1)

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """log p(y | x), nats, (B,)."""
        return self.classifier.log_posterior(x).gather(1, y.long().unsqueeze(1)).squeeze(1)

    def sample(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """One class for each x, int64, (B,)."""
        with torch.no_grad():
            return runtime.categorical(self.classifier.log_posterior(x), generator=runtime.fresh(generator))
