"""`encode`: from x to z, through any model that has a continuous z."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from torch import Tensor

from priorcraft.answer import ARRAY, Answer
from priorcraft.cells import Cells
from priorcraft.cells.writing import frame_of, of_table, table_bytes, with_answers
from priorcraft.datasets import Splits
from priorcraft.outputs import packed
from priorcraft.run import Run
from priorcraft.run.codes import class_names, code_labels, coded
from priorcraft.run.data import Given, data_of, opened
from priorcraft.run.images import Point, points_of

FEW = 1000  # rows that are coded unless it is said how many


@dataclass(frozen=True)
class Encoded(Answer):
    """Codes of points.

    Args:
        n: how many.
        latent: length of a code; a hierarchy puts all its layers in a row, the coarsest first.
        method: how they were found.
        reconstruction_error: root mean square of decode(z) - x, as a share of the range of x.
        z: codes, (n, latent).
        y: classes by number under which they were coded, (n,); None without classes.
        classes: their names.
        cells: of a table, the rows.
    """

    writes: ClassVar = {"out": (".npz", ".csv", ".parquet")}

    n: int
    latent: int
    method: str
    reconstruction_error: float
    z: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    y: Tensor | None = field(repr=False, compare=False, metadata=ARRAY)
    classes: tuple[str, ...] | None = field(repr=False, compare=False, metadata=ARRAY)

    cells: Cells | None = field(default=None, repr=False, compare=False, metadata=ARRAY)

    @property
    def frame(self) -> Any:
        """The rows of a table with their codes z1, z2, ..., as a data frame of the library that they came from."""
        return frame_of(of_table(self.cells, "frame"), self._table("frame"))

    def _table(self, what: str) -> pa.Table:
        codes = {f"z{i + 1}": self.z[:, i].numpy() for i in range(self.latent)}
        return with_answers(of_table(self.cells, what), codes)

    def _bytes(self, what: str, suffix: str) -> bytes:
        if suffix != ".npz":
            return table_bytes(self._table(suffix), suffix)
        return packed({"z": self.z.numpy()} | ({} if self.classes is None else {"y": np.array(self.classes)}))


def encode(
    run: str | Path | Run,
    images: Sequence[Point] = (),
    *,
    data: str | Path | Splits | Any | None = None,
    limit: int | None = None,
    given: Given | None = None,
    seed: int = 0,
) -> Encoded:
    """The latent codes z of images or rows.

    A VAE encodes; for a GAN, which has no encoder, the z that comes nearest is searched for.

    Args:
        run: the run folder, or what `fit` and `load` return.
        images: image files, or numbers of test rows; without any, the first test rows.
        data: whose test rows, in Python also a data frame; the run's own data without it.
        limit: test rows at most, where no images are named; without it 1,000, and all rows of a table.
        given: label=CLASS for all; else the class of the row, and for files the most probable one.
        seed: of a search.

    Writes:
        out (required): .npz of z, and of y, the names of the classes, where the model has classes; of a table .csv or
            .parquet of its rows with z1, z2, ... beside them.

    Returns:
        The codes, how they were found, and how near they come to the images.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    fitted, _ = opened(run)
    if limit is None:
        limit = FEW
        if fitted.columns is not None and not images:
            data = data_of(fitted, data)
            limit = max(1, len(data.test))
    named = points_of(fitted, images, data, limit)
    found = coded(fitted, named.x, code_labels(fitted, given, named.y, len(named.x)), seed)
    y, classes = None if found.y is None else found.y.cpu(), class_names(fitted, found.y)
    n, latent = found.z.shape
    rows = None if images or named.splits is None else named.splits
    cells = None if rows is None or rows.table is None else rows.cells(rows.test).take(np.arange(n))
    account = (n, latent, found.method, round(found.error, 4))
    return Encoded(*account, found.z.detach().cpu(), y, classes, cells)
