"""Real-valued arrays: densities, and classifiers made of them by Bayes' theorem, exact; natural logarithms, nats."""

from collections.abc import Mapping
from typing import Any, Self, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from priorcraft import probability, runtime, zoo
from priorcraft.core import ClosedForm, Exact, Space
from priorcraft.datasets.splits import Rows
from priorcraft.errors import UsageError
from priorcraft.run.in_memory import fitted
from priorcraft.runtime import undisturbed
from priorcraft.settings import DRAWS, whole
from priorcraft.sklearn.by_bayes import ByBayes
from priorcraft.train.loop import Budget

ROUNDS = 100


class _Fitted(BaseEstimator):
    """What densities and classifiers share: a model by name, fitted to a table."""

    model_: Exact
    seed: int
    steps: int

    def _name(self) -> str:
        raise NotImplementedError

    def _settings(self) -> Mapping[str, Any]:
        return {}

    def _space(self, X: np.ndarray) -> Space:
        return Space((X.shape[1],))

    def _points(self, X: np.ndarray) -> torch.Tensor:
        return torch.tensor(X, dtype=torch.float64)

    def _read(self, X: Any) -> torch.Tensor:
        check_is_fitted(self)
        return self._points(np.asarray(validate_data(self, X, reset=False, dtype=np.float64)))

    def _fit(self, X: np.ndarray, y: torch.Tensor | None, classes: int) -> None:
        kind = zoo.entry(self._name(), self._space(X), len(X))[1].model
        if not issubclass(kind, Exact) or not issubclass(kind, ClosedForm):
            raise UsageError(f"{self._name()} is not fitted in closed form; choose kernel, mixture or ppca.")
        rows, context = Rows(self._points(X), y), Space((), classes) if classes else None
        model = fitted(
            self._name(),
            self._space(X),
            context,
            rows,
            rows,
            settings=dict(self._settings()),
            budget=Budget(steps=self.steps),
            seed=self.seed,
            double=True,
        )
        self.model_ = cast(Exact, model)

    def _sample(self, n: int) -> np.ndarray:
        check_is_fitted(self)
        return self.model_.sample(whole("n", n, DRAWS), generator=runtime.keyed(self.seed, "sample")).numpy()


class Density(DensityMixin, _Fitted):
    """p(x) by an exact model for real numbers that is fitted in closed form: kernel, mixture or ppca.

    Args:
        model: its name.
        settings: of the model, by name.
        steps: largest number of updates.
        seed: of every draw.
    """

    def __init__(
        self, model: str = "kernel", *, settings: Mapping[str, Any] | None = None, steps: int = ROUNDS, seed: int = 0
    ) -> None:
        self.model, self.settings, self.steps, self.seed = model, settings, steps, seed

    def _name(self) -> str:
        return self.model

    def _settings(self) -> Mapping[str, Any]:
        return self.settings or {}

    @undisturbed
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fits p(x) to the rows of X, (N, D); y is passed over."""
        self._fit(np.asarray(validate_data(self, X, dtype=np.float64, ensure_min_samples=2)), None, 0)
        return self

    @undisturbed
    @torch.no_grad()
    def score_samples(self, X: Any) -> np.ndarray:
        """log p(x) of every row, exact, nats, (N,)."""
        return self.model_.log_prob(self._read(X)).numpy()

    @undisturbed
    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Mean of log p(x), exact, nats; higher is better."""
        return float(self.score_samples(X).mean())

    @undisturbed
    def sample(self, n: int = 1) -> np.ndarray:
        """n draws from p(x), (n, D)."""
        return self._sample(n)


class Mixture(Density):
    """A mixture of Gaussians with full covariances, fitted by EM.

    Args:
        components: number of values of z.
        smoothing: imagined rows per component, with the variance of the data shrunk to a tenth.
        steps, seed: as in `Density`.
    """

    def __init__(self, components: int = 4, *, smoothing: float = 2.0, steps: int = ROUNDS, seed: int = 0) -> None:
        self.components, self.smoothing, self.steps, self.seed = components, smoothing, steps, seed

    def _name(self) -> str:
        return "mixture"

    def _settings(self) -> Mapping[str, Any]:
        return {"components": self.components, "smoothing": self.smoothing}


class PPCA(Density):
    """Probabilistic PCA (Tipping & Bishop 1999), in closed form.

    Args:
        latent: length of z.
        steps, seed: as in `Density`.
    """

    def __init__(self, latent: int = 2, *, steps: int = ROUNDS, seed: int = 0) -> None:
        self.latent, self.steps, self.seed = latent, steps, seed

    def _name(self) -> str:
        return "ppca"

    def _settings(self) -> Mapping[str, Any]:
        return {"latent": self.latent}


class GenerativeClassifier(ByBayes, _Fitted):
    """p(c | x) = p(x | c) p(c) / p(x) with any exact model as p(x | c).

    Args:
        model: a name from `priorcraft models`.
        prior: p(c) in the order of `classes_`; the frequencies of the labels if None.
        unlabelled: the label that marks a row whose class is not known; such rows teach, too. None: there are none.
        steps, seed: as in `Density`.
        settings: of the model, by name.
    """

    def __init__(
        self,
        model: str = "kernel",
        *,
        prior: Any = None,
        unlabelled: Any = None,
        settings: Mapping[str, Any] | None = None,
        steps: int = ROUNDS,
        seed: int = 0,
    ) -> None:
        self.model, self.prior, self.unlabelled, self.settings = model, prior, unlabelled, settings
        self.steps, self.seed = steps, seed

    def _name(self) -> str:
        return self.model

    def _settings(self) -> Mapping[str, Any]:
        return self.settings or {}

    @undisturbed
    def fit(self, X: Any, y: Any) -> Self:
        """Fits the joint p(x, c) to rows X (N, D) and labels y (N,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        self._fit(X, self._numbered(y), len(self.classes_))
        return self

    @torch.no_grad()
    def _posterior(self, X: Any) -> tuple[torch.Tensor, torch.Tensor]:
        check_is_fitted(self)
        joint = self.model_.log_joint(self._read(X))
        old = self.model_.log_prior
        new = old if self.prior is None else torch.as_tensor(self.prior, dtype=old.dtype).log()
        return probability.posterior(new, joint - old)


class NaiveBayes(GenerativeClassifier):
    """Independent entries, per class; each is cut into bins of equal mass, and their frequencies are counted.

    Args:
        bins: number of bins of an entry.
        smoothing: imagined rows spread over the bins.
        prior, unlabelled, steps, seed: as in `GenerativeClassifier`.
    """

    def __init__(
        self,
        bins: int = 8,
        *,
        smoothing: float = 2.0,
        prior: Any = None,
        unlabelled: Any = None,
        steps: int = ROUNDS,
        seed: int = 0,
    ) -> None:
        self.bins, self.smoothing, self.prior, self.unlabelled = bins, smoothing, prior, unlabelled
        self.steps, self.seed = steps, seed

    def _name(self) -> str:
        return "naive-bayes"

    def _settings(self) -> Mapping[str, Any]:
        return {"smoothing": self.smoothing}

    def _space(self, X: np.ndarray) -> Space:
        return Space((X.shape[1],), self.bins)

    def _fit(self, X: np.ndarray, y: torch.Tensor | None, classes: int) -> None:
        self.edges_ = np.quantile(X, np.linspace(0, 1, self.bins + 1)[1:-1], axis=0)
        super()._fit(X, y, classes)

    def _points(self, X: np.ndarray) -> torch.Tensor:
        return torch.from_numpy((self.edges_[:, None, :] < X).sum(0))
