"""`inpaint`: what a fitted model makes of the hidden part of an image."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from priorcraft import runtime
from priorcraft.condition import tiles
from priorcraft.core import Space
from priorcraft.datasets import Splits
from priorcraft.datasets.progress import telling
from priorcraft.errors import UsageError
from priorcraft.observe import Mask
from priorcraft.photo.picture import read_picture
from priorcraft.photo.restored import Best, Photograph, read_pictures, repaired
from priorcraft.report.photographs import Photographs
from priorcraft.report.restored import Restored, measured
from priorcraft.run import Run
from priorcraft.run.data import Given, labels_of, opened
from priorcraft.run.images import check_size, images_of, top_of
from priorcraft.run.photographs import files_of, mask_of, one_by_one, photographs, refuse, seen_of
from priorcraft.train.loop import Record, heard
from priorcraft.verbs.fit import Listener, silent


def inpaint(
    run: str | Path | Run,
    image: str | Path | Sequence[str | Path] | None = None,
    *,
    mask: str,
    mask_colour: str | None = None,
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
) -> Restored | Photographs:
    """Complete what a mask hides, in several ways, from a fitted model or from the photograph itself.

    The completions are draws of p(hidden | seen). Without a run before them, photographs of any size are repaired from
    their own windows (approximate, its spread calibrated on pixels that are hidden for the purpose).

    Args:
        run (or image): the run folder, or what `fit` and `load` return; or at once an image, or a folder of images.
        image: one image file, or several of one size; larger ones than the model's are completed tile by tile.
        mask: an image file of the images' size (white on black, any colour on transparent or on a copy of the image, or
            erased), a folder of such, alpha, bottom, top, left, right, centre, or random:SHARE.
        mask_colour: the colour that hides in the mask file, as in red or #ff0000; without it, the rule is found.
        n: completions of each image.
        draws: how many the mean and the uncertainty are taken over; without it 64, and n of images larger than the
            model's. Photographs without a run have their mean without draws; n for their uncertainty and median.
        data: instead of an image: complete the test rows of these data, and compare with the truth.
        limit: test rows at most.
        given: label=CLASS, if the class is known.
        prior: without a run, an image or a folder of images from whose windows is learned, too.
        top: without a run, the value of 16 bits that is white, as 4095 of a camera with 12; told from the pixels else.
        restored_as: what is restored: the mean, the first draw, or the median of the draws.
        seed: of every random draw, and of a random mask: the same seed gives the same answer.
        listen: gives a consumer of records of the progress through several photographs.

    Writes:
        out: .png for a sheet (seen, completions, mean, uncertainty, truth), .npz for the numbers (x, mean, std,
            entropy, seen, mask).
            A folder takes the restored images.
        restored: .png or .tif of the restored image alone, seen pixels as in its file; a folder, or a file for each of
            several images.
        sheet: .png of the sheet.

    Returns:
        The completions, the kind of engine that made them, and figures where the truth is known.

    Raises:
        UsageError, DataError, ImpossibleEvidence: as their names say.
    """
    files = photographs(run, image)
    if files is not None:
        refuse(data=data, given=given)
        return _repaired(files, mask, mask_colour, (n, draws or n), prior, top, restored_as, seed, listen("inpaint"))
    if prior is not None:
        raise UsageError("prior is for photographs without a run; the run is the prior here.")
    if top is not None:
        raise UsageError("top is for photographs without a run; a run keeps the one that it was fitted with.")
    fitted, where = opened(run)
    named = images_of(fitted, image, data, limit)
    x = named.x
    check_size(n, draws or n, len(x), x[0].numel())
    space = Space(tuple(x.shape[1:]), fitted.model.space.levels)
    own = [Path(file) for file in named.files[:1]]
    painted = seen_of(mask, space, own[0] if own else None, read_picture(own[0]) if own else None, mask_colour, seed)
    seen = ~painted.hidden
    generator, labels = runtime.keyed(seed, "inpaint", device=where), labels_of(fitted, given, len(x))
    with telling(heard(listen("inpaint"))):
        here = (x.to(where), seen.to(where))
        done = tiles.inpaint(fitted.model, *here, n, draws=draws, given=labels, generator=generator)
    truth, observation = (None if named.splits is None else x), Mask(seen)
    y = observation.forward(x)
    found = measured(done, observation, y, truth, ~seen, named.splits, named.y, seed)
    rule = () if painted.rule == f"mask: {mask}." else (painted.rule,)
    return Restored.of(
        done,
        found,
        seen=y,
        mask=seen,
        truth=truth,
        space=space,
        files=named.files,
        top=top_of(fitted),
        restored_as=restored_as,
        notes=rule,
    )


def _repaired(
    files: list[Path],
    mask: str,
    colour: str | None,
    counts: tuple[int, int],
    prior: str | Path | None,
    top: int | None,
    restored_as: Best,
    seed: int,
    told: Callable[[Record], None],
) -> Photographs:
    """Photographs without what is hidden in them, each by itself; counts are those shown and all that are drawn."""
    seen = read_pictures(files, top)
    check_size(*counts, 1, max(photo.pixels.size for photo in seen))
    masks = [mask_of(mask, file, photo, colour, seed) for file, photo in zip(files, seen, strict=True)]
    others = read_pictures(files_of([Path(prior)]), top) if prior is not None else []

    def one(number: int) -> Photograph:
        generator = runtime.keyed(seed, "inpaint", number)
        return repaired(files[number], seen[number], masks[number], n=max(counts), others=others, generator=generator)

    return Photographs.of(one_by_one(files, one, told), counts[0], restored_as)
