"""Arrays of any layout and number type to points of one `Space`."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from priorcraft.core import Space
from priorcraft.datasets.shelf import MEMORY, Shelf
from priorcraft.errors import DataError, UsageError
from priorcraft.mapped import ends, everywhere, tensor_of

CHANNELS = (1, 3, 4)
MOST_LEVELS = 65_536
Arrays = dict[str, np.ndarray]


def to_points(
    x: Arrays, stated: int | None, asked: int | None, shelf: Shelf = MEMORY
) -> tuple[dict[str, Tensor], Space]:
    """Every part as points of the space that all parts share.

    Args:
        x: part to array, (N, D), (N, H, W), (N, H, W, C) or (N, C, H, W).
        stated: number of levels by the source's own word.
        asked: number of levels that the user asks for.
        shelf: where the points are put; they are made a block at a time.

    Raises:
        DataError: no rows, other shapes, not numbers, nan, infinity, negative integers, fractions among levels.
        UsageError: `asked` levels that the entries cannot be brought to.
    """
    _check_shapes(x)
    x = {part: channels_first(_numbers(a, f"x of {part}"), f"x of {part}") for part, a in x.items()}
    if stated is None and asked is None and any(a.dtype.kind == "f" for a in x.values()):
        return _real(x, shelf)
    return _integers({part: _whole(a, f"x of {part}") for part, a in x.items()}, stated, asked, shelf)


def channels_first(x: np.ndarray, name: str = "x") -> np.ndarray:
    """(N, D) as it is; images as (N, C, H, W).

    Four axes hold the channels first or last, wherever the count is 1, 3 or 4; where both could be, the smaller
    count is the channels, and first wins a tie.

    >>> channels_first(np.zeros((5, 32, 24, 3))).shape, channels_first(np.zeros((5, 3, 4, 4))).shape
    ((5, 3, 32, 24), (5, 3, 4, 4))
    """
    if x.ndim == 2:
        return x
    if x.ndim == 3:
        return x[:, None]
    if x.ndim != 4 or not {x.shape[1], x.shape[3]} & set(CHANNELS):
        raise DataError(
            f"{name} has shape {x.shape}; expected (N, D) vectors, (N, H, W) images, or (N, H, W, C) or (N, C, H, W) "
            "images with C = 1, 3 or 4. Reshape the array."
        )
    first, last = (c if c in CHANNELS else max(CHANNELS) + 1 for c in (x.shape[1], x.shape[3]))
    return x if first <= last else np.moveaxis(x, 3, 1)


def rescale(v: np.ndarray, old_top: int, new_top: int) -> np.ndarray:
    """round(v new_top / old_top), halves upwards, in integer arithmetic: 0 stays 0 and the top stays the top.

    >>> rescale(np.array([0, 127, 128, 255]), 255, 1)
    array([0, 0, 1, 1])
    """
    return (2 * new_top * v.astype(np.int64) + old_top) // (2 * old_top)


def over_white(colour: np.ndarray, alpha: np.ndarray, top: int) -> np.ndarray:
    """A transparent picture laid on white: round(alpha colour + (1 - alpha) white), all in 0 ... top."""
    alpha = alpha.astype(np.int64)
    return rescale(colour * alpha + top * (top - alpha), top * top, top)


def _check_shapes(x: Arrays) -> None:
    if "train" not in x:
        raise DataError(f"There are no training rows, only {' and '.join(x)}.")
    shape = x["train"].shape[1:]
    for part, a in x.items():
        if a.ndim == 0 or a.size == 0:
            raise DataError(f"x of {part} holds nothing (shape {a.shape}); give at least one row, or leave it out.")
        if a.shape[1:] != shape:
            raise DataError(f"The rows of {part} have shape {a.shape[1:]}, those of train {shape}; they must agree.")


def _numbers(x: np.ndarray, name: str) -> np.ndarray:
    if x.dtype.kind not in "biuf":
        raise DataError(f"{name} must hold numbers, not {x.dtype}; encode categories as integers 0, 1, 2 ...")
    if x.dtype.kind != "f" or everywhere(x, np.isfinite):
        return x
    bad = np.flatnonzero([not np.isfinite(row).all() for row in x])
    raise DataError(
        f"{name} holds nan or infinity in {len(bad)} of {len(x)} rows ({_listed(bad)}); "
        "remove these rows or fill the gaps."
    )


def _listed(rows: np.ndarray) -> str:
    return ("row " if len(rows) == 1 else "rows ") + ", ".join(map(str, rows[:5])) + (" ..." if len(rows) > 5 else "")


def _real(x: Arrays, shelf: Shelf) -> tuple[dict[str, Tensor], Space]:
    shape = x["train"].shape[1:]
    if len(shape) == 3 and shape[0] == 4:
        raise DataError("Images of real numbers must have 1 or 3 channels, not 4; drop the alpha channel first.")
    for part, a in x.items():
        if max(map(abs, ends(a))) > np.finfo(np.float32).max:
            raise DataError(f"x of {part} holds numbers beyond the range of 32-bit floats; rescale the columns.")
    real = np.dtype(np.float32)
    return {part: _points(part, a, lambda rows: rows, real, shelf) for part, a in x.items()}, Space(shape)


def _whole(x: np.ndarray, name: str) -> np.ndarray:
    if x.dtype.kind == "f" and not everywhere(x, lambda rows: rows == np.rint(rows)):
        raise DataError(
            f"{name} must hold whole numbers 0 ... levels-1, but holds fractions; "
            "leave levels out to treat them as real numbers, or round them first."
        )
    if (least := ends(x)[0]) < 0:
        raise DataError(f"{name} holds {least:g}; integers start at 0. Shift them, or save them as floats.")
    return x


def _integers(x: Arrays, stated: int | None, asked: int | None, shelf: Shelf) -> tuple[dict[str, Tensor], Space]:
    image = x["train"].ndim == 4
    now, then = _levels(x, image, stated, asked)
    alpha = image and x["train"].shape[1] == 4

    def changed(rows: np.ndarray) -> np.ndarray:
        rows = rows.astype(np.int64) if rows.dtype != np.uint8 else rows
        rows = over_white(rows[:, :3], rows[:, 3:], now - 1) if alpha else rows
        return rescale(rows, now - 1, then - 1) if now != then else rows

    dtype = np.dtype(np.uint8 if then <= 256 else np.int64)
    shape = (3, *x["train"].shape[2:]) if alpha else x["train"].shape[1:]
    as_they_are = now == then and not alpha
    points = {part: _points(part, a, changed, dtype, shelf, as_they_are=as_they_are) for part, a in x.items()}
    return points, Space(shape, then)


def _points(
    part: str,
    x: np.ndarray,
    changed: Callable[[np.ndarray], np.ndarray],
    dtype: np.dtype,
    shelf: Shelf,
    *,
    as_they_are: bool = True,
) -> Tensor:
    """Points from an array: a mapped file that holds them already is not copied."""
    if as_they_are and isinstance(x, np.memmap) and x.dtype == dtype and x.flags.c_contiguous:
        return tensor_of(x)
    return tensor_of(shelf.made(f"points.{part}", x, changed, dtype))


def _levels(x: Arrays, image: bool, stated: int | None, asked: int | None) -> tuple[int, int]:
    """The number of levels that the entries have, and the number that they shall have."""
    top = max(int(ends(a)[1]) for a in x.values())
    if stated is None and asked is not None and top < asked:
        return asked, asked
    now = stated or _guess(x["train"].dtype, top, image)
    if top >= now:
        raise DataError(f"levels is {now}, but x holds {top}; levels must be larger than every entry.")
    if asked is not None and asked != now and not image:
        raise UsageError(f"levels={asked} was asked for, but these vectors have {now}; only images are rescaled.")
    return now, asked or now


def _guess(dtype: np.dtype, top: int, image: bool) -> int:
    if top >= MOST_LEVELS:
        raise DataError(
            f"x holds {top}; integers go up to {MOST_LEVELS - 1}. Save them as floats to treat them as real numbers."
        )
    if dtype.kind == "b":
        return 2
    if top > 255:
        return MOST_LEVELS if image else top + 1
    return 256 if top >= 128 or (image and top > 16) else max(top + 1, 2)
