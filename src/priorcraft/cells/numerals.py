"""How numbers are written: a decimal point or comma, groups of thousands, a currency, a unit, a clock."""

import math
import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from priorcraft.cells import clocks
from priorcraft.cells.compute import pc

CURRENCIES = (
    r"[$€£¥₩₹₽₺฿₫]|EUR|USD|GBP|CHF|JPY|KRW|CNY|SEK|NOK|DKK|PLN|CZK|HUF|AUD|CAD|NZD|kr\.?|zł|Fr\.|R\$|US\$|A\$|C\$"
)
UNIT = r"[^\W\d_]{1,12}(?:/[^\W\d_]{1,6})?[²³]?"  # kg, km/h, m²
IN_BRACKETS = r"^\((.*)\)$"  # what accountants call below zero
SPACES = " \u00a0\u202f'’_"
PLAIN = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
SHARES = ("%", "‰")
LEAST_GROUPED = 3  # numbers above and below a thousand
MOST_DECIMALS = 15  # of a float between 1 and 10


@dataclass(frozen=True)
class Numeral:
    """How the numbers of a column are written.

    Args:
        decimals: digits after the point.
        padded: whether all numbers have so many.
        point: between units and decimals, "." or ",".
        thousands: between groups of three digits; "" without.
        before, after: what stands around every number, as "$" or " %".
        exponent: digits of the mantissa where numbers are written like 1.5e-07; 0 where they are not.
        plus: whether numbers that are not below zero begin with a +.
        brackets: whether numbers below zero stand in brackets.
        clock: of durations, how they are written, see `clocks`; the number is then in the unit of its last digits.
    """

    decimals: int = 0
    padded: bool = True
    point: str = "."
    thousands: str = ""
    before: str = ""
    after: str = ""
    exponent: int = 0
    plus: bool = False
    brackets: bool = False
    clock: str = ""

    def values(self, texts: pa.Array) -> np.ndarray:
        """The number of each text, float64, nan where it is none."""
        if self.clock:
            return clocks.values(texts)
        plain = self._plain(texts)
        fits = pc.match_substring_regex(plain, PLAIN)
        return pc.cast(pc.if_else(fits, plain, pa.scalar(None, pa.string())), pa.float64()).to_numpy(
            zero_copy_only=False
        )

    def _plain(self, texts: pa.Array) -> pa.Array:
        """The texts as numbers are written in programs."""
        if self.brackets:
            texts = pc.replace_substring_regex(texts, IN_BRACKETS, r"-\1")
        if self.before or self.after:
            share = self.after.strip() in SHARES  # of which a number without the sign would be another
            shape = f"^([+-]?)(?:{re.escape(self.before)})?([^ ].*?)(?:{re.escape(self.after)}){'?' * (not share)}$"
            if share:
                texts = pc.if_else(pc.match_substring_regex(texts, shape), texts, pa.scalar("", pa.string()))
            texts = pc.replace_substring_regex(texts, shape, r"\1\2")
        if self.thousands:  # 1,5 is no number where 1,500 is one
            comma, point = re.escape(self.thousands), re.escape(self.point)
            whole = rf"^[+-]?(?:[0-9]{{1,3}}(?:{comma}[0-9]{{3}})+|[0-9]*)(?:{point}[0-9]*)?$"
            texts = pc.if_else(pc.match_substring_regex(texts, whole), texts, pa.scalar("", pa.string()))
            texts = pc.replace_substring(texts, self.thousands, "")
        return pc.replace_substring(texts, ",", ".") if self.point == "," else texts

    def write(self, values: np.ndarray) -> list[str]:
        """Numbers as texts."""
        if self.clock:
            return clocks.written(values, self.clock, self.decimals, padded=self.padded)
        return [self._signed(text) for text in (self._powers(values) if self.exponent else self._plainly(values))]

    def _powers(self, values: np.ndarray) -> list[str]:
        found = [f"{value:.{self.exponent - 1}e}" for value in values.tolist()]
        return found if self.padded else [repr(float(text)) for text in found]

    def _plainly(self, values: np.ndarray) -> list[str]:
        group = "," if self.thousands else ""
        found = [f"{value:{group}.{self.decimals}f}" for value in values.tolist()]
        if not self.padded and self.decimals:
            found = [text.rstrip("0").rstrip(".") for text in found]
        found = ["0" + text[2:] if text.startswith("-0") and not text.strip("-0.") else text for text in found]
        if not (self.thousands or self.point == ","):
            return found
        swap = {ord(","): self.thousands, ord("."): self.point}
        return [text.translate(swap) for text in found]

    def _signed(self, text: str) -> str:
        """The digits of a number with its sign, and with what stands around every number."""
        digits = text.removeprefix("-")
        below, around = digits != text, f"{self.before}{digits}{self.after}"
        if below and self.brackets:
            return f"({around})"
        return f"{'-' if below else '+' * self.plus}{around}"


def numeral_of(texts: pa.Array, *, comma: bool = False) -> Numeral | None:
    """How the texts are written if they are all numbers, else None.

    Args:
        texts: different ones, none of them empty.
        comma: whether the file leaves the comma to numbers: 1,234 is then less than two.
    """
    if not len(texts):
        return None
    if not (comma and _grouped(texts)) and bool(pc.all(pc.match_substring_regex(texts, PLAIN)).as_py()):
        return _measured(Numeral(), texts)
    if bool(pc.any(pc.match_substring_regex(texts, IN_BRACKETS)).as_py()):
        found = numeral_of(pc.replace_substring_regex(texts, IN_BRACKETS, r"-\1"), comma=comma)
        return None if found is None else replace(found, brackets=True)
    if (clock := clocks.clock_of(texts)) is not None:
        return Numeral(clock.decimals, clock.padded, clock=clock.form)
    for before, after in _signs(texts):
        for point, thousands in _forms(comma, _grouped(texts, before, after) if comma else ""):
            digits = rf"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})*" if thousands else "[0-9]+"
            number = rf"(?:{digits}(?:{re.escape(point)}[0-9]*)?|{re.escape(point)}[0-9]+)"
            if thousands:
                number = rf"(?:{number}|[0-9]+(?:{re.escape(point)}[0-9]*)?)"
            power = "" if thousands else "(?:[eE][+-]?[0-9]+)?"
            shape = f"^[+-]?{re.escape(before)}{number}{power}{re.escape(after)}$"
            if bool(pc.all(pc.match_substring_regex(texts, shape)).as_py()):
                return _measured(Numeral(point=point, thousands=thousands, before=before, after=after), texts)
    return None


def _grouped(texts: pa.Array, before: str = "", after: str = "") -> str:
    """The sign that surely stands between thousands: three digits follow it always, and numbers of three have none."""
    begin, end = rf"^[+-]?{re.escape(before)}", re.escape(after) + "$"
    few = pc.sum(pc.match_substring_regex(texts, f"{begin}[1-9][0-9]{{2}}{end}")).as_py()
    for sign in ".,":
        shape = rf"{begin}(?:0|[1-9][0-9]{{0,2}}(?:[{sign}][0-9]{{3}})*){end}"
        many = pc.sum(pc.match_substring_regex(texts, rf"[{sign}][0-9]{{3}}{end}")).as_py()
        if min(few, many) >= LEAST_GROUPED and bool(pc.all(pc.match_substring_regex(texts, shape)).as_py()):
            return sign
    return ""


def _forms(comma: bool, grouped: str) -> list[tuple[str, str]]:
    """Points and separators of thousands, the likelier first; `grouped` is what surely stands between thousands."""
    if grouped:
        return [("," if grouped == "." else ".", grouped)]
    english, german = [(".", ","), *((".", space) for space in SPACES)], [(",", ""), (",", ".")]
    spaced = [(",", space) for space in SPACES]
    return [(".", ""), *german, *english, *spaced] if comma else [(".", ""), *english, *german, *spaced]


def _signs(texts: pa.Array) -> list[tuple[str, str]]:
    """What stands before and after the digits, if it is the same of all texts and a sign of a number."""
    found = pc.extract_regex(
        texts, rf"^[+-]?(?P<before>(?:{CURRENCIES})?\s?)[0-9.,].*?(?P<after>\s?(?:%|‰|°C|°F|°|{CURRENCIES}|{UNIT})?)$"
    )
    if found.null_count:
        return [("", "")]
    before, after = (pc.unique(pc.struct_field(found, part)).to_pylist() for part in ("before", "after"))
    return [(before[0], after[0])] if len(before) == len(after) == 1 else [("", "")]


def _measured(numeral: Numeral, texts: pa.Array) -> Numeral:
    """The same with the decimals that the texts have."""
    plain = numeral._plain(texts)
    signed = pc.match_substring_regex(plain, "^[+]"), pc.match_substring_regex(plain, "^[0-9.]")
    plus = bool(pc.any(signed[0]).as_py()) and not bool(pc.any(signed[1]).as_py())
    powers = pc.match_substring_regex(plain, "[eE]")
    if bool(pc.any(powers).as_py()):
        mantissa = pc.binary_length(pc.replace_substring_regex(plain, "[eE].*$|[^0-9eE]", ""))
        shortest, longest = pc.min(mantissa).as_py(), pc.max(mantissa).as_py()
        same = shortest == longest and bool(pc.all(powers).as_py())
        return replace(
            numeral, decimals=MOST_DECIMALS, padded=same, thousands="", exponent=max(1, min(17, longest)), plus=plus
        )
    length = pc.binary_length(pc.replace_substring_regex(plain, r"^[^.]*\.?", ""))
    shortest, longest = pc.min(length).as_py(), pc.max(length).as_py()
    most = MOST_DECIMALS
    if longest > most:
        size = np.nanmax(np.abs(numeral.values(texts)), initial=0.0)
        most += max(0, -math.floor(np.log10(size))) if size else 0
    return replace(numeral, decimals=min(most, longest), padded=shortest == longest, plus=plus)
