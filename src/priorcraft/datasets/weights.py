"""A column that says how much each row counts: how often it was seen, or how probable it is."""

from collections.abc import Mapping

import numpy as np

from priorcraft.cells import CellColumn, Cells
from priorcraft.cells.numerals import Numeral, numeral_of
from priorcraft.datasets.columns.number import numbers_of
from priorcraft.errors import DataError

NAMES = ("count", "p")  # as in `bayes`
STATES = 64  # different cells of the other columns, at most
MOST_ROWS = 200_000
SCALED = 100_000


def weight_of(cells: Cells, said: Mapping[str, str], label: str | None) -> str | None:
    """The column that weighs the rows.

    It is one that the user calls a weight; or one named `count` or `p` in a table of categories in which no row is
    there twice, `p` summing to one.

    Args:
        cells: the table.
        said: kinds of columns that the user states.
        label: the column that is the class.
    """
    own = [name for name, kind in said.items() if kind == "weight"]
    if own:
        return own[0]
    there = [name for name in NAMES if name in cells.names and name not in said and name != label]
    if len(there) != 1 or len(cells.columns) < 2:
        return None
    values = _values(cells[there[0]])
    others = [column for column in cells.columns if column.name != there[0]]
    if values is None or any(len(column.distinct) > STATES for column in others):
        return None
    states = np.stack([column.codes for column in others], 1)
    if len(np.unique(states, axis=0)) < cells.rows:
        return None
    if there[0] == "p":
        return "p" if abs(values.sum() - 1) < 1e-6 else None
    return "count" if (values == np.rint(values)).all() else None


def _values(column: CellColumn) -> np.ndarray | None:
    """The weight of each row; None if some cells are empty, no numbers, or negative."""
    numeral = numeral_of(column.texts) if not column.typed else Numeral(15, False)
    if numeral is None or column.empty.any():
        return None
    values = numbers_of(column, numeral)[column.codes]
    return values if np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0 else None


def repeats(column: CellColumn, source: str) -> tuple[np.ndarray, str]:
    """Each row's number as often as it counts, and a sentence about it.

    Whole numbers of up to 200,000 in all are taken as they are; others are brought to 100,000 rows in proportion, to
    within one row (systematic rounding).

    Raises:
        DataError: weights that are no numbers of at least 0.
    """
    values = _values(column)
    if values is None:
        raise DataError(
            f"{source}: '{column.name}' weighs the rows, so it must hold numbers of at least 0 in every row."
        )
    whole = bool((values == np.rint(values)).all()) and values.sum() <= MOST_ROWS
    wanted = values if whole else values / values.sum() * SCALED
    ends = np.rint(np.cumsum(wanted)).astype(np.int64)
    times = np.diff(np.concatenate([[0], ends]))
    exact = "" if whole else ", in proportion to within one row"
    return np.repeat(
        np.arange(len(values)), times
    ), f"{len(values):,} rows count as {int(ends[-1]):,}{exact}, by column '{column.name}'."
