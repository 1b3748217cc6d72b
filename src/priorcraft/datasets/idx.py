"""MNIST and Fashion-MNIST in their IDX files, found where they usually are; nothing is downloaded."""

import gzip
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from priorcraft.contents import parsing
from priorcraft.datasets.arrays import open_file
from priorcraft.datasets.plain import MOST_BYTES
from priorcraft.datasets.raw import Raw
from priorcraft.errors import DataError

CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
}  # fmt: skip
REMEDY = {
    "mnist": "put the four IDX files (train-images-idx3-ubyte.gz and so on) in one of them, or mnist.npz in "
    "$PRIORCRAFT_DATA",
    "fashion-mnist": "install Debian's package (apt install dataset-fashion-mnist), or put the four IDX files of "
    "https://github.com/zalandoresearch/fashion-mnist in one of them",
}
SYSTEM = Path("/usr/share/datasets")  # where Debian installs data sets
VALID_ROWS = 10_000
UBYTE = 0x08
STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")


def open_idx(name: str) -> Raw:
    """ "mnist" or "fashion-mnist": 1 x 28 x 28, 256 levels; the last 10,000 of the 60,000 training rows are valid.

    LeCun, Cortes & Burges 1998; Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747.

    Raises:
        DataError: where it was looked for and how to get it; or a file that is damaged.
    """
    place = find(name)
    if place is None:
        places = ", ".join(map(str, places_of(name)))
        raise DataError(f"{name} is not on this machine: looked for {places}. To get it, {REMEDY[name]}.")
    if place.suffix == ".npz":
        return replace(open_file(place), name=name)
    x, y = _pair(place, "train", name)
    x_test, y_test = _pair(place, "t10k", name)
    cut = len(x) - min(VALID_ROWS, len(x) // 6)
    return Raw(
        name,
        {"train": x[:cut], "valid": x[cut:], "test": x_test},
        {"train": y[:cut], "valid": y[cut:], "test": y_test},
        levels=256,
        classes=CLASSES[name],
    )


def find(name: str) -> Path | None:
    """The first place that holds the data set: a folder of four IDX files, or an .npz."""
    return next((place for place in places_of(name) if _holds(place)), None)


def places_of(name: str) -> list[Path]:
    """Where the data set is looked for, in this order."""
    own = os.environ.get("PRIORCRAFT_DATA")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    mine = [Path(own, name), Path(own, f"{name}.npz")] if own else []
    return [*mine, SYSTEM / name, Path(cache, "priorcraft", name)]


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of unsigned bytes, plain or gzipped.

    Format: two zero bytes, the type, the number of axes, each axis as a big-endian 32-bit integer, the entries.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with parsing(path, "an IDX file", "Fetch it again."), opener(path, "rb") as file:
        zeros, kind, axes = np.frombuffer(file.read(4), ">u2, u1, u1")[0].tolist()
        shape = np.frombuffer(file.read(4 * axes), ">u4").tolist()
        if math.prod(shape) > MOST_BYTES:
            raise ValueError(f"it promises {math.prod(shape):,} bytes, more than is read")
        entries = file.read(math.prod(shape) + 1)
    if (zeros, kind, len(shape)) != (0, UBYTE, axes) or len(entries) != math.prod(shape):
        raise DataError(f"{path} is not an IDX file of unsigned bytes, or is cut short. Fetch it again.")
    return np.frombuffer(entries, np.uint8).reshape(shape)


def _pair(folder: Path, part: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and the names of their classes."""
    images, labels = (read_idx(_named(folder, stem)[0]) for stem in (f"{part}-images", f"{part}-labels"))
    if labels.max(initial=0) >= len(CLASSES[name]):
        raise DataError(f"{folder} holds the label {labels.max()}; {name} has {len(CLASSES[name])} classes.")
    return images, np.array(CLASSES[name])[labels]


def _holds(place: Path) -> bool:
    return place.is_file() if place.suffix == ".npz" else all(_named(place, stem) for stem in STEMS)


def _named(folder: Path, stem: str) -> list[Path]:
    """The files of that stem: both spellings of the name, plain before gzipped."""
    return [*folder.glob(f"{stem}?idx?-ubyte"), *folder.glob(f"{stem}?idx?-ubyte.gz")]
