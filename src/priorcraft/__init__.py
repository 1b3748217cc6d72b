"""One learned prior, every question.

>>> import priorcraft as pc
>>> splits = pc.open_data("digits")
>>> splits.space
Space(event_shape=(1, 8, 8), levels=17)
"""

import inspect
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from typing import Any

from priorcraft import declared

__version__ = "0.1.0"

_FACE = {
    "priorcraft.answer": ("Answer", "Kind"),
    "priorcraft.condition": ("posterior",),
    "priorcraft.core": ("Approximate", "Exact", "Generative", "Implicit", "Space"),
    "priorcraft.datasets": ("open_data",),
    "priorcraft.observe": ("BlockMean", "Mask"),
    "priorcraft.run": ("Run", "load"),
    "priorcraft.scale.questions": ("asked",),
}
_HOMES = {name: module for module, names in _FACE.items() for name in names}


def __getattr__(name: str) -> Any:
    """Loads a verb or a type, and torch with it, when it is first asked for."""
    if name in _HOMES or name in declared.names():
        return _loaded(_HOMES.get(name, f"priorcraft.verbs.{name}"), name)
    raise AttributeError(f"module 'priorcraft' has no attribute '{name}'")


@cache
def _loaded(module: str, name: str) -> Any:
    """A type, or a function that leaves the process as it found it, as its import does."""
    runtime = import_module("priorcraft.runtime")
    with runtime.borrowed_process():
        found = getattr(import_module(module), name)
    return found if isinstance(found, type) else runtime.undisturbed(_reading_named(_numbers_checked(found)))


def _numbers_checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose whole numbers and numbers may be of any library, and nothing else."""
    as_declared, names = import_module("priorcraft.settings").as_declared, inspect.signature(function).parameters

    @wraps(function)
    def called(*args: Any, **given: Any) -> Any:
        first = as_declared(function, dict(zip(names, args, strict=False)))
        return function(*first.values(), *args[len(first) :], **as_declared(function, given))

    return called


def _reading_named(function: Callable[..., Any]) -> Callable[..., Any]:
    """A verb that takes how data are read (label, size, ...) by name, as its command does, not in `reading` alone."""
    own = inspect.signature(function).parameters
    more = [argument.name for argument in declared.reading() if argument.name not in own]
    if "reading" not in own:
        return function

    @wraps(function)
    def called(*args: Any, **given: Any) -> Any:
        how = {name: given.pop(name) for name in more if name in given}
        if how:
            given["reading"] = {**(given.get("reading") or {}), **how}
        return function(*args, **given)

    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in more]
    vars(called)["__signature__"] = inspect.Signature([*own.values(), *named])
    return called


def __dir__() -> list[str]:
    return sorted([*_HOMES, *declared.names(), "__version__"])
