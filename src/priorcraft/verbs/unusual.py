"""`unusual`: rows that do not belong, by p(x), and by what corrects it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import torch
from torch import Tensor

from priorcraft.answer import ARRAY, Answer, Picture, Piece, Sentence
from priorcraft.answer import Rows as Table
from priorcraft.cells import Cells
from priorcraft.cells.writing import frame_of, of_table, table_bytes, with_answers
from priorcraft.core import Space
from priorcraft.datasets import Splits
from priorcraft.errors import UsageError
from priorcraft.metrics.unusual import auroc
from priorcraft.outputs import packed
from priorcraft.report.sheet import Line, Sheet
from priorcraft.run import Run
from priorcraft.run.data import data_of, labelled_data, opened
from priorcraft.run.strange import background, exact, reference, strangeness

MOST = 10  # rows that are named
MOST_LETTERS = 16  # of a name in a picture, its end


@dataclass(frozen=True)
class ByScore(Answer):
    """A figure of each of the three scores.

    Args:
        likelihood: -log p(x), nats.
        typicality: |log p(x) - mean| in standard deviations of validation rows.
        ratio: log p0(x) - log p(x) against the background p0, nats.
    """

    likelihood: float
    typicality: float
    ratio: float


@dataclass(frozen=True)
class Unusual(Answer):
    """How unusual rows are; higher is more unusual.

    Args:
        n: rows.
        mean: of each score over the rows that may belong.
        auroc: p(score of a row that does not belong > score of one that may); None without such rows.
        most: the numbers of the rows with the highest ratios.
        files: the image files that these were read from, if they were files.
        background: what the ratio is taken against.
        likelihood: -log p(x), nats, float64, (n,).
        typicality: |log p(x) - mean| in standard deviations of validation rows, (n,).
        ratio: log p0(x) - log p(x) against the background p0, nats, (n,).
        foreign: whether a row is one of those that do not belong, bool, (n,); None without such rows.
        notes: what was noticed in other data than the run's own.
        cells: of a table, the rows that were asked about; None of other data.
        sheet: the most unusual images with their numbers or names; None of rows.
    """

    writes: ClassVar = {"out": (".npz", ".csv", ".parquet", ".png")}

    n: int
    mean: ByScore
    auroc: ByScore | None
    most: tuple[int, ...]
    background: str
    likelihood: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    typicality: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    ratio: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    foreign: Tensor | None = field(repr=False, compare=False, metadata=ARRAY)
    notes: tuple[str, ...] = ()
    cells: Cells | None = field(default=None, repr=False, compare=False, metadata=ARRAY)
    files: tuple[str, ...] = ()
    sheet: Sheet | None = field(default=None, repr=False, compare=False, metadata=ARRAY)

    def shown(self) -> list[Piece]:
        """A line a score, and the rows that stand out."""
        areas = {} if self.auroc is None else self.auroc.to_dict()
        lines = [{"score": s, "mean": mean, "AUROC": areas.get(s)} for s, mean in self.mean.to_dict().items()]
        most = "the most unusual rows by the ratio, numbered from 0: " + " ".join(map(str, self.most))
        named = [Sentence("which are the files " + ", ".join(self.files))] if self.files else []
        pictured = [] if self.sheet is None else [Picture(self.sheet.png, "the most unusual images")]
        about = Sentence(f"background of the ratio: {self.background}")
        return [Table(lines), Sentence(most), *named, about, *pictured]

    def _bytes(self, what: str, suffix: str) -> bytes:
        scores = self._scores()
        if suffix == ".png":
            if self.sheet is None:
                raise UsageError("a picture needs images, and these are rows: write an .npz.")
            return self.sheet.png()
        if suffix != ".npz":
            return table_bytes(self._table(suffix), suffix)
        marked = {} if self.foreign is None else {"unusual": self.foreign}
        return packed({name: value.numpy() for name, value in (scores | marked).items()})

    def _scores(self) -> dict[str, Tensor]:
        return {"likelihood": self.likelihood, "typicality": self.typicality, "ratio": self.ratio}

    def _table(self, what: str) -> pa.Table:
        cells = of_table(self.cells, what)
        return with_answers(cells, {name: value[: cells.rows].numpy() for name, value in self._scores().items()})

    @property
    def frame(self) -> Any:
        """The rows of a table with the three scores, as a data frame of the library that they came from."""
        return frame_of(of_table(self.cells, "frame"), self._table("frame"))


def unusual(
    run: str | Path | Run,
    data: str | Path | Splits | Any | None = None,
    *,
    against: str | Path | Splits | None = None,
    rate: float = 0.3,
    seed: int = 0,
) -> Unusual:
    """How unusual rows are: -log p(x), typicality, and likelihood ratio; higher is more unusual.

    The ratio is taken against a background: the same kind of model, fitted to training rows some of whose entries are
    mutated.

    Args:
        run: the run folder of an exact model, or what `fit` and `load` return.
        data: rows that may or may not belong, in Python also a data frame; the run's own test rows without it.
        against: rows that do not belong, to measure how well each score tells them from the others.
        rate: share of entries mutated for the background of the ratio.
        seed: of every random draw: the same seed gives the same answer.

    Writes:
        out: .npz of likelihood, typicality and ratio, and of which rows are unusual with --against; of a table .csv or
            .parquet of its rows with the three scores; of images .png of the most unusual.

    Returns:
        The three scores of every row, and what they amount to.

    Raises:
        NoDensity: a model whose density is not exact.
        UsageError, DataError: as their names say.
    """
    found, _ = opened(run)
    model = exact(found)
    own = labelled_data(found, None)
    asked = labelled_data(found, data, holes=True)
    rows = [asked.test]
    if against is not None:
        rows.append(data_of(found, against, holes=True).test)
    foreign = torch.arange(sum(map(len, rows))) >= len(rows[0])
    judge, usual = background(found, own, rate, seed), reference(model, own)
    each = [strangeness(model, judge, usual, part) for part in rows]
    likelihood, typical, corrected = (torch.cat(score) for score in zip(*each, strict=True))
    scores = (likelihood, typical, corrected)
    most = scores[-1][~foreign].argsort(descending=True)[:MOST]
    files = asked.named(asked.test.where(most))
    return Unusual(
        len(foreign),
        ByScore(*(float(score[~foreign].mean()) for score in scores)),
        None if against is None else ByScore(*(auroc(score, foreign) for score in scores)),
        tuple(most.tolist()),
        f"{found.name}, fitted to training rows with {rate:.0%} of their entries mutated",
        *scores,
        None if against is None else foreign,
        () if data is None else asked.notes,
        None if asked.table is None else asked.cells(asked.test),
        files,
        pictured(asked.test.x[most], files or tuple(map(str, most.tolist())), model.space),
    )


def pictured(x: Tensor, names: Sequence[str], space: Space) -> Sheet | None:
    """Images under their names, the most unusual first; None of rows."""
    return Sheet("", [name[-MOST_LETTERS:] for name in names], [Line("", [*x])], space) if space.is_image else None
