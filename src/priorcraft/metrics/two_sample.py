"""Can samples be told from real rows, by any of several tests, and what would have been?"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa
import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import Answer, plain
from priorcraft.cells import Cells
from priorcraft.cells.column import column_of_texts
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.errors import UsageError
from priorcraft.metrics.defects import Image
from priorcraft.metrics.family import DOUBT, ERROR, Family, Side
from priorcraft.metrics.look import Look
from priorcraft.metrics.power import Needed, Power, Simulation
from priorcraft.metrics.values import Values

MIN_ROWS = 100  # below it, samples that are not told are not acquitted either
MAX_ROWS = 5_000  # of each kind


class Verdict(StrEnum):
    """What the two-sample tests conclude."""

    SAME = "not distinguishable"
    DIFFERENT = "distinguishable"
    REPEATS = "repeats these rows"
    TOO_FEW = "too few rows"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class TwoSample(Answer):
    """What several tests could do with samples and real rows.

    Args:
        verdict: "distinguishable" if a test's figure lies above what chance allows; "repeats these rows" if one lies
            below it; "cannot tell" if one is out of the ordinary, but not beyond chance, or if not even noise is told
            from real rows; "too few rows" with fewer than 100 of a kind; else "not distinguishable".
        looks: what each test saw. A perfect sampler is told by any of them with probability 0.5 % at most, and left
            open with 5 % at most.
        power: what would have been seen; () unless "not distinguishable".
        needed: rows of each kind with which a stated fault would be; None unless "too few rows".
        controls: faults that must be seen, by name, and whether they were.
        n, m: rows of samples and of real rows that were compared.
    """

    verdict: Verdict
    looks: tuple[Look, ...]
    power: tuple[Power, ...]
    needed: Needed | None
    controls: dict[str, bool]
    n: int
    m: int

    @property
    def auc(self) -> float | None:
        """Area under the ROC curve of the classifier: 0.5 without fault, 1 at worst, far below 0.5 for repeats."""
        return self.looks[0].value if self.looks else None

    @property
    def floor(self) -> tuple[float, float] | None:
        """Where 95 % of its figures for relabelled rows lie."""
        return self.looks[0].floor if self.looks else None

    @property
    def p(self) -> float:
        """p of any test's figure as far out as the farthest, for a perfect sampler (Bonferroni)."""
        return min([1.0, *(len(self.looks) * look.p for look in self.looks)])

    def beyond(self, error: float) -> tuple[Look, ...]:
        """The tests whose figures are so far out that all together err at this rate, the surest first."""
        found = [look for look in self.looks if look.p <= error / len(self.looks)]
        return tuple(sorted(found, key=lambda look: look.p))

    def said(self, look: Look) -> str | None:
        """What one test says by itself, at its part of the error rate; None if nothing."""
        side = "above" if look.above < look.below else "below"
        sure, open_ = (any(look is other for other in self.beyond(error)) for error in (ERROR, DOUBT))
        return f"{side} chance" if sure else f"{side}, perhaps by chance" if open_ else None

    @property
    def told(self) -> str:
        """The verdict in a sentence that says what it could not have seen."""
        if found := self.beyond(ERROR):
            rate = f"A perfect sampler is told by any test with probability {ERROR:.1%}."
            return f"{self.verdict.value.capitalize()} by {named(found)}. {rate}"
        if found := self.beyond(DOUBT):
            rate = f"a perfect sampler comes so far with probability {self.p:.2g}, and is told at {ERROR:g}"
            return f"Cannot tell: {named(found)} out of the ordinary, but {rate}; more rows would decide."
        if self.verdict is Verdict.TOO_FEW:
            there = f"there are {self.n} samples and {self.m} real rows"
            return f"Too few rows to acquit: {there}. {'' if self.needed is None else self.needed.told}".strip()
        if self.verdict is Verdict.CANNOT_TELL:
            return "Cannot tell: not even noise is told from these real rows."
        seen, blind = ("; ".join(p.told for p in self.power if p.found is kind) for kind in (True, False))
        would = f": these would have been seen with 95 % probability: {seen}" if seen else ""
        not_seen = f" These would not have been: {blind}." if blind else ""
        rows = f"{self.n} samples and {self.m} real rows"
        return f"Not distinguishable by {len(self.looks)} tests of {rows}{would}.{not_seen}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "auc": self.auc,
            "floor": plain(self.floor),
            "verdict": self.verdict.value,
            "told": self.told,
            "tests": [look.as_dict() for look in self.looks],
            "error": ERROR,
            "doubt": DOUBT,
            "p": self.p,
            "needed": None if self.needed is None else self.needed.rows,
            "power": [{"fault": p.told, "seen": p.found} for p in self.power],
            "controls": self.controls,
            "n": self.n,
            "real": self.m,
        }


class TwoSampleTest:
    """Several two-sample tests with one error rate, their controls and their power.

    Every test's figure is compared with the same figure for relabelled rows, so that each errs at its rate, whatever
    the data; with J tests each may err with 0.5 % / J (Bonferroni), and between that and 5 % / J nothing is decided.
    They are: a classifier (gradient-boosted trees on the raw values of tables, kernel ridge regression on all;
    Lopez-Paz & Oquab 2017, arXiv:1610.06545), nearest neighbours (Schilling 1986), the largest difference of single
    columns, pairs and regressions (Neyman 1937), and the shares of classes and groups. Passing proves only that these
    failed; `TwoSample.power` says what they would have seen.

    Args:
        splits: the data set. Samples are compared with test rows; classes, groups, scales and regressions are learned
            from training and validation rows, a third of which is kept for the simulation of faults.
        seed: of all draws.
        rows: most of each kind that are compared.
    """

    def __init__(self, splits: Splits, *, seed: int = 0, rows: int = MAX_ROWS) -> None:
        self.splits, self.seed, self.rows = splits, seed, rows
        self.image: Image | None = None
        if splits.space.is_image:
            channels, height, width = splits.space.event_shape
            self.image = channels, height, width
        self.real = self._side(splits.test).drawn(rows, self._keyed("real"))
        known = self._side(splits.train).beside(self._side(splits.valid)).drawn(2 * rows, self._keyed("background"))
        third = len(known) // 3
        self.family = Family(known[torch.arange(third, len(known))], self.image, seed)
        self.simulation = Simulation(self.family, known[torch.arange(third)], self.real)

    @property
    def n(self) -> int:
        """Real rows that samples are compared with."""
        return len(self.real)

    def test(self, samples: Tensor | Cells, y: Tensor | None = None, *, power: bool = True) -> TwoSample:
        """Judges samples.

        Args:
            samples: points (n, *event_shape), or the cells of a table with the columns of the data; points of a table
                are judged by the cells that they stand for. Of more than `rows`, so many are drawn.
            y: the classes that they should be of, (n,), -1 where not known.
            power: whether to simulate, seconds, what would have been seen if the verdict is "not distinguishable", and
                how many rows are needed if it is "too few rows".

        Raises:
            DataError: samples outside the space, or without a column.
            UsageError: no samples.
        """
        values = self._values(samples)
        if not len(values):
            raise UsageError("samples must hold at least one row; found none.")
        drawn = Side(values, None if y is None else y.cpu()).drawn(self.rows, self._keyed("samples"))
        looks = self.family.looks(drawn, self.real)
        verdict = self._verdict(looks, len(drawn))
        seen = self.simulation.power(len(drawn)) if verdict is Verdict.SAME and power else ()
        needed = self.simulation.needed if verdict is Verdict.TOO_FEW and power else None
        return TwoSample(verdict, looks, seen, needed, self.controls if seen else {}, len(drawn), self.n)

    def _values(self, samples: Tensor | Cells) -> Values:
        splits, columns = self.splits, self.splits.columns
        if isinstance(samples, Cells):
            if columns is None:
                raise UsageError("samples must be points of the data's space: these data are no table.")
            return Values.of_table(columns.read(samples), columns)
        x = splits.space.check(samples, "samples").cpu()
        if columns is None or splits.table is None:
            return Values.of(splits.space, x, columns)
        rows = columns.cells(x.numpy(), None, self._keyed("cells"))
        texts = zip(columns.header, zip(*rows, strict=True), strict=True) if rows else ()
        cells = tuple(column_of_texts(name, pa.array(column, pa.string())) for name, column in texts)
        return Values.of_table(Cells(splits.name, cells, len(rows)), columns)

    @property
    def controls(self) -> dict[str, bool]:
        """Faults of which there can be no doubt, and whether they are seen; "other real rows" must not be."""
        return self.simulation.controls

    def _verdict(self, looks: tuple[Look, ...], n: int) -> Verdict:
        told = [look for look in looks if look.p <= ERROR / len(looks)]
        if told:
            return Verdict.DIFFERENT if any(look.above < look.below for look in told) else Verdict.REPEATS
        if any(look.p <= DOUBT / len(looks) for look in looks):
            return Verdict.CANNOT_TELL
        if min(n, self.n) < MIN_ROWS:
            return Verdict.TOO_FEW
        return Verdict.SAME if self.simulation.tells_noise else Verdict.CANNOT_TELL

    def _side(self, rows: Rows) -> Side:
        splits = self.splits
        if splits.columns is not None and splits.table is not None and rows.place is not None:
            return Side(Values.of_table(splits.cells(rows), splits.columns), rows.y)
        return Side(Values.of(splits.space, rows.x, splits.columns), rows.y)

    def _keyed(self, purpose: str) -> Generator:
        return runtime.keyed(self.seed, "two-sample", purpose)


def named(looks: tuple[Look, ...]) -> str:
    """Tests by their name, the numbers that they looked at, and where the difference is largest."""
    return "; ".join(f"{k.test} on {k.space}" + (f" ({k.told})" if k.told else "") for k in looks)


def two_sample(samples: Tensor | Cells, splits: Splits, *, seed: int = 0, y: Tensor | None = None) -> TwoSample:
    """`TwoSampleTest` once; for several samplers, keep one test."""
    return TwoSampleTest(splits, seed=seed).test(samples, y)
