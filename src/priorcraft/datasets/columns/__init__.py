"""Columns of a table: kinds of values, how they are recognised, and the integers of p(x) that stand for them."""

from priorcraft.datasets.columns.codec import Codec, Coded
from priorcraft.datasets.columns.column import Column, Decoded
from priorcraft.datasets.columns.recognise import Recognised, recognised
from priorcraft.datasets.columns.stated import Types, as_stated, as_types, beside, stated, types_file
from priorcraft.datasets.columns.table import Columns, Encoded

__all__ = ["Codec", "Coded", "Column", "Columns", "Decoded", "Encoded", "Recognised", "Types", "as_stated", "as_types",
           "beside", "recognised", "stated", "types_file"]  # fmt: skip
