"""p(c | x) learned directly: what the generative classifier is compared with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor

from priorcraft.core import UNLABELLED, Classifier, Space
from priorcraft.errors import DataError, UsageError, did_you_mean

FLOOR = 1e-12  # of a probability: no class is ruled out by a finite sample
FOLDS = 5  # of Platt's calibration


def logistic(fewest: int, seed: int) -> Any:
    """Logistic regression with scikit-learn's penalty."""
    return LogisticRegression(max_iter=2000)


def svm(fewest: int, seed: int) -> Any:
    """A support vector machine with a Gaussian kernel, its scores calibrated on held-out folds (Platt 1999)."""
    if fewest < 2:
        raise DataError("svm needs at least 2 labelled rows of each class: one to learn from and one to calibrate on.")
    return CalibratedClassifierCV(SVC(C=10, random_state=seed), cv=min(FOLDS, fewest), ensemble=False)  # pyright: ignore[reportArgumentType]


def boosting(fewest: int, seed: int) -> Any:
    """Gradient boosting on histograms."""
    return HistGradientBoostingClassifier(max_iter=60, min_samples_leaf=5, random_state=seed)


def network(fewest: int, seed: int) -> Any:
    """A perceptron with one hidden layer."""
    return MLPClassifier((128,), alpha=1e-2, max_iter=400, random_state=seed)


METHODS: dict[str, Callable[[int, int], Any]] = {
    "logistic": logistic,
    "svm": svm,
    "boosting": boosting,
    "network": network,
}


class Discriminative(Classifier):
    """p(c | x) by a method of scikit-learn, fitted to the labelled rows alone.

    Args:
        method: "logistic", "svm", "boosting" or "network".
        space: where x lives.
        classes: K; a class without a labelled row keeps a probability of 1e-12.
        seed: of the method's draws.
    """

    def __init__(self, method: str, space: Space, classes: int, *, seed: int = 0) -> None:
        if method not in METHODS:
            raise UsageError(f"there is no method '{method}': {did_you_mean(method, METHODS)}")
        self.method, self.space, self.classes, self.seed = method, space, classes, seed

    def fit(self, x: Tensor, y: Tensor) -> "Discriminative":
        """Learns from rows x (N, *event_shape) with labels y (N,), -1 where not known; returns itself.

        Raises:
            DataError: labelled rows of fewer than two classes, or too few of one.
        """
        known = y != UNLABELLED
        counts = torch.bincount(y[known], minlength=self.classes)
        if int((counts > 0).sum()) < 2:
            raise DataError("a classifier needs labelled rows of at least two classes.")
        model = METHODS[self.method](int(counts[counts > 0].min()), self.seed)
        self.model = model if self.space.levels is not None else make_pipeline(StandardScaler(), model)
        self.model.fit(self._features(x[known]), y[known].numpy())
        return self

    def log_posterior(self, x: Tensor) -> Tensor:
        """log p(c | x), nats, (B, K), float64."""
        p = np.full((len(x), self.classes), FLOOR)
        p[:, self.model.classes_] = np.maximum(self.model.predict_proba(self._features(x)), FLOOR)
        return torch.from_numpy(np.log(p / p.sum(1, keepdims=True)))

    def _features(self, x: Tensor) -> np.ndarray:
        return self.space.to_network(x.cpu()).flatten(1).double().numpy()
