"""The sanity checks of fidelity and diversity metrics, re-implemented from the paper as pairs whose truth is known.

Räisä, van Breugel & van der Schaar 2025, Position: All Current Generative Fidelity and Diversity Metrics are Flawed
(arXiv:2505.22450). There a metric has to behave over a range of settings; here a verdict has to be right at each.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.metrics.two_sample import TwoSample, TwoSampleTest, Verdict

Draw = Callable[[np.random.Generator, int], np.ndarray]
MODES = np.array(
    [[5, -4], [5, -14], [-16, 9], [-2, 12], [12, -5], [-25, 14], [17, -3], [-5, -7], [9, 1], [-5, -17]], float
)


@dataclass(frozen=True)
class Check:
    """Real rows and samples at one setting of one check.

    Args:
        name: of the check, and its setting.
        real, drawn: how rows of either kind are drawn.
        same: whether they have the same distribution.
        n: real rows, and samples.
    """

    name: str
    real: Draw
    drawn: Draw
    same: bool
    n: tuple[int, int] = (500, 500)

    def verdict(self, seed: int = 0) -> TwoSample:
        """What the two-sample tests say."""
        rng = np.random.default_rng([seed, runtime.mix(self.name) % 2**32])
        m, n = self.n
        parts = [Rows(torch.from_numpy(self.real(rng, k))) for k in (2 * m, m // 2, m)]
        splits = Splits(self.name, Space((parts[0].x.shape[1],)), (), *parts, fingerprint="", counts={})
        return TwoSampleTest(splits, seed=seed).test(torch.from_numpy(self.drawn(rng, n)), power=False)

    def right(self, verdict: Verdict) -> bool | None:
        """Whether a verdict is right; None if it says that it cannot tell."""
        if verdict in (Verdict.CANNOT_TELL, Verdict.TOO_FEW):
            return None
        return (verdict is Verdict.SAME) is self.same


def normal(dims: int, mean: float = 0.0, spread: float = 1.0) -> Draw:
    """Independent normal entries."""
    return lambda rng, n: rng.normal(mean, spread, (n, dims))


def beside(first: Draw, last: Draw) -> Draw:
    """Entries of both."""
    return lambda rng, n: np.concatenate([first(rng, n), last(rng, n)], 1)


def scaled(draw: Draw, *factors: float) -> Draw:
    """Columns in other units."""
    return lambda rng, n: draw(rng, n) * np.array(factors)


def outlier(draw: Draw, at: float) -> Draw:
    """One row of all far away."""
    return lambda rng, n: np.concatenate([draw(rng, n - 1), np.full((1, draw(rng, 1).shape[1]), at)])


def modes(centres: np.ndarray, spread: float, shares: np.ndarray) -> Draw:
    """A mixture of round normals."""
    return lambda rng, n: rng.normal(centres[rng.choice(len(centres), n, p=shares / shares.sum())], spread)


def cube(dims: int, start: float) -> Draw:
    """Uniform in a unit cube from `start` on."""
    return lambda rng, n: rng.uniform(start, start + 1, (n, dims))


def sphere(dims: int, radius: float) -> Draw:
    """Uniform on its surface."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        x = rng.normal(size=(n, dims))
        return radius * x / np.linalg.norm(x, axis=1, keepdims=True)

    return draw


def ball(rng: np.random.Generator, n: int) -> np.ndarray:
    """Uniform in the ball of radius 0.8."""
    return sphere(3, 0.8)(rng, n) * rng.random((n, 1)) ** (1 / 3)


def torus(rng: np.random.Generator, n: int) -> np.ndarray:
    """Around the ball, without touching it: a circle of radius 1, 0.1 thick."""
    a, r, b = rng.uniform(0, 2 * np.pi, n), 0.1 * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
    out = 1 + r * np.cos(b)
    return np.stack([out * np.cos(a), out * np.sin(a), r * np.sin(b)], 1)


def pareto(rng: np.random.Generator, n: int) -> np.ndarray:
    """One column whose variance is infinite."""
    return rng.pareto(1.01, (n, 1)) + 1


def whole(draw: Draw) -> Draw:
    """Rounded."""
    return lambda rng, n: np.round(draw(rng, n))


def checks() -> Iterator[Check]:
    """All of them, each at settings where rows are alike and where they are not."""
    for dims, far in ((1, 1.0), (8, 0.4), (64, 0.25)):
        for mean in (0.0, far, -far):
            yield Check(f"mean difference {dims}: {mean}", normal(dims), normal(dims, mean), not mean)
            real, drawn = outlier(normal(dims), 6), outlier(normal(dims, mean), 6)
            yield Check(f"mean difference, real outlier {dims}: {mean}", real, normal(dims, mean), not mean)
            yield Check(f"mean difference, drawn outlier {dims}: {mean}", normal(dims), drawn, not mean)
        for spread in (0.7, 1.0, 1.4):
            yield Check(f"spread {dims}: {spread}", normal(dims), normal(dims, 0, spread), spread == 1)
    for factor in (1e-3, 1.0, 1e3):
        moved = beside(normal(1, 6), normal(1))
        yield Check(
            f"one column scaled, apart: {factor}", scaled(normal(2), 1, factor), scaled(moved, 1, factor), False
        )
        yield Check(f"one column scaled, alike: {factor}", *[scaled(normal(2), 1, factor)] * 2, True)
    for extra in (1, 30, 250):
        yield Check(
            f"one disjoint column of {extra + 1}", normal(extra + 1), beside(normal(1, 6), normal(extra)), False
        )
    for mean in (-0.5, 0.0, 0.5):
        yield Check(f"heavy tail beside, {mean}", beside(normal(1), pareto), beside(normal(1, mean), pareto), not mean)
    for dims in (1, 8):
        two = modes(np.array([[-2.5] * dims, [2.5] * dims]), 1, np.ones(2))
        yield Check(f"mode collapse {dims}", two, normal(dims, 0, 26**0.5), False)
    for dims, spread in ((1, 1 / 6), (8, 1 / 3), (64, 1.0)):
        centres = np.linspace(0, 10, 10)[:, None].repeat(dims, 1)
        real = modes(centres, spread, np.ones(10))
        for lost in (0, 1, 5):
            left = 10 - lost
            yield Check(f"modes dropped {dims}: {lost}", real, modes(centres[:left], spread, np.ones(left)), not lost)
        for share in (0.5, 0.9):
            thin = modes(centres, spread, np.array([1, *[1 - share] * 9]))
            yield Check(f"modes thinned {dims}: {share}", real, thin, False, (1000, 1000))
    five = modes(MODES[:5], 0.25, np.ones(5))
    for count in (1, 4, 5, 6, 10):
        yield Check(f"modes invented: {count} of 5", five, modes(MODES[:count], 0.25, np.ones(count)), count == 5)
    for dims in (1, 8, 64):
        start = 1 - 0.2 ** (1 / dims)
        for n in (100, 300, 1000):
            yield Check(f"cubes {dims}, {n} rows", cube(dims, 0), cube(dims, start), False, (n, n))
            yield Check(f"cubes {dims}, {n} samples", cube(dims, 0), cube(dims, start), False, (500, n))
            yield Check(f"the same cube {dims}, {n} rows", cube(dims, 0), cube(dims, 0), True, (n, n))
    for dims in (2, 16, 128):
        for radius in (0.8, 1.0, 1.2):
            yield Check(f"surfaces {dims}: {radius}", sphere(dims, 1), sphere(dims, radius), radius == 1)
    for n in (100, 1000):
        yield Check(f"ball and torus, {n} samples", ball, torus, False, (500, n))
        yield Check(f"torus and ball, {n} samples", torus, ball, False, (500, n))
    for scale in (1.0, 30.0, 1000.0):
        yield Check(f"whole samples: {scale}", normal(1, 0, scale), whole(normal(1, 0, scale)), False)
        yield Check(f"whole real numbers: {scale}", whole(normal(1, 0, scale)), normal(1, 0, scale), False)
