"""Types of columns by the names that frames give them."""

import re
from collections.abc import Mapping

import pyarrow as pa

from priorcraft.cells.compute import pc

UNITS = r"(s|ms|us|ns)"


def is_text(name: str) -> bool:
    """Whether a frame calls its texts so; it may call other things objects, too."""
    return name.removesuffix("[pyarrow]") in ("str", "string", "large_string", "string_view")


def is_category(name: str) -> bool:
    """Whether a frame calls words from a list so: `category` of texts, `category[int64]` of other values."""
    return name.startswith("category")


def is_opaque(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are neither numbers, words nor moments: lists, structures, bytes.

    >>> is_opaque(pa.list_(pa.int8())), is_opaque(pa.binary(4)), is_opaque(pa.string())
    (True, True, False)
    """
    bytes_ = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return pa.types.is_nested(kind) or bytes_ or pa.types.is_interval(kind)


def type_named(name: str) -> pa.DataType | None:
    """The Arrow type of a name that Arrow or pandas gives; None where there is none.

    >>> type_named("timestamp[us, tz=Asia/Seoul]"), type_named("timedelta64[ms]"), type_named("category")
    (TimestampType(timestamp[us, tz=Asia/Seoul]), DurationType(duration[ms]), None)
    """
    name = name.removesuffix("[pyarrow]")
    if found := re.fullmatch(rf"timestamp\[{UNITS}, tz=(.+)\]", name):
        return pa.timestamp(found[1], found[2])
    if found := re.fullmatch(rf"timedelta64\[{UNITS}\]", name):
        return pa.duration(found[1])
    if found := re.fullmatch(r"decimal128\((\d+), (\d+)\)", name):
        return pa.decimal128(int(found[1]), int(found[2]))
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return None


def as_named(values: pa.Array | pa.ChunkedArray, name: str) -> pa.Array | pa.ChunkedArray:
    """Values in the type of that name, as they are where there is none or where they do not fit."""
    wanted = type_named(name)
    if wanted is None or wanted == values.type:
        return values
    if pa.types.is_null(wanted):
        return pa.nulls(len(values)) if values.null_count == len(values) else values
    try:
        return pc.cast(values, wanted, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return values


def retyped(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """A table whose columns have the types of those names."""
    return pa.table({name: as_named(table[name], names.get(name, "")) for name in table.column_names})
