"""Tables as text, parquet and data frames."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from priorcraft.cells.column import CellColumn, Cells
from priorcraft.cells.types import as_named, is_category, retyped, type_named
from priorcraft.errors import UsageError


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
    if is_category(column.dtype):
        return pa.DictionaryArray.from_arrays(where, column.distinct, ordered=column.ordered)
    return as_named(column.distinct.take(where), column.dtype)


def arrow_table(cells: Cells) -> pa.Table:
    """A table of cells with the types that they came with."""
    return pa.table({column.name: typed_array(column) for column in cells.columns})


def with_answers(cells: Cells, answers: Mapping[str, np.ndarray]) -> pa.Table:
    """The rows of a table with answers in columns after its own; a name that is there already gets a _ at its end."""
    return appended(arrow_table(cells), answers)


def appended(table: pa.Table, answers: Mapping[str, np.ndarray]) -> pa.Table:
    """A table with answers in columns after its own; a name that is there already gets a _ at its end."""
    for name, values in answers.items():
        while name in table.column_names:
            name += "_"
        table = table.append_column(name, pa.array(values))
    return table


def of_table(cells: Cells | None, what: str) -> Cells:
    """The rows of a table that an answer is about.

    Raises:
        UsageError: there are none.
    """
    if cells is None:
        raise UsageError(f"a {what} holds the rows of a table with their answers, and these are none; use .npz.")
    return cells


def frame_of(cells: Cells, table: pa.Table) -> Any:
    """Rows of a table, or what was made of them, as a frame of the library that they came from, with their names."""
    frame = frame_like(table, cells.kind, {column.name: column.dtype for column in cells.columns})
    for column in cells.columns:
        if column.objects is not None and column.name in frame:
            found = _as_objects(column, frame[column.name].tolist())
            frame[column.name] = import_module("pandas").Series(found, frame.index, dtype=object)
        if column.values is not None and column.name in frame and is_category(str(frame[column.name].dtype)):
            known = dict(zip(column.texts.to_pylist(), column.values, strict=True))
            old = frame[column.name].cat.categories
            frame[column.name] = frame[column.name].cat.rename_categories([known.get(str(word), word) for word in old])
    if cells.labels:
        frame = frame.rename(columns=dict(zip(cells.names, cells.labels, strict=True)))
    return frame if cells.index is None or len(frame) != len(cells.index) else frame.set_axis(cells.index)


def _as_objects(column: CellColumn, texts: Sequence[str]) -> np.ndarray:
    """What stood in the rows of a column of several types, and in its empty cells what such a text stood for.

    Args:
        column: its cells.
        texts: of all rows, or of all rows several times over.
    """
    assert column.objects is not None
    there = column.objects[~column.empty]
    known = dict(zip(map(str, there), there, strict=True))
    found = np.empty(len(texts), dtype=object)
    found[:] = [known.get(str(text), text) for text in texts]
    if all(isinstance(value, Decimal) for value in there):
        found[:] = [value if isinstance(value, Decimal) else Decimal(str(value)) for value in found]
    kept = np.flatnonzero(~np.resize(column.empty, len(texts)))
    found[kept] = np.resize(column.objects, len(texts))[kept]
    return found


def table_bytes(table: pa.Table, suffix: str) -> bytes:
    """A table as .csv or .parquet."""
    return as_parquet(table) if suffix == ".parquet" else as_text(table)


def frame_like(table: pa.Table, kind: str, dtypes: Mapping[str, str]) -> Any:
    """A data frame of the library that the rows came from; of what came from a file, of pandas, else polars.

    Args:
        table: the values; given back as it is where it came from Arrow, or where neither library is installed.
        kind: "pandas", "polars", "arrow", or the kind of a file.
        dtypes: types by column, as that library names them, kept where the values allow it.
    """
    wanted = [kind] if kind in ("arrow", "polars") else ["pandas", "polars"]
    library = next((name for name in wanted if name != "arrow" and find_spec(name) is not None), "arrow")
    if library == "arrow":
        return retyped(table, dtypes)
    if library == "polars":
        return _of_polars(retyped(table, dtypes), import_module("polars"))
    return _of_pandas(table, dtypes, import_module("pandas"))


def _of_pandas(table: pa.Table, dtypes: Mapping[str, str], pandas: Any) -> Any:
    """A frame of pandas with the types that its columns had, where the values allow it."""
    frame = retyped(table, dtypes).to_pandas()
    for name in frame.columns:
        dtype = dtypes.get(name, "")
        if not dtype or str(frame[name].dtype) == dtype:
            continue
        try:
            if is_category(dtype):
                kind = dtype.removeprefix("category[").removesuffix("]")
                words = frame[name].cat.categories
                values = words == "True" if kind == "bool" else words.astype(kind)
                frame[name] = frame[name].cat.rename_categories(values)
                continue
            kind = pandas.ArrowDtype(type_named(dtype)) if dtype.endswith("[pyarrow]") else dtype
            frame[name] = frame[name].astype(kind)
        except (TypeError, ValueError, AttributeError):
            continue
    return frame


def _of_polars(table: pa.Table, polars: Any) -> Any:
    """A frame of polars, in which words that are in order are an Enum, as they were."""
    ordered = [field.name for field in table.schema if pa.types.is_dictionary(field.type) and field.type.ordered]
    words = {name: polars.Enum(table[name].unify_dictionaries().chunk(0).dictionary.to_pylist()) for name in ordered}
    return polars.from_arrow(table).cast(words)
