"""What scikit-learn passes as X, as a table; and tables as what was passed."""

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from priorcraft.cells import is_frame
from priorcraft.errors import DataError

PLAIN = (str, bytes, int, float, bool, np.generic)


def table_of(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    """X as a table: a data frame as it is, an array with its columns called x0, x1, ...

    Args:
        estimator: which remembers the names and the number of columns with `reset`, and compares them without.
        X: a data frame of pandas, polars or Arrow; or rows of numbers or words, (N, D), nan where a cell is empty.

    Raises:
        ValueError, TypeError: as scikit-learn's own checks do.
    """
    least = 2 if reset else 1
    if is_frame(X):
        validate_data(estimator, X, skip_check_array=True, reset=reset)
        if len(X) < least:
            raise DataError(f"at least {least} rows are needed; found a frame with n_samples={len(X)}.")
        return X
    wanted: Any = {"dtype": None, "ensure_all_finite": "allow-nan", "ensure_min_samples": least, "reset": reset}
    found: Any = validate_data(estimator, X, **wanted)
    names = getattr(estimator, "feature_names_in_", [f"x{i}" for i in range(found.shape[1])])
    return pa.table({str(name): _cells(found[:, i]) for i, name in enumerate(names)})


def _cells(column: np.ndarray) -> pa.Array:
    if column.dtype.kind != "O":
        return pa.array(column)
    for value in column:
        if value is not None and not isinstance(value, PLAIN):
            raise TypeError(f"argument must be a string or a number, not {type(value).__name__}, in every cell of X.")
    values = [None if value is None or value != value else value for value in column]
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])


def array_of(table: pa.Table, dtype: np.dtype) -> np.ndarray:
    """The columns of a table beside one another, (N, D), in a type of numbers or else as objects."""
    columns = [column.to_numpy(zero_copy_only=False) for column in table.columns]
    found = np.empty((table.num_rows, len(columns)), dtype=dtype if dtype.kind in "biuf" else object)
    for i, column in enumerate(columns):
        found[:, i] = column
    return found
