"""`impute`: missing values of an array, drawn several times."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.cells import SUFFIXES, is_frame
from priorcraft.cells.writing import as_parquet, as_text
from priorcraft.condition.filled import impute as imputing
from priorcraft.condition.restoration import complaints
from priorcraft.datasets.holes import Holes
from priorcraft.datasets.plain import read_arrays
from priorcraft.disk import printable
from priorcraft.errors import DataError, UsageError
from priorcraft.outputs import check_out, write_arrays, write_bytes
from priorcraft.run import Run
from priorcraft.run.data import opened
from priorcraft.verbs.restoring import check_size, rounded


def impute(
    run: str | Path | Run,
    file: str | Path | Any,
    *,
    n: int = 8,
    draws: int = 64,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Draws the missing values of an array from p(missing | seen), n times.

    Args:
        run: a run folder, or what `load` returned.
        file: .npz with rows x, where nan is missing, or also a mask of the same shape, 1 where missing; or an .npy
            of rows with nan; for a model of a table, a .csv or a data frame with empty cells.
        n: imputations of each row.
        draws: how many the mean and the spread are taken over.
        out: .npz with x (rows, n, ...), mean, std, entropy, mask (1 where seen); or, for a .csv, a .csv with its empty
            cells filled in, all rows n times over under a number "imputation" if n is above 1.
        overwrite: replace `out` if it is there.
        seed: of the draws.
        device: auto, cpu, cuda or mps.

    Returns:
        "kind", "method", "diagnostics", "missing" (entries), "rows", "n", "notes", "seconds", "out"; and x, mean, std,
        entropy as tensors if `out` is None.

    Raises:
        UsageError, DataError, ImpossibleEvidence: as their names say.
    """
    tabular = is_frame(file) or Path(file).suffix.lower() in SUFFIXES
    forms = (".npz", ".csv", ".parquet") if tabular else (".npz",)
    target = None if out is None else check_out(out, forms, overwrite=overwrite)
    fitted, where = opened(run, device)
    if tabular and fitted.columns is None:
        raise UsageError("a table was given, and the model was fitted to none; give an .npz of rows.")
    table = Holes.read(file, fitted.columns, fitted.classes) if tabular and fitted.columns is not None else None
    x, seen = (table.x, table.seen) if table is not None else read_rows(cast(Path, file), fitted)
    check_size(n, draws, x)
    generator = runtime.keyed(seed, "impute", device=where)
    labels = None if table is None or table.labels is None else table.labels.to(where)
    done = imputing(fitted.model, x.to(where), seen.to(where), n, draws=draws, given=labels, generator=generator)
    answer = {"kind": done.kind, "method": done.method, "diagnostics": rounded(done.diagnostics)}
    answer |= {
        "missing": int((~seen).sum()),
        "rows": len(x),
        "n": n,
        "notes": [*complaints(done), *([] if table is None else table.notes())],
    }
    answer |= {"seconds": round(done.seconds, 3), "out": None if target is None else str(target)}
    arrays = {"x": done.x, "mean": done.mean, "std": done.std, "entropy": done.entropy, "mask": seen}
    if target is None:
        return answer | arrays
    if table is not None and target.suffix.lower() != ".npz":
        filled = table.table(done.x.cpu().numpy()[table.open], runtime.keyed(seed, "cells"))
        write_bytes(target, as_text(filled) if target.suffix.lower() == ".csv" else as_parquet(filled))
    else:
        write_arrays(target, {name: value.cpu().numpy() for name, value in arrays.items()})
    return answer


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
