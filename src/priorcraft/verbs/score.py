"""`score`: how probable rows are under a fitted model, and what kind of number that is."""

from dataclasses import dataclass, fields
from pathlib import Path

from torch import Generator

from priorcraft import runtime
from priorcraft.answer import Facts, Piece, Sentence
from priorcraft.answer import Rows as Table
from priorcraft.classifiers.generative import with_likeliest
from priorcraft.condition.marginal import log_marginal
from priorcraft.core import Approximate, Exact, Generative
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.check import Trial, trial
from priorcraft.explicit.approximate.variational import Variational
from priorcraft.explicit.exact.orders import in_orders
from priorcraft.metrics.bound import Bound, BoundScore, bound_score
from priorcraft.metrics.likelihood import Score, finite, summary
from priorcraft.metrics.likelihood import score as measure
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
    """

    bounds: tuple[Bound, ...] = ()
    effective_draws: float | None = None
    fewest_effective: float | None = None
    split: str = "test"
    order: str | None = None
    own_orders_nats: float | None = None
    cost_nats: float | None = None
    check: Trial | None = None

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
        if self.check is not None:
            found.append(Sentence(f"check of {self.check.rows} rows: {self.check.verdict}"))
        return found


def score(
    run: str | Path | Run,
    data: str | Path | Splits | None = None,
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
        data: other data of the same kind; the run's own without it.
        split: train, valid or test.
        samples: k, draws of the importance-weighted bound, for approximate models: more draws, a tighter bound.
        limit: score the first rows alone.
        check: hold the bound of a few rows against a second, independent estimate (annealing).
        order: of an autoregressive model: ensemble (its own), raster, reverse, random, a permutation with commas, or
            several of them as an exact ensemble: raster+reverse, random:8. One that the model was not trained in costs
            a few nats, and the answer says how many.
        seed: of every random draw: the same seed gives the same answer.

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
    else:
        found = measured(model, rows, samples, generator)
    own = None if model is fitted.model else measured(fitted.model, rows, samples, generator).nats
    return Scored(
        **{each.name: getattr(found, each.name) for each in fields(found)},
        split=split if splits.divided else "all",
        order=None if own is None else order,
        own_orders_nats=own,
        cost_nats=None if own is None or found.nats is None else found.nats - own,
        check=doubt,
    )


def measured(model: Generative, rows: Rows, samples: int, generator: Generator) -> Score:
    """The score of rows; of those with holes what is missing is summed out."""
    if rows.seen is None or not isinstance(model, Exact):
        return measure(model, rows, samples=samples, generator=generator)
    return summary(-finite(log_marginal(model, rows.x, rows.seen)), model.space, None)


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
    given = None if model.context is None else rows.y
    given = None if given is None else given[:CHECKED].to(device)
    if model.classes:
        given = with_likeliest(model, x, given)
    return trial(model, x, given, k=samples, generator=generator)
