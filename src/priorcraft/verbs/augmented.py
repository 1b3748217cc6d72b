"""Data with samples added, written in the form that they came in."""

import csv
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from priorcraft import runtime
from priorcraft.core import UNLABELLED
from priorcraft.datasets import Rows, Splits
from priorcraft.datasets.tables import written
from priorcraft.errors import UsageError
from priorcraft.metrics.gain import known
from priorcraft.outputs import write_arrays, write_bytes
from priorcraft.report.grid import pixels
from priorcraft.run import Run
from priorcraft.verbs.sampling import columns_for
from priorcraft.verbs.scoring import SPLITS


def write_augmented(target: Path, splits: Splits, added: Rows, run: Run, seed: int) -> None:
    """The data with the added rows at the end of the training rows, and where each training row comes from."""
    if (columns := columns_for(run, target)) is not None:
        names = [splits.classes[c] for c in known(added).tolist()]
        cells = columns.cells(added.x.numpy(), names, runtime.keyed(seed, "cells"))
        write_bytes(target, written(columns.header, cells))
        return
    synthetic = np.arange(len(splits.train) + len(added)) >= len(splits.train)
    if target.suffix:
        write_arrays(target, arrays(splits, added) | {
            "synthetic": synthetic, "model": np.where(synthetic, str(run.name), ""),
            "seed": np.where(synthetic, seed, -1)})  # fmt: skip
    else:
        write_folder(target, splits, added, run, seed)


def arrays(splits: Splits, added: Rows) -> dict[str, np.ndarray]:
    """x_train ... y_test and levels, as `open_data` reads them."""
    parts = {part: splits.rows(part) for part in SPLITS}
    x, y = torch.cat([splits.train.x, added.x.to(splits.train.x)]), torch.cat([known(splits.train), known(added)])
    parts["train"] = Rows(x, y)
    names = np.array([*splits.classes, ""])  # the last one, number -1, stands for a label that is not known
    found = {f"x_{part}": rows.x.numpy() for part, rows in parts.items()}
    found |= {f"y_{part}": names[rows.y.numpy()] for part, rows in parts.items() if rows.y is not None}
    return found if splits.space.levels is None else found | {"levels": np.array(splits.space.levels)}


def write_folder(target: Path, splits: Splits, added: Rows, run: Run, seed: int) -> None:
    """folder/part/class/*.png, the added ones by name, and provenance.csv."""
    if not splits.space.is_image:
        raise UsageError("a folder holds images, and these rows are none; write an .npz.")
    lines = io.StringIO()
    table = csv.writer(lines)
    table.writerow(["file", "source", "model", "seed"])
    for part, rows, kind in [*((p, splits.rows(p), "real") for p in SPLITS), ("train", added, "synthetic")]:
        for i, (image, label) in enumerate(zip(pixels(rows.x, splits.space), known(rows).tolist(), strict=True)):
            if label == UNLABELLED:
                continue
            path = Path(part) / safe(splits.classes[label]) / f"{kind}-{i:06d}.png"
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(target / path)
            table.writerow([path, kind, *((run.name, seed) if kind == "synthetic" else ("", ""))])
    (target / "provenance.csv").write_text(lines.getvalue())


def safe(name: str) -> str:
    """A class name as the name of a folder.

    >>> safe("cats/dogs")
    'cats_dogs'
    """
    return "".join(c if c.isalnum() or c in "-_. " else "_" for c in name).strip(". ") or "_"
