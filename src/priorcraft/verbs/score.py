"""`score`: how probable rows are under a fitted model, and what kind of number that is."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import ARRAY, Facts, Piece, Sentence
from priorcraft.answer import Rows as Table
from priorcraft.cells import Cells
from priorcraft.cells.writing import frame_of, of_table, table_bytes, with_answers
from priorcraft.classifiers.generative import with_likeliest
from priorcraft.condition.marginal import log_marginal
from priorcraft.core import Approximate, Exact, Generative
from priorcraft.datasets import Rows, Splits
from priorcraft.datasets.columns.codec import some
from priorcraft.errors import DataError, NoDensity, UsageError
from priorcraft.explicit.approximate.check import Trial, trial
from priorcraft.explicit.approximate.variational import Variational
from priorcraft.explicit.exact.orders import in_orders
from priorcraft.metrics.bound import Bound, BoundScore, bound_score
from priorcraft.metrics.likelihood import Score, finite, log_p, summary
from priorcraft.metrics.likelihood import score as measure
from priorcraft.outputs import packed
from priorcraft.run import Run
from priorcraft.run.data import data_of, opened

CHECKED = 8  # rows on which two estimates are compared


@dataclass(frozen=True)
class Scored(BoundScore):
    """A score and what it was taken on; lower is better.

    Args:
        kind, nats, bits_per_dim, standard_error, n, samples: as in `metrics.likelihood.Score`.
        bounds, effective_draws, fewest_effective: of approximate models, as in `metrics.bound.BoundScore`.
        split: train, valid, test, or all of data that are not divided.
        order: the order that was asked for.
        own_orders_nats: the same rows in the model's own orders.
        cost_nats: how much more the order costs.
        check: the bound of a few rows against annealed importance sampling.
        row_nats: of a table, the mean of -log p of whole rows, what numbers say beyond their integers and all; of rows
            with holes what is there; a limit where `nats` is one.
        row_standard_error: of row_nats, nats.
        density: of a table, the columns in whose units row_nats is a density, so that it may be negative; () for a
            probability, whose nats are bits times log 2. None of other data.
        beyond: of a table, rows with a word or a number that the model has not seen.
        notes: what was noticed in other data than the run's own.
        strange: of a table, by how many nats a row is stranger than its integers say, (n,).
        cells: of a table, the rows.
    """

    writes: ClassVar = {"out": (".npz", ".csv", ".parquet")}

    bounds: tuple[Bound, ...] = ()
    effective_draws: float | None = None
    fewest_effective: float | None = None
    split: str = "test"
    order: str | None = None
    own_orders_nats: float | None = None
    cost_nats: float | None = None
    check: Trial | None = None
    row_nats: float | None = None
    row_standard_error: float | None = None
    density: tuple[str, ...] | None = None
    beyond: int | None = None
    notes: tuple[str, ...] = ()
    strange: Tensor | None = field(default=None, repr=False, compare=False, metadata=ARRAY)
    cells: Cells | None = field(default=None, repr=False, compare=False, metadata=ARRAY)

    @property
    def frame(self) -> Any:
        """The rows of a table with `log_p`, as a data frame of the library that they came from."""
        return frame_of(of_table(self.cells, "frame"), self._table("frame"))

    def _table(self, what: str) -> pa.Table:
        answers = {} if self.log_p is None else {"log_p": self.log_p.numpy()}
        answers |= {} if self.strange is None else {"beyond": (self.strange > 0).numpy()}
        return with_answers(of_table(self.cells, what), answers)

    def _bytes(self, what: str, suffix: str) -> bytes:
        if self.log_p is None:
            raise NoDensity("an implicit model has no density, and there are no scores of rows to write.")
        return packed({"log_p": self.log_p.numpy()}) if suffix == ".npz" else table_bytes(self._table(suffix), suffix)

    def shown(self) -> list[Piece]:
        """The figures; for a bound, a line for each number of draws; and what the check says."""
        names = ("effective_draws", "fewest_effective", "split", "order", "own_orders_nats", "cost_nats")
        found: list[Piece] = [Facts(self.facts() | {name: getattr(self, name) for name in names})]
        if self.bounds:
            error = f"standard error, {self.unit}"
            lines = [
                {"k": bound.k, "nats": self.kind.mark(bound.nats, ".3f"), "bits_per_dim": bound.bits_per_dim}
                | {error: bound.standard_error}
                for bound in self.bounds
            ]
            found.append(Table(lines, "fewer draws, looser bound"))
        if self.row_nats is not None and self.density is not None:
            error = "" if self.row_standard_error is None else f" ± {self.row_standard_error:.4g}"
            kind = f"a density in the units of {some(self.density)}" if self.density else "a probability"
            found.append(Sentence(f"whole rows: -log p {self.kind.mark(self.row_nats)}{error} nats, {kind}"))
        if self.check is not None:
            found.append(Sentence(f"check of {self.check.rows} rows: {self.check.verdict}"))
        return found


def score(
    run: str | Path | Run,
    data: str | Path | Splits | Any | None = None,
    *,
    split: str = "test",
    samples: int = 64,
    limit: int | None = None,
    check: bool = False,
    order: str = "ensemble",
    seed: int = 0,
) -> Scored:
    """How probable rows are under a fitted model, and what kind of number that is.

    Args:
        run: the run folder, or what `fit` and `load` return.
        data: other data of the same kind, in Python also a data frame; the run's own without it. Of a table, columns
            that are not there are summed out, as empty cells are, and words that the model has not seen, too.
        split: train, valid or test.
        samples: k, draws of the importance-weighted bound, for approximate models: more draws, a tighter bound.
        limit: score the first rows alone.
        check: hold the bound of a few rows against a second, independent estimate (annealing).
        order: of an autoregressive model: ensemble (its own), raster, reverse, random, a permutation with commas, or
            several of them as an exact ensemble: raster+reverse, random:8. One that the model was not trained in costs
            a few nats, and the answer says how many.
        seed: of every random draw: the same seed gives the same answer.

    Writes:
        out: log p of each row: .npz, or of a table .csv or .parquet of all its rows, in order, with log_p and whether
            there is something beyond what the model has seen.

    Returns:
        The mean of -log p(x) in nats and bits/dim: exact, a limit, or none, by the kind of the model.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    fitted, where = opened(run, translates=True)
    splits = data_of(fitted, data, holes=True)
    rows = first(splits.rows(split), limit)
    generator = runtime.keyed(seed, "score", device=where)
    model = fitted.model if order == "ensemble" else in_orders(fitted.model, order, seed)
    doubt = second_opinion(model, rows, samples, seed) if check else None
    if isinstance(model, Approximate):
        found = bound_score(model, rows, samples=samples, generator=generator)
        each = found.log_p
    else:
        each = log_p_of(model, rows) if isinstance(model, Exact) else None
        found = measured(model, rows, samples, generator) if each is None else summary(-each, model.space, None)
    if each is not None and rows.rest is not None:
        each = each + rows.rest
    own = None if model is fitted.model else measured(fitted.model, rows, samples, generator).nats
    return Scored(
        **{one.name: getattr(found, one.name) for one in fields(found) if one.name != "log_p"},
        **of_whole_rows(splits, rows, each),
        notes=() if data is None else splits.notes,
        log_p=each,
        split=split if splits.divided else "all",
        order=None if own is None else order,
        own_orders_nats=own,
        cost_nats=None if own is None or found.nats is None else found.nats - own,
        check=doubt,
    )


def of_whole_rows(splits: Splits, rows: Rows, log_p: Tensor | None) -> dict[str, Any]:
    """What there is to say of whole rows of a table whose log p, or its limit, is known."""
    if splits.columns is None or splits.table is None or log_p is None:
        return {}
    strange, there = rows.strange, splits.table.names
    modelled = [column for column in splits.columns.columns if column.name in there]
    return {
        "row_nats": float(-log_p.mean()),
        "row_standard_error": float(log_p.std()) / math.sqrt(len(log_p)) if len(log_p) > 1 else None,
        "density": tuple(column.name for column in modelled if column.codec.continuous),
        "beyond": None if strange is None else int((strange > 0).sum()),
        "strange": strange,
        "cells": splits.cells(rows),
    }


def log_p_of(model: Exact, rows: Rows) -> Tensor:
    """log p(x) of each row, exact, nats, (B,); of those with holes what is missing is summed out."""
    if not len(rows):
        raise DataError("rows must hold at least one row to score; found none.")
    if rows.seen is not None:
        return finite(log_marginal(model, rows.x, rows.seen))
    return finite(log_p(model, rows, generator=runtime.fresh(None)))


def measured(model: Generative, rows: Rows, samples: int, generator: Generator) -> Score:
    """The score of rows; of those with holes what is missing is summed out."""
    if isinstance(model, Exact):
        return summary(-log_p_of(model, rows), model.space, None)
    return measure(model, rows, samples=samples, generator=generator)


def first(rows: Rows, limit: int | None) -> Rows:
    """The first `limit` rows."""
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be at least 1, not {limit}.")
    return rows.first(limit)


def second_opinion(model: Generative, rows: Rows, samples: int, seed: int) -> Trial:
    """Whether the bound can be trusted, on the first rows: see `explicit.approximate.check.trial`.

    With labels both estimates are of log p(x | c), with the class of each row or, not known, its most probable one.

    Raises:
        UsageError: the model has no bound, or no latent variable that can be moved.
    """
    if not isinstance(model, Variational):
        raise UsageError(
            f"check needs a model with a bound over continuous z, such as a VAE, not {type(model).__name__}."
        )
    device = model.device
    x, generator = rows.x[:CHECKED].to(device), runtime.keyed(seed, "check", device=device)
    given = None if model.context is None else rows.context
    given = None if given is None else given[:CHECKED].to(device)
    if model.classes:
        given = with_likeliest(model, x, given)
    return trial(model, x, given, k=samples, generator=generator)
