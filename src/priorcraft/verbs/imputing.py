"""`impute`: missing values of an array, drawn several times."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.data.image import printable
from priorcraft.data.plain import read_arrays
from priorcraft.errors import DataError
from priorcraft.io import Run
from priorcraft.tasks.impute import impute as imputing
from priorcraft.tasks.restore import complaints
from priorcraft.verbs.asked import opened
from priorcraft.verbs.outputs import check_out, write_arrays
from priorcraft.verbs.restoring import check_size, rounded


def impute(
    run: str | Path | Run,
    file: str | Path,
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
            of rows with nan.
        n: imputations of each row.
        draws: how many the mean and the spread are taken over.
        out: .npz with x (rows, n, ...), mean, std, entropy, seen, mask (1 where seen).
        overwrite: replace `out` if it is there.
        seed: of the draws.
        device: auto, cpu, cuda or mps.

    Returns:
        "kind", "method", "diagnostics", "missing" (entries), "rows", "n", "notes", "seconds", "out"; and x, mean, std,
        entropy as tensors if `out` is None.

    Raises:
        UsageError, DataError, ImpossibleEvidence: as their names say.
    """
    target = None if out is None else check_out(out, (".npz",), overwrite=overwrite)
    fitted, where = opened(run, device)
    x, seen = read_rows(file, fitted)
    check_size(n, draws, x)
    generator = runtime.keyed(seed, "impute", device=where)
    done = imputing(fitted.model, x.to(where), seen.to(where), n, draws=draws, generator=generator)
    answer = {"kind": done.kind, "method": done.method, "diagnostics": rounded(done.diagnostics)}
    answer |= {"missing": int((~seen).sum()), "rows": len(x), "n": n, "notes": complaints(done)}
    answer |= {"seconds": round(done.seconds, 3), "out": None if target is None else str(target)}
    arrays = {"x": done.x, "mean": done.mean, "std": done.std, "entropy": done.entropy, "mask": seen}
    if target is None:
        return answer | arrays
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
