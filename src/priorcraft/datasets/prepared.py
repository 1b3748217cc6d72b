"""Data that were read once and lie on disk as they are used: memory-mapped arrays and a JSON file beside them."""

import json
import os
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from priorcraft.core import Space
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.raw import SPLITS
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.disk import printable
from priorcraft.errors import DataError

DESCRIPTION, FORMAT = "data.json", 1
MAGIC = "priorcraft data"
OF_TABLES = ("seen", "rest", "strange")  # what else is known of the rows of a table, see `Rows`


def is_prepared(source: object) -> bool:
    """Whether this names a folder that `save` wrote."""
    return isinstance(source, (str, Path)) and os.path.isfile(os.path.join(source, DESCRIPTION))


def save(data: Splits, folder: Path) -> Path:
    """Writes checked and divided data as plain arrays; the description comes last, so that a torn folder is none.

    Args:
        data: what `open_data` returned.
        folder: a new or empty folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in SPLITS:
        rows = data.rows(part)
        for name in ("x", "y", *OF_TABLES):
            if (tensor := getattr(rows, name)) is not None:
                np.save(folder / f"{part}.{name}.npy", tensor.numpy(), allow_pickle=False)
    describe(data, folder)
    return folder


def describe(data: Splits, folder: Path) -> None:
    """Writes the description of arrays that lie in a folder."""
    found = {
        "kind": MAGIC,
        "format": FORMAT,
        "name": data.name,
        "space": asdict(data.space),
        "context": None if data.context is None or data.context.is_label else asdict(data.context),
        "classes": list(data.classes),
        "columns": None if data.columns is None else data.columns.as_json(),
        "fingerprint": data.fingerprint,
        "counts": data.counts,
        "notes": list(data.notes),
        "divided": data.divided,
        "labelled": [part for part in SPLITS if data.rows(part).y is not None],
    }
    partial = folder / (DESCRIPTION + ".tmp")
    partial.write_text(json.dumps(found))
    os.replace(partial, folder / DESCRIPTION)


def open_prepared(folder: Path) -> Splits:
    """What `save` wrote; its arrays are mapped and read page by page when rows are asked for.

    Raises:
        DataError: a damaged folder, or one of a newer version.
    """
    found = _description(folder)
    try:
        train, valid, test = (_rows(folder, part, found) for part in SPLITS)
        space = _space(found["space"])
        columns = None if found["columns"] is None else Columns.from_json(found["columns"])
        data = Splits(
            found["name"], space, tuple(found["classes"]), train, valid, test, fingerprint=found["fingerprint"],
            counts=dict(found["counts"]), notes=tuple(found["notes"]), divided=bool(found["divided"]), columns=columns,
            folder=folder,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, OSError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{printable(folder)} is damaged ({reason}); prepare the data anew.") from None
    for part, rows in zip(SPLITS, (train, valid, test), strict=True):
        if tuple(rows.x.shape) != (found["counts"][part], *space.event_shape):
            raise DataError(f"{printable(folder)}: {part}.x.npy has shape {tuple(rows.x.shape)}; prepare it anew.")
    return data


def _description(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / DESCRIPTION).read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{printable(folder / DESCRIPTION)} cannot be read: {error}. Prepare the data anew.") from None
    if not isinstance(found, dict) or found.get("kind") != MAGIC:
        raise DataError(f"{printable(folder / DESCRIPTION)} does not describe prepared data.")
    if found.get("format") != FORMAT:
        raise DataError(f"{printable(folder)} was prepared by another version of priorcraft; prepare the data anew.")
    return found


def _space(found: dict[str, Any]) -> Space:
    return Space(tuple(found["event_shape"]), found["levels"], tuple(found["sizes"]))


def _rows(folder: Path, part: str, found: dict[str, Any]) -> Rows:
    there = [name for name in OF_TABLES if (folder / f"{part}.{name}.npy").is_file()]
    more = {name: _mapped(folder, part, name) for name in there}
    return Rows(_mapped(folder, part, "x"), _labels(folder, part, found), **more)


def _labels(folder: Path, part: str, found: dict[str, Any]) -> Tensor | None:
    return _mapped(folder, part, "y") if part in found["labelled"] else None


def _mapped(folder: Path, part: str, name: str) -> Tensor:
    """An array file as a tensor whose pages are read when they are touched."""
    return mapped(folder / f"{part}.{name}.npy")


def mapped(path: Path) -> Tensor:
    """An .npy file as a tensor whose pages are read when they are touched; it must not be written to."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # that it cannot be written to
        return torch.from_numpy(array)
