"""Pairs: images of one domain with their partners in another, as data for a model of p(b | a)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

import numpy as np

from priorcraft.core import Space
from priorcraft.datasets import Reading, open_data
from priorcraft.datasets.plain import read_arrays
from priorcraft.datasets.raw import SPLITS
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.errors import DataError, UsageError

Source = str | Path | Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Pairs(Splits):
    """Rows b, each with its a in the place of a label.

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
    """Pairs from arrays a, b or a_train, b_train, a_valid ..., levels_a, levels_b; or from folders A/ and B/.

    Args:
        source: a mapping, an .npz file, or a folder that holds A/ and B/ with files of equal names.
        seed: of the division into parts, the same for both domains.
        reading: size, mode, levels and limit, as in `open_data`, for both.

    Raises:
        DataError: a pair without its partner, or domains of different lengths.
    """
    if isinstance(source, (str, Path)) and (Path(source) / "A").is_dir() and (Path(source) / "B").is_dir():
        return _from_folders(Path(source), seed, reading)
    expected = "pairs must be an .npz with a_* and b_*, or a folder with A/ and B/"
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
    train, valid, test = (Rows(b.rows(part).x, a.rows(part).x) for part in SPLITS)
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
    names = [{str(file.relative_to(path / side)) for file in (path / side).rglob("*.*")} for side in "AB"]
    alone = sorted(names[0] ^ names[1])
    if alone:
        raise DataError(f"{alone[0]} is in only one of A and B, and so are {len(alone)} files in all; pairs need both.")
    strict: Reading = {**reading, "on_bad_image": "error"}  # else the partner of an image that is skipped stands alone
    a, b = (open_data(path / side, seed=seed, **strict) for side in "AB")
    return pair(a, b)
