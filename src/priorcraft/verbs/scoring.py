"""`score`: how probable new rows are under a fitted model, and what kind of number that is."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.classifiers.generative import GenerativeClassifier
from priorcraft.condition.marginal import log_marginal
from priorcraft.core import UNLABELLED, Approximate, Exact, Generative
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import UsageError, did_you_mean
from priorcraft.explicit.approximate.check import trial
from priorcraft.explicit.approximate.variational import Variational
from priorcraft.explicit.exact.orders import in_orders
from priorcraft.metrics.bound import bound_score
from priorcraft.metrics.likelihood import Score, finite, summary
from priorcraft.metrics.likelihood import score as measure
from priorcraft.run import Run
from priorcraft.run.data import data_of, opened

SPLITS = ("train", "valid", "test")
CHECKED = 8  # rows on which two estimates are compared


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
    device: str = "auto",
) -> dict[str, Any]:
    """The score of a fitted model on rows of data.

    Args:
        run: a run folder, or what `load` returned.
        data: what `open_data` takes; the run's own data if None.
        split: train, valid or test.
        samples: k of the importance-weighted bound, for approximate models; the bound for fewer draws comes with it.
        limit: score the first rows alone; None scores all.
        check: hold the bound of a few rows against annealed importance sampling, see `second_opinion`.
        order: of an autoregressive model: "ensemble" (its own), "raster", "reverse", "random", a permutation
            "3,1,2,...", or several of them as an exact ensemble: "raster+reverse", "random:8". Any order will do; one
            that the model was not trained in costs a few nats, and the answer says how many.
        seed: of the bound's draws.
        device: auto, cpu, cuda or mps.

    Returns:
        "kind" ("exact", "lower bound" or "none"), "nats" (mean of -log p(x); lower is better; for a bound, an upper
        limit of it), "bits_per_dim", "standard_error" (over the rows; of bits_per_dim for integers), "n", "samples",
        "split". For approximate models "bounds" (the same figures for k = 1, 10, 100, ...), "effective_draws" and
        "fewest_effective" (of `samples` draws, the median and the smallest over rows); and with `check`, "check". With
        an order "own_orders_nats" (the same rows in the model's own orders) and "cost_nats" (how much more these cost).

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    if split not in SPLITS:
        raise UsageError(f"split must be train, valid or test: {did_you_mean(split, SPLITS)}")
    fitted, where = opened(run, device, translates=True)
    splits = data_of(fitted, data, holes=True)
    rows = first(splits.rows(split), limit)
    generator = runtime.keyed(seed, "score", device=where)
    model = fitted.model if order == "ensemble" else in_orders(fitted.model, order, seed)
    doubt = {"check": second_opinion(model, rows, samples, seed)} if check else {}
    if isinstance(model, Approximate):
        found = bound_score(model, rows, samples=samples, generator=generator)
    else:
        found = measured(model, rows, samples, generator)
    price = {} if model is fitted.model else price_of(order, found, measured(fitted.model, rows, samples, generator))
    return found.as_dict() | {"split": split if splits.divided else "all"} | price | doubt


def measured(model: Generative, rows: Rows, samples: int, generator: torch.Generator) -> Score:
    """The score of rows; of those with holes what is missing is summed out."""
    if rows.seen is None or not isinstance(model, Exact):
        return measure(model, rows, samples=samples, generator=generator)
    return summary(-finite(log_marginal(model, rows.x, rows.seen)), model.space, None)


def price_of(order: str, found: Score, own: Score) -> dict[str, Any]:
    """What an order costs against the model's own orders, on the same rows."""
    assert found.nats is not None
    assert own.nats is not None
    return {"order": order, "own_orders_nats": own.nats, "cost_nats": found.nats - own.nats}


def first(rows: Rows, limit: int | None) -> Rows:
    """The first `limit` rows."""
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be at least 1, not {limit}.")
    return rows.first(limit)


def second_opinion(model: Generative, rows: Rows, samples: int, seed: int) -> dict[str, Any]:
    """Whether the bound can be trusted, on the first rows: see `explicit.approximate.check.trial`.

    With labels both estimates are of log p(x | c), with the class of each row or, not known, its most probable one.

    Raises:
        UsageError: the model has no bound, or no latent variable that can be moved.
    """
    if not isinstance(model, Variational):
        raise UsageError(
            f"check needs a model with a bound over continuous z, such as a VAE, not {type(model).__name__}."
        )
    device = model.log_prior.device
    x, generator = rows.x[:CHECKED].to(device), runtime.keyed(seed, "check", device=device)
    given = None if model.context is None else rows.y
    given = None if given is None else given[:CHECKED].to(device)
    if model.classes:
        given = known(model, x, given)
    return trial(model, x, given, k=samples, generator=generator).as_dict() | {"rows": len(x)}


def known(model: Exact | Approximate, x: Tensor, given: Tensor | None) -> Tensor:
    """The label of each row, or where it is not known the most probable class, (B,)."""
    if given is not None and not bool((given == UNLABELLED).any()):
        return given
    likely = GenerativeClassifier(model).log_posterior(x).argmax(1)
    return likely if given is None else torch.where(given == UNLABELLED, likely, given)
