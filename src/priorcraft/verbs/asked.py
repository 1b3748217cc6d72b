"""The data that a question is asked of: the run's own, or others of the same space."""

from pathlib import Path

from priorcraft.core import Space
from priorcraft.data import Splits, open_data
from priorcraft.errors import DataError
from priorcraft.io import Run


def data_of(run: Run, data: str | Path | Splits | None) -> Splits:
    """The run's own data as it was divided; others as their source divides them, and else whole and in their order.

    Raises:
        DataError: data that do not live where the model does, or cannot be read.
    """
    own, seed = run.data["source"], int(run.data["seed"])
    if not isinstance(data, Splits):
        other = data is not None and str(data) != own
        data = open_data(data or own, seed=seed, known=run.data["fingerprint"] if other else None)
    check_space(data.space, run.model.space)
    return data


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
