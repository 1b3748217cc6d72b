"""`evaluate`: samples of any origin beside the data that they should look like."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch

from priorcraft import runtime
from priorcraft.answer import Answer, Piece, Sentence
from priorcraft.answer import Rows as Table
from priorcraft.core import UNLABELLED
from priorcraft.datasets import Reading, Rows, Splits, open_data
from priorcraft.errors import DataError, UsageError
from priorcraft.metrics.copies import CopyCheck, copies
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.sharpness import sharpness
from priorcraft.metrics.two_sample import TwoSample, two_sample
from priorcraft.run import Run
from priorcraft.run.data import brought, data_of, describe, opened, within
from priorcraft.train.run_folder import is_run
from priorcraft.verbs.sample import sample

MOST = 10_000  # samples that are looked at


@dataclass(frozen=True)
class Evaluation(Answer):
    """What can be said of samples without their model.

    Args:
        n: samples.
        two_sample: whether a classifier tells them from test rows.
        copies: whether they repeat training rows.
        fidelity: share that a judge sees in the class they should be of; None without labels of two classes.
        judge: its accuracy on real test rows, the ceiling of `fidelity`.
        sharpness: mean length of the gradient against real images; None but for images of integers.
        notes: what was left out, and of a table how its cells were read.
        seconds: that it took.
    """

    n: int
    two_sample: TwoSample
    copies: CopyCheck
    fidelity: float | None
    judge: float | None
    sharpness: float | None
    notes: tuple[str, ...]
    seconds: float

    def shown(self) -> list[Piece]:
        """A line a number, with what it has to be read beside."""
        power = f"disguised copies found: {self.copies.control_share:.0%}"
        rows: list[tuple[str, float | None, str | None, str | None]] = []
        for look in self.two_sample.looks:
            low, high = look.floor
            floor = (
                f"real against real: {low:.3g} to {high:.3g}" if look.both else f"real against real: up to {high:.3g}"
            )
            rows.append((look.test, look.value, floor, self.two_sample.said(look)))
        rows.append(("copies of training rows", self.copies.share, power, self.copies.verdict))
        if self.fidelity is not None:
            rows.append(("class fidelity", self.fidelity, f"real test rows: {self.judge:.3f}", None))
        if self.sharpness is not None:
            rows.append(("sharpness", self.sharpness, "real images: 1", None))
        lines = [{"number": name, "value": value, "beside": near, "verdict": told} for name, value, near, told in rows]
        return [Table(lines, f"{self.n:,} samples"), Sentence(self.two_sample.told)]


def evaluate(
    samples: str | Path | Splits | Run,
    data: str | Path | Splits | None = None,
    *,
    seed: int = 0,
    reading: Reading | None = None,
) -> Evaluation:
    """Judge samples of any origin beside the data that they should look like; no model is needed.

    Args:
        samples: an .npz, a folder of images or a .csv in the form of the data; labels are the classes asked for. Or a
            run, of which as many are drawn as there are real rows to compare them with.
        data: the real data: a name from `priorcraft data`, a folder, or an .npz, .npy, .csv or .parquet file; of a run
            its own without it.
        seed: of every random draw: the same seed gives the same answer.
        reading: how the data are read.

    Returns:
        Each number beside the controls that it has to be read with.

    Raises:
        UsageError, DataError: as their names say.

    >>> digits = open_data("digits")
    >>> found = evaluate(digits, digits)
    >>> found.copies.verdict.value, found.fidelity > 0.99
    ('copies', True)
    """
    began = time.perf_counter()
    if isinstance(samples, Run) or (isinstance(samples, str | Path) and is_run(samples)):
        fitted, _ = opened(samples)
        real = data_of(fitted, data, holes=True)
        found, rows, notes = drawn(fitted, real, seed)
    elif data is None:
        raise UsageError("evaluate compares samples with data: give DATA, too; a run alone knows its own.")
    else:
        real = data if isinstance(data, Splits) else open_data(data, seed=seed, **(reading or {}))
        found, rows, notes = rows_of(samples, real, seed, reading or {})
    judged = rows.x if found.table is None or rows.place is None else found.cells(rows)
    known = None if rows.y is None else rows.where(rows.y != UNLABELLED)
    judge = Judge(real, seed=seed) if real.classes and known is not None and len(known) else None
    images = real.space.is_image and real.space.levels is not None
    return Evaluation(
        n=len(rows),
        two_sample=two_sample(judged, halved(real, seed) if real.table else real, seed=seed, y=rows.y),
        copies=copies(rows.x, real, seed=seed),
        fidelity=None if judge is None or known is None or known.y is None else judge.fidelity(known.x, known.y),
        judge=None if judge is None else judge.accuracy,
        sharpness=sharpness(rows.x, real) if images else None,
        notes=notes,
        seconds=round(time.perf_counter() - began, 3),
    )


def drawn(run: Run, real: Splits, seed: int) -> tuple[Splits, Rows, tuple[str, ...]]:
    """As `rows_of`, of samples that a model draws, read like a file of them."""
    rows = len(real.train) + len(real.valid) + len(real.test)
    n = min(rows // 2 if real.table else len(real.test), MOST)
    with tempfile.TemporaryDirectory(prefix="priorcraft-") as folder:
        path = Path(folder) / f"{run.name}.{'parquet' if run.columns is not None else 'npz'}"
        sample(run, n, seed=seed).save(path)
        found, x, _ = rows_of(path, real, seed, {})
    return found, x, (f"{n:,} samples were drawn from {run.name}.",)


def rows_of(
    samples: str | Path | Splits, real: Splits, seed: int, reading: Reading
) -> tuple[Splits, Rows, tuple[str, ...]]:
    """Samples as they were opened, all their rows in the space and the classes of the real data, and what was noted."""
    if isinstance(samples, Splits):
        found = samples
    elif real.columns is not None:
        found = open_data(samples, seed=seed, known=real.fingerprint, columns=real.columns)
    else:
        how = cast(Reading, {key: value for key, value in reading.items() if key == "on_bad_image"})
        if real.space.is_image and real.space.levels is not None:
            how["levels"] = real.space.levels
        how = brought(samples, real.space, how)
        found = open_data(samples, seed=seed, known=real.fingerprint, classes=real.classes or None, **how)
    try:
        found = within(found, real.space)
    except DataError:
        told = f"the data are {describe(real.space)}, but these samples are {describe(found.space)}"
        raise DataError(f"{told}, or go beyond them.") from None
    parts = [found.train, found.valid, found.test] if found.divided else [found.train]
    rows = parts[0] if len(parts) == 1 else joined(parts)
    notes = tuple(found.notes) if real.columns is not None and not isinstance(samples, Splits) else ()
    if len(rows) <= MOST:
        return found, rows, notes
    keep = torch.randperm(len(rows), generator=runtime.keyed(seed, "samples"))[:MOST]
    return found, rows.where(keep), (f"{MOST:,} of {len(rows):,} samples, drawn.", *notes)


def halved(real: Splits, seed: int) -> Splits:
    """A table, half of whose rows samples are compared with: its division was made by us, and means nothing to them."""
    rows = joined([real.train, real.valid, real.test])
    order, half = torch.randperm(len(rows), generator=runtime.keyed(seed, "halved")), len(rows) // 2
    known = rows.where(order[half:])
    third = len(known) // 3
    parts = {"test": rows.where(order[:half]), "valid": known.first(third)}
    return replace(real, train=known.where(torch.arange(third, len(known))), **parts)


def joined(parts: list[Rows]) -> Rows:
    """Rows one after another, with their labels and their places in the table where all have them."""
    y, place = ([value for part in parts if (value := getattr(part, name)) is not None] for name in ("y", "place"))
    labels, places = (torch.cat(each) if len(each) == len(parts) else None for each in (y, place))
    return Rows(torch.cat([part.x for part in parts]), labels, place=places)
