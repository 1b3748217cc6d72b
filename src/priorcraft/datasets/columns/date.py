"""Dates and times as year, month, weekday, which one of the month, and time of day; no date that does not exist."""

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from torch import Generator

from priorcraft.cells import CellColumn
from priorcraft.cells.compute import pc
from priorcraft.cells.numerals import Numeral
from priorcraft.cells.types import type_named
from priorcraft.core import Finer
from priorcraft.datasets.columns.codec import HIDDEN, Codec, Coded, Leaves
from priorcraft.datasets.columns.number import Number, number_from

DAY = 86_400
DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y", "%m-%d-%Y", "%d.%m.%y",
    "%d/%m/%y", "%m/%d/%y", "%Y%m%d", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%Y-%m", "%Y/%m",
)  # fmt: skip
TIMES = ("%H:%M:%S", "%H:%M")
FORMATS = (*DATES, *(f"{day}{gap}{time}" for day in DATES[:9] for gap in " T" for time in TIMES), *TIMES)
FORMATS = (*FORMATS, *(f"{form}Z" for form in FORMATS if "T" in form))
FEW = 4  # days of the month, or before its end, that are states by themselves
LOOKED_AT = 500


@dataclass(frozen=True)
class Date(Codec):
    """Days on a calendar and times of a day, as a chain of entries that weekdays and seasons can be learned from.

    year, month, day, time. The day is a weekday and which one of the month it is (the second Tuesday); where only few
    days of the month are there, or days before its end, it is that day. Whatever is drawn exists: the fifth Tuesday
    of a month without one is its fourth, and the 31st of April the 30th. Parts that are always the same are no entries.

    Args:
        format: as in `datetime.strftime`.
        padded: whether days and months below ten begin with a zero.
        days: "weekday", "day" or "end", how the day is told; "" for times without a date.
        parts: the columns of numbers that tell it: year, month, the day's one or two, and the second of the day.
        scale: seconds to which times are kept.
        type: of a frame's column, "" for text.
        first, last: the earliest and the latest, in seconds since 1970.
    """

    format: str
    padded: bool
    days: str
    parts: tuple[Number, ...]
    scale: int
    type: str
    first: float
    last: float
    kind: ClassVar[str] = "date"

    @property
    def sizes(self) -> tuple[int, ...]:
        """States of the entries of those parts that vary."""
        return tuple(size for part in self.parts if len(part.lows) > 1 for size in part.sizes)

    @property
    def finer(self) -> tuple[Finer, ...]:
        """The fine digits of the parts that have one."""
        varying = [part for part in self.parts if len(part.lows) > 1]
        starts = np.cumsum([0, *(len(part.sizes) for part in varying)]).tolist()
        return tuple(
            digit for part, at in zip(varying, starts, strict=False) for digit in Leaves(part.firsts).finer(at)
        )

    def described(self) -> str:
        """From when to when, and how."""
        ends = self.write(np.array([self.first, self.last]))
        how = {"weekday": ", by year, month and weekday", "": ", times of day"}.get(
            self.days, ", by year, month and day"
        )
        return f"dates from {ends[0]} to {ends[1]}{how}"

    def encode_distinct(self, column: CellColumn) -> Coded:
        """The entries of each date."""
        seconds = seconds_of(column, self.format)
        if (wrong := np.isnan(seconds)).any():
            raise ValueError(str(column.texts[int(wrong.argmax())]))
        x, rest, beyond = list[np.ndarray](), np.zeros(len(seconds)), (seconds < self.first) | (seconds > self.last)
        odd = np.zeros(len(seconds))
        for part, values in zip(self.parts, told(seconds, self.days), strict=True):
            leaf = part.inside.leaf(values)
            known = (values >= np.array(part.lows)[leaf]) & (values <= np.array(part.highs)[leaf])
            single = np.array(part.lows)[leaf] == np.array(part.highs)[leaf]
            new = single & ~known  # a month or a weekday that never was
            within = np.where(new, -np.log(sum(part.counts) + 1.0), part.inside.log_density(values, leaf))
            odd = odd + np.where(new, -within, part.inside.strange(within))
            beyond = beyond | new
            if len(part.lows) > 1:
                x.append(np.where(new[:, None], HIDDEN, part.inside_digits(values)))
            rest = rest + (within if len(part.lows) > 1 else np.where(new, within, 0.0))
        return Coded(np.concatenate(x, 1) if x else np.zeros((len(seconds), 0), dtype=np.int64), rest, beyond, odd)

    def decode(self, x: np.ndarray, generator: Generator) -> np.ndarray:
        """Seconds since 1970; of times without a date, since midnight."""
        values, at = list[np.ndarray](), 0
        for part in self.parts:
            width = len(part.sizes) if len(part.lows) > 1 else 0
            own = x[:, at : at + width] if width else np.zeros((len(x), 1), dtype=np.int64)
            values.append(part.decode(own, generator))
            at += width
        seconds = np.rint(values[-1] / self.scale) * self.scale
        seconds = seconds.clip(0, DAY - self.scale)
        if self.days:
            seconds = seconds + DAY * dated(*values[:-1], how=self.days)
        return seconds.clip(self.first, self.last)

    def write(self, values: np.ndarray) -> list[str]:
        """Dates as they were written."""
        if self.type:
            return self.typed(values).cast(pa.string()).to_pylist()
        found = pc.strftime(pa.array(values.astype(np.int64), pa.timestamp("s")), self.format).to_pylist()
        return found if self.padded else [unpadded(text) for text in found]

    def typed(self, values: np.ndarray) -> pa.Array:
        """Dates as a frame holds them."""
        kind = type_named(self.type)
        if kind is None:
            return pa.array(self.write(values), pa.string())
        seconds = pa.array(values.astype(np.int64), pa.timestamp("s", getattr(kind, "tz", None)))
        if pa.types.is_time(kind):
            return pa.array(values.astype(np.int32), pa.time32("s")).cast(kind)
        return seconds.cast(kind)


def date_of(column: CellColumn, form: str | None = None, bins: int = 16) -> Date | None:
    """The dates of a column, in the format that all of its texts have; None if there is none."""
    type_ = "" if pa.types.is_string(column.distinct.type) else str(column.distinct.type)
    form = form or ("typed" if type_ else format_of(column.distinct))
    if form is None:
        return None
    seconds = seconds_of(column, form)
    if np.isnan(seconds).any():
        return None
    days = "" if form in TIMES else _told_by(seconds)
    each = [number_from(*_once(values, column.counts), Numeral(), bins) for values in told(seconds, days)]
    clock = seconds % DAY
    scale = next(unit for unit in (3600, 900, 300, 60, 1) if not (clock % unit).any())
    padded = bool(type_) or pc.strftime(pa.array(seconds.astype(np.int64), pa.timestamp("s")), form).equals(
        column.distinct
    )
    return Date(form, padded, days, tuple(each), scale, type_, float(seconds.min()), float(seconds.max()))


def _once(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, where = np.unique(values, return_inverse=True)
    return distinct, np.bincount(where, counts)


def _told_by(seconds: np.ndarray) -> str:
    """How the day is told."""
    _, _, day, last = on_calendar(seconds)
    if len(np.unique(last - day)) <= FEW < len(np.unique(day)) or (day == last).all():
        return "end"
    return "day" if len(np.unique(day)) <= FEW else "weekday"


def on_calendar(seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Year, month, day, and the last day of that month."""
    days = np.floor(seconds / DAY).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    day = (days - months.astype("datetime64[D]")).astype(int) + 1
    last = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int)
    return months.astype("datetime64[Y]").astype(int) + 1970, months.astype(int) % 12 + 1, day, last


def told(seconds: np.ndarray, how: str) -> list[np.ndarray]:
    """The parts of each date, see `Date`."""
    clock = seconds % DAY
    if not how:
        return [clock]
    year, month, day, last = on_calendar(seconds)
    if how == "weekday":
        weekday = (np.floor(seconds / DAY).astype(int) + 3) % 7  # the first of January 1970 was a Thursday
        return [year, month, weekday, (day - 1) // 7 + 1, clock]
    return [year, month, day if how == "day" else last - day, clock]


def dated(year: np.ndarray, month: np.ndarray, *day: np.ndarray, how: str) -> np.ndarray:
    """Days since 1970 of what `told` tells; a day that its month does not have is the last that it has."""
    months = ((year - 1970) * 12 + month - 1).astype(int).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(int)
    length = (months + 1).astype("datetime64[D]").astype(int) - first
    if how == "weekday":
        ahead = (day[0].astype(int) - (first + 3)) % 7
        place = ahead + 7 * (day[1].astype(int) - 1)
        return first + np.where(place < length, place, place - 7)
    if how == "end":
        return first + (length - 1 - day[0].astype(int)).clip(0)
    return first + np.minimum(day[0].astype(int), length) - 1


def seconds_of(column: CellColumn, form: str) -> np.ndarray:
    """Seconds since 1970 of each different value, nan where it is no such date."""
    kind = column.distinct.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        plain = column.distinct.cast(pa.timestamp("us", getattr(kind, "tz", None))).cast(pa.int64())
        return plain.to_numpy(zero_copy_only=False) / 1e6
    if pa.types.is_time(kind):
        return column.distinct.cast(pa.time64("us")).cast(pa.int64()).to_numpy(zero_copy_only=False) / 1e6
    return parsed(column.texts, form)


def parsed(texts: pa.Array, form: str) -> np.ndarray:
    """Seconds since 1970 of texts in a format, nan for those that are no such date, as 30 February."""
    shape = {"%Y%m%d": r"^[0-9]{8}$"}.get(form)
    if shape:
        texts = pc.if_else(pc.match_substring_regex(texts, shape), texts, pa.scalar(None, pa.string()))
    found = pc.strptime(texts, format=form, unit="s", error_is_null=True)
    again = pc.strftime(found, form)
    same = pc.or_(pc.equal(again, texts), pc.equal(_bare(again), _bare(texts)))
    kept = pc.if_else(pc.fill_null(same, False), found.cast(pa.int64()), pa.scalar(None, pa.int64()))
    seconds = kept.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return seconds % DAY if form in TIMES else seconds


def _bare(texts: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.replace_substring_regex(texts, r"\b0([0-9])\b", r"\1"))


def unpadded(text: str) -> str:
    """Days and months below ten without a zero before them."""
    day, gap, time = text.partition(" ")
    return re.sub(r"\b0(\d)\b", r"\1", day) + gap + time


def format_of(texts: pa.Array) -> str | None:
    """The first format in which all texts are dates; None without one."""
    if len(texts) < 2 or not pc.all(pc.match_substring_regex(texts, r"^.{4,25}$")).as_py():
        return None
    few = texts.slice(0, LOOKED_AT)
    for form in FORMATS:
        if np.isnan(parsed(few, form)).any() or np.isnan(parsed(texts, form)).any():
            continue
        if form == "%Y%m%d" and not _plausible(parsed(texts, form)):
            continue
        return form
    return None


def _plausible(seconds: np.ndarray) -> bool:
    """Whether numbers of eight digits that could be dates are: all lie between 1850 and 2150."""
    year = on_calendar(seconds)[0]
    return bool((year >= 1850).all() and (year < 2150).all()) and len(seconds) > 1
