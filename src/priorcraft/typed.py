"""JSON from a disk as typed objects: every key, type and range is checked, and a fault is named by its path."""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, Literal, TypeVar

from priorcraft.errors import CheckpointError, PriorcraftError, did_you_mean
from priorcraft.settings import Range

T = TypeVar("T")
_WORDS = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a text", dict: "an object"}


def read(kind: type[T], found: object, at: str, *, refuse: type[PriorcraftError] = CheckpointError) -> T:
    """`found`, which JSON gave, as a value of the type `kind`.

    Dataclasses and TypedDicts are objects with these keys and no others; fields with a default may be missing. Tuples
    of one type are lists. `Annotated[..., Range(...)]` bounds a number. A class with a `from_json` reads itself.

    Args:
        kind: the type.
        found: what was found.
        at: where, e.g. "config.json: config"; keys are appended.
        refuse: the error to raise.

    Raises:
        PriorcraftError: of the class `refuse`; names the first fault's path, what was expected, and what was found.

    >>> read(tuple[int, ...], [1, 2], "sizes")
    (1, 2)
    >>> read(dict[str, int], {"a": {"b": 1}}, "counts")
    Traceback (most recent call last):
    priorcraft.errors.CheckpointError: counts.a must be a whole number, not {'b': 1}.
    """
    try:
        return _value(kind, found, at)
    except _Fault as fault:
        raise refuse(str(fault)) from None


class _Fault(ValueError):
    """What is wrong, and where."""


def _expected(wanted: str, found: object, at: str) -> _Fault:
    return _Fault(f"{at} must be {wanted}, not {found!r:.60}.")


def _value(kind: Any, found: object, at: str) -> Any:
    origin, members = typing.get_origin(kind), typing.get_args(kind)
    if kind in (Any, object):
        return found
    if hasattr(kind, "__metadata__"):
        return _bounded(_value(members[0], found, at), kind.__metadata__, at)
    if origin is Literal:
        if found not in members or type(found) not in {type(member) for member in members}:
            raise _expected(f"one of {', '.join(map(str, members))}", found, at)
        return found
    if origin in (typing.Union, types.UnionType):
        return _any_of(members, found, at)
    if origin is tuple and len(members) == 2 and members[1] is Ellipsis:
        if not isinstance(found, list | tuple):
            raise _expected("a list", found, at)
        return tuple(_value(members[0], item, f"{at}[{i}]") for i, item in enumerate(found))
    if origin in (dict, Mapping):
        return {key: _value(members[1], item, f"{at}.{key}") for key, item in _object(found, at).items()}
    if (own := getattr(kind, "from_json", None)) is not None:
        try:
            return own(_object(found, at))
        except (PriorcraftError, KeyError, TypeError, ValueError, AttributeError) as fault:
            raise _Fault(f"{at} does not describe {kind.__name__}: {type(fault).__name__} at {fault}") from None
    if isinstance(kind, type) and issubclass(kind, Enum):
        known = {member.value: member for member in kind}
        if not isinstance(found, str) or found not in known:
            raise _expected(f"one of {', '.join(known)}", found, at)
        return known[found]
    if is_dataclass(kind):
        optional = {f.name for f in fields(kind) if f.default is not MISSING or f.default_factory is not MISSING}
        known = {f.name for f in fields(kind) if f.init}
        return typing.cast(type, kind)(**_fields(kind, found, at, known, optional))
    if typing.is_typeddict(kind):
        return _fields(kind, found, at, {*typing.get_type_hints(kind)}, {*kind.__optional_keys__})
    return _scalar(kind, found, at)


def _object(found: object, at: str) -> Mapping[str, object]:
    if not isinstance(found, Mapping):
        raise _expected(_WORDS[dict], found, at)
    return found


def _fields(kind: Any, found: object, at: str, known: set[str], optional: set[str]) -> dict[str, Any]:
    given, hints = _object(found, at), typing.get_type_hints(kind, include_extras=True)
    for key in given:
        if key not in known:
            raise _Fault(f"there is no key '{at}.{key}': {did_you_mean(str(key), known)}")
    for key in sorted(known - optional - given.keys()):
        raise _Fault(f"{at}.{key} is missing.")
    return {key: _value(hints[key], item, f"{at}.{key}") for key, item in given.items()}


def _any_of(members: tuple[Any, ...], found: object, at: str) -> Any:
    if found is None and type(None) in members:
        return None
    others = [member for member in members if member is not type(None)]
    if len(others) == 1:
        return _value(others[0], found, at)
    for member in others:
        try:
            return _value(member, found, at)
        except _Fault:
            continue
    raise _expected(" or ".join(_WORDS.get(member, str(member)) for member in others), found, at)


def _scalar(kind: Any, found: object, at: str) -> Any:
    if kind is float and type(found) is int and abs(found) < 2**63:
        return found
    if type(found) is not kind or (kind is float and not math.isfinite(typing.cast(float, found))):
        raise _expected(_WORDS.get(kind, str(kind)), found, at)
    if kind is str and not str(found).isascii():
        try:
            str(found).encode()
        except UnicodeEncodeError:
            raise _expected("a text in Unicode", found, at) from None
    return found


def _bounded(value: Any, limits: tuple[object, ...], at: str) -> Any:
    for limit in limits:
        if isinstance(limit, Range) and value not in limit:
            raise _expected(f"in {limit}", value, at)
    return value
