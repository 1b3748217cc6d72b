"""Tables of numbers, words, dates and holes: one prior p(x), which fills in, classifies, scores and draws rows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, DensityMixin, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags, column_or_1d
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from priorcraft import probability, runtime, zoo
from priorcraft.cells import is_frame
from priorcraft.cells.writing import frame_like, frame_of
from priorcraft.condition.marginal import log_marginal, log_marginal_by_class
from priorcraft.core import ClosedForm, Exact, Generative, Space
from priorcraft.datasets.build import build
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.divide import SHARE, choose
from priorcraft.datasets.holes import Holes
from priorcraft.datasets.splits import Rows
from priorcraft.datasets.tables import open_table
from priorcraft.datasets.weights import repeats
from priorcraft.errors import DataError, NoDensity
from priorcraft.run.in_memory import fitted
from priorcraft.runtime import undisturbed
from priorcraft.scale.questions import imputed
from priorcraft.settings import DRAWS, whole
from priorcraft.sklearn.by_bayes import ByBayes
from priorcraft.sklearn.rows import array_of, table_of
from priorcraft.train.holes import filled
from priorcraft.train.loop import Budget

ROUNDS, UPDATES = 60, 2000  # of EM, of gradients


class _Prior(BaseEstimator):
    """What the four share: a model by name, fitted to a table whose columns it recognises.

    Args:
        model: a name from `priorcraft models`.
        types: kinds of columns that are known better, as in `open_data`.
        empty: words that are taken as empty, as in `open_data`.
        settings: of the model or its training, by name.
        steps: updates; 60 for models with closed-form updates and 2,000 for others, if None.
        seed: of the fit and of every draw.

    After the fit, `columns_` says what each column is, `notes_` what was found, and `model_` is the model.
    """

    columns_: Columns
    notes_: tuple[str, ...]
    model_: Generative

    def __init__(
        self,
        model: str = "latent-tree",
        *,
        types: str | Mapping[str, Any] | None = None,
        empty: str | None = None,
        settings: Mapping[str, Any] | None = None,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        self.model, self.types, self.empty, self.settings = model, types, empty, settings
        self.steps, self.seed = steps, seed

    @undisturbed
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fits p(x) to the rows of X, a data frame or an array; y is passed over. Rows with holes teach, too."""
        return self._learn(table_of(self, X, reset=True), None, 0)

    def _learn(self, table: Any, y: torch.Tensor | None, classes: int) -> Self:
        raw = open_table(table, types=self.types, empty=self.empty, whole=True)
        splits = build(raw, known="")  # undivided
        rows, columns = Rows(splits.test.x, y, splits.test.seen), raw.columns
        if columns is None or raw.table is None:
            raise DataError("X must be a table.")
        if columns.weight is not None:
            weights = raw.table.take(np.arange(len(rows)))[columns.weight]
            rows = rows.where(torch.from_numpy(repeats(weights, splits.name)[0]))
        closed = issubclass(zoo.entry(self.model, splits.space, len(rows))[1].model, ClosedForm)
        train, valid = (rows, rows) if closed else self._divided(rows)
        context = Space((), classes) if classes else None
        names = tuple(map(str, range(classes)))
        whole = filled(replace(splits, train=train, valid=valid, classes=names), seed=self.seed)
        self.columns_, self.notes_ = columns, tuple(raw.notes)
        self.model_ = fitted(
            self.model, splits.space, context, whole.train, whole.valid,
            settings=dict(self.settings or {}), budget=Budget(self.steps or (ROUNDS if closed else UPDATES)),
            seed=self.seed, double=closed,
        )  # fmt: skip
        return self

    def _divided(self, rows: Rows) -> tuple[Rows, Rows]:
        """Rows to learn from, and a share of them that says when to stop."""
        count = max(1, round(SHARE * len(rows)))
        taken = choose(rows, count, generator=runtime.keyed(self.seed, "split", "valid"))
        return rows.where(~taken), rows.where(taken)

    def _holes(self, X: Any) -> Holes:
        check_is_fitted(self)
        return Holes.read(table_of(self, X, reset=False), self.columns_, ())

    def _exact(self) -> Exact:
        if not isinstance(self.model_, Exact):
            raise NoDensity(f"{self.model} has no exact density, which is needed here; fit an exact model.")
        return self.model_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags


class PriorDensity(DensityMixin, _Prior):
    """p(x) of mixed rows by an exact model; what is empty in a row is summed out.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> density = PriorDensity("chow-liu").fit(X)
    >>> bool(density.score_samples([[0.0, 0.0]]) > density.score_samples([[0.0, 30.0]]))
    True
    """

    @undisturbed
    def score_samples(self, X: Any) -> np.ndarray:
        """log p of what is there in every row, exact, nats: a density in the units of its decimals, (N,)."""
        holes = self._holes(X)
        return (log_marginal(self._exact(), holes.x, holes.seen) + torch.from_numpy(holes.rest)).numpy()

    @undisturbed
    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Mean of log p over the rows, exact, nats; higher is better."""
        return float(self.score_samples(X).mean())


class PriorSampler(_Prior):
    """Draws rows like the ones that were fitted, by any model.

    >>> import numpy as np
    >>> PriorSampler("chow-liu").fit(np.random.default_rng(0).normal(size=(200, 2))).sample(3).shape
    (3, 2)
    """

    @undisturbed
    def fit(self, X: Any, y: Any = None) -> Self:
        """As in `PriorDensity`."""
        super().fit(X, y)
        self._dtype = None if is_frame(X) else np.asarray(X).dtype
        return self

    @undisturbed
    def sample(self, n: int = 1) -> Any:
        """n rows drawn from p(x): a frame of the kind that was fitted, or an array; columns of texts are not drawn."""
        check_is_fitted(self)
        x = self.model_.sample(whole("n", n, DRAWS), generator=runtime.keyed(self.seed, "sample")).numpy()
        drawn = self.columns_.decoded(x, runtime.keyed(self.seed, "cells"))
        table = self.columns_.table_of(drawn, None)
        if self._dtype is not None:
            return array_of(table, self._dtype)
        return frame_like(table, self.columns_.source, self.columns_.dtypes)


class PriorImputer(OneToOneFeatureMixin, TransformerMixin, _Prior):
    """Fills in what is missing with one draw of p(missing | seen) each; a cell that is there is never changed.

    Several imputations are several seeds: `PriorImputer(seed=1)`, `PriorImputer(seed=2)`, ... (Rubin 1987).

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> X[:, 1] = X[:, 0]
    >>> bool(PriorImputer("chow-liu").fit(X).transform([[2.0, np.nan]])[0, 1] > 1)
    True
    """

    @undisturbed
    def transform(self, X: Any) -> Any:
        """X with its holes filled in: a frame of the same kind and types, or an array."""
        holes = self._holes(X)
        table = imputed(self.model_, holes, 1, (self.seed, "impute"))
        return frame_of(holes.cells, table) if is_frame(X) else array_of(table, np.asarray(X).dtype)


class PriorClassifier(ByBayes, _Prior):
    """p(c | x) = p(x | c) p(c) / p(x) of mixed rows by an exact model; what is empty in a row is summed out.

    Args:
        prior: p(c) in the order of `classes_`; the frequencies of the labels if None.
        unlabelled: the label that marks a row whose class is not known; such rows teach, too. None: there are none.
        model, types, empty, settings, steps, seed: as in `PriorDensity`.
    """

    def __init__(
        self,
        model: str = "latent-tree",
        *,
        prior: Any = None,
        unlabelled: Any = None,
        types: str | Mapping[str, Any] | None = None,
        empty: str | None = None,
        settings: Mapping[str, Any] | None = None,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, types=types, empty=empty, settings=settings, steps=steps, seed=seed)
        self.prior, self.unlabelled = prior, unlabelled

    @undisturbed
    def fit(self, X: Any, y: Any) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fits the joint p(x, c) to rows X, a data frame or an array, and labels y (N,)."""
        if y is None:
            raise DataError(f"requires y to be passed, but the target y is None: {type(self).__name__} needs labels.")
        table = table_of(self, X, reset=True)
        named = column_or_1d(y, warn=True)
        check_consistent_length(X, named)
        numbers = self._numbered(named)
        return self._learn(table, numbers, len(self.classes_))

    @torch.no_grad()
    def _posterior(self, X: Any) -> tuple[torch.Tensor, torch.Tensor]:
        holes, model = self._holes(X), self._exact()
        own = model.log_prior.double()
        new = own if self.prior is None else torch.as_tensor(self.prior, dtype=own.dtype).log()
        log_p, evidence = probability.posterior(new, log_marginal_by_class(model, holes.x, holes.seen))
        return log_p, evidence + torch.from_numpy(holes.rest)
