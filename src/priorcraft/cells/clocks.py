"""Durations as clocks show them: 1:02.5, 36:15:00, 2 days 03:04:05, 1 day, 3:04:05."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from priorcraft.cells.compute import pc

DAY = 86_400
SHAPE = (
    r"^(?:(?P<days>[+-]?[0-9]+) days?(?P<comma>,?) [+]?)?"
    r"(?P<sign>[+-]?)(?P<first>[0-9]+):(?P<second>[0-5][0-9])(?P<third>:[0-5][0-9])?(?P<rest>[.][0-9]+)?$"
)


class Clock(NamedTuple):
    """How durations are written.

    form: a zero: "0:00", "00:00:00", "0 days 00:00:00" as pandas writes it, or "0 day, 0:00:00" as Python does.
    decimals: digits behind the last unit. padded: whether all have so many; where not, those that need none have none.
    """

    form: str
    decimals: int
    padded: bool


def clock_of(texts: pa.Array) -> Clock | None:
    """How the texts are written if they are all durations, else None.

    >>> clock_of(pa.array(["1:02.50", "71:33.25"]))
    Clock(form='0:00', decimals=2, padded=True)
    """
    if not bool(pc.all(pc.match_substring_regex(texts, SHAPE)).as_py()):
        return None
    found = pc.extract_regex(texts, SHAPE)
    units = pc.unique(pc.binary_length(pc.struct_field(found, "third"))).to_pylist()
    days = pc.not_equal(pc.struct_field(found, "days"), "")
    dated = bool(pc.any(days).as_py())
    if len(units) > 1 or (dated and not units[0]):
        return None
    first = pc.struct_field(found, "first")
    wide = bool(pc.all(pc.greater_equal(pc.binary_length(first), 2)).as_py())
    lengths = pc.binary_length(pc.struct_field(found, "rest"))
    shortest, longest = pc.min(lengths).as_py(), pc.max(lengths).as_py()
    form = ("00" if wide else "0") + (":00:00" if units[0] else ":00")
    if dated:
        commas = bool(pc.any(pc.equal(pc.struct_field(found, "comma"), ",")).as_py())
        form = ("0 day, " if commas else "0 days ") + form
    return Clock(form, max(0, longest - 1), shortest == longest)


def values(texts: pa.Array) -> np.ndarray:
    """The duration of each text in the unit of its last digits, float64, nan where it is none.

    >>> values(pa.array(["1:02.5", "-0:01", "1 day, 0:00:01", "soon"])).tolist()
    [62.5, -1.0, 86401.0, nan]
    """
    found = pc.extract_regex(texts, SHAPE)

    def number(part: str) -> np.ndarray:
        digits = pc.replace_substring(pc.struct_field(found, part), ":", "")
        given = pc.if_else(pc.equal(digits, ""), "0", digits)
        return pc.cast(pc.replace_substring_regex(given, "^[+]", ""), pa.float64()).to_numpy(zero_copy_only=False)

    third = pc.not_equal(pc.struct_field(found, "third"), "").fill_null(False).to_numpy(zero_copy_only=False)
    time = number("first") * 60 + number("second")
    time = np.where(third, time * 60 + number("third"), time) + number("rest")
    below = pc.equal(pc.struct_field(found, "sign"), "-").fill_null(False).to_numpy(zero_copy_only=False)
    return number("days") * DAY + np.where(below, -time, time)


def written(numbers: np.ndarray, form: str, decimals: int, *, padded: bool) -> list[str]:
    """Durations as texts.

    >>> written(np.array([62.5, 3.0]), "0:00", 2, padded=False)
    ['1:02.50', '0:03']
    >>> written(np.array([-60.0, 90061.0]), "0 days 00:00:00", 0, padded=True)
    ['-1 days +23:59:00', '1 days 01:01:01']
    """
    return [_written(number, form, decimals, padded=padded) for number in numbers.tolist()]


def _written(number: float, form: str, decimals: int, *, padded: bool) -> str:
    total, unit = round(number * 10**decimals), 10**decimals
    before, sign = "", "-" * (total < 0)
    if "day" in form:
        days, total = divmod(total, DAY * unit)
        plus = "+" * (days < 0 and "days" in form)
        before = f"{days} days {plus}" if "days" in form else f"{days} day{'s' * (abs(days) != 1)}, " if days else ""
        sign = ""
    whole, rest = divmod(abs(total), unit)
    clock = form.rpartition(" ")[2]
    parts = list[int]()
    for _ in range(clock.count(":")):
        whole, part = divmod(whole, 60)
        parts.insert(0, part)
    fraction = f".{rest:0{decimals}}" if decimals and (padded or rest) else ""
    first = f"{whole:0{len(clock.partition(':')[0])}}"
    return f"{before}{sign}{first}" + "".join(f":{part:02}" for part in parts) + fraction
