"""`upscale`: larger images from small ones, by what a fitted model knows of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from priorcraft import runtime
from priorcraft.condition.enlarged import small_space
from priorcraft.condition.enlarged import upscale as upscaling
from priorcraft.core import Space
from priorcraft.datasets import Splits
from priorcraft.observe import BlockMean
from priorcraft.run import Run
from priorcraft.run.data import opened
from priorcraft.verbs.restoring import (
    Images,
    check_size,
    checked_targets,
    images_of,
    labels_of,
    report,
    written,
)


def upscale(
    run: str | Path | Run,
    image: Images = None,
    *,
    factor: int = 2,
    n: int = 8,
    draws: int = 64,
    data: str | Path | Splits | None = None,
    limit: int = 450,
    given: Mapping[str, str | int] | None = None,
    out: str | Path | None = None,
    restored: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Enlarges images from p(x | its block means); no training for the task.

    Args:
        image: image files of one size: the model's divided by factor, or larger, which are enlarged tile by tile.
        factor: side of a block.
        data: instead of image: its test rows are made smaller, enlarged, and compared with the truth.
        run, n, draws, limit, given, out, restored, overwrite, seed, device: as in `inpaint`.

    Returns:
        As `inpaint`.
    """
    targets = checked_targets(out, restored, overwrite)
    fitted, where = opened(run, device)
    small = small_space(fitted.model.space, factor)
    x, splits, labels = images_of(fitted, image, data, limit, small)
    entries = x[0].numel() * (1 if splits is not None else factor**2)
    check_size(n, draws, x, entries)
    truth, observation = (x if splits is not None else None), BlockMean(factor)
    sums = x if truth is None else (observation.forward(truth) * factor**2).round().long()
    generator = runtime.keyed(seed, "upscale", device=where)
    done = upscaling(
        fitted.model, sums.to(where), factor, n, draws=draws, given=labels_of(fitted, given, x), generator=generator
    )
    y = sums.float() / factor**2
    enlarged = (observation.adjoint(y) * factor**2).round().long()  # each block at its mean
    space = Space(tuple(enlarged.shape[1:]), fitted.model.space.levels)
    everything = torch.ones(space.event_shape, dtype=torch.bool)
    answer = report(done, observation, y, truth, everything, splits, labels, seed)
    return written(answer, done, (everything.expand_as(enlarged), enlarged), truth, space, targets)
