"""`impute`: missing values of an array or a table, drawn several times."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.answer import ARRAY, Answer, Facts, Piece
from priorcraft.answer import Rows as Lines
from priorcraft.cells import SUFFIXES, is_frame
from priorcraft.cells.writing import as_parquet, as_text, frame_of, of_table
from priorcraft.classifiers.generative import drawn_labels
from priorcraft.condition import filled
from priorcraft.condition.restoration import complaints
from priorcraft.contents import printable
from priorcraft.datasets.holes import Holes
from priorcraft.datasets.plain import read_arrays
from priorcraft.errors import DataError, UsageError
from priorcraft.outputs import packed
from priorcraft.report.restored import rounded
from priorcraft.run import Run
from priorcraft.run.data import opened
from priorcraft.run.images import check_size

SHOWN = 5  # rows of a table that are shown


@dataclass(frozen=True)
class Imputed(Answer):
    """Rows whose missing values were drawn.

    Args:
        kind: "exact" if they are draws of the model's own p(missing | seen), "approximate" otherwise.
        method: the engine that made them.
        diagnostics: its own figures.
        missing: entries that were missing.
        rows, n: how many rows, and imputations of each.
        notes: what has to be said about the engine, and of cells that stay empty.
        seconds: wall time.
        x: imputed rows, (rows, n, *event_shape).
        mean, std: of all draws made, entry by entry, (rows, *event_shape).
        entropy: of their histogram, bits, (rows, *event_shape).
        mask: True where an entry was there, (rows, *event_shape).
        classes: of the rows of a table with empty cells, their classes, drawn where not known, (rows with holes, n);
            None without classes.
        table: the table with holes; None for arrays.
        seed: of the draws.
    """

    writes: ClassVar = {"out": (".npz", ".csv", ".parquet")}

    kind: str
    method: str
    diagnostics: dict[str, float]
    missing: int
    rows: int
    n: int
    notes: tuple[str, ...]
    seconds: float
    x: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    mean: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    std: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    entropy: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    mask: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    classes: Tensor | None = field(repr=False, compare=False, metadata=ARRAY)
    table: Holes | None = field(repr=False, compare=False, metadata=ARRAY)
    seed: int = field(repr=False, compare=False, metadata=ARRAY)

    @property
    def filled(self) -> pa.Table:
        """The table with its empty cells filled in; all rows n times over under a number where n is above 1.

        Raises:
            UsageError: the rows came from no table.
        """
        if self.table is None:
            raise UsageError("a .csv is for the rows of a table, and these came from an array: write an .npz.")
        classes = None if self.classes is None else self.classes.numpy()
        return self.table.table(self.x.numpy()[self.table.open], classes, runtime.keyed(self.seed, "cells"))

    @property
    def frame(self) -> Any:
        """The same as a data frame of the library that the table came from, with its types."""
        return frame_of(of_table(None if self.table is None else self.table.cells, "frame"), self.filled)

    def shown(self) -> list[Piece]:
        """How they were made, and of a table the first rows."""
        about = {"kind": self.kind, "method": self.method, **self.diagnostics}
        found: list[Piece] = [
            Facts(about | {"missing": self.missing, "rows": self.rows, "n": self.n, "seconds": self.seconds})
        ]
        if self.table is not None:
            head = self.filled.slice(0, SHOWN).to_pylist()
            found.append(Lines(head, f"the first {len(head)} of {self.rows * self.n:,} rows"))
        return found

    def _bytes(self, what: str, suffix: str) -> bytes:
        if suffix == ".csv":
            return as_text(self.filled)
        if suffix == ".parquet":
            return as_parquet(self.filled)
        return packed({name: getattr(self, name).numpy() for name in ("x", "mean", "std", "entropy", "mask")})


def impute(
    run: str | Path | Run, file: str | Path | Any, *, n: int = 8, draws: int | None = None, seed: int = 0
) -> Imputed:
    """Draw the missing values of an array or a table from p(missing | seen), several times.

    Args:
        run: the run folder, or what `fit` and `load` return.
        file: .npz with rows x, where nan is missing, or also a mask of the same shape, 1 where missing; an .npy of rows
            with nan; for a model of a table, a .csv or .parquet file with empty cells, in Python also a data frame.
        n: imputations of each row.
        draws: of arrays, how many the mean and the spread are taken over, if more than those n that are returned.
        seed: of every random draw: the same seed gives the same answer.

    Writes:
        out (required): .npz for the numbers, x (rows, n, ...), mean, std, entropy, mask (1 where seen); of a table also
            .csv or .parquet, with its empty cells filled in, all rows n times over under a number if n is above 1.

    Returns:
        The rows, and the kind of engine that filled them in.

    Raises:
        UsageError, DataError, ImpossibleEvidence: as their names say.
    """
    fitted, where = opened(run)
    table = None
    if not is_frame(file) and Path(file).suffix.lower() not in SUFFIXES:
        (x, seen), labels = read_rows(file, fitted), None
    elif fitted.columns is None:
        raise UsageError("a table was given, and the model was fitted to none; give an .npz of rows.")
    else:
        table = Holes.read(file, fitted.columns, fitted.classes)
        x, seen, labels = table.x, table.seen, table.labels
    draws = n if table is not None or draws is None else draws
    check_size(n, draws, len(x), x[0].numel())
    generator, given = runtime.keyed(seed, "impute", device=where), None if labels is None else labels.to(where)
    done = filled.impute(fitted.model, x.to(where), seen.to(where), n, draws=draws, given=given, generator=generator)
    classes = None
    if table is not None:
        x_open, key = done.x[torch.from_numpy(table.open).to(where)], runtime.keyed(seed, "classes")
        classes = drawn_labels(fitted.model, x_open, table.open_labels, generator=key)
    return Imputed(
        kind=done.kind,
        method=done.method,
        diagnostics=rounded(done.diagnostics),
        missing=int((~seen).sum()) + (0 if table is None else int(table.unlabelled.sum())),
        rows=len(x),
        n=n,
        notes=(*complaints(done), *(() if table is None else table.notes())),
        seconds=round(done.seconds, 3),
        x=done.x.cpu(),
        mean=done.mean.cpu(),
        std=done.std.cpu(),
        entropy=done.entropy.cpu(),
        mask=seen,
        classes=classes,
        table=table,
        seed=seed,
    )


def read_rows(path: str | Path, run: Run) -> tuple[Tensor, Tensor]:
    """Rows of the model's space and what is seen of them.

    Raises:
        DataError: an unreadable file, rows of another shape, a mask of another shape or with other values than 0 and
            1, no rows.
    """
    named = read_arrays(path, ("x", "mask"))
    shape = run.model.space.event_shape
    x = named.get("x")
    if x is None or x.dtype.kind not in "biuf" or x.ndim < 1 or not len(x) or x[0].size != run.model.space.dims:
        found = "none" if x is None else f"{x.dtype} of shape {x.shape}"
        raise DataError(
            f"{printable(path)} must hold numbers x of shape (rows, {', '.join(map(str, shape))}); found {found}."
        )
    missing = np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)
    mask = named.get("mask", missing)
    if mask.shape != x.shape or not np.isin(mask, (0, 1)).all():
        raise DataError(
            f"the mask in {printable(path)} must have the shape of x and the values 0 and 1, 1 where missing."
        )
    seen = torch.from_numpy(~(missing | mask.astype(bool))).view(len(x), *shape)
    values = torch.from_numpy(np.nan_to_num(x)).view(len(x), *shape)
    return (values.float() if run.model.space.levels is None else values), seen
