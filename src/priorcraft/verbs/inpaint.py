"""`inpaint`: what a fitted model makes of the hidden part of an image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.condition import tiles
from priorcraft.core import Space
from priorcraft.datasets import Splits
from priorcraft.datasets.image import decode
from priorcraft.disk import printable
from priorcraft.errors import DataError, UsageError
from priorcraft.observe import Mask
from priorcraft.observe.named import named_mask
from priorcraft.report.restored import Restored, measured
from priorcraft.run import Run
from priorcraft.run.data import Given, labels_of, opened
from priorcraft.run.images import check_size, images_of


def inpaint(
    run: str | Path | Run,
    image: str | Path | Sequence[str | Path] | None = None,
    *,
    mask: str,
    n: int = 8,
    draws: int = 64,
    data: str | Path | Splits | None = None,
    limit: int = 450,
    given: Given | None = None,
    seed: int = 0,
) -> Restored:
    """Complete what a mask hides, in several ways, from one fitted model.

    The completions are draws of p(hidden | seen); nothing is trained for the task.

    Args:
        run: the run folder, or what `fit` and `load` return.
        image: one image file, or several of one size; larger ones than the model's are completed tile by tile.
        mask: bottom, top, left, right, centre, random:SHARE, or a .png of the images' size, white where hidden.
        n: completions of each image.
        draws: how many the mean and the uncertainty are taken over.
        data: instead of an image: complete the test rows of these data, and compare with the truth.
        limit: test rows at most.
        given: label=CLASS, if the class is known.
        seed: of every random draw, and of a random mask: the same seed gives the same answer.

    Writes:
        out: .png for a sheet (seen, completions, mean, uncertainty, truth), .npz for the numbers (x, mean, std,
            entropy, seen, mask).
        restored: .png of the first completion of the first image alone.

    Returns:
        The completions, the kind of engine that made them, and figures where the truth is known.

    Raises:
        UsageError, DataError, ImpossibleEvidence: as their names say.
    """
    fitted, where = opened(run)
    named = images_of(fitted, image, data, limit)
    x = named.x
    check_size(n, draws, len(x), x[0].numel())
    space = Space(tuple(x.shape[1:]), fitted.model.space.levels)
    seen = mask_of(mask, space, seed)
    generator, labels = runtime.keyed(seed, "inpaint", device=where), labels_of(fitted, given, len(x))
    done = tiles.inpaint(fitted.model, x.to(where), seen.to(where), n, draws=draws, given=labels, generator=generator)
    truth, observation = (None if named.splits is None else x), Mask(seen)
    y = observation.forward(x)
    found = measured(done, observation, y, truth, ~seen, named.splits, named.y, seed)
    file = named.files[0] if named.files else None
    return Restored.of(done, found, seen=y, mask=seen, truth=truth, space=space, file=file)


def mask_of(name: str, space: Space, seed: int) -> Tensor:
    """A mask by its name or from a file, True where seen, (*event_shape).

    Raises:
        DataError: a file of another size, or with other values than two.
    """
    if Path(name).suffix.lower() not in (".png", ".bmp", ".tif", ".tiff", ".gif"):
        return named_mask(name, space, seed=seed)
    if not space.is_image:
        raise UsageError("a mask from a file needs images.")
    grey = np.asarray(decode(name).convert("L"))
    if grey.shape != space.event_shape[1:]:
        height, width = space.event_shape[1:]
        raise DataError(
            f"the mask {printable(name)} is {grey.shape[1]} x {grey.shape[0]}, the image {width} x {height}."
        )
    values = np.unique(grey)
    if len(values) > 2 or (len(values) == 1 and values[0] not in (0, 255)):
        raise DataError(
            f"the mask {printable(name)} must have two values, black where seen and white where hidden; "
            f"found {len(values)} values."
        )
    hidden = grey == 255 if len(values) == 1 else grey == values[-1]
    return torch.from_numpy(~hidden).expand(space.event_shape)
