"""One learned prior, every question.

>>> import priorcraft as pc
>>> splits = pc.open_data("digits")
>>> splits.space
Space(event_shape=(1, 8, 8), levels=17)
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_VERBS = {
    "analogy",
    "augment",
    "classify",
    "compare",
    "decode",
    "demo",
    "encode",
    "evaluate",
    "fit",
    "fit_pairs",
    "impute",
    "inpaint",
    "interpolate",
    "latent_map",
    "load",
    "models",
    "open_data",
    "sample",
    "score",
    "translate",
    "traverse",
    "unusual",
    "upscale",
}


def __getattr__(name: str) -> Any:
    """Loads a verb, and torch with it, when it is first asked for."""
    if name in _VERBS:
        return getattr(import_module("priorcraft.verbs"), name)
    raise AttributeError(f"module 'priorcraft' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(_VERBS | {"__version__"})
