"""Pairs: images of one domain with their partners in another, as data for a model of p(b | a)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Unpack

import numpy as np
from PIL import Image

from priorcraft.contents import printable
from priorcraft.core import Space
from priorcraft.datasets import Reading, open_data
from priorcraft.datasets.folder import SIDE_CAP, find_images
from priorcraft.datasets.image import decode, to_pixels
from priorcraft.datasets.plain import read_arrays
from priorcraft.datasets.raw import SPLITS
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.errors import DataError, UsageError

Source = str | Path | Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Pairs(Splits):
    """Rows b, each with the a that it goes with.

    Args:
        seen: where a lives.
        found: how the partners were found, in words; empty where they were given.
    """

    seen: Space = field(kw_only=True)
    found: str = field(default="", kw_only=True)

    @property
    def context(self) -> Space:
        """Where a lives."""
        return self.seen


def open_pairs(source: Source, *, seed: int = 0, **reading: Unpack[Reading]) -> Pairs:
    """Pairs from arrays a, b or a_train, b_train, a_valid ..., levels_a, levels_b; from folders; or side by side.

    Args:
        source: a mapping; an .npz file; a folder that holds A/ and B/, where partners have one name whatever their
            format (but for _A and _B at its end); or a folder of images twice as wide as high, each cut into a and b.
        seed: of the division into parts, the same for both domains.
        reading: size, mode, levels and limit, as in `open_data`, for both.

    Raises:
        DataError: a pair without its partner, or domains of different lengths.
    """
    if isinstance(source, (str, Path)) and (Path(source) / "A").is_dir() and (Path(source) / "B").is_dir():
        return _from_folders(Path(source), seed, reading)
    if isinstance(source, (str, Path)) and Path(source).is_dir():
        return _side_by_side(Path(source), seed, reading)
    expected = "pairs must be an .npz with a_* and b_*, a folder with A/ and B/, or one of images side by side"
    return _from_arrays(arrays_of(source, expected), seed, reading)


def pair(a: Splits, b: Splits) -> Pairs:
    """Two data sets whose rows belong together, one by one.

    Raises:
        DataError: parts of different lengths.
    """
    for part in SPLITS:
        if len(a.rows(part)) != len(b.rows(part)):
            raise DataError(
                f"A and B must have as many rows, but {part} holds {len(a.rows(part))} of A and "
                f"{len(b.rows(part))} of B; give every image its partner."
            )
    train, valid, test = (Rows(b.rows(part).x, partner=a.rows(part).x) for part in SPLITS)
    notes = tuple(f"A: {note}" for note in a.notes) + tuple(f"B: {note}" for note in b.notes)
    return Pairs(b.name, b.space, (), train, valid, test, a.fingerprint + b.fingerprint, b.counts, notes, seen=a.space)


def arrays_of(source: Source, expected: str) -> Mapping[str, np.ndarray]:
    """The arrays of a mapping or an .npz file.

    Raises:
        UsageError: neither; `expected` says what it should be.
        DataError: a file that cannot be read.
    """
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    if not path.is_file() or path.suffix.lower() != ".npz":
        raise UsageError(f"{expected}; {path} is neither.")
    return read_arrays(path)


def side_of(arrays: Mapping[str, np.ndarray], side: str) -> dict[str, np.ndarray]:
    """One domain under the keys that `open_data` reads."""
    keys = {side: "x", f"levels_{side}": "levels", **{f"{side}_{part}": f"x_{part}" for part in SPLITS}}
    found = {new: np.asarray(arrays[key]) for key, new in keys.items() if key in arrays}
    return found if "levels" in found or "levels" not in arrays else found | {"levels": np.asarray(arrays["levels"])}


def _from_arrays(arrays: Mapping[str, np.ndarray], seed: int, reading: Reading) -> Pairs:
    sides = {side: side_of(arrays, side) for side in "ab"}
    for key, rows in sides["a"].items():
        if key not in sides["b"]:
            raise DataError(f"a{key[1:]} has no partner b{key[1:]}; every part needs both domains.")
        if key != "levels" and len(rows) != len(sides["b"][key]):
            raise DataError(
                f"a{key[1:]} holds {len(rows)} rows and b{key[1:]} {len(sides['b'][key])}; pairs need both."
            )
    if not sides["a"] or set(sides["a"]) - {"levels"} != set(sides["b"]) - {"levels"}:
        raise DataError("pairs need the arrays a and b, or a_train and b_train, with the same parts on both sides.")
    return pair(open_data(sides["a"], seed=seed, **reading), open_data(sides["b"], seed=seed, **reading))


def _from_folders(path: Path, seed: int, reading: Reading) -> Pairs:
    """A/ and B/: partners have the same name, whatever their format, but for _A and _B at its end."""
    sides = {side: _by_name(path / side, side) for side in "AB"}
    alone = sorted(sides["A"].keys() ^ sides["B"].keys())
    if alone:
        raise DataError(
            f"{printable(alone[0])} is in only one of A and B, and so are {len(alone)} names in all; partners have the "
            "same name (00.jpg and 00.png, or 00_A.jpg and 00_B.jpg), and pairs need both."
        )
    if list(sides["A"]) != list(sides["B"]):  # images are read in the order of their whole names
        raise DataError("the names in A and B are not in one order: let all of them end in _A and _B, or none.")
    strict: Reading = {**reading, "on_bad_image": "error"}  # else the partner of an image that is skipped stands alone
    a, b = (open_data(path / side, seed=seed, **strict) for side in "AB")
    both = pair(a, b)
    first = " and ".join(printable(next(iter(sides[side].values())).name) for side in "AB")
    said = f"{len(sides['A'])} pairs by their names, without endings, _A and _B: {first} are partners, and so on."
    return replace(both, notes=(said, *both.notes))


def _by_name(folder: Path, side: str) -> dict[str, Path]:
    """The images of a domain by what their partners are called, too.

    Raises:
        DataError: two images of one name.
    """
    found: dict[str, Path] = {}
    for file in find_images(folder)[0]:
        inside = file.relative_to(folder)
        name = str(inside.with_name(inside.stem.removesuffix(f"_{side}").removesuffix(f"_{side.lower()}")))
        if name in found:
            raise DataError(
                f"{printable(file)} and {printable(found[name])} have one name; of a pair there is one of each."
            )
        found[name] = file
    return found


def _side_by_side(path: Path, seed: int, reading: Reading) -> Pairs:
    """Images that are twice as wide as high: a is the left half, b the right one."""
    files = find_images(path)[0]
    images = [decode(file) for file in files]
    for file, image in zip(files, images, strict=True):
        if image.width != 2 * image.height:
            raise DataError(
                f"{printable(file)} is {image.width} x {image.height}; in a folder without A/ and B/, an image holds a "
                "pair side by side and is twice as wide as high."
            )
    side, channels = _side_and_channels(images, reading)
    x = np.stack([to_pixels(image, channels, (side, 2 * side)) for image in images])
    halves = (x[..., :side], x[..., side:])
    rest: Reading = {"levels": reading["levels"]} if "levels" in reading else {}
    rest |= {"limit": reading["limit"]} if "limit" in reading else {}
    a, b = (open_data({"x": half, "levels": np.array(256)}, seed=seed, **rest) for half in halves)
    note = f"{len(files)} images were cut in two: a is the left half, b the right one."
    both = pair(a, b)
    return replace(both, name=printable(path), notes=(note, *both.notes))


def _side_and_channels(images: list[Image.Image], reading: Reading) -> tuple[int, int]:
    """The side of every half and its channels: as asked, or the smallest, at most 64; grey if all are."""
    side = reading.get("size") or min(SIDE_CAP, *(image.height for image in images))
    mode = reading.get("mode", "auto")
    return side, 1 if mode == "grey" or (mode == "auto" and all(image.mode == "L" for image in images)) else 3
