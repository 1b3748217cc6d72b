"""A grid that all numbers of a column lie on: prices in fifties, ages in fives, multiples of a quarter."""

from dataclasses import dataclass

import numpy as np

LEAST = 4  # different numbers
CHANCE = 1000.0  # to one against so many numbers on a grid by chance
EXACT = 2.0**53
FINEST = 2**16  # places between the smallest and the largest decimal; a finer grid is as good as a line


@dataclass(frozen=True)
class Grid:
    """The numbers origin + k pitch.

    Args:
        pitch: from one number of the grid to the next.
        origin: the one that is nearest to zero, at least 0 and below `pitch`.
        between: how many numbers can be written between two neighbours.
    """

    pitch: float
    origin: float = 0.0
    between: int = 1

    def __post_init__(self) -> None:
        if not (self.pitch > 0 and 0 <= self.origin < self.pitch and self.between > 0):
            raise ValueError("a grid needs a pitch above zero, an origin below it, and numbers between its own.")

    def place(self, values: np.ndarray) -> np.ndarray:
        """The k of the nearest number of the grid, (V,)."""
        return np.floor((values - self.origin) / self.pitch + 0.5)

    def number(self, k: np.ndarray) -> np.ndarray:
        """The inverse of `place`, (V,)."""
        return self.origin + k * self.pitch

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Which numbers lie on it, (V,)."""
        return np.abs(self.number(self.place(values)) - values) < 0.5 * self.pitch / (self.between + 1)

    def log_share(self, values: np.ndarray, rows: int) -> np.ndarray:
        """log p(value | nearest number of the grid), which sums to one over what can be written there, (V,).

        After so many rows of which none was off the grid, the next is with probability 1 / (2 rows + 2).
        """
        off = 0.5 / (rows + 1)
        return np.where(self.holds(values), np.log1p(-off), np.log(off / self.between))


def grid_of(values: np.ndarray, decimals: int, step: float) -> Grid | None:
    """The grid that all of some different numbers lie on, if it is coarser than how they are written.

    Its pitch is the greatest common divisor of their differences. It has to be so coarse, and they so many, that it
    would be met by chance less than once in a thousand columns; decimals on a very fine grid have a density.

    Args:
        values: ascending, (V,).
        decimals: how many they are written with.
        step: the distance between numbers as they are written.

    >>> grid_of(np.array([49.0, 99, 199, 249, 449]), 0, 1.0)
    Grid(pitch=50.0, origin=49.0, between=49)
    >>> grid_of(np.array([49.0, 99, 199, 249, 450]), 0, 1.0)
    """
    if len(values) < LEAST:
        return None
    for digits in range(decimals + 1):
        scaled = values * 10.0**digits
        if np.abs(scaled).max() * 2 >= EXACT:
            return None
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= 1e-12 * np.abs(scaled) + 1e-9).all():
            break
    else:
        return None
    units = whole.astype(np.int64)
    apart = int(np.gcd.reduce(np.diff(units)))
    pitch = apart / 10.0**digits
    times = pitch / step
    line = digits > 0 and values[-1] - values[0] > FINEST * pitch
    if line or times < 1.5 or (len(values) - 1) * np.log(times) < np.log(CHANCE):
        return None
    return Grid(pitch, float(int(units[0]) % apart / 10.0**digits), max(1, round(times) - 1))
