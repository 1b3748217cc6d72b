"""What the classifiers of arrays and of tables share: labels as numbers, and answers from one posterior."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from priorcraft.core import UNLABELLED
from priorcraft.errors import DataError
from priorcraft.runtime import undisturbed


class ByBayes(ClassifierMixin, ABC):
    """A classifier whose answers follow from log p(c | x) and log p(x)."""

    classes_: np.ndarray
    unlabelled: Any

    def _numbered(self, y: np.ndarray) -> torch.Tensor:
        """The places of the labels y (N,) in `classes_`, which it finds; -1 where the class is not known.

        Raises:
            DataError: fewer than two classes.
        """
        check_classification_targets(y)
        known = np.ones(len(y), bool) if self.unlabelled is None else y != self.unlabelled
        self.classes_, codes = np.unique(y[known], return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"a classifier needs rows of at least 2 classes; found {len(self.classes_)} class.")
        index = np.full(len(y), UNLABELLED, dtype=np.int64)
        index[known] = codes
        return torch.from_numpy(index)

    @abstractmethod
    def _posterior(self, X: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """log p(c | x), (N, K), and log p(x), (N,), nats."""

    @undisturbed
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """log p(c | x), exact, nats, (N, K)."""
        return self._posterior(X)[0].numpy()

    @undisturbed
    def predict_proba(self, X: Any) -> np.ndarray:
        """p(c | x), exact, (N, K)."""
        return np.exp(self.predict_log_proba(X))

    @undisturbed
    def predict(self, X: Any) -> np.ndarray:
        """The most probable class, (N,)."""
        log_p = self.predict_log_proba(X)
        return self.classes_[log_p.argmax(1)]

    @undisturbed
    def score_samples(self, X: Any) -> np.ndarray:
        """The evidence log p(x), exact, nats, (N,): low for rows that belong to no class."""
        return self._posterior(X)[1].numpy()
