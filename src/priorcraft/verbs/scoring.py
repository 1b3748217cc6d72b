"""`score`: how probable new rows are under a fitted model, and what kind of number that is."""

import copy
from pathlib import Path
from typing import Any

import torch

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Approximate, Generative, Space
from priorcraft.data import Rows, Splits, open_data
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.explicit.approximate.check import trial
from priorcraft.explicit.approximate.variational import Variational
from priorcraft.explicit.exact.chain import Autoregressive
from priorcraft.io import Run, load
from priorcraft.metrics.bound import bound_score
from priorcraft.metrics.likelihood import score as measure

SPLITS = ("train", "valid", "test")
CHECKED = 8  # rows on which two estimates are compared
GUESSES = 16  # draws by which the class of a row is guessed


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
        order: of an autoregressive model: "ensemble" (its own), "raster", "reverse", "random", or a permutation
            "3,1,2,...".
        seed: of the bound's draws.
        device: auto, cpu, cuda or mps.

    Returns:
        "kind" ("exact", "lower bound" or "none"), "nats" (mean of -log p(x); lower is better; for a bound, an upper
        limit of it), "bits_per_dim", "standard_error" (over the rows; of bits_per_dim for integers), "n", "samples",
        "split". For approximate models "bounds" (the same figures for k = 1, 10, 100, ...), "effective_draws" and
        "fewest_effective" (of `samples` draws, the median and the smallest over rows); and with `check`, "check".

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    if split not in SPLITS:
        raise UsageError(f"split must be train, valid or test: {did_you_mean(split, SPLITS)}")
    where = runtime.pick_device(device)
    runtime.tune()
    fitted = run if isinstance(run, Run) else load(run, device=where)
    splits = (
        data if isinstance(data, Splits) else open_data(data or fitted.data["source"], seed=int(fitted.data["seed"]))
    )
    check_space(splits.space, fitted.model.space)
    rows = first(splits.rows(split), limit)
    generator = runtime.keyed(seed, "score", device=where)
    model = fitted.model if order == "ensemble" else in_order(fitted.model, order, seed)
    doubt = {"check": second_opinion(model, rows, samples, seed)} if check else {}
    if isinstance(model, Approximate):
        found = bound_score(model, rows, samples=samples, generator=generator)
    else:
        found = measure(model, rows, samples=samples, generator=generator)
    return found.as_dict() | {"split": split} | doubt


def first(rows: Rows, limit: int | None) -> Rows:
    """The first `limit` rows."""
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be at least 1, not {limit}.")
    return Rows(rows.x[:limit], None if rows.y is None else rows.y[:limit])


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
        given = known(model, x, given, generator)
    return trial(model, x, given, k=samples, generator=generator).as_dict() | {"rows": len(x)}


@torch.no_grad()
def known(model: Variational, x: torch.Tensor, given: torch.Tensor | None, generator: torch.Generator) -> torch.Tensor:
    """The label of each row, or where it is not known the class for which the bound is highest, (B,)."""
    labels = torch.arange(model.classes, device=x.device)
    each = [model.bound(x, GUESSES, c.expand(len(x)), generator=generator) + model.log_prior[c] for c in labels]
    likely = torch.stack(each).argmax(0)
    return likely if given is None else torch.where(given == UNLABELLED, likely, given)


def in_order(model: Generative, order: str, seed: int) -> Autoregressive:
    """The same autoregressive model with one order in place of its ensemble."""
    if not isinstance(model, Autoregressive):
        raise UsageError("order can be chosen for a single autoregressive model alone: fit masked-mlp or masked-conv.")
    dims = model.space.dims
    named = {"raster": torch.arange(dims), "reverse": torch.arange(dims - 1, -1, -1)}
    named["random"] = torch.randperm(dims, generator=runtime.keyed(seed, "order"))
    if order not in named and not all(part.strip().isdigit() for part in order.split(",")):
        raise UsageError(f"order must be ensemble, raster, reverse, random, or numbers with commas, not '{order}'.")
    chosen = named[order] if order in named else torch.tensor([int(part) for part in order.split(",")])
    single = copy.copy(model)
    single._buffers = dict(model._buffers) | {"orders": model.check_order(chosen).unsqueeze(0)}
    return single


def check_space(found: Space, expected: Space) -> None:
    """Raises a DataError if data do not live where the model does."""
    if found != expected:
        raise DataError(f"the model was fitted to {describe(expected)}, but these data are {describe(found)}.")


def describe(space: Space) -> str:
    """A space in words.

    >>> describe(Space((1, 8, 8), 17))
    '8 x 8 images with 1 channel and 17 levels'
    """
    values = "real numbers" if space.levels is None else f"{space.levels} levels"
    if space.is_image:
        channels, height, width = space.event_shape
        return f"{height} x {width} images with {channels} channel{'s' * (channels > 1)} and {values}"
    return f"vectors of {space.dims} entries with {values}"
