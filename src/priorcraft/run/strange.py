"""How unusual rows are under a run: what they are compared with, and three scores."""

from torch import Tensor

from priorcraft import runtime
from priorcraft.condition.marginal import log_marginal
from priorcraft.core import Exact
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import NoDensity, UsageError
from priorcraft.metrics.unusual import mutated, ratio, typicality
from priorcraft.run.in_memory import fitted
from priorcraft.run.run import Run
from priorcraft.train.loop import Budget
from priorcraft.train.run_folder import RunFolder

ROWS = 1000  # that belong and are scored, and a third of those that the background is fitted to


def exact(run: Run) -> Exact:
    """The model of a run, by whose density rows are judged.

    Raises:
        NoDensity: it is not exact.
    """
    if not isinstance(run.model, Exact):
        raise NoDensity(f"{run.name} has no exact density, by which rows are judged; fit an exact model.")
    return run.model


def strangeness(model: Exact, judge: Exact, reference: Tensor, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """-log p(x), typicality and likelihood ratio of every row, float64, (B,) each.

    Args:
        model: the run's own.
        judge: the background of the ratio.
        reference: log p of rows that belong.
        rows: to be judged; what they miss is summed out, and words that nobody has seen count as unusual.
    """
    log_p = density(model, rows)
    corrected = ratio(log_marginal(model, rows.x, rows.seen), log_marginal(judge, rows.x, rows.seen))
    corrected = corrected if rows.strange is None else corrected + rows.strange
    return -log_p, typicality(log_p, reference), corrected


def density(model: Exact, rows: Rows) -> Tensor:
    """log p of what is there in every row, of a table with what its numbers say beyond their integers, nats, (B,)."""
    log_p = log_marginal(model, rows.x, rows.seen)
    return log_p if rows.rest is None else log_p + rows.rest


def reference(model: Exact, own: Splits) -> Tensor:
    """log p of validation rows, which belong, nats, (B,)."""
    return density(model, own.valid.first(ROWS))


def background(run: Run, own: Splits, rate: float, seed: int) -> Exact:
    """The run's kind of model, fitted without labels to mutated training rows, in the steps of the run."""
    config = RunFolder.open(run.path).config
    train, valid = (
        Rows(mutated(rows.x, own.space, rate, generator=runtime.keyed(seed, "mutate", part)))
        for part, rows in (("train", Rows(own.train.x[: 3 * ROWS])), ("valid", Rows(own.valid.x[:ROWS])))
    )
    model = fitted(
        str(config["member"]), own.space, None, train, valid, settings=dict(config["settings"]),
        budget=Budget(steps=max(run.steps, 1)), seed=seed,
    )  # fmt: skip
    if not isinstance(model, Exact):
        raise UsageError("the background must be exact.")
    return model
