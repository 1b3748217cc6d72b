"""Photographs that are asked about without a run: which files they are, and what is hidden of each."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from priorcraft.contents import printable
from priorcraft.core import Space
from priorcraft.datasets.folder import find_images
from priorcraft.datasets.image import SUFFIXES
from priorcraft.errors import DataError, UsageError
from priorcraft.observe.named import named_mask
from priorcraft.photo.painted import Painted, erased, read_mask
from priorcraft.photo.picture import Picture
from priorcraft.photo.restored import Photograph
from priorcraft.run import Run
from priorcraft.train.loop import Record

ALPHA = "alpha"  # the mask that an image brings along


def photographs(run: str | Path | Run, more: str | Path | Sequence[str | Path] | None) -> list[Path] | None:
    """The image files that stand in the place of a run, folders entered; None if `run` is a run.

    Raises:
        UsageError: several at once in the place of one.
        DataError: a folder without images.
    """
    if not isinstance(run, str | Path | Run):
        raise UsageError(
            f"run must be a run, an image or a folder of images, not {type(run).__name__}; name more as images."
        )
    if isinstance(run, Run) or not _is_of_images(Path(run)):
        return None
    others = [more] if isinstance(more, str | Path) else list(more or ())
    return files_of([Path(run), *map(Path, others)])


def _is_of_images(path: Path) -> bool:
    """An image file, or a folder of them that is no run."""
    if path.is_dir():
        return not (path / "config.json").exists() and any(file.suffix.lower() in SUFFIXES for file in path.iterdir())
    return path.suffix.lower() in SUFFIXES


def refuse(**options: object) -> None:
    """Raises a UsageError if an option is given that only a run understands."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} needs a run; a photograph by itself has no {name}.")


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, and the images in folders."""
    return [file for path in paths for file in (find_images(path)[0] if path.is_dir() else [path])]


def one_by_one(
    files: Sequence[Path], work: Callable[[int], Photograph], told: Callable[[Record], None]
) -> list[Photograph]:
    """What is made of each photograph, in order; of several, each is told with the time that is left."""
    began, done = time.perf_counter(), list[Photograph]()
    for number, file in enumerate(files):
        done.append(work(number))
        if len(files) > 1:
            spent, count = time.perf_counter() - began, len(done)
            left = spent / count * (len(files) - count)
            said = f"{count} of {len(files)}: {printable(file)}, {left:.0f} s left"
            told(Record("note", count, count / len(files), spent, {"message": said}))
    return done


def mask_of(mask: str, file: Path, photo: Picture, colour: str | None, seed: int) -> Painted:
    """What is hidden of a photograph by a mask with a name, a file, or the file of the photograph's name in a folder.

    Raises:
        UsageError: no such name.
        DataError: no such file, or one that does not fit.
    """
    path, size = Path(mask), photo.pixels.shape[:2]
    if mask == ALPHA:
        return erased(photo)
    if path.is_dir():
        found = [each for each in find_images(path)[0] if each.stem == file.stem]
        if len(found) != 1:
            raise DataError(f"{printable(path)} holds {len(found) or 'no'} masks of the name {printable(file.stem)}.")
        path = found[0]
    if path.suffix.lower() in SUFFIXES:
        return read_mask(path, photo, colour)
    if colour is not None:
        raise UsageError("mask_colour says which colour of a mask file hides; the mask here is a name.")
    hidden = ~named_mask(mask, Space((1, *size), 256), seed=seed)[0]
    return Painted(hidden, f"mask: {mask}.")


def blank(height: int, width: int) -> Picture:
    """A black picture: what masks of test rows are held against."""
    return Picture(np.zeros((height, width, 1), np.uint8))


def seen_of(
    mask: str, space: Space, file: Path | None, photo: Picture | None, colour: str | None, seed: int
) -> Painted:
    """A mask for points of a space; of images from a file or by name, of other points by name alone.

    Raises:
        UsageError, DataError: as `mask_of` does.
    """
    if not space.is_image:
        if Path(mask).suffix.lower() in SUFFIXES:
            raise UsageError("a mask from a file needs images.")
        return Painted(~named_mask(mask, space, seed=seed), f"mask: {mask}.")
    height, width = space.event_shape[1:]
    found = mask_of(mask, file or Path(), photo or blank(height, width), colour, seed)
    return Painted(found.hidden.expand(space.event_shape), found.rule)
