"""Two domains without pairs, turned into pairs: by a symmetry if that suffices, else by partners that are alike."""

from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.datasets import Reading, open_data
from priorcraft.datasets.pairs import Pairs, Source, arrays_of, side_of
from priorcraft.datasets.splits import SPLITS, Rows, Splits
from priorcraft.errors import DataError
from priorcraft.implicit.alignment import Alignment, simplest
from priorcraft.implicit.coupling import couple

LEAST = 20  # images of a domain
PARTNERS = 4  # for every image of A
EXPECTED = "domains must be an .npz with a and b (or a_train, b_train), or a folder with trainA/ and trainB/"


def open_domains(source: Source, *, seed: int = 0, reverse: bool = False, **reading: Unpack[Reading]) -> Pairs:
    """Images of two domains, with partners found without any label or pair.

    If a symmetry of the square, with or without the negative, makes the domains equal as far as the energy distance
    can tell, b is a under that symmetry: the simplest explanation (`implicit.alignment`). Else every a gets partners
    among the b that it resembles, as `implicit.coupling` finds them; test rows then have none.

    Args:
        source: arrays a, b (any number of rows each) or a_train, b_train ..., levels_a, levels_b, as a mapping or an
            .npz; or a folder with trainA/, trainB/ and, if there are any, testA/, testB/.
        seed: of the division, of the rows that are compared, and of the partners.
        reverse: whether B is to be translated to A.
        reading: size, mode, on_bad_image, levels and limit, as in `open_data`, for both.

    Raises:
        DataError: no images, or fewer than 20 in a domain.
    """
    a, b = opened(source, seed, reading)
    a, b = (b, a) if reverse else (a, b)
    for splits, name in ((a, "B" if reverse else "A"), (b, "A" if reverse else "B")):
        check(splits, name)
    u, v = (splits.space.to_network(splits.train.x) for splits in (a, b))
    found = simplest(u, v, generator=runtime.keyed(seed, "simplest"))
    return explained(a, b, found) if found is not None else coupled(a, b, seed)


def opened(source: Source, seed: int, reading: Reading) -> tuple[Splits, Splits]:
    """Both domains, each by itself."""
    if isinstance(source, (str, Path)) and (Path(source) / "trainA").is_dir() and (Path(source) / "trainB").is_dir():
        a, b = (_from_folders(Path(source), side, seed, reading) for side in "AB")
        return a, b
    arrays = arrays_of(source, EXPECTED)
    sides = [side_of(arrays, side) for side in "ab"]
    if not all({"x", "x_train"} & set(side) for side in sides):
        raise DataError("domains need the arrays a and b, or a_train and b_train; they may differ in length.")
    for side, name in zip(sides, "AB", strict=True):
        _check_count(max(len(side.get("x", ())), len(side.get("x_train", ()))), name)
    a, b = (open_data(side, seed=seed, **reading) for side in sides)
    return a, b


def check(splits: Splits, name: str) -> None:
    """Raises a DataError unless a domain holds images, and enough of them."""
    if not splits.space.is_image or splits.space.levels is None:
        raise DataError(f"domain {name} must hold images of integers, not points of shape {splits.space.event_shape}.")
    _check_count(sum(len(splits.rows(part)) for part in SPLITS), name)


def explained(a: Splits, b: Splits, found: Alignment) -> Pairs:
    """Every a with itself under the alignment."""
    train, valid, test = (Rows(_under(found, a, b, a.rows(part).x), partner=a.rows(part).x) for part in SPLITS)
    words = f"a symmetry makes the domains equal, as far as the energy distance can tell: {found}."
    return _pairs(a, b, train, valid, test, words)


def coupled(a: Splits, b: Splits, seed: int) -> Pairs:
    """Every a with partners that it resembles; those of validation rows are validation rows."""
    x, y = (torch.cat([splits.train.x, splits.valid.x]) for splits in (a, b))
    found = couple(a.space.to_network(x), b.space.to_network(y), generator=runtime.keyed(seed, "couple"))
    train = found.among(found.rows < len(a.train), found.columns < len(b.train))
    valid = found.among(found.rows >= len(a.train), found.columns >= len(b.train))
    pairs = [part.draw(PARTNERS, generator=runtime.keyed(seed, "partners")) for part in (train, valid)]
    rows = [Rows(y[j], partner=x[i]) for i, j in pairs]
    words = f"partners were found by likeness for {len(train.rows)} of {len(a.train)} training images."
    return _pairs(a, b, rows[0], rows[1], Rows(y[:0], partner=x[:0]), words)


def _under(found: Alignment, a: Splits, b: Splits, x: Tensor) -> Tensor:
    return b.space.from_network(found.onto(a.space.to_network(x), b.space.event_shape)).to(b.train.x.dtype)


def _pairs(a: Splits, b: Splits, train: Rows, valid: Rows, test: Rows, found: str) -> Pairs:
    notes, fingerprint = (*a.notes, *b.notes), a.fingerprint + b.fingerprint
    return Pairs(b.name, b.space, (), train, valid, test, fingerprint, b.counts, notes, seen=a.space, found=found)


def _from_folders(path: Path, side: str, seed: int, reading: Reading) -> Splits:
    _check_count(sum(1 for file in (path / f"train{side}").rglob("*.*")), side)
    train = open_data(path / f"train{side}", seed=seed, **reading)
    if not (path / f"test{side}").is_dir():
        return train
    test = open_data(path / f"test{side}", seed=seed, **reading)
    if test.space != train.space:
        raise DataError(f"train{side} and test{side} must hold images of one size and kind; they differ.")
    whole = {"x_train": _all(train), "x_test": _all(test), "levels": torch.tensor(train.space.levels)}
    return open_data({name: rows.numpy() for name, rows in whole.items()}, seed=seed)


def _check_count(n: int, name: str) -> None:
    if n < LEAST:
        raise DataError(
            f"domain {name} holds {n} image{'s' * (n != 1)}; without pairs the domains are compared as wholes, which "
            f"takes at least {LEAST} of each."
        )


def _all(splits: Splits) -> Tensor:
    return torch.cat([splits.rows(part).x for part in SPLITS])
