"""`demo`: the first look at what there is."""

from pathlib import Path

from priorcraft.train.loop import Listener, silent
from priorcraft.verbs.compare import Comparison, compare

STEPS = 400  # enough for a first good look, and the same numbers on every machine of a kind


def demo(*, out: str | Path = "priorcraft-demo", seed: int = 0, listen: Listener = silent) -> Comparison:
    """Fit a model of each family to handwritten digits, compare them, and show the report.

    Args:
        out: folder for the runs and report.html; an earlier demo in it is replaced.
        seed: of every random draw.
        listen: gives a consumer of the loop's records for each model.

    Returns:
        The comparison, as `compare` gives it.

    Raises:
        UsageError: a folder that holds something else.
    """
    return compare("digits", steps=STEPS, out=out, seed=seed, overwrite=True, listen=listen)
