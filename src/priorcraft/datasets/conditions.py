"""Conditions on the columns of a table, written like `sex=F, age>60, state in (NY, NJ)`."""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from priorcraft.datasets.columns import Column, Columns
from priorcraft.datasets.columns.date import Date
from priorcraft.datasets.columns.moments import parsed
from priorcraft.datasets.columns.number import Number
from priorcraft.datasets.columns.word import Word
from priorcraft.errors import UsageError, did_you_mean

COMPARED = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
SHAPE = re.compile(
    r"^\s*(?P<name>.+?)\s*(?:(?P<sign><=|>=|!=|==|=|<|>)\s*(?P<value>.*?)|\s+in\s*\((?P<values>.*)\))\s*$"
)
QUOTED = re.compile(r"""(?<![^\s,(=<>])(["'])((?:(?!\1).)*)\1(?=\s*(?:[,)=<>!]|in\b|$))""")
BETWEEN = r",(?![^(]*\))(?=[^,]*(?:[<>=]|\sin\s*\())"  # the comma of 19,5 has no sign behind it


@dataclass(frozen=True)
class Condition:
    """A column, a sign, and what it is compared with; `=` is one of several values, `!=` none of them."""

    name: str
    sign: str
    values: tuple[str, ...]

    @property
    def is_state(self) -> bool:
        """Whether it names one value."""
        return self.sign == "=" and len(self.values) == 1

    @property
    def text(self) -> str:
        """The condition as it is written."""
        values = ", ".join(self.values)
        several = self.sign == "=" and len(self.values) > 1
        return f"{self.name} in ({values})" if several else f"{self.name}{self.sign}{values}"

    def holds(self, column: Column, values: np.ndarray, empty: np.ndarray) -> np.ndarray:
        """Where it holds among decoded values of its column, bool, (N,); never in an empty cell.

        Raises:
            UsageError: words compared by size, or something that the column cannot hold.
        """
        codec = column.codec
        if isinstance(codec, Word):
            found = self._of_words(codec, values)
        elif isinstance(codec, Number):
            found = self._of_numbers(values, [self._number(codec, value) for value in self.values], codec.step / 2)
        elif isinstance(codec, Date):
            found = self._of_numbers(values, [self._moment(codec, value) for value in self.values], codec.scale / 2)
        else:
            raise UsageError(f"where: '{self.name}' is left out of p(x), so nothing can be asked of it.")
        return found & ~empty

    def _of_words(self, codec: Word, values: np.ndarray) -> np.ndarray:
        if self.sign in COMPARED and not codec.ordered:
            raise UsageError(f"where: '{self.name}' holds words without an order; compare them by = or in.")
        for word in self.values:
            if word not in codec.states:
                raise UsageError(f"where: '{self.name}' has no '{word}': {did_you_mean(word, codec.states)}")
        numbers = [codec.states.index(word) for word in self.values]
        return self._of_numbers(values, numbers, 0.5)

    def _of_numbers(self, values: np.ndarray, wanted: Sequence[float], near: float) -> np.ndarray:
        if self.sign in COMPARED:
            return COMPARED[self.sign](values, wanted[0])
        same = np.any([np.abs(values - each) < near for each in wanted], axis=0)
        return ~same if self.sign == "!=" else same

    def _number(self, codec: Number, text: str) -> float:
        texts = pa.array([text, f"{text}{codec.numeral.after}"], pa.string())
        value = next((float(found) for found in codec.numeral.values(texts) if np.isfinite(found)), np.nan)
        if not np.isfinite(value):
            raise UsageError(f"where: '{self.name}' is a number, written like {codec.like}, not '{text}'.")
        return value

    def _moment(self, codec: Date, text: str) -> float:
        for form in (codec.format, "%Y-%m-%d", "%Y-%m"):
            value = float(parsed(pa.array([text], pa.string()), form, codec.century)[0]) if form != "typed" else np.nan
            if np.isfinite(value):
                return value
        raise UsageError(f"where: '{self.name}' is a date, written like {codec.like}, not '{text}'.")


def conditions_of(text: str, columns: Columns, what: str = "where") -> tuple[Condition, ...]:
    """Conditions that all must hold, separated by commas; quotes go around names and words that hold such signs.

    Args:
        text: as in the first line of this file.
        columns: of the table.
        what: how the user calls them.

    Raises:
        UsageError: something else, or a column that is not there.
    """
    found, quotes = [], list[str]()

    def hidden(match: re.Match[str]) -> str:
        quotes.append(match[2])
        return f"\ue000{len(quotes) - 1}\ue001"

    def shown(part: str) -> str:
        return re.sub("\ue000(\\d+)\ue001", lambda match: quotes[int(match[1])], part.strip())

    for part in re.split(BETWEEN, QUOTED.sub(hidden, text)):
        match = SHAPE.match(part)
        if match is None:
            raise UsageError(
                f"{what} must be written like \"sex=F, age>60, state in (NY, NJ)\"; found '{shown(part)}'."
            )
        name, sign = shown(match["name"]), match["sign"] or "="
        known = [*(column.name for column in columns.all), *([columns.label] if columns.label else [])]
        if name not in known:
            raise UsageError(f"{what}: there is no column '{name}': {did_you_mean(name, known)}")
        values = match["values"].split(",") if match["values"] is not None else [match["value"]]
        found.append(Condition(name, "=" if sign == "==" else sign, tuple(map(shown, values))))
    return tuple(found)
