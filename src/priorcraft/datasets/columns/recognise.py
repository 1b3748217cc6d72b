"""What a column is, and why: numbers, words, dates, identifiers, constants or texts."""

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from priorcraft.cells import CellColumn
from priorcraft.cells.compute import pc
from priorcraft.cells.numerals import Numeral, numeral_of
from priorcraft.cells.types import is_category, is_opaque
from priorcraft.contents import brief
from priorcraft.datasets.columns.aside import Constant, Identifier, Text
from priorcraft.datasets.columns.codec import Codec
from priorcraft.datasets.columns.date import Date, date_of
from priorcraft.datasets.columns.moments import formats_of, nearly
from priorcraft.datasets.columns.number import Number, number_from, numbers_of
from priorcraft.datasets.columns.scales import scale_of
from priorcraft.datasets.columns.word import MOST, words_of

EXACT = 2**53  # whole numbers beyond it are rounded by a float
NAMED = {"id", "ids", "key", "uuid", "guid", "idx", "index", "pk", "rowid", "nr", "no", "number"}
GAP = 10  # from one number to the next, on average, where they are given out one after another
DIGITS, KEYS = 5, 50  # of numbers that are keys though nothing else says so, and how many of them there must be
TRUTHS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"ja", "nein"}, {"oui", "non"})
SAME = 100  # different texts beyond which two of the same number are one value


class Recognised(NamedTuple):
    """A column's kind, and the reason in a few words."""

    codec: Codec
    reason: str


def recognised(column: CellColumn, bins: int, *, comma: bool = False) -> Recognised:
    """What a column turns out to be.

    Args:
        column: its cells.
        bins: coarse states of numbers.
        comma: whether the file leaves the comma to numbers.
    """
    if not len(column.distinct):
        return Recognised(Constant(""), "every cell is empty")
    if is_opaque(column.distinct.type):
        return Recognised(Text(len(column.distinct)), f"it holds {column.distinct.type}, no numbers, words or dates")
    if len(column.distinct) == 1:
        return Recognised(Constant(str(column.texts[0])), "every cell says the same")
    kind = column.distinct.type
    if pa.types.is_boolean(kind):
        return Recognised(words_of(column, boolean=True), "the frame says so")
    if column.ordered:
        return Recognised(words_of(column, ordered=True), "the frame says so")
    if pa.types.is_temporal(kind):
        found = date_of(column, bins=bins)
        return Recognised(found, "the frame says so") if found is not None else _names(column, "durations")
    if column.typed and pa.types.is_string(kind) and is_category(column.dtype):
        return Recognised(words_of(column), "the frame says so")
    return _from_texts(column, bins, comma)


def _from_texts(column: CellColumn, bins: int, comma: bool) -> Recognised:
    found = date_of(column, bins=bins) if not _typed_number(column) else _date_in_number(column, bins)
    if found is not None:
        like = found.write(np.array([found.first]))[0]
        told = f"every cell is a date like {like}{_of_two_readings(column, found)}"
        return Recognised(found, told + (f", of the years {_years(found)}" if "%y" in found.format else ""))
    numeral = _numeral(column, comma)
    if numeral is None:
        return _names(column, _why_no_dates(column) or _why_no_numbers(column, comma))
    values = numbers_of(column, numeral)
    if not np.isfinite(values).all():
        return Recognised(Text(len(values)), "it holds infinite numbers")
    if (reason := _names_in_digits(column, values, numeral)) is not None:
        return _names(column, reason)
    if (reason := _key(column, values, numeral)) is not None:
        return Recognised(identifier(column), reason)
    codec = number_from(values, column.counts, numeral, bins) if len(np.unique(values)) == len(values) else _merged(
        column, values, numeral, bins
    )  # fmt: skip
    return Recognised(codec, codec.reason)


def _merged(column: CellColumn, values: np.ndarray, numeral: Numeral, bins: int) -> Number:
    distinct, where = np.unique(values, return_inverse=True)
    return number_from(distinct, np.bincount(where, column.counts).astype(int), numeral, bins)


def _of_two_readings(column: CellColumn, found: Date) -> str:
    """What has to be said where no cell tells the day from the month."""
    letters = {"%d": "%m", "%m": "%d"}
    swapped = re.sub("%[dm]", lambda each: letters[each.group()], found.format)
    if "%d" not in found.format or swapped not in formats_of(column.texts):
        return ""
    first = "day" if found.format.index("%d") < found.format.index("%m") else "month"
    return f", taken as {first} first, which no cell decides: a types file states its format"


def _years(found: Date) -> str:
    first, last = (np.datetime64(int(seconds), "s").astype("datetime64[Y]") for seconds in (found.first, found.last))
    return f"{first} to {last}"


def _typed_number(column: CellColumn) -> bool:
    kind = column.distinct.type
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _date_in_number(column: CellColumn, bins: int) -> Date | None:
    """Dates like 20240131 in a column of integers."""
    return date_of(column, "%Y%m%d", bins) if pa.types.is_integer(column.distinct.type) and _eight(column) else None


def _eight(column: CellColumn) -> bool:
    shape = r"^(18[5-9]|19|20|21[0-4])\d{2,3}(0[1-9]|1[0-2])([0-2]\d|3[01])$"
    return len(column.distinct) > 1 and bool(pc.all(pc.match_substring_regex(column.texts, shape)).as_py())


def _numeral(column: CellColumn, comma: bool) -> Numeral | None:
    """How the numbers are written, of a frame's numbers how many decimals they need."""
    if not _typed_number(column):
        return numeral_of(column.texts, comma=comma)
    if pa.types.is_integer(column.distinct.type):
        return Numeral()
    texts = pa.array([repr(value) for value in column.distinct.to_pylist()[:2000]], pa.string())
    found = numeral_of(texts)
    if found is None:
        return Numeral(15, False)
    whole = bool(pc.all(pc.equal(pc.floor(column.distinct), column.distinct)).as_py())
    return Numeral(1, True) if whole and not found.exponent else Numeral(found.decimals, False, exponent=found.exponent)


def _names_in_digits(column: CellColumn, values: np.ndarray, numeral: Numeral) -> str | None:
    """Why texts that look like numbers are names."""
    if not _typed_number(column):
        zero = pc.match_substring_regex(column.texts, r"^[+-]?0[0-9]")
        if bool(pc.any(zero).as_py()) and not (numeral.exponent or numeral.clock):
            text = column.texts.filter(zero)[0].as_py()
            return f"'{text}' begins with a zero"
    if not numeral.decimals and np.abs(values).max() >= EXACT:
        return "whole numbers beyond 2^53 are not exact as numbers"
    if len(np.unique(values)) < len(values) <= SAME and not column.typed and not _but_for_zero(column, values):
        order = np.argsort(values, kind="stable")
        first = int((np.diff(values[order]) == 0).argmax())
        a, b = sorted(str(column.texts[int(order[i])]) for i in (first, first + 1))
        return f"'{a}' and '{b}' would be one number"
    return None


def _but_for_zero(column: CellColumn, values: np.ndarray) -> bool:
    """Whether the only texts of one number are 0 and -0, as rounding writes them."""
    zeros = column.texts.filter(pa.array(values == 0))
    same = pc.count_distinct(pc.replace_substring_regex(zeros, "^[+-]", "")).as_py()
    return same <= 1 and len(np.unique(values[values != 0])) == int((values != 0).sum())


def _key(column: CellColumn, values: np.ndarray, numeral: Numeral) -> str | None:
    """Why whole numbers name rows, if they do."""
    rows = int(column.counts.sum())
    if numeral.decimals or numeral.before or numeral.after or numeral.thousands or numeral.clock or rows < 3:
        return None
    once, named = len(values) == rows, called_a_key(column.name)
    if once and rows > 16 and values.max() - values.min() == rows - 1:
        return "numbers of rows, one after another"
    if once and named and rows > 16:
        return "every number is there once, and its name says that it is a key"
    if named and len(values) > max(100, rows / 10):
        return f"{len(values):,} different numbers in {rows:,} rows, and its name says that it is a key"
    length = len(str(int(values.min())))
    same = values.min() > 0 and length >= DIGITS and length == len(str(int(values.max())))
    if once and rows >= KEYS and same and _spread_evenly(values):
        return (
            f"every number is there once, all with {length} digits; --types {column.name}=number if it counts something"
        )
    return None


def _spread_evenly(values: np.ndarray) -> bool:
    """Whether values lie like numbers given out one after another, with gaps, or drawn at random of so many digits.

    By Kolmogorov's distance from an even spread, and by the variance, which measures lack: they have a middle.
    """
    ordered, rows = np.sort(values), len(values)
    least = 10.0 ** (len(str(int(ordered[0]))) - 1)
    dense = ordered[-1] - ordered[0] < GAP * rows
    u = (ordered - ordered[0]) / (ordered[-1] - ordered[0]) if dense else (ordered / least - 1) / 9
    distance = np.abs(u - (np.arange(rows) + 0.5) / rows).max()
    return bool(max(distance * 1.47, 1 - 12 * u.var()) * np.sqrt(rows) < 2)  # one in twenty even spreads are not


def called_a_key(name: str) -> bool:
    """Whether a name says that a column names rows.

    >>> [called_a_key(name) for name in ("customer_id", "customerId", "ID", "Nr.", "width", "valid")]
    [True, True, True, True, False, False]
    """
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return name == "" or any(part.lower() in NAMED for part in (*parts[:1], *parts[-1:]))


def _names(column: CellColumn, why: str) -> Recognised:
    """Words, identifiers or texts, by how often they come again."""
    different, rows = len(column.distinct), int(column.counts.sum())
    texts = column.texts.slice(0, 200).to_pylist()
    if different == rows and rows > 16 and _one_form(texts):
        return Recognised(identifier(column), "every name is there once, all of one form")
    if called_a_key(column.name) and different > max(100, rows / 10) and _one_form(texts):
        return Recognised(
            identifier(column), f"{different:,} names in {rows:,} rows, and its name says that it is a key"
        )
    if {text.lower() for text in texts} in TRUTHS and different == 2:
        return Recognised(words_of(column, boolean=True), "two words of truth")
    if scale := scale_of(texts) if different <= MOST else ():
        return Recognised(words_of(column, order=scale, ordered=True), "words of a scale")
    if different <= MOST or different <= rows / 2:
        return Recognised(words_of(column), why)
    told = f"; {why}" if why.startswith("it would be") else ""
    return Recognised(Text(different), f"{different:,} different texts in {rows:,} rows{told}")


def _one_form(texts: list[str]) -> bool:
    """Whether names are built alike: letters, then digits, or the same pattern of both throughout."""
    patterns = {re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"\d", "0", text))) for text in texts}
    if all(re.fullmatch(r"[0-9a-fA-F-]{16,}", text) for text in texts):
        return True
    if all(re.fullmatch(r"[^\W\d]*[-_#/.]?\d+", text) for text in texts):
        return len({re.match(r"[^\d]*", text).group() for text in texts}) == 1  # pyright: ignore[reportOptionalMemberAccess]
    return len(patterns) == 1 and any(c.isdigit() for c in texts[0]) and not set(" ,") & set(texts[0])


def _why_no_dates(column: CellColumn) -> str:
    """What keeps a column of texts from being one of dates, if little does."""
    found = nearly(column.texts)
    return "" if found is None else f"it would be dates without '{brief(found.other)}': write all like '{found.most}'"


def _why_no_numbers(column: CellColumn, comma: bool) -> str:
    """What keeps a column of texts from being one of numbers, if little does."""
    first = column.texts.slice(0, 50)
    alone = [numeral_of(first.slice(i, 1), comma=comma) is not None for i in range(len(first))]
    numeral = numeral_of(first.filter(pa.array(alone)), comma=comma) if sum(alone) * 2 > len(alone) else None
    wrong = np.zeros(0, dtype=bool) if numeral is None else np.isnan(numeral.values(column.texts))
    if 0 < wrong.sum() <= len(wrong) / 2:
        text = column.texts[int(wrong.argmax())].as_py()
        return f"it would be numbers without '{brief(text)}': correct such cells, or empty them"
    return "not all cells are numbers"


def identifier(column: CellColumn) -> Identifier:
    """The identifiers of a column."""
    texts = column.texts
    length = pc.utf8_length(texts)
    ordered = texts.take(pc.sort_indices(pa.table({"n": length, "t": texts}), [("n", "ascending"), ("t", "ascending")]))
    first, last = ordered[0].as_py(), ordered[-1].as_py()
    rows = int(column.counts.sum())
    numbers = all(re.fullmatch(r"0|[1-9]\d*", text) for text in (first, last))
    consecutive = numbers and len(texts) == rows and int(last) - int(first) == rows - 1
    return Identifier(first, last, consecutive, rows)
