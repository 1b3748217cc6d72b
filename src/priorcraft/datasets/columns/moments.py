"""How dates and times are written: a format as in `datetime.strftime` that all texts of a column have."""

import re
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from priorcraft.cells.compute import pc

DAY = 86_400
DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y", "%m-%d-%Y", "%d.%m.%y",
    "%d/%m/%y", "%m/%d/%y", "%Y%m%d", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%Y-%m", "%Y/%m",
    "%b %Y", "%B %Y", "%m/%Y", "%d-%b-%y", "%d %b %y", "%d%b%Y", "%d. %b %Y", "%d. %B %Y", "%b %d %Y", "%B %d %Y",
    "%a, %d %b %Y", "%A, %d %B %Y", "%a, %b %d, %Y", "%A, %B %d, %Y", "%a %b %d %Y", "%Y-%b-%d", "%Y. %m. %d.",
    "%Y년 %m월 %d일", "%Y년 %m월", "%Y年%m月%d日", "%Y年%m月", "%G-W%V", "%G-W%V-%u", "%Y-Q%q",
    "%Y Q%q", "%YQ%q", "Q%q %Y", "Q%q-%Y",
)  # fmt: skip
TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
FORMATS = (
    *DATES, *(f"{day}{gap}{time}" for day in DATES if "%d" in day for gap in " T" for time in TIMES), *TIMES,
    "%a %b %d %H:%M:%S %Y",
)  # fmt: skip
ZONE = r" ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})$"
FRACTION = r"(:[0-9]{2})[.,]([0-9]{1,9})"
MICRO = 10**6
POSIX, LEAST_GAP = 69, 5  # see `century_of`
QUARTER = "\ue000"  # stands for its number
LOOKED_AT = 500


@dataclass(frozen=True)
class Style:
    """What a format leaves open.

    Args:
        padded: whether days and months below ten begin with a zero.
        hours: whether hours do.
        decimals: digits of a second.
        capitals: whether names of months are all capitals.
    """

    padded: bool = True
    hours: bool = True
    decimals: int = 0
    capitals: bool = False


def is_time(form: str) -> bool:
    """Whether a format tells times of a day without the day."""
    return "%" in form and not re.search("%[YymdbBjUGq]", form)


def parsed(texts: pa.Array, form: str, century: int = POSIX) -> np.ndarray:
    """Seconds since 1970 of texts in a format, nan for those that are no such date, as 30 February.

    Args:
        texts: the dates.
        form: as in `datetime.strftime`.
        century: of years of two digits, those from which on are the 1900s.

    >>> parsed(pa.array(["1970-01-02 00:00:01.25+09:00", "1970-02-30"]), "%Y-%m-%d %H:%M:%S.%f+09:00").tolist()
    [86401.25, nan]
    """
    if "%y" in form and century != POSIX:
        return of_century(parsed(texts, form), century)
    if zone := re.search(ZONE, form):
        form = form[: zone.start()]
        bare = pc.replace_substring_regex(texts, re.escape(zone.group()) + "$", "")
        texts = pc.if_else(pc.ends_with(texts, zone.group()), bare, pa.scalar(None, pa.string()))
    if "%f" not in form:
        return _whole(texts, form)
    found = pc.extract_regex(texts, FRACTION.replace("(:", "(?P<to>:").replace("([0-9]{1", "(?P<digits>[0-9]{1"))
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.struct_field(found, "digits"), 6, "0"), 0, 6)
    micros = pc.cast(digits.fill_null("0"), pa.float64()).to_numpy(zero_copy_only=False)
    whole = _whole(pc.replace_substring_regex(texts, FRACTION, r"\1"), re.sub("[.,]%f", "", form))
    return (whole * MICRO + micros) / MICRO


def _whole(texts: pa.Array, form: str) -> np.ndarray:
    if "%q" in form or "%V" in form:
        return _counted(texts, form)
    shape = {"%Y%m%d": r"^[0-9]{8}$"}.get(form)
    if shape:
        texts = pc.if_else(pc.match_substring_regex(texts, shape), texts, pa.scalar(None, pa.string()))
    found = pc.strptime(texts, format=form, unit="s", error_is_null=True)
    again = pc.strftime(found, form)
    same = pc.or_(pc.equal(again, texts), pc.equal(_bare(again), _bare(texts)))
    kept = pc.if_else(pc.fill_null(same, False), found.cast(pa.int64()), pa.scalar(None, pa.int64()))
    seconds = kept.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return seconds % DAY if is_time(form) else seconds


def century_of(seconds: np.ndarray) -> int:
    """The two digits from which on years belong to the 1900s: dates lie together, and the widest gap is outside.

    Args:
        seconds: since 1970, of dates with two digits for the year, read by POSIX's rule (69 to 99 are 1969 to 1999).

    >>> century_of(parsed(pa.array(["31", "50", "68", "99"]), "%y"))
    31
    >>> century_of(parsed(pa.array(["00", "24", "98"]), "%y"))
    69
    """
    years = np.unique((seconds.astype("datetime64[s]").astype("datetime64[Y]").astype(int) + 1970) % 100)
    gaps = np.diff([*years, years[0] + 100])
    after = int(years[(int(gaps.argmax()) + 1) % len(years)])
    apart = (POSIX - 1) % 100 in (years[int(gaps.argmax())] + np.arange(gaps.max())) % 100
    return POSIX if apart or gaps.max() < LEAST_GAP else after


def of_century(seconds: np.ndarray, first: int) -> np.ndarray:
    """Dates whose years from `first` on belong to the 1900s, of dates by POSIX's rule."""
    there = np.isfinite(seconds)
    days, clock = np.divmod(np.where(there, seconds, 0.0), DAY)
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    year = months.astype("datetime64[Y]").astype(int) + 1970
    wanted = year % 100 + np.where(year % 100 >= first, 1900, 2000)
    moved = (months + (wanted - year) * 12).astype("datetime64[D]") + (dates - months.astype("datetime64[D]"))
    return np.where(there, moved.astype(int) * float(DAY) + clock, np.nan)


def _counted(texts: pa.Array, form: str) -> np.ndarray:
    """Seconds since 1970 of the first days of quarters and of weeks as ISO 8601 counts them, nan for others.

    >>> parsed(pa.array(["1970-Q2", "1970-Q5"]), "%Y-Q%q").tolist()
    [7776000.0, nan]
    >>> parsed(pa.array(["1970-W01", "1970-W54"]), "%G-W%V").tolist()
    [-259200.0, nan]
    """
    parts = {
        "%Y": r"(?P<year>\d{4})",
        "%G": r"(?P<year>\d{4})",
        "%q": r"(?P<part>[1-4])",
        "%V": r"(?P<part>\d\d)",
        "%u": r"(?P<day>[1-7])",
    }
    found = pc.extract_regex(texts, "^" + re.sub("%[a-zA-Z]", lambda part: parts[part.group()], form) + "$")

    def number(part: str) -> np.ndarray:
        return pc.cast(pc.struct_field(found, part), pa.float64()).to_numpy(zero_copy_only=False)

    year, part = number("year"), number("part")
    there = np.isfinite(year)
    january = (np.where(there, year, 1970) - 1970).astype("datetime64[Y]")
    if "%q" in form:
        months = january.astype("datetime64[M]") + np.where(there, (part - 1) * 3, 0).astype(int)
        return np.where(there, months.astype("datetime64[D]").astype(int) * float(DAY), np.nan)
    fourth = january.astype("datetime64[D]").astype(int) + 3  # of January, which lies in the first week
    monday = fourth - (fourth + 3) % 7
    days = monday + (part - 1) * 7 + (number("day") - 1 if "%u" in form else 0)
    last = (january + 1).astype("datetime64[D]").astype(int) + 3
    return np.where((part >= 1) & (days < last - (last + 3) % 7), days * DAY, np.nan)


def _bare(texts: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.replace_substring_regex(texts, r"\b0([0-9])\b", r"\1"))


def written(seconds: np.ndarray, form: str, style: Style) -> list[str]:
    """Dates as texts.

    >>> written(np.array([3 * 86400 + 300.5]), "%d.%m.%Y %H:%M:%S.%f", Style(padded=False, hours=False, decimals=2))
    ['4.1.1970 0:05:00.50']
    """
    total = np.rint(seconds * 10**style.decimals).astype(np.int64)
    whole, rest = np.divmod(total, 10**style.decimals)
    moments = pa.array(whole, pa.timestamp("s"))
    head, fraction, tail = form.partition("%f")
    found = pc.strftime(moments, head.replace("%q", QUARTER)).to_pylist()
    if "%q" in head:
        quarters = pc.cast(pc.quarter(moments), pa.string()).to_pylist()
        found = [text.replace(QUARTER, quarter) for text, quarter in zip(found, quarters, strict=True)]
    if style.capitals:
        found = [text.upper() for text in found]
    if fraction:
        tails = pc.strftime(moments, tail).to_pylist() if "%" in tail else [tail] * len(found)
        parts = zip(found, rest.tolist(), tails, strict=True)
        found = [f"{a}{r:0{style.decimals}}{b}" if style.decimals else f"{a[:-1]}{b}" for a, r, b in parts]
    return found if style.padded and style.hours else [_unpadded(text, style) for text in found]


def _unpadded(text: str, style: Style) -> str:
    """Days, months and hours below ten without a zero before them; minutes keep theirs."""
    clock = re.search(r"\b[0-9]{1,2}:[0-9]{2}", text)
    day, time = (text, "") if clock is None else (text[: clock.start()], text[clock.start() :])
    day = day if style.padded else re.sub(r"\b0(\d)\b", r"\1", day, flags=re.ASCII)
    return day + (time if style.hours else re.sub(r"^0(\d:)", r"\1", time))


def style_of(texts: pa.Array, seconds: np.ndarray, form: str, decimals: int) -> Style:
    """What the format leaves open, as most of the texts have it."""
    texts, seconds = texts.slice(0, LOOKED_AT), seconds[:LOOKED_AT]
    plain = [text.lower() for text in texts.to_pylist()]

    capitals = "%b" in form and all(text == text.upper() for text in texts.to_pylist())

    def same(style: Style) -> int:
        return sum(a.lower() == b for a, b in zip(written(seconds, form, style), plain, strict=True))

    styles = [Style(padded, hours, decimals, capitals) for padded, hours in product((True, False), repeat=2)]
    return max(styles, key=same)


def format_of(texts: pa.Array) -> str | None:
    """The first format in which all texts are dates; None without one."""
    if len(texts) < 2 or not pc.all(pc.match_substring_regex(texts, r"^.{0,39}[0-9].{0,39}$")).as_py():
        return None
    return next(iter(formats_of(texts)), None)


def formats_of(texts: pa.Array) -> list[str]:
    """All formats in which all texts are dates, the likelier first."""
    first = str(texts[0])
    zone = re.search(ZONE, first) if ":" in first else None
    fraction = re.search(FRACTION, first) or re.search(FRACTION, " ".join(texts.slice(0, LOOKED_AT).to_pylist()))
    mark = fraction.group()[3] if fraction else ""
    bare = re.sub(FRACTION, r"\1", first[: zone.start()] if zone else first)
    found = list[str]()
    for plain in FORMATS:
        if _signs(re.sub("%[a-zA-Z]", "", plain)) != _signs(bare):
            continue
        form = plain.replace("%S", f"%S{mark}%f") if mark else plain
        form = form + zone.group() if zone else form
        if any(np.isnan(parsed(texts.slice(0, n), form)).any() for n in (1, LOOKED_AT, len(texts))):
            continue
        if form == "%Y%m%d" and not plausible(parsed(texts, form)):
            continue
        found.append(form)
    return found


def _signs(text: str) -> str:
    """What is neither letter nor digit."""
    return re.sub(r"[^\W_]", "", text)


def plausible(seconds: np.ndarray) -> bool:
    """Whether numbers of eight digits that could be dates are: all lie between 1850 and 2150."""
    year = seconds.astype("datetime64[s]").astype("datetime64[Y]").astype(int) + 1970
    return bool((year >= 1850).all() and (year < 2150).all()) and len(seconds) > 1


class Nearly(NamedTuple):
    """Two texts of a column: one like most, a date, and one that is none of that format."""

    most: str
    other: str


def nearly(texts: pa.Array) -> Nearly | None:
    """Of texts most of which are dates of one format: one of them, and the first that is not; else None."""
    few = texts.slice(0, LOOKED_AT)
    for text in few.slice(0, 3).to_pylist():
        for form in (form for form in formats_of(pa.array([text])) if "%y" not in form):  # 1.10.2 may be a version
            wrong = np.isnan(parsed(few, form))
            if 0 < wrong.sum() <= len(few) / 2:
                return Nearly(text, few[int(wrong.argmax())].as_py())
    return None
