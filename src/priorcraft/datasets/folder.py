"""A folder of images: scanned first, then read."""

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median_low
from typing import Literal

import numpy as np
import torch

from priorcraft.contents import escaped, printable
from priorcraft.datasets.image import SUFFIXES, BadImage, decoded, head, to_pixels
from priorcraft.datasets.progress import by_processes, processors, tell
from priorcraft.datasets.raw import Raw
from priorcraft.datasets.shelf import MEMORY, Shelf
from priorcraft.errors import DataError
from priorcraft.mapped import array_of, let_go, tensor_of

Mode = Literal["auto", "grey", "rgb"]
OnBadImage = Literal["skip", "error"]
SPLIT_NAMES = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
LOOKED_AT = 256  # heads, from which the shape of all images is guessed
PIECE, MANY = 256, 2048  # files that are read at once, and from which on several processes read
BAD_SHARE = 0.05
SIDE_CAP = 64
MOST_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Found:
    """An image file: where it is, and what it belongs to."""

    path: Path
    split: str
    label: str


@dataclass(frozen=True)
class Read:
    """A stretch of images, decoded and brought to one shape.

    Args:
        pixels: uint8, (n, C, H, W), those of bad files left as they were.
        shapes: height and width of each before; None of a bad file.
        grey: whether each has no colours.
        bad: number to the reason why it cannot be read.
        most: the largest value of 16 bits; None where no file has so many.
    """

    pixels: np.ndarray
    shapes: list[tuple[int, int] | None]
    grey: list[bool]
    bad: dict[int, str]
    most: int | None


def open_folder(
    root: Path,
    *,
    size: int | None = None,
    mode: Mode = "auto",
    on_bad_image: OnBadImage | None = None,
    top: int | None = None,
    shelf: Shelf = MEMORY,
) -> Raw:
    """The images below a folder, each decoded once, by several processes if there are many.

    The first folder below the root is the label; where the folders are train, valid and test, the first below them.

    Args:
        root: the folder.
        size: side of the square that every image is brought to; None keeps a common size, or picks one.
        mode: "auto" reads grey if every image is grey.
        on_bad_image: "skip" them all, or "error" at any; None skips up to 5 % of the images.
        top: the value of 16 bits that is white; 65535 without it.
        shelf: where the pixels are put.

    Raises:
        DataError: no image, too many bad ones, or more pixels than fit into memory.
    """
    paths, notes, closed = find_images(root)
    found, strays = _placed(root, paths)
    guess = _guess(found, size, mode)
    pixels, seen = _read(found, guess, top, shelf)
    bad = [f"{printable(found[i].path.relative_to(root))} ({reason})" for i, reason in seen.bad.items()]
    notes += [*_judge([*closed, *bad], len(paths) + len(closed), on_bad_image), *strays]
    shape, how = _common_shape([shape for shape in seen.shapes if shape is not None], size)
    channels = 1 if mode == "grey" or (mode == "auto" and all(seen.grey)) else 3
    if guess.shape != shape or guess.channels < channels:  # the files that were looked at did not speak for all
        pixels, seen = _read(found, Target(channels, shape), top, shelf)
    notes += [*how, *([] if top else _unused_depth(seen.most))]
    return _raw(
        root, [image for i, image in enumerate(found) if i not in seen.bad], pixels, channels, seen, notes, shelf
    )


@dataclass(frozen=True)
class Target:
    """What every image is brought to: so many channels, and a height and width."""

    channels: int
    shape: tuple[int, int]


def find_images(root: Path) -> tuple[list[Path], list[str], list[str]]:
    """Every image file, told by its suffix, in order of the names; notes on what was passed over; closed folders."""
    files, again, closed = _walk(root)
    images = [file for file in files if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
    others = Counter(file.suffix.lower() or file.name for file in set(files).difference(images))
    kinds = ", ".join(f"{n} {printable(kind)}" for kind, n in others.most_common(8))
    kinds += ", ..." if len(others) > 8 else ""
    notes = [f"{others.total()} other files passed over: {kinds}."] if others else []
    notes += [f"{again} links to folders that were entered already are left out."] if again else []
    if not images:
        found = "".join(f" {said}" for said in [*notes[:1], *(f"{folder} is closed." for folder in closed[:5])])
        raise DataError(f"{printable(root)} holds no image files ({', '.join(sorted(SUFFIXES))}).{found}")
    return images, notes, closed


def _walk(root: Path) -> tuple[list[Path], int, list[str]]:
    """Every file below root, and how many times a folder was met again: each is entered once, so that loops end.

    Folders that cannot be entered are named, with the reason.
    """
    entered: set[tuple[int, int]] = set()
    files: list[Path] = []
    again, closed = 0, list[OSError]()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=closed.append):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in entered:
            again += 1
            subfolders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith((".", "__MACOSX")))
        files += (Path(folder, name) for name in names)
    return sorted(files), again, [f"the folder {printable(error.filename)} ({error.strerror})" for error in closed]


def _placed(root: Path, paths: list[Path]) -> tuple[list[Found], list[str]]:
    """Every file with its part and label, and a note on strays."""
    divided = _is_divided({path.relative_to(root).parts[0].lower() for path in paths if path.parent != root})
    places = [(path, _place(path.relative_to(root).parts[:-1], divided)) for path in paths]
    found = [Found(path, *place) for path, place in places if place is not None]
    strays = len(places) - len(found)
    return found, [f"{strays} images outside train, valid and test passed over."] if strays else []


def _is_divided(folders: set[str]) -> bool:
    """Whether folders are train/valid/test and not classes, of which one may be called train."""
    return "train" in folders and (folders <= SPLIT_NAMES.keys() or len(folders & SPLIT_NAMES.keys()) > 1)


def _place(folders: tuple[str, ...], divided: bool) -> tuple[str, str] | None:
    """Split and label of a file in root/folders; None if it is outside the splits."""
    if not divided:
        return "train", escaped(folders[0]) if folders else ""
    if not folders or folders[0].lower() not in SPLIT_NAMES:
        return None
    return SPLIT_NAMES[folders[0].lower()], escaped(folders[1]) if len(folders) > 1 else ""


def _judge(bad: list[str], total: int, on_bad_image: OnBadImage | None) -> list[str]:
    """A note on the bad images, or the end."""
    if not bad:
        return []
    listed = "; ".join(bad[:10]) + (f"; and {len(bad) - 10} more" if len(bad) > 10 else "")
    if len(bad) == total:
        raise DataError(f"None of the {total} image files can be read: {listed}.")
    if on_bad_image == "error" or (on_bad_image is None and len(bad) > BAD_SHARE * total):
        limit = "any is refused" if on_bad_image == "error" else f"more than {BAD_SHARE:.0%}"
        raise DataError(
            f"{len(bad)} of {total} images cannot be read ({limit}): {listed}. "
            "Repair or remove them, or pass on_bad_image='skip' (--on-bad-image skip)."
        )
    return [f"{len(bad)} of {total} images skipped: {listed}."]


def _common_shape(found: list[tuple[int, int]], size: int | None) -> tuple[tuple[int, int], list[str]]:
    """The shape that every image is brought to, and a note if any changes."""
    shapes = set(found)
    if size is None and len(shapes) == 1:
        return shapes.pop(), []
    side = size or min(SIDE_CAP, median_low(min(shape) for shape in found))
    if shapes == {(side, side)}:
        return (side, side), []
    why = "as asked" if size else f"the median of the shorter sides, at most {SIDE_CAP}"
    return (side, side), [
        f"images of {len(shapes)} size{'s' * (len(shapes) > 1)} cropped about the centre and resized to "
        f"{side} x {side} ({why})."
    ]


def _check_memory(n: int, channels: int, shape: tuple[int, int]) -> None:
    needed = n * channels * shape[0] * shape[1]
    if needed > MOST_BYTES:
        raise DataError(
            f"{n} images of {shape[1]} x {shape[0]} pixels take {needed / 2**30:.0f} GiB, more than "
            f"{MOST_BYTES / 2**30:.0f} GiB; pass a smaller size, e.g. size={SIDE_CAP}."
        )


def _unused_depth(most: int | None) -> list[str]:
    """A note if images of 16 bits use less than half of them, as those of a camera with 12 do."""
    if not most or most >= 2**15:
        return []
    white = 2 ** most.bit_length() - 1
    return [
        f"images of 16 bits hold values up to {most} of 65535, and are read as dark as that; if white is {white}, pass "
        f"top={white} (--top {white})."
    ]


def _guess(found: list[Found], size: int | None, mode: Mode) -> Target:
    """What all images will be brought to, by the heads of some of them."""
    heads = list[tuple[tuple[int, int], bool]]()
    for image in found[:: max(1, len(found) // LOOKED_AT)]:
        with suppress(BadImage):
            heads.append(head(image.path))
    shape, _ = _common_shape([shape for shape, _ in heads] or [(1, 1)], size)
    return Target(1 if mode == "grey" or (mode == "auto" and all(grey for _, grey in heads)) else 3, shape)


def _read(found: list[Found], target: Target, top: int | None, shelf: Shelf) -> tuple[np.ndarray, Read]:
    """The pixels of all files, and what else was seen of them; by several processes where there are many."""
    if shelf is MEMORY:
        _check_memory(len(found), target.channels, target.shape)
    pixels = shelf.empty("pixels", (len(found), target.channels, *target.shape), np.dtype(np.uint8))
    paths = [image.path for image in found]
    pieces = [paths[i : i + PIECE] for i in range(0, len(paths), PIECE)]
    work = partial(read_piece, target=target, top=top)
    all_ = Read(pixels, [], [], {}, None)
    for part in by_processes(work, pieces, processors() if len(paths) >= MANY else 1):
        begin = len(all_.shapes)
        pixels[begin : begin + len(part.pixels)] = part.pixels
        let_go(pixels)
        all_.shapes.extend(part.shapes)
        all_.grey.extend(part.grey)
        all_.bad.update({begin + i: reason for i, reason in part.bad.items()})
        most = max((m for m in (all_.most, part.most) if m is not None), default=None)
        all_ = replace(all_, most=most)
        tell("images", len(all_.shapes), len(paths))
    return pixels, all_


def read_piece(paths: list[Path], target: Target, top: int | None) -> Read:
    """A few files, each decoded once."""
    found = Read(np.zeros((len(paths), target.channels, *target.shape), np.uint8), [], [], {}, None)
    most = -1
    for i, (path, row) in enumerate(zip(paths, found.pixels, strict=True)):
        try:
            image, deepest = decoded(path, top)
        except BadImage as error:
            found.bad[i] = error.reason
            found.shapes.append(None)
            found.grey.append(True)
            continue
        row[:] = to_pixels(image, target.channels, target.shape)
        found.shapes.append((image.height, image.width))
        found.grey.append(image.mode == "L")
        most = max(most, -1 if deepest is None else deepest)
    return replace(found, most=None if most < 0 else most)


def _raw(
    root: Path, found: list[Found], pixels: np.ndarray, channels: int, seen: Read, notes: list[str], shelf: Shelf
) -> Raw:
    """The images by part, each a stretch of the pixels where the files of a part follow one another."""
    rows = np.array([i for i in range(len(pixels)) if i not in seen.bad])
    x, y, files = {}, {}, {}
    for split in sorted({image.split for image in found}):
        here = np.array([image.split == split for image in found])
        own = rows[here]
        together = own[-1] - own[0] + 1 == len(own)
        stretch = pixels[own[0] : own[-1] + 1]
        x[split] = (
            stretch if together else array_of(shelf.taken(f"pixels.{split}", tensor_of(pixels), torch.tensor(own)))
        )
        x[split] = x[split][:, :channels]
        if shelf is MEMORY:
            names = [str(image.path.relative_to(root)) for image, mine in zip(found, here, strict=True) if mine]
            files[split] = tuple(map(escaped, names))
        y[split] = np.array([image.label for image, mine in zip(found, here, strict=True) if mine])
    return Raw(printable(root), x, y, levels=256, notes=tuple(notes), files=files)
