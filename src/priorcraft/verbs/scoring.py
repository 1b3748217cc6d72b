"""`score`: how probable new rows are under a fitted model, and what kind of number that is."""

import copy
from pathlib import Path
from typing import Any

import torch

from priorcraft import runtime
from priorcraft.core import Generative, Space
from priorcraft.data import Splits, open_data
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.explicit.exact.chain import Autoregressive
from priorcraft.io import Run, load
from priorcraft.metrics.likelihood import score as measure

SPLITS = ("train", "valid", "test")


def score(
    run: str | Path | Run,
    data: str | Path | Splits | None = None,
    *,
    split: str = "test",
    samples: int = 64,
    order: str = "ensemble",
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """The score of a fitted model on rows of data.

    Args:
        run: a run folder, or what `load` returned.
        data: what `open_data` takes; the run's own data if None.
        split: train, valid or test.
        samples: k of the importance-weighted bound, for approximate models.
        order: of an autoregressive model: "ensemble" (its own), "raster", "reverse", "random", or a permutation
            "3,1,2,...".
        seed: of the bound's draws.
        device: auto, cpu, cuda or mps.

    Returns:
        "kind" ("exact", "lower bound" or "none"), "nats" (mean of -log p(x); lower is better; for a bound, an upper
        limit of it), "bits_per_dim", "standard_error", "n", "samples", "split".

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
    generator = runtime.keyed(seed, "score", device=where)
    model = fitted.model if order == "ensemble" else in_order(fitted.model, order, seed)
    return measure(model, splits.rows(split), samples=samples, generator=generator).as_dict() | {"split": split}


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
