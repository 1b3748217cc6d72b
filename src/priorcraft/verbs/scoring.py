"""`score`: how probable new rows are under a fitted model, and what kind of number that is."""

from pathlib import Path
from typing import Any

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.data import Splits, open_data
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.io import Run, load
from priorcraft.metrics.likelihood import score as measure

SPLITS = ("train", "valid", "test")


def score(
    run: str | Path | Run,
    data: str | Path | Splits | None = None,
    *,
    split: str = "test",
    samples: int = 64,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """The score of a fitted model on rows of data.

    Args:
        run: a run folder, or what `load` returned.
        data: what `open_data` takes; the run's own data if None.
        split: train, valid or test.
        samples: k of the importance-weighted bound, for approximate models.
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
    return measure(fitted.model, splits.rows(split), samples=samples, generator=generator).as_dict() | {"split": split}


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
