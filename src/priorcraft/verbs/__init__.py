"""What can be done, one function a verb: the command line's twins.

>>> from priorcraft import verbs
>>> [row["name"] for row in verbs.models()][0]
'autoregressive'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from priorcraft.datasets import open_data
    from priorcraft.run import load
    from priorcraft.verbs.augmenting import augment
    from priorcraft.verbs.catalogue import data, models
    from priorcraft.verbs.classifying import classify
    from priorcraft.verbs.comparing import compare, demo
    from priorcraft.verbs.detecting import unusual
    from priorcraft.verbs.encoding import decode, encode
    from priorcraft.verbs.evaluating import evaluate
    from priorcraft.verbs.fitting import fit
    from priorcraft.verbs.imputing import impute
    from priorcraft.verbs.inpainting import inpaint
    from priorcraft.verbs.mapping import latent_map
    from priorcraft.verbs.moving import analogy, interpolate, traverse
    from priorcraft.verbs.sampling import sample
    from priorcraft.verbs.scoring import score
    from priorcraft.verbs.tables import bayes
    from priorcraft.verbs.translating import fit_pairs, translate
    from priorcraft.verbs.upscaling import upscale

_HOMES = {
    "analogy": "priorcraft.verbs.moving",
    "augment": "priorcraft.verbs.augmenting",
    "bayes": "priorcraft.verbs.tables",
    "classify": "priorcraft.verbs.classifying",
    "compare": "priorcraft.verbs.comparing",
    "data": "priorcraft.verbs.catalogue",
    "decode": "priorcraft.verbs.encoding",
    "demo": "priorcraft.verbs.comparing",
    "encode": "priorcraft.verbs.encoding",
    "evaluate": "priorcraft.verbs.evaluating",
    "fit": "priorcraft.verbs.fitting",
    "fit_pairs": "priorcraft.verbs.translating",
    "impute": "priorcraft.verbs.imputing",
    "inpaint": "priorcraft.verbs.inpainting",
    "interpolate": "priorcraft.verbs.moving",
    "latent_map": "priorcraft.verbs.mapping",
    "load": "priorcraft.run",
    "models": "priorcraft.verbs.catalogue",
    "open_data": "priorcraft.datasets",
    "sample": "priorcraft.verbs.sampling",
    "score": "priorcraft.verbs.scoring",
    "upscale": "priorcraft.verbs.upscaling",
    "traverse": "priorcraft.verbs.moving",
    "translate": "priorcraft.verbs.translating",
    "unusual": "priorcraft.verbs.detecting",
}

__all__ = [
    "analogy",
    "augment",
    "bayes",
    "classify",
    "compare",
    "data",
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
]


def __getattr__(name: str) -> Any:
    """Imports the module of a verb when it is first asked for; a table of Bayes needs no model."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'priorcraft.verbs' has no attribute '{name}'")
