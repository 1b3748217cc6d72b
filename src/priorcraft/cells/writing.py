"""Tables as text, parquet and data frames."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from priorcraft.cells.column import CellColumn, Cells


def written(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Rows of text as comma-separated values in UTF-8.

    >>> written(["a", "b"], [["1", "x, y"], ["2", ""]])
    b'a,b\\n1,"x, y"\\n2,\\n'
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def as_text(table: pa.Table) -> bytes:
    """An Arrow table as comma-separated values."""
    return written(table.column_names, zip(*map(texts_of, table.columns), strict=True))


def as_parquet(table: pa.Table) -> bytes:
    """An Arrow table as a parquet file."""
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()


def texts_of(column: pa.ChunkedArray | pa.Array) -> list[str]:
    """Every value as text, "" where there is none."""
    if pa.types.is_floating(column.type):
        return ["" if value is None else repr(value) for value in column.to_pylist()]
    return ["" if value is None else str(value) for value in column.to_pylist()]


def typed_array(column: CellColumn) -> pa.Array:
    """A column with the type that it came with."""
    where = pa.array(np.where(column.codes < 0, 0, column.codes), pa.int32(), mask=column.codes < 0)
    if column.dtype == "category":
        return pa.DictionaryArray.from_arrays(where, column.distinct, ordered=column.ordered)
    return column.distinct.take(where)


def arrow_table(cells: Cells) -> pa.Table:
    """A table of cells with the types that they came with."""
    return pa.table({column.name: typed_array(column) for column in cells.columns})


def with_answers(cells: Cells, answers: Mapping[str, np.ndarray]) -> pa.Table:
    """The rows of a table with answers in columns after its own; a name that is there already gets a _ at its end."""
    table = arrow_table(cells)
    for name, values in answers.items():
        while name in table.column_names:
            name += "_"
        table = table.append_column(name, pa.array(values))
    return table


def table_bytes(table: pa.Table, suffix: str) -> bytes:
    """A table as .csv or .parquet."""
    return as_parquet(table) if suffix == ".parquet" else as_text(table)


def frame_like(table: pa.Table, kind: str, dtypes: Mapping[str, str]) -> Any:
    """A data frame of the library that the rows came from; of what came from a file, of pandas, else polars.

    Args:
        table: the values; given back as it is where it came from Arrow, or where neither library is installed.
        kind: "pandas", "polars", "arrow", or the kind of a file.
        dtypes: pandas types by column, kept where the values allow it.
    """
    wanted = [kind] if kind in ("arrow", "polars") else ["pandas", "polars"]
    library = next((name for name in wanted if name != "arrow" and find_spec(name) is not None), "arrow")
    if library == "arrow":
        return table
    if library == "polars":
        return import_module("polars").from_arrow(table)
    frame = table.to_pandas()
    for name, dtype in dtypes.items():
        if name in frame.columns and dtype and dtype != "category" and str(frame[name].dtype) != dtype:
            try:
                frame[name] = frame[name].astype(dtype)
            except (TypeError, ValueError):
                continue
    return frame
