"""Labels of any kind to class indices and class names."""

import numpy as np
import torch
from torch import Tensor

from priorcraft.core import UNLABELLED
from priorcraft.errors import DataError, did_you_mean

Labels = dict[str, np.ndarray]
DIGITS = 4000  # of a name that is a number; Python reads no longer ones


def to_classes(
    y: Labels, rows: dict[str, int], order: tuple[str, ...] | None = None
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Class indices of every part, and the names that they index.

    Args:
        y: part to labels, (N,): integers, whole floats or strings; -1 or nan = not known.
        rows: part to its number of rows. A part without labels gets -1 throughout.
        order: the names in the order of their indices; None sorts those that occur, numbers by their value.

    Raises:
        DataError: labels that are not one a row, neither whole numbers nor strings, or not in `order`.
    """
    named = {part: _names(y[part], f"y of {part}", n) for part, n in rows.items() if part in y}
    known = {name for names in named.values() for name in np.unique(names).tolist() if name != ""}
    classes = order or tuple(sorted(known, key=by_number))
    if unknown := sorted(known - set(classes)):
        raise DataError(f"there is no class '{unknown[0]}': {did_you_mean(unknown[0], classes)}")
    index = {name: k for k, name in enumerate(classes)} | {"": UNLABELLED}
    return {part: _indices(named.get(part), index, n) for part, n in rows.items()}, classes


def by_number(name: str) -> tuple[bool, int, str]:
    """A sorting key that puts whole numbers first, in numerical order.

    >>> sorted(["10", "9", "cat"], key=by_number)
    ['9', '10', 'cat']
    """
    number = len(name) <= DIGITS and name.isascii() and name.removeprefix("-").isdigit()
    return (not number, int(name) if number else 0, name)


def _names(y: np.ndarray, what: str, n: int) -> np.ndarray:
    """The labels as strings, "" where not known."""
    if y.shape != (n,):
        raise DataError(f"{what} has shape {y.shape}; expected ({n},), one label a row.")
    if y.dtype.kind == "U":
        return _texts(y, what)
    if y.dtype.kind not in "biuf":
        raise DataError(f"{what} must hold integers or strings, not {y.dtype}.")
    unknown = np.isnan(y) if y.dtype.kind == "f" else y == UNLABELLED
    whole = np.where(unknown, UNLABELLED, y)
    if not (np.isfinite(whole) & (whole == np.rint(whole))).all():
        raise DataError(f"{what} holds fractions; labels are whole numbers or strings.")
    if y.size and float(np.abs(whole).max()) > (2**53 if y.dtype.kind == "f" else 2**63 - 1):
        raise DataError(f"{what} holds numbers that 64 bits do not tell apart; save such labels as text.")
    return np.where(whole == UNLABELLED, "", whole.astype(np.int64).astype(str))


def _texts(y: np.ndarray, what: str) -> np.ndarray:
    """Labels that are text, if they are."""
    try:
        for name in np.unique(y).tolist():
            name.encode()
    except ValueError as error:  # half a character, or a number that is none
        raise DataError(f"{what} holds text that is no Unicode: {error}.") from None
    return y


def _indices(names: np.ndarray | None, index: dict[str, int], n: int) -> Tensor:
    if names is None:
        return torch.full((n,), UNLABELLED)
    once = np.unique(names)
    number = torch.from_numpy(np.searchsorted(once, names))
    return torch.tensor([index[name] for name in once.tolist()], dtype=torch.int64)[number]
