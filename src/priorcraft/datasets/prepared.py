"""Data that were read once and lie on disk as they are used: memory-mapped arrays and a JSON file beside them."""

import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from priorcraft import disk
from priorcraft.cells import Cells
from priorcraft.cells.stored import StoredCells, kept
from priorcraft.contents import printable
from priorcraft.core import Finer, Space
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.raw import SPLITS
from priorcraft.datasets.shelf import MEMORY, Shelf
from priorcraft.datasets.splits import BESIDE, Rows, Splits
from priorcraft.errors import DataError
from priorcraft.mapped import tensor_of

DESCRIPTION, FORMAT = "data.json", 1
MAGIC = "priorcraft data"
CELLS = "cells.parquet"  # the cells of a table, as they were read
WHOLE = ("train",)  # the part that stands for all where data are not divided


def is_prepared(source: object) -> bool:
    """Whether this names a folder that `save` wrote."""
    return isinstance(source, (str, Path)) and os.path.isfile(os.path.join(source, DESCRIPTION))


def save(data: Splits, folder: Path, shelf: Shelf = MEMORY) -> Path:
    """Writes checked and divided data as plain arrays; the description comes last, so that a torn folder is none.

    Args:
        data: what `open_data` returned.
        folder: a new or empty folder.
        shelf: where the arrays of `data` lie; files of a folder are not copied where the file system can share them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lies = data.folder or shelf.folder
    for part in SPLITS if data.divided else WHOLE:
        rows = data.rows(part)
        for name in ("x", *BESIDE):
            if (tensor := getattr(rows, name)) is None:
                continue
            file = f"{part}.{name}.npy"
            if lies is not None and (lies / file).is_file():
                _keep_file(lies / file, folder / file)
                continue
            with disk.stream(folder / file) as stream:
                np.save(stream, tensor.numpy(), allow_pickle=False)  # pyright: ignore[reportArgumentType]
    table = data.table
    if isinstance(table, Cells):
        table = kept(table, folder / CELLS)
    elif table is not None:
        _keep_file(table.path, folder / CELLS)
    disk.replace(folder / DESCRIPTION, json.dumps(described(replace(data, table=table))).encode())
    return folder


def _keep_file(own: Path, path: Path) -> None:
    """A file in a second place, without a copy where the file system can."""
    try:
        os.link(own, path)
    except OSError:
        shutil.copyfile(own, path)


def described(data: Splits) -> dict[str, Any]:
    """What has to be said of arrays that lie in a folder."""
    return {
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
        "cells": about(data.table) if isinstance(data.table, StoredCells) else None,
        "labelled": [part for part in SPLITS if data.rows(part).y is not None],
    }


def open_prepared(folder: Path) -> Splits:
    """What `save` wrote; its arrays are mapped and read page by page when rows are asked for.

    Raises:
        DataError: a damaged folder, or one of a newer version.
    """
    found = _description(folder)
    try:
        train, valid, test = (_rows(folder, part if found["divided"] else "train", found) for part in SPLITS)
        space = _space(found["space"])
        columns = None if found["columns"] is None else Columns.from_json(found["columns"])
        data = Splits(
            found["name"], space, tuple(found["classes"]), train, valid, test, fingerprint=found["fingerprint"],
            counts=dict(found["counts"]), notes=tuple(found["notes"]), divided=bool(found["divided"]), columns=columns,
            folder=folder, table=None if found.get("cells") is None else stored_table(folder, found["cells"]),
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


def about(table: StoredCells) -> dict[str, Any]:
    """What the cells of a table have in common, and how they are found again."""
    own = table.about
    common = {"source": own.source, "notes": list(own.notes), "first": own.first, "unit": own.unit}
    more = {"decimal_comma": own.decimal_comma, "kind": own.kind}
    return {**common, **more, "rows": table.rows, "names": list(table.names)}


def stored_table(folder: Path, found: dict[str, Any]) -> StoredCells:
    """The cells in a folder that `about` described."""
    own = {name: found[name] for name in ("source", "first", "unit", "decimal_comma", "kind")}
    common = Cells(columns=(), rows=0, notes=tuple(found["notes"]), **own)
    return StoredCells(folder / CELLS, common, found["rows"], tuple(found["names"]))


def _space(found: dict[str, Any]) -> Space:
    finer = tuple(Finer(each["entry"], each["of"], tuple(each["states"])) for each in found.get("finer", ()))
    unordered = tuple(found.get("unordered", ()))
    return Space(tuple(found["event_shape"]), found["levels"], tuple(found["sizes"]), finer, unordered)


def _rows(folder: Path, part: str, found: dict[str, Any]) -> Rows:
    there = [name for name in BESIDE if name != "y" and (folder / f"{part}.{name}.npy").is_file()]
    more = {name: _mapped(folder, part, name) for name in there}
    return Rows(_mapped(folder, part, "x"), _labels(folder, part, found), **more)


def _labels(folder: Path, part: str, found: dict[str, Any]) -> Tensor | None:
    return _mapped(folder, part, "y") if part in found["labelled"] else None


def _mapped(folder: Path, part: str, name: str) -> Tensor:
    """An array file as a tensor whose pages are read when they are touched."""
    return mapped(folder / f"{part}.{name}.npy")


def mapped(path: Path) -> Tensor:
    """An .npy file as a tensor whose pages are read when they are touched; it must not be written to."""
    return tensor_of(np.load(path, mmap_mode="r", allow_pickle=False))
