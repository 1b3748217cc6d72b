"""Data frames of pandas, polars and Arrow as columns of cells that keep their types."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from priorcraft.cells.column import EMPTY, CellColumn, Cells
from priorcraft.cells.compute import pc
from priorcraft.cells.types import is_opaque
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
    own = list(frame.column_names if kind == "arrow" else frame.columns)
    names = [str(name) for name in own]
    if kind == "pandas":
        columns = tuple(_of_pandas(name, frame.iloc[:, i]) for i, name in enumerate(names))
        labels = () if names == own else tuple(own)
        return Cells(source, columns, len(frame), kind=kind, index=frame.index, labels=labels)
    table = frame if kind == "arrow" else _arrow_of(frame)
    return Cells(source, tuple(_of_arrow(name, table.column(i)) for i, name in enumerate(names)), len(frame), kind=kind)


def _arrow_of(frame: Any) -> pa.Table:
    """A frame of polars as Arrow has it.

    Raises:
        DataError: a type that Arrow does not know.
    """
    for name, kind in frame.schema.items():
        if str(kind) in ("Object", "Int128", "UInt128"):
            raise DataError(f"column '{name}' has the polars type {kind}, which Arrow does not know; cast or drop it.")
    return frame.to_arrow()


def _of_pandas(name: str, series: Any) -> CellColumn:
    dtype = str(series.dtype)
    if dtype == "category":
        categories = series.cat.categories
        codes, texts = series.cat.codes.to_numpy().astype(np.int32), [str(value) for value in categories]
        if len(set(texts)) == len(texts):
            words = all(isinstance(value, str) for value in categories)
            dtype = dtype if str(categories.dtype) in ("str", "object") else f"category[{categories.dtype}]"
            column = CellColumn(name, codes, pa.array(texts, pa.string()), True, dtype, bool(series.cat.ordered))
            return replace(column, values=None if words else tuple(categories))
    objects = series.to_numpy() if dtype == "object" else None
    try:
        found = pa.Array.from_pandas(series)
    except (pa.ArrowException, OverflowError, UnicodeError):
        found = None
    if found is None or isinstance(found.type, pa.BaseExtensionType):  # several types at once, or periods
        texts = [None if gone else _printable(value) for value, gone in zip(series, series.isna(), strict=True)]
        return replace(_of_arrow(name, pa.array(texts, pa.string()), dtype), objects=objects)
    told = pa.types.is_string(found.type) or pa.types.is_boolean(found.type) or pa.types.is_null(found.type)
    return replace(_of_arrow(name, found, dtype), objects=None if told else objects)


def _printable(value: object) -> str:
    """An object as text, halves of characters by their number."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _of_arrow(name: str, values: pa.Array | pa.ChunkedArray, dtype: str = "") -> CellColumn:
    found = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(found, pa.ChunkedArray):
        found = pa.concat_arrays(found.chunks)
    found_type = found.type
    ordered = pa.types.is_dictionary(found_type) and bool(found_type.ordered)
    kind = found.type.value_type if pa.types.is_dictionary(found.type) else found.type
    if is_opaque(kind):
        there = found.is_valid().to_numpy(zero_copy_only=False)
        codes = np.where(there, np.cumsum(there) - 1, EMPTY).astype(np.int32)
        return CellColumn(name, codes, found.filter(pa.array(there)), True, dtype or str(kind))
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
    return CellColumn(name, codes, distinct, True, dtype or ("category" if words else str(kind)), ordered)
