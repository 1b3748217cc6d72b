"""A folder of images: scanned first, then read."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Literal

import numpy as np

from priorcraft.datasets.image import SUFFIXES, BadImage, decode, sixteen_bits, to_pixels
from priorcraft.datasets.raw import Raw
from priorcraft.disk import escaped, printable
from priorcraft.errors import DataError

Mode = Literal["auto", "grey", "rgb"]
OnBadImage = Literal["skip", "error"]
SPLIT_NAMES = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
DEEP = (".png", ".tif", ".tiff", ".pgm", ".ppm", ".pnm")  # formats that may have 16 bits a channel
BAD_SHARE = 0.05
SIDE_CAP = 64
MOST_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Seen:
    """An image that could be decoded: where it is, what it belongs to, what it looks like."""

    path: Path
    split: str
    label: str
    shape: tuple[int, int]
    grey: bool


def open_folder(
    root: Path,
    *,
    size: int | None = None,
    mode: Mode = "auto",
    on_bad_image: OnBadImage | None = None,
    top: int | None = None,
) -> Raw:
    """The images below a folder, all of them decoded once before any is used.

    The first folder below the root is the label; where the folders are train, valid and test, the first below them.

    Args:
        root: the folder.
        size: side of the square that every image is brought to; None keeps a common size, or picks one.
        mode: "auto" reads grey if every image is grey.
        on_bad_image: "skip" them all, or "error" at any; None skips up to 5 % of the images.
        top: the value of 16 bits that is white; 65535 without it.

    Raises:
        DataError: no image, too many bad ones, or more pixels than fit into memory.
    """
    paths, notes, closed = find_images(root)
    seen, bad, strays = _scan(root, paths, top)
    notes += [*_judge([*closed, *bad], len(paths) + len(closed), on_bad_image), *strays]
    shape, how = _common_shape(seen, size)
    channels = 1 if mode == "grey" or (mode == "auto" and all(image.grey for image in seen)) else 3
    _check_memory(len(seen), channels, shape)
    return _read(root, seen, channels, shape, [*notes, *how, *([] if top else _unused_depth(seen))], top)


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


def _scan(root: Path, paths: list[Path], top: int | None) -> tuple[list[Seen], list[str], list[str]]:
    """Decodes every file once: the images, the bad ones with their reasons, and a note on strays."""
    divided = _is_divided({path.relative_to(root).parts[0].lower() for path in paths if path.parent != root})
    seen, bad, strays = [], [], 0
    for path in paths:
        place = _place(path.relative_to(root).parts[:-1], divided)
        if place is None:
            strays += 1
            continue
        try:
            image = decode(path, top)
        except BadImage as error:
            bad.append(f"{printable(path.relative_to(root))} ({error.reason})")
        else:
            seen.append(Seen(path, *place, (image.height, image.width), image.mode == "L"))
    return seen, bad, [f"{strays} images outside train, valid and test passed over."] if strays else []


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


def _common_shape(seen: list[Seen], size: int | None) -> tuple[tuple[int, int], list[str]]:
    """The shape that every image is brought to, and a note if any changes."""
    shapes = {image.shape for image in seen}
    if size is None and len(shapes) == 1:
        return shapes.pop(), []
    side = size or min(SIDE_CAP, median_low(min(image.shape) for image in seen))
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


def _unused_depth(seen: list[Seen]) -> list[str]:
    """A note if images of 16 bits use less than half of them, as those of a camera with 12 do."""
    deep = (sixteen_bits(image.path) for image in seen if image.path.suffix.lower() in DEEP)
    most = max((int(v.max()) for v in deep if v is not None), default=65_535)
    if most >= 2**15 or not most:
        return []
    white = 2 ** most.bit_length() - 1
    return [
        f"images of 16 bits hold values up to {most} of 65535, and are read as dark as that; if white is {white}, pass "
        f"top={white} (--top {white})."
    ]


def _read(
    root: Path, seen: list[Seen], channels: int, shape: tuple[int, int], notes: list[str], top: int | None
) -> Raw:
    x, y = {}, {}
    for split in sorted({image.split for image in seen}):
        here = [image for image in seen if image.split == split]
        x[split] = np.empty((len(here), channels, *shape), np.uint8)
        for row, image in zip(x[split], here, strict=True):
            row[:] = to_pixels(decode(image.path, top), channels, shape)
        y[split] = np.array([image.label for image in here])
    return Raw(printable(root), x, y, levels=256, notes=tuple(notes))
