"""Pairs of images of two domains: what p(b | a) learns from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from priorcraft.core import Space
from priorcraft.data import open_data
from priorcraft.data.splits import Rows, Splits
from priorcraft.errors import DataError, UsageError

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Pairs:
    """Two data sets whose rows belong together, one by one.

    Args:
        a: what is given.
        b: what follows.
    """

    a: Splits
    b: Splits

    @property
    def context(self) -> Space:
        """Where a lives."""
        return self.a.space

    def rows(self, part: str) -> Rows:
        """b as x, a as its context."""
        return Rows(self.b.rows(part).x, self.a.rows(part).x)


def open_pairs(source: str | Path | Mapping[str, np.ndarray], *, seed: int = 0) -> Pairs:
    """Pairs from arrays a, b or a_train, b_train, a_valid ..., levels_a, levels_b; or from folders A/ and B/.

    Args:
        source: a mapping, an .npz file, or a folder that holds A/ and B/ with files of equal names.
        seed: of the division into parts, the same for both domains.

    Raises:
        DataError: a pair without its partner, or domains of different lengths.
    """
    if isinstance(source, Mapping):
        return _from_arrays(source, seed)
    path = Path(source)
    if (path / "A").is_dir() and (path / "B").is_dir():
        return _from_folders(path, seed)
    if path.is_file() and path.suffix.lower() == ".npz":
        try:
            with np.load(path, allow_pickle=False) as found:
                return _from_arrays({name: found[name] for name in found}, seed)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path} cannot be read as an array file ({error}).") from None
    raise UsageError(f"pairs must be an .npz with a_* and b_*, or a folder with A/ and B/; {path} is neither.")


def _from_arrays(arrays: Mapping[str, np.ndarray], seed: int) -> Pairs:
    sides = {side: _named(arrays, side) for side in "ab"}
    for key, rows in sides["a"].items():
        if key not in sides["b"]:
            raise DataError(f"a{key[1:]} has no partner b{key[1:]}; every part needs both domains.")
        if key != "levels" and len(rows) != len(sides["b"][key]):
            raise DataError(
                f"a{key[1:]} holds {len(rows)} rows and b{key[1:]} {len(sides['b'][key])}; pairs need both."
            )
    if not sides["a"] or set(sides["a"]) - {"levels"} != set(sides["b"]) - {"levels"}:
        raise DataError("pairs need the arrays a and b, or a_train and b_train, with the same parts on both sides.")
    return Pairs(open_data(sides["a"], seed=seed), open_data(sides["b"], seed=seed))


def _named(arrays: Mapping[str, np.ndarray], side: str) -> dict[str, np.ndarray]:
    """One domain under the keys that `open_data` reads."""
    keys = {side: "x", f"levels_{side}": "levels", **{f"{side}_{part}": f"x_{part}" for part in PARTS}}
    found = {new: np.asarray(arrays[key]) for key, new in keys.items() if key in arrays}
    return found if "levels" in found or "levels" not in arrays else found | {"levels": np.asarray(arrays["levels"])}


def _from_folders(path: Path, seed: int) -> Pairs:
    names = [{str(file.relative_to(path / side)) for file in (path / side).rglob("*.*")} for side in "AB"]
    alone = sorted(names[0] ^ names[1])
    if alone:
        raise DataError(f"{alone[0]} is in only one of A and B, and so are {len(alone)} files in all; pairs need both.")
    a, b = (open_data(path / side, seed=seed, on_bad_image="error") for side in "AB")
    if any(len(a.rows(part)) != len(b.rows(part)) for part in PARTS):
        raise DataError("A and B hold different numbers of images that can be read; pairs need both.")
    return Pairs(a, b)
