"""Data frames of pandas, polars and Arrow as columns of cells that keep their types."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from priorcraft.cells.column import EMPTY, CellColumn, Cells
from priorcraft.cells.compute import pc
from priorcraft.errors import DataError


def is_frame(source: object) -> bool:
    """Whether this is a data frame: of pandas, of polars, or a table of Arrow."""
    return hasattr(source, "__arrow_c_stream__") and (hasattr(source, "columns") or isinstance(source, pa.Table))


def kind_of(frame: Any) -> str:
    """ "arrow", "pandas" or "polars"."""
    return "arrow" if isinstance(frame, pa.Table) else type(frame).__module__.partition(".")[0]


def cells_of_frame(frame: Any, source: str = "the data frame") -> Cells:
    """The cells of a data frame, with its types, its categories and their order.

    Raises:
        DataError: columns without a name of their own, or no rows.
    """
    kind = kind_of(frame)
    names = [str(name) for name in (frame.column_names if kind == "arrow" else frame.columns)]
    if kind == "pandas":
        columns = [_of_pandas(name, frame.iloc[:, i]) for i, name in enumerate(names)]
    else:
        table = frame if kind == "arrow" else frame.to_arrow()
        columns = [_of_arrow(name, table.column(i)) for i, name in enumerate(names)]
    return Cells(source, tuple(columns), len(frame), kind=kind, index=frame.index if kind == "pandas" else None)


def _of_pandas(name: str, series: Any) -> CellColumn:
    dtype = str(series.dtype)
    if dtype == "category":
        categories = series.cat.categories
        codes, texts = series.cat.codes.to_numpy().astype(np.int32), [str(value) for value in categories]
        if len(set(texts)) == len(texts):
            dtype = dtype if str(categories.dtype) in ("str", "object") else f"category[{categories.dtype}]"
            return CellColumn(name, codes, pa.array(texts, pa.string()), True, dtype, bool(series.cat.ordered))
    try:
        found = pa.Array.from_pandas(series)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        found = None
    if found is None or isinstance(found.type, pa.BaseExtensionType):  # several types at once, or periods
        texts = [None if gone else str(value) for value, gone in zip(series, series.isna(), strict=True)]
        mixed = _of_arrow(name, pa.array(texts, pa.string()), dtype)
        return replace(mixed, objects=series.to_numpy() if dtype == "object" else None)
    return _of_arrow(name, found, dtype)


def _of_arrow(name: str, values: pa.Array | pa.ChunkedArray, dtype: str = "") -> CellColumn:
    found = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(found, pa.ChunkedArray):
        found = pa.concat_arrays(found.chunks)
    found_type = found.type
    ordered = pa.types.is_dictionary(found_type) and bool(found_type.ordered)
    kind = found.type.value_type if pa.types.is_dictionary(found.type) else found.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise DataError(f"column '{name}' holds values of type {kind}; a table needs numbers, words, dates or times.")
    if pa.types.is_null(kind):
        nothing = np.full(len(found), EMPTY, np.int32)
        return CellColumn(name, nothing, pa.array([], pa.string()), True, dtype or str(kind))
    if not pa.types.is_dictionary(found.type):
        if pa.types.is_floating(kind):
            found = pc.if_else(pc.is_nan(found), pa.scalar(None, kind), found)
        found = pc.dictionary_encode(found)
    codes = found.indices.cast(pa.int32()).fill_null(EMPTY).to_numpy(zero_copy_only=False)  # polars' have no sign
    distinct = found.dictionary
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        distinct = distinct.cast(pa.string())
    if pa.types.is_decimal(kind):
        distinct = distinct.cast(pa.float64())
    if pa.types.is_float16(kind):
        distinct = distinct.cast(pa.float32())
    if pa.types.is_duration(kind):  # numbers, in the unit of their type
        distinct = distinct.cast(pa.int64())
    words = pa.types.is_dictionary(found_type) and pa.types.is_string(distinct.type)
    column = CellColumn(name, codes, distinct, True, dtype or ("category" if words else str(kind)), ordered)
    if not pa.types.is_string(distinct.type):
        return column
    return column.without(pc.equal(pc.utf8_trim_whitespace(distinct), "").to_numpy(zero_copy_only=False))
