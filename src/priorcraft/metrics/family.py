"""The tests that are put to samples and real rows together, each with the error rate that is its part."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED
from priorcraft.metrics import sights
from priorcraft.metrics.characters import characters
from priorcraft.metrics.defects import Image
from priorcraft.metrics.groups import Groups
from priorcraft.metrics.look import Look, Sight
from priorcraft.metrics.standard import Standard, one_hot
from priorcraft.metrics.values import Values

ERROR = 0.005  # probability that a perfect sampler is called distinguishable from real rows by any of the tests
DOUBT = 0.05  # probability that it is not called indistinguishable
FIRST, SURE = 499, 4_999  # relabellings of every test, and of one whose figure is out of the ordinary
SIMULATED = 999  # relabellings that say from which figures on a simulated fault is seen
MAX_NEAR = 700  # rows of each kind where all distances are taken
MAX_TREES = 5_000  # rows of each kind that trees are grown on
FEW_COLUMNS = 64  # columns up to which trees are grown
COLUMNS = "columns, pairs and regressions"
BEYOND = "rows with a cell out of the ordinary"


@dataclass(frozen=True)
class Side:
    """Rows of one kind: values, and classes (N,) where there are any, -1 where not known."""

    values: Values
    y: Tensor | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Tensor) -> "Side":
        return Side(self.values[rows], None if self.y is None else self.y[rows])

    def first(self, n: int) -> "Side":
        """At most n of them, in their order."""
        return self[torch.arange(min(n, len(self)))]

    def drawn(self, n: int, generator: Generator) -> "Side":
        """At most n of them, drawn without replacement."""
        return self[torch.randperm(len(self), generator=generator)[:n]]

    def beside(self, other: "Side") -> "Side":
        """These rows, then the others."""
        y = None if self.y is None or other.y is None else torch.cat([self.y.cpu(), other.y.cpu()])
        return Side(self.values.beside(other.values), y)


class Family:
    """Tests of different sight. What they need to know of the data, they learn from real rows that are not compared.

    Args:
        background: real rows to learn from.
        image: (channels, height, width) if the numbers are pixels.
        seed: of relabellings, folds and groups.
    """

    def __init__(self, background: Side, image: Image | None, seed: int) -> None:
        self.background, self.image, self.seed = background, image, seed
        self.standard = Standard(background.values, pixels=image is not None)
        self.groups = Groups.of(self.standard(background.values), background.y, seed=seed)
        self.grows = image is None and len(background.values.names) <= FEW_COLUMNS
        self.space = "pixels" if image else "ranks and indicators"

    @property
    def size(self) -> int:
        """How many tests."""
        return 6 if self.grows else 5

    def looks(self, samples: Side, real: Side) -> tuple[Look, ...]:
        """What every test sees, classifiers first; one that casts a doubt looks again, beside more relabelled rows."""
        pool = self._vectors(samples, real)
        kernel = Sight("kernel regression", self.space, sights.kernel_regression(pool.f), pool.n, pool.m, both=True)
        trees = [self._trees(samples, real)] if self.grows and len(samples) > 1 else []
        found = list[Look]()
        for sight in (*trees, kernel, *self.quick(samples, real)):
            look = sight.look(FIRST, self._keyed("first", sight.test))
            doubtful = look.p <= DOUBT / self.size
            found.append(sight.look(SURE, self._keyed("sure", sight.test)) if doubtful else look)
        return tuple(found)

    def _trees(self, samples: Side, real: Side) -> Sight:
        """Grown on half of the samples and the background, tried on the other half and the real rows."""
        half, known = len(samples) // 2, self.background.first(MAX_TREES).values
        grown, tried = samples.first(half).values, samples[torch.arange(half, len(samples))].values
        scores = sights.boosted_trees(known, grown, tried.beside(real.values))
        return Sight("boosted trees", "raw values", sights.scored(scores), len(tried), len(real))

    def quick(self, samples: Side, real: Side) -> tuple[Sight, ...]:
        """All tests but classifiers."""
        pool, pooled = self._vectors(samples, real), samples.beside(real)
        each = characters(pooled.values, self.standard)
        shares, names = self._shares(pooled)
        of = len(samples), len(real)
        return (
            Sight("nearest neighbours", self.space, sights.neighbours(pool.f), pool.n, pool.m, both=True),
            Sight(COLUMNS, "ranks", sights.differences(each.figures), *of, names=tuple(each.names)),
            Sight(
                "class shares" if self.groups.judges else "group shares",
                self.space,
                sights.differences(shares),
                *of,
                names=tuple(names),
            ),
            Sight(
                BEYOND,
                "raw values",
                sights.differences(self.standard.beyond(pooled.values)),
                *of,
                names=("out of the ordinary", "far out"),
            ),
        )

    def _vectors(self, samples: Side, real: Side) -> "Vectors":
        a, b = samples.first(MAX_NEAR).values, real.first(MAX_NEAR).values
        return Vectors(self.standard(a.beside(b)), len(a), len(b))

    def _shares(self, pooled: Side) -> tuple[Tensor, list[str]]:
        """Indicators of groups, and of rows that are judged to be of the class that they are said to be."""
        f = self.standard(pooled.values)
        figures, names = self.groups.shares(f)
        if not self.groups.judges or pooled.y is None:
            return figures, names
        hit = (self.groups.judged(f) == pooled.y) & (pooled.y != UNLABELLED)
        said = one_hot(pooled.y + 1)
        told = [
            "rows that are of the class they are said to be",
            *["rows said to be of one of the classes"] * said.shape[1],
        ]
        return torch.cat([figures, hit.float()[:, None], said], 1), [*names, *told]

    def _keyed(self, *purpose: str) -> Generator:
        return runtime.keyed(self.seed, "two-sample", *purpose)

    @cached_property
    def _limits(self) -> dict[tuple[int, int], list[tuple[float, float]]]:
        return {}

    def limits(self, samples: Side, real: Side) -> list[tuple[float, float]]:
        """Between what figures the quick tests do not convict: those of as many real rows, relabelled."""
        sizes = len(samples), len(real)
        if sizes not in self._limits:
            looks = [sight.look(SIMULATED, self._keyed("limits")) for sight in self.quick(samples, real)]
            self._limits[sizes] = [look.limits(ERROR / self.size) for look in looks]
        return self._limits[sizes]


@dataclass(frozen=True)
class Vectors:
    """Rows as vectors, (n + m, D): n samples, then m real rows."""

    f: Tensor
    n: int
    m: int
