"""Dates and times as year, month, weekday, which one of the month, and time of day; no date that does not exist."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from torch import Generator

from priorcraft.cells import CellColumn
from priorcraft.cells.numerals import Numeral
from priorcraft.cells.types import type_named
from priorcraft.core import Finer
from priorcraft.datasets.columns.codec import HIDDEN, Codec, Coded, Leaves
from priorcraft.datasets.columns.moments import (
    DAY,
    POSIX,
    Style,
    century_of,
    format_of,
    is_time,
    of_century,
    parsed,
    style_of,
    written,
)
from priorcraft.datasets.columns.number import Number, number_from

FEW = 4  # days of the month, or before its end, that are states by themselves
DECIMALS = 6  # of a second


@dataclass(frozen=True)
class Date(Codec):
    """Days on a calendar and times of a day, as a chain of entries that weekdays and seasons can be learned from.

    year, month, day, time. The day is a weekday and which one of the month it is (the second Tuesday); where only few
    days of the month are there, or days before its end, it is that day. Whatever is drawn exists: the fifth Tuesday
    of a month without one is its fourth, and the 31st of April the 30th. Parts that are always the same are no entries.

    Args:
        format: as in `datetime.strftime`; what stands behind the time, as Z or +09:00, is the same in every cell.
        padded: whether days and months below ten begin with a zero.
        days: "weekday", "day" or "end", how the day is told; "" for times without a date.
        parts: the columns of numbers that tell it: year, month, the day's one or two, and the second of the day.
        scale: seconds to which times are kept.
        type: of a frame's column, "" for text.
        first, last: the earliest and the latest, in seconds since 1970.
        hours: whether hours below ten begin with a zero.
        decimals: digits of a second.
        capitals: whether names of months are all capitals.
        century: of years of two digits, those from which on are the 1900s.
    """

    format: str
    padded: bool
    days: str
    parts: tuple[Number, ...]
    scale: int
    type: str
    first: float
    last: float
    hours: bool = True
    decimals: int = 0
    capitals: bool = False
    century: int = POSIX
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

    @property
    def like(self) -> str:
        """The first as it is written."""
        return self.write(np.array([self.first]))[0]

    def described(self) -> str:
        """From when to when, and how."""
        ends = self.write(np.array([self.first, self.last]))
        how = {"weekday": ", by year, month and weekday", "": ", times of day"}.get(
            self.days, ", by year, month and day"
        )
        return f"dates from {ends[0]} to {ends[1]}{how}"

    def encode_distinct(self, column: CellColumn) -> Coded:
        """The entries of each date."""
        seconds = seconds_of(column, self.format, self.century)
        if (wrong := np.isnan(seconds)).any():
            raise ValueError(str(column.texts[int(wrong.argmax())]))
        x, rest, beyond = list[np.ndarray](), np.zeros(len(seconds)), (seconds < self.first) | (seconds > self.last)
        odd = np.zeros(len(seconds))
        for part, values in zip(self.parts, told(seconds, self.days), strict=True):
            leaf = part.leaf(values)
            known = (values >= np.array(part.lows)[leaf]) & (values <= np.array(part.highs)[leaf])
            single = np.array(part.lows)[leaf] == np.array(part.highs)[leaf]
            new = single & ~known  # a month or a weekday that never was
            within = np.where(new, -np.log(sum(part.counts) + 1.0), part.log_density(values, leaf))
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
        scale = 10.0**-self.decimals if self.decimals else self.scale
        seconds = (np.rint(values[-1] / scale) * scale).clip(0, DAY - scale)
        if self.days:
            seconds = seconds + DAY * dated(*values[:-1], how=self.days)
        return seconds.clip(self.first, self.last)

    def write(self, values: np.ndarray) -> list[str]:
        """Dates as they were written."""
        if self.type:
            return self.typed(values).cast(pa.string()).to_pylist()
        return written(values, self.format, Style(self.padded, self.hours, self.decimals, self.capitals))

    def typed(self, values: np.ndarray) -> pa.Array:
        """Dates as a frame holds them."""
        kind = type_named(self.type)
        if kind is None:
            return pa.array(self.write(values), pa.string())
        micros = np.rint(values * 1e6).astype(np.int64)
        if pa.types.is_time(kind):
            return pa.array(micros, pa.time64("us")).cast(kind)
        return pa.array(micros, pa.timestamp("us", getattr(kind, "tz", None))).cast(kind)


def date_of(column: CellColumn, form: str | None = None, bins: int = 16) -> Date | None:
    """The dates of a column, in the format that all of its texts have; None if there is none."""
    type_ = "" if pa.types.is_string(column.distinct.type) else str(column.distinct.type)
    form = form or ("typed" if type_ else format_of(column.distinct))
    if form is None:
        return None
    seconds = seconds_of(column, form)
    if np.isnan(seconds).any():
        return None
    century = century_of(seconds) if "%y" in form else POSIX
    seconds = of_century(seconds, century) if century != POSIX else seconds
    decimals = next((k for k in range(DECIMALS) if (np.rint(seconds * 10.0**k) / 10.0**k == seconds).all()), DECIMALS)
    days = "" if is_time(form) or pa.types.is_time(column.distinct.type) else _told_by(seconds)
    *calendar, clock = told(seconds, days)
    parts = [number_from(*_once(values, column.counts), Numeral(), bins) for values in calendar]
    parts.append(number_from(*_once(clock, column.counts), Numeral(decimals), bins))
    scale = next((unit for unit in (3600, 900, 300, 60) if not (clock % unit).any()), 1)
    style = Style(decimals=decimals) if type_ else style_of(column.distinct, seconds, form, decimals)
    first, last = float(seconds.min()), float(seconds.max())
    stated = (style.hours, decimals, style.capitals, century)
    return Date(form, style.padded, days, tuple(parts), scale, type_, first, last, *stated)


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
    clock = np.round(seconds % DAY, DECIMALS)
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


def seconds_of(column: CellColumn, form: str, century: int = POSIX) -> np.ndarray:
    """Seconds since 1970 of each different value, nan where it is no such date."""
    kind = column.distinct.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        found = column.distinct.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
    elif pa.types.is_time(kind):
        found = column.distinct.cast(pa.time64("us"), safe=False)
    else:
        return parsed(column.texts, form, century)
    return found.cast(pa.int64()).to_numpy(zero_copy_only=False) / 1e6
