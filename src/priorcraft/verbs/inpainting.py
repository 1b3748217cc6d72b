"""`inpaint`: what a fitted model makes of the hidden part of an image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.condition.tiles import inpaint as inpainting
from priorcraft.core import Space
from priorcraft.datasets import Splits
from priorcraft.datasets.image import decode
from priorcraft.disk import printable
from priorcraft.errors import DataError, UsageError
from priorcraft.observe import Mask
from priorcraft.observe.named import named_mask
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


def inpaint(
    run: str | Path | Run,
    image: Images = None,
    *,
    mask: str,
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
    """Completes what a mask hides, from p(hidden | seen); no training for the task.

    Args:
        run: a run folder, or what `load` returned.
        image: one image file or several of one size, as large as the model's images or larger.
        mask: bottom, top, left, right, centre, random:SHARE, or a .png of the images' size, white where hidden.
        n: completions of each image.
        draws: how many the mean and the spread are taken over.
        data: instead of image: what `open_data` takes; its test rows are completed and compared with the truth.
        limit: test rows at most.
        given: {"label": class}, if it is known.
        out: .png (a sheet: seen, completions, mean, uncertainty, truth) or .npz (x, mean, std, entropy, seen, mask).
        restored: .png of the first completion of the first image.
        overwrite: replace files that are there.
        seed: of the draws, and of a random mask.
        device: auto, cpu, cuda or mps.

    Returns:
        "kind", "method", "diagnostics", "psnr_mean", "ssim_mean", "judge_samples", "judge_mean", "bits_per_hidden",
        "coverage90" (None where the truth is not known), "consistency", "notes", "n", "images", "seconds", "out"; and
        x, mean, std, entropy, seen, mask as tensors if `out` is None.

    Raises:
        UsageError, DataError, ImpossibleEvidence: as their names say.
    """
    targets = checked_targets(out, restored, overwrite)
    fitted, where = opened(run, device)
    x, splits, labels = images_of(fitted, image, data, limit)
    check_size(n, draws, x)
    space = Space(tuple(x.shape[1:]), fitted.model.space.levels)
    seen = mask_of(mask, space, seed)
    generator = runtime.keyed(seed, "inpaint", device=where)
    done = inpainting(
        fitted.model,
        x.to(where),
        seen.to(where),
        n,
        draws=draws,
        given=labels_of(fitted, given, x),
        generator=generator,
    )
    truth = x if splits is not None else None
    observation = Mask(seen)
    answer = report(done, observation, observation.forward(x), truth, ~seen, splits, labels, seed)
    shown = seen.expand_as(x), observation.forward(x)
    original = None if image is None else (image if isinstance(image, str | Path) else image[0], seen)
    return written(answer, done, shown, truth, space, targets, original)


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
