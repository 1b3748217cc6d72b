"""What a setting of a model or of its training may be: declared once, in its type, and checked wherever it is given.

def __init__(self, space: Space, *, smoothing: Annotated[float, Range(0, 1e6)] = 2.0) -> None: ...
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any

from priorcraft.errors import UsageError


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`.

    Args:
        low, high: the ends, which belong to it.
        above, below: leave out the lower and the upper end.

    >>> 0.0 in Range(0, 1), 1.0 in Range(0, 1, below=True), float("nan") in Range(0, 1)
    (True, False, False)
    >>> print(Range(1, 4096)), print(Range(0, 1, above=True))
    1 ... 4,096
    0 ... 1 without 0
    (None, None)
    """

    low: float
    high: float
    above: bool = False
    below: bool = False

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, Real) or isinstance(value, bool):
            return False
        if not self.low <= value <= self.high:  # pyright: ignore[reportOperatorIssue]
            return False
        return not ((self.above and value == self.low) or (self.below and value == self.high))

    def __str__(self) -> str:
        ends = [end for end, out in ((self.low, self.above), (self.high, self.below)) if out]
        without = f" without {' and '.join(map(shown, ends))}" if ends else ""
        return f"{shown(self.low)} ... {shown(self.high)}{without}"


def shown(number: float) -> str:
    """A number as people write it: whole ones with commas, up to a million.

    >>> shown(4096), shown(0.5), shown(2**63 - 1)
    ('4,096', '0.5', '9.22e+18')
    """
    return f"{number:,.0f}" if number == round(number) and abs(number) <= 1e6 else f"{number:.3g}"


DRAWS = Range(1, 10**9)  # of one call
Share = Annotated[float, Range(0, 1)]
Dropout = Annotated[float, Range(0, 1, below=True)]
Smoothing = Annotated[float, Range(0, 1e6)]  # imagined rows
Weight = Annotated[float, Range(0, 1e6)]  # of a term in a loss
Width = Annotated[int, Range(1, 4096)]
Depth = Annotated[int, Range(1, 64)]
Count = Annotated[int, Range(1, 4096)]
LearningRate = Annotated[float, Range(0, 1e38, above=True)]  # a hopeless one diverges, and is told so
WeightDecay = Annotated[float, Range(0, 1e3)]
BatchSize = Annotated[int, Range(1, 2**20)]
Decay = Annotated[float, Range(0, 1, below=True)]  # of a moving average
Seed = Annotated[int, Range(0, 2**63, below=True)]


@cache
def ranges(constructor: Callable[..., object]) -> Mapping[str, Range]:
    """The ranges that a constructor declares, by the name of the argument."""
    target = constructor.__init__ if isinstance(constructor, type) else constructor
    hints = typing.get_type_hints(target, include_extras=True)
    found = {name: _range_in(hint) for name, hint in hints.items() if name in inspect.signature(target).parameters}
    return {name: limits for name, limits in found.items() if limits is not None}


def _range_in(hint: object) -> Range | None:
    """The range in Annotated[..., Range], or in such a member of a union."""
    parts = [
        *getattr(hint, "__metadata__", ()),
        *(m for t in typing.get_args(hint) for m in getattr(t, "__metadata__", ())),
    ]
    return next((part for part in parts if isinstance(part, Range)), None)


def check(constructor: Callable[..., object], given: Mapping[str, object]) -> None:
    """Refuses values outside the ranges that a constructor declares; None is its own choice.

    Raises:
        UsageError: names the setting, its range and the value.

    >>> def model(*, dropout: Dropout = 0.1): ...
    >>> check(model, {"dropout": 2})
    Traceback (most recent call last):
    priorcraft.errors.UsageError: dropout must lie in 0 ... 1 without 1, not 2.
    """
    for name, limits in ranges(constructor).items():
        value = given.get(name)
        if value is not None and value not in limits:
            raise UsageError(f"{name} must lie in {limits}, not {value!r}.")


def whole(name: str, value: object, limits: Range | None = None) -> int:
    """A whole number (in a range), of whatever integer type, as int; 2.0 is one and 2.5 is not.

    Raises:
        UsageError: anything else; nothing is rounded.

    >>> whole("n", 3.0, Range(1, 10))
    3
    """
    exact = isinstance(value, Integral) or (isinstance(value, Real) and float(value).is_integer())
    if isinstance(value, bool) or not exact or (limits is not None and value not in limits):
        where = "" if limits is None else f" in {limits}"
        raise UsageError(f"{name} must be a whole number{where}, not {value!r:.60}.")
    return int(typing.cast(int, value))


def as_declared(function: Callable[..., object], given: Mapping[str, object]) -> dict[str, object]:
    """Arguments by name, those that are declared as int or float as such numbers, of whatever library they are.

    Raises:
        UsageError: another thing in their place; nothing is rounded.

    >>> def draw(n: int, *, rate: float | None = None): ...
    >>> as_declared(draw, {"n": 3.0, "rate": 1})
    {'n': 3, 'rate': 1.0}
    >>> as_declared(draw, {"n": 1.5})
    Traceback (most recent call last):
    priorcraft.errors.UsageError: n must be a whole number, not 1.5.
    """
    kinds = _numbers(function).items()
    found = {name: (kind, given[name]) for name, kind in kinds if given.get(name) is not None}
    numbers = {name: whole(name, x) if kind is int else _number(name, x) for name, (kind, x) in found.items()}
    return {**given, **numbers}


def _is_union(hint: object) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


@cache
def _numbers(function: Callable[..., object]) -> Mapping[str, type]:
    """The arguments that are an int or a float, or None."""
    declared = typing.get_type_hints(function).items()
    hints = {name: typing.get_args(hint) if _is_union(hint) else (hint,) for name, hint in declared}
    kinds = {name: [kind for kind in found if kind is not type(None)] for name, found in hints.items()}
    return {name: kind for name, found in kinds.items() for kind in (int, float) if found == [kind]}


def _number(name: str, value: object) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise UsageError(f"{name} must be a number, not {value!r:.60}.")
    return float(value)


def defaults(constructor: Callable[..., object]) -> dict[str, Any]:
    """The constructor's own values of the keywords that a command line can set."""
    parameters = inspect.signature(constructor).parameters
    return {name: parameters[name].default for name in keywords(constructor)}


def keywords(constructor: Callable[..., object]) -> dict[str, type]:
    """Keyword-only arguments of a constructor that a command line can set, with their types."""
    target = constructor.__init__ if isinstance(constructor, type) else constructor
    hints = typing.get_type_hints(target)
    named = [p.name for p in inspect.signature(constructor).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return {name: kind for name in named if (kind := simple(hints[name])) is not None}


def simple(hint: Any) -> type | None:
    """int, float, bool or str, if that is what a type hint says, None apart."""
    kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 and kinds[0] in _SIMPLE else None


_SIMPLE = (int, float, bool, str)


def parsed(key: str, value: object, kind: type) -> object:
    """`value`, which may be text, as a value of type `kind`; None, a constructor's own choice, stays.

    >>> parsed("lr", "1e-3", float)
    0.001
    """
    if value is None:
        return None
    if kind is bool and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    try:
        number = kind(value)  # type: ignore[call-arg]
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"setting {key} must be of type {kind.__name__}, not '{value!s:.60}'.") from None
    rounded = kind is int and not isinstance(value, str) and number != value
    if rounded or kind is bool or (kind in (int, float) and (number != number or isinstance(value, bool))):
        raise UsageError(f"setting {key} must be of type {kind.__name__}, not '{value!s:.60}'.")
    return number
