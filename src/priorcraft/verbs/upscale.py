"""`upscale`: larger images from small ones, by what a fitted model knows of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch

from priorcraft import runtime
from priorcraft.condition import enlarged as by_model
from priorcraft.core import Space
from priorcraft.datasets import Splits
from priorcraft.datasets.progress import telling
from priorcraft.errors import UsageError
from priorcraft.observe import BlockMean
from priorcraft.photo.restored import Best, Photograph, enlarged, read_pictures
from priorcraft.report.photographs import Enlarged
from priorcraft.report.restored import Restored, measured
from priorcraft.run import Run
from priorcraft.run.data import Given, labels_of, opened
from priorcraft.run.images import check_size, images_of, top_of
from priorcraft.run.photographs import files_of, one_by_one, photographs, refuse
from priorcraft.train.loop import Record, heard
from priorcraft.verbs.fit import Listener, silent


def upscale(
    run: str | Path | Run,
    image: str | Path | Sequence[str | Path] | None = None,
    *,
    factor: int = 2,
    n: int = 8,
    draws: int | None = None,
    data: str | Path | Splits | None = None,
    limit: int = 450,
    given: Given | None = None,
    prior: str | Path | None = None,
    top: int | None = None,
    restored_as: Literal["mean", "draw", "median"] = "mean",
    seed: int = 0,
    listen: Listener = silent,
) -> Restored | Enlarged:
    """Enlarge images in several ways, each with exactly the block means that were seen.

    The images are draws of p(x | its block means). Without a run before them, photographs of any size are enlarged by
    what their own windows look like (approximate, its spread calibrated on the photograph made smaller still).

    Args:
        run (or image): the run folder, or what `fit` and `load` return; or at once an image, or a folder of images.
        image: image files of one size: the model's divided by factor, or larger, which are enlarged tile by tile.
        factor: side of a block.
        n: enlargements of each image.
        draws: how many the mean and the uncertainty are taken over; without it 64, and n of images larger than the
            model's. Photographs without a run have their mean without draws; n for their uncertainty and median.
        data: instead of an image: make the test rows of these data smaller, enlarge them, and compare with the truth.
        limit: test rows at most.
        given: label=CLASS, if the class is known.
        prior: without a run, an image or a folder of images from whose windows is learned, too.
        top: without a run, the value of 16 bits that is white, as 4095 of a camera with 12; told from the pixels else.
        restored_as: what is restored: the mean, the first draw, or the median of the draws.
        seed: of every random draw: the same seed gives the same answer.
        listen: gives a consumer of records of the progress through several photographs.

    Writes:
        out: .png for a sheet (seen, enlargements, mean, uncertainty, truth), .npz for the numbers (x, mean, std,
            entropy, seen, mask).
            Of photographs without a run, the enlarged image itself; a folder takes the enlarged images.
        restored: .png or .tif of the enlarged image alone; a folder, or a file for each of several images.
        sheet: .png of the sheet.

    Returns:
        The enlarged images, the kind of engine that made them, and figures where the truth is known.

    Raises:
        UsageError, DataError, ImpossibleEvidence: as their names say.
    """
    files = photographs(run, image)
    if files is not None:
        refuse(data=data, given=given)
        return _enlarged(files, factor, (n, draws or n), prior, top, restored_as, seed, listen("upscale"))
    if prior is not None:
        raise UsageError("prior is for photographs without a run; the run is the prior here.")
    if top is not None:
        raise UsageError("top is for photographs without a run; a run keeps the one that it was fitted with.")
    fitted, where = opened(run)
    named = images_of(fitted, image, data, limit, by_model.small_space(fitted.model.space, factor))
    truth, observation = (None if named.splits is None else named.x), BlockMean(factor)
    check_size(n, draws or n, len(named.x), named.x[0].numel() * (factor**2 if truth is None else 1))
    sums = named.x if truth is None else (observation.forward(truth) * factor**2).round().long()
    generator, labels = runtime.keyed(seed, "upscale", device=where), labels_of(fitted, given, len(sums))
    with telling(heard(listen("upscale"))):
        done = by_model.upscale(fitted.model, sums.to(where), factor, n, draws=draws, given=labels, generator=generator)
    y = sums.float() / factor**2
    blocks = (observation.adjoint(y) * factor**2).round().long()  # each at its mean
    space = Space(tuple(blocks.shape[1:]), fitted.model.space.levels)
    everything = torch.ones(space.event_shape, dtype=torch.bool)
    found = measured(done, observation, y, truth, everything, named.splits, named.y, seed)
    return Restored.of(
        done,
        found,
        seen=blocks,
        mask=everything,
        truth=truth,
        space=space,
        files=named.files,
        top=top_of(fitted),
        restored_as=restored_as,
        factor=factor,
    )


def _enlarged(
    files: list[Path],
    factor: int,
    counts: tuple[int, int],
    prior: str | Path | None,
    top: int | None,
    restored_as: Best,
    seed: int,
    told: Callable[[Record], None],
) -> Enlarged:
    """Larger photographs, each by itself; counts are those shown and all that are drawn."""
    if factor < 2:
        raise UsageError(f"factor must be at least 2, not {factor}.")
    others = read_pictures(files_of([Path(prior)]), top) if prior is not None else []
    seen = read_pictures(files, top)
    check_size(*counts, 1, factor**2 * max(photo.pixels.size for photo in seen))

    def one(number: int) -> Photograph:
        generator = runtime.keyed(seed, "upscale", number)
        return enlarged(files[number], seen[number], factor, n=max(counts), others=others, generator=generator)

    return Enlarged.of(one_by_one(files, one, told), counts[0], restored_as)
