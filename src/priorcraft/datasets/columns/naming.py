"""Names of rows that are unique although nobody knows those that others make: the i-th of a permutation."""

import hashlib
import string
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ROUNDS = 6
ROOMY = 4  # names of a form for each that is needed


@dataclass(frozen=True)
class Stretch:
    """Rows of a long answer.

    Args:
        begin: number of the first among all.
        of: how many there are in all.
        seed: of the answer.
    """

    begin: int
    of: int
    seed: int


def permuted(numbers: np.ndarray, room: int, seed: int) -> np.ndarray:
    """Where a permutation of 0 ... room - 1 puts each number: a Feistel network (Luby & Rackoff 1988) that is walked
    until it falls into the room.

    Args:
        numbers: int64, 0 ... room - 1.
        room: at most 2^62.
        seed: another permutation each.

    >>> sorted(permuted(np.arange(10), 10, seed=3).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    half = np.uint64(max(1, (max(room - 1, 1).bit_length() + 1) // 2))
    mask = np.uint64((1 << int(half)) - 1)
    keys = np.random.default_rng(seed).integers(0, 2**63, ROUNDS).astype(np.uint64)
    found, out = numbers.astype(np.uint64), np.ones(len(numbers), bool)
    while out.any():
        left, right = found[out] >> half, found[out] & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        found[out] = (left << half) | right
        out = found >= room
    return found.astype(np.int64)


def _mixed(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uuids(stretch: Stretch, n: int) -> list[str]:
    """UUIDs of n rows; 122 bits of a hash of their numbers."""
    each = (f"{stretch.seed}/{stretch.begin + i}".encode() for i in range(n))
    return [str(uuid.UUID(bytes=hashlib.blake2b(one, digest_size=16).digest(), version=4)) for one in each]


def numerals(stretch: Stretch, n: int, low: int, high: int, width: int) -> list[str]:
    """Whole numbers of n rows from `low` on, to `high` if there is room."""
    room = max(high - low + 1, ROOMY * stretch.of)
    places = permuted(np.arange(stretch.begin, stretch.begin + n), room, stretch.seed)
    return [str(low + place).zfill(width) for place in places.tolist()]


def shaped(stretch: Stretch, n: int, shape: str, kept: int) -> list[str]:
    """Names of n rows in the form of one of them: letters for letters and digits for digits behind the first `kept`.

    >>> shaped(Stretch(0, 3, 0), 3, "INV-7", 4)[0][:4]
    'INV-'
    """
    letters = list[Sequence[str]]([c if i < kept else _alphabet(c) for i, c in enumerate(shape)])
    while (room := _count(letters)) < ROOMY * stretch.of:
        letters.append(string.digits)
    places = permuted(np.arange(stretch.begin, stretch.begin + n), min(room, 2**62), stretch.seed).tolist()
    return [_written(place, letters) for place in places]


def _alphabet(letter: str) -> str:
    if letter.isdecimal():
        return string.digits
    if letter.isascii() and letter.isalpha():
        return string.ascii_lowercase if letter.islower() else string.ascii_uppercase
    return letter


def _count(letters: Sequence[Sequence[str]]) -> int:
    count = 1
    for each in letters:
        count *= len(each)
    return count


def _written(place: int, letters: Sequence[Sequence[str]]) -> str:
    found = list[str]()
    for each in reversed(letters):
        place, digit = divmod(place, len(each))
        found.append(each[digit])
    return "".join(reversed(found))
