"""`evaluate`: samples of any origin beside the data that they should look like."""

import time
from pathlib import Path
from typing import Any, cast

import torch

from priorcraft import runtime
from priorcraft.core import UNLABELLED
from priorcraft.datasets import Reading, Rows, Splits, open_data
from priorcraft.errors import DataError
from priorcraft.metrics.copies import copies
from priorcraft.metrics.features import draw
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.sharpness import sharpness
from priorcraft.metrics.two_sample import two_sample
from priorcraft.run.data import brought, describe, within

MOST = 10_000  # samples that are looked at


def evaluate(
    samples: str | Path | Splits,
    data: str | Path | Splits,
    *,
    seed: int = 0,
    reading: Reading | None = None,
) -> dict[str, Any]:
    """Judges samples by whatever made them, with the controls that `docs/metrics.md` explains; no model is needed.

    Args:
        samples: an .npz, a folder of images, a .csv, or anything else that `open_data` takes, in the form of the data;
            labels, where there are any, name the classes that the samples should be of.
        data: the real data; samples should look like their test rows, and not be copies of their training rows.
        seed: of the draws, folds and divisions.
        reading: size, mode, levels, limit, on_bad_image or label of `open_data`.

    Returns:
        "n" (samples), "two_sample" {"auc", "floor", "verdict"}, "copies" {"share", "control", "verdict"}, "fidelity"
        and "judge" (the judge's accuracy on real test rows; None without labels of two classes), "sharpness" (None but
        for images of integers), "notes", "seconds".

    Raises:
        UsageError, DataError: as their names say.

    >>> digits = open_data("digits")
    >>> found = evaluate(digits, digits)
    >>> found["copies"]["verdict"], found["fidelity"] > 0.99
    ('copies', True)
    """
    began = time.perf_counter()
    real = data if isinstance(data, Splits) else open_data(data, seed=seed, **(reading or {}))
    rows, notes = rows_of(samples, real, seed, reading or {})
    known = None if rows.y is None else rows.where(rows.y != UNLABELLED)
    judge = Judge(real, seed=seed) if real.classes and known is not None and len(known) else None
    images = real.space.is_image and real.space.levels is not None
    return {
        "n": len(rows),
        "two_sample": two_sample(rows.x, real, seed=seed).as_dict(),
        "copies": copies(rows.x, real, seed=seed).as_dict(),
        "fidelity": None if judge is None or known is None or known.y is None else judge.fidelity(known.x, known.y),
        "judge": None if judge is None else judge.accuracy,
        "sharpness": sharpness(rows.x, real) if images else None,
        "notes": notes,
        "seconds": round(time.perf_counter() - began, 3),
    }


def rows_of(samples: str | Path | Splits, real: Splits, seed: int, reading: Reading) -> tuple[Rows, list[str]]:
    """All the samples, in the space and the classes of the real data, and what was noted of them."""
    if isinstance(samples, Splits):
        found = samples
    elif real.columns is not None:
        found = open_data(samples, seed=seed, known=real.fingerprint, columns=real.columns)
    else:
        how = cast(Reading, {key: value for key, value in reading.items() if key == "on_bad_image"})
        if real.space.is_image and real.space.levels is not None:
            how["levels"] = real.space.levels
        how = brought(samples, real.space, how)
        found = open_data(samples, seed=seed, known=real.fingerprint, classes=real.classes or None, **how)
    try:
        found = within(found, real.space)
    except DataError:
        told = f"the data are {describe(real.space)}, but these samples are {describe(found.space)}"
        raise DataError(f"{told}, or go beyond them.") from None
    parts = [found.train, found.valid, found.test] if found.divided else [found.train]
    y = [part.y for part in parts if part.y is not None]
    rows = Rows(torch.cat([part.x for part in parts]), torch.cat(y) if len(y) == len(parts) else None)
    if len(rows) <= MOST:
        return rows, []
    return draw(rows, MOST, generator=runtime.keyed(seed, "samples")), [f"{MOST:,} of {len(rows):,} samples, drawn."]
