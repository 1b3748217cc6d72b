"""What columns were in runs before they had kinds: states by name, or bins of numbers with an even spread."""

from collections.abc import Mapping
from typing import Any

from priorcraft.cells.numerals import Numeral
from priorcraft.datasets.columns.codec import Codec
from priorcraft.datasets.columns.number import Number
from priorcraft.datasets.columns.word import Word

ROWS = 10**6  # of each bin: nothing but its even spread is left


def legacy_codec(found: Mapping[str, Any]) -> Codec:
    """The kind that codes and draws as such a column did."""
    states, lows, highs = (tuple(found[key]) for key in ("states", "lows", "highs"))
    if states:
        return Word(tuple(map(str, states)), tuple(range(len(states) + 1)))
    decimals = int(found["decimals"])
    rows = tuple(1 if low == high else ROWS for low, high in zip(lows, highs, strict=True))
    numeral = Numeral(decimals, True)
    return Number(
        tuple(range(len(lows) + 1)), lows, highs, rows, step=10.0**-decimals, whole=not decimals, numeral=numeral
    )
