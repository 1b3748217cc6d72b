"""The named axes of a table: which ones can be, and which ones go together."""

import math
from collections.abc import Iterable, Mapping

from priorcraft.errors import DataError, UsageError, did_you_mean

Axes = Mapping[str, tuple[str, ...]]  # variable to states, in the order of the tensor's axes

MAX_CELLS = 10**7  # 80 MB of float64
MAX_AXES = 60  # torch stops at 64


def check(axes: Axes, shape: tuple[int, ...] | None = None) -> None:
    """Refuses axes that no table can have, or not one of this shape.

    Raises:
        DataError: a variable without states or with one of them twice, too many cells, or another shape.
    """
    for name, states in axes.items():
        if not states or len(set(states)) < len(states):
            found = ", ".join(states) or "none"
            raise DataError(f"variable '{name}' needs at least one state, each once; found {found}.")
    cells = math.prod(map(len, axes.values()))
    if cells > MAX_CELLS or len(axes) > MAX_AXES:
        raise DataError(
            f"a table of {len(axes)} variables and {cells:.3g} cells is too large, {MAX_AXES} and {MAX_CELLS:.0e} "
            "are the most; keep fewer variables, or give them fewer states."
        )
    sizes = tuple(map(len, axes.values()))
    if shape is not None and shape != sizes:
        raise DataError(f"the table of {', '.join(axes)} must have shape {sizes}, not {shape}.")


def known(axes: Axes, names: Iterable[str]) -> None:
    """Raises `UsageError` for a name that is not a variable."""
    for name in names:
        if name not in axes:
            raise UsageError(f"there is no variable '{name}'; {did_you_mean(name, axes)}")


def index(axes: Axes, name: str, state: str) -> int:
    """Where `state` lies along the axis `name`; `UsageError` if nowhere."""
    if str(state) not in axes[name]:
        raise UsageError(f"'{name}' has no state '{state}'; {did_you_mean(str(state), axes[name])}")
    return axes[name].index(str(state))


def merged(left: Axes, right: Axes) -> dict[str, tuple[str, ...]]:
    """The axes of a product: those of `left`, then what `right` adds.

    Raises:
        DataError: a variable of both with different states, or a product that is too large.
    """
    for name in left.keys() & right.keys():
        if set(left[name]) != set(right[name]):
            raise DataError(
                f"variable '{name}' has states {', '.join(left[name])} in one table and "
                f"{', '.join(right[name])} in the other; name them alike."
            )
    axes = {**left, **right, **left}
    check(axes)
    return axes
