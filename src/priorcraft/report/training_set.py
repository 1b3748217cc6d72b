"""A training set with rows added to it, in the form that it came in: an .npz, a table, or a folder of images."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from priorcraft import disk, runtime
from priorcraft.cells.writing import written
from priorcraft.core import UNLABELLED
from priorcraft.datasets import Rows, Splits
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.raw import SPLITS
from priorcraft.errors import UsageError
from priorcraft.outputs import folder_name, packed
from priorcraft.report.grid import pixels, png


@dataclass(frozen=True)
class TrainingSet:
    """Data, rows added to their training rows, and where these come from.

    Args:
        splits: the data.
        added: rows with labels of the same classes.
        model: the name of what drew them.
        seed: of the draws.
    """

    splits: Splits
    added: Rows
    model: str
    seed: int

    def npz(self) -> bytes:
        """x_train ... y_test and levels, as `open_data` reads them, and where each training row comes from."""
        splits, parts = self.splits, {part: self.splits.rows(part) for part in SPLITS}
        x = torch.cat([splits.train.x, self.added.x.to(splits.train.x)])
        parts["train"] = Rows(x, torch.cat([splits.train.labels, self.added.labels]))
        names = np.array([*splits.classes, ""])  # the last one, number -1, stands for a label that is not known
        found = {f"x_{part}": rows.x.numpy() for part, rows in parts.items()}
        found |= {f"y_{part}": names[rows.y.numpy()] for part, rows in parts.items() if rows.y is not None}
        if splits.space.levels is not None:
            found["levels"] = np.array(splits.space.levels)
        synthetic = np.arange(len(x)) >= len(splits.train)
        model, seed = np.where(synthetic, self.model, ""), np.where(synthetic, self.seed, -1)
        return packed(found | {"synthetic": synthetic, "model": model, "seed": seed})

    def csv(self, columns: Columns | None) -> bytes:
        """The added rows alone, under the names of the table's columns.

        Raises:
            UsageError: rows that are of no table.
        """
        if columns is None:
            raise UsageError("a .csv needs a model of a table's columns; this one was not fitted to a table.")
        names = [self.splits.classes[c] for c in self.added.labels.tolist()]
        return written(columns.header, columns.cells(self.added.x.numpy(), names, runtime.keyed(self.seed, "cells")))

    def write_folder(self, target: Path) -> None:
        """target/part/class/*.png, the added ones by name, and provenance.csv.

        Raises:
            UsageError: rows that are no images.
        """
        splits = self.splits
        if not splits.space.is_image:
            raise UsageError("a folder holds images, and these rows are none; write an .npz.")
        lines = io.StringIO()
        table = csv.writer(lines)
        table.writerow(["file", "source", "model", "seed"])
        with disk.tree(target) as tree:
            for part, rows, kind in [
                *((p, splits.rows(p), "real") for p in SPLITS),
                ("train", self.added, "synthetic"),
            ]:
                for i, (image, label) in enumerate(
                    zip(pixels(rows.x, splits.space), rows.labels.tolist(), strict=True)
                ):
                    if label == UNLABELLED:
                        continue
                    path = Path(part) / folder_name(splits.classes[label]) / f"{kind}-{i:06d}.png"
                    disk.write(tree / path, png(Image.fromarray(image)))
                    table.writerow([path, kind, *((self.model, self.seed) if kind == "synthetic" else ("", ""))])
            disk.write(tree / "provenance.csv", lines.getvalue().encode())
