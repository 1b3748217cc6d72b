"""Arrays in memory, .npy and .npz files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from priorcraft.datasets.plain import plain, read_arrays
from priorcraft.datasets.points import MOST_LEVELS
from priorcraft.datasets.raw import SPLITS, Raw
from priorcraft.errors import DataError

Array = np.ndarray | Tensor
KEYS = ("x", "y", "levels", *(f"{letter}_{part}" for letter in "xy" for part in SPLITS))


def open_file(path: Path) -> Raw:
    """An .npz with the keys x_train, x_valid, x_test, y_*, levels, or x, y, levels; or an .npy that is one x.

    Nothing is ever unpickled.

    Raises:
        DataError: damaged, pickled, or without x.
    """
    return open_named(str(path), read_arrays(path, KEYS))


def open_named(name: str, named: Mapping[str, Array]) -> Raw:
    """Arrays under the keys of an .npz; other keys are passed over, with a note.

    Raises:
        DataError: neither x nor x_train, or both; labels without points; levels that are not one whole number.
    """
    known = {key: plain(named[key], f"{key} of {name}") for key in KEYS if key in named}
    _check_keys(name, set(known), set(named))
    x, y = _parts(known, "x"), _parts(known, "y")
    others = sorted(set(named) - set(known))
    notes = (f"keys passed over: {', '.join(others)}.",) if others else ()
    return Raw(name, x, y, _levels(name, known.get("levels")), notes=notes)


def _parts(known: Mapping[str, np.ndarray], letter: str) -> dict[str, np.ndarray]:
    """x_train, x_valid and x_test by part; a single x is all of train, from which the others are drawn."""
    if letter in known:
        return {"train": known[letter]}
    return {part: known[f"{letter}_{part}"] for part in SPLITS if f"{letter}_{part}" in known}


def _check_keys(name: str, known: set[str], found: set[str]) -> None:
    if ("x" in known) == ("x_train" in known):
        listed = ", ".join(sorted(found)) or "nothing"
        raise DataError(
            f"{name} must hold either x or x_train (with x_valid, x_test if there are any); found {listed}."
        )
    for key in sorted(known):
        if key.startswith("y") and "x" + key[1:] not in known:
            raise DataError(f"{name} holds {key} without x{key[1:]}; labels belong to points.")
    if "x" in known and known & {"x_valid", "x_test"}:
        raise DataError(f"{name} holds x beside x_valid or x_test; call the training rows x_train.")


def _levels(name: str, levels: np.ndarray | None) -> int | None:
    if levels is None:
        return None
    if levels.size != 1 or levels.dtype.kind not in "iu" or not 2 <= int(levels.item()) <= MOST_LEVELS:
        raise DataError(f"levels in {name} must be one whole number of 2 ... {MOST_LEVELS}, not {levels!s:.40}.")
    return int(levels.item())
