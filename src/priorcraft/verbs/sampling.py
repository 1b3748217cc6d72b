"""`sample`: new points from a fitted model."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from priorcraft import runtime
from priorcraft.core import Generative
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.tables import written
from priorcraft.errors import UsageError, did_you_mean
from priorcraft.explicit.exact.chain import Autoregressive, Method
from priorcraft.explicit.exact.ensemble import Ensemble
from priorcraft.outputs import check_out, write_arrays, write_bytes
from priorcraft.report.grid import picture
from priorcraft.run import Run
from priorcraft.run.data import opened

LARGEST = 10_000_000  # entries of one answer, n times the entries of a point, in units of a hundred


def sample(
    run: str | Path | Run,
    n: int = 16,
    *,
    given: Mapping[str, str | int] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
    method: str = "auto",
) -> dict[str, Any]:
    """Draws from a fitted model.

    Args:
        run: a run folder, or what `load` returned.
        n: how many.
        given: {"label": name or number of a class}; classes are drawn from p(c) without it.
        out: .npz (integers `x`, and names of classes `y` where labels were given), .png (a picture of them), or .csv
            where the model was fitted to a table: its columns, the label drawn like the rest.
        overwrite: replace `out` if it is there.
        seed: of the draws: the same seed gives the same samples.
        device: auto, cpu, cuda or mps.
        method: of a single autoregressive model: "fast" (its own sampler), "jacobi" (rounds of the whole network),
            "naive" (a pass an entry), or "auto". The same seed gives the same samples by any of them, but for rounding.

    Returns:
        "n", "seconds", "method" (the sampler), "network_evaluations" and "forward_ratio" (time over that of one pass of
        the network over as many points; of autoregressive models and ensembles with one), "out", and "x" (and "y") as
        tensors if `out` is None.

    Raises:
        UsageError: n below 1 or too large, an unknown label, or an output that is there.
    """
    target = None if out is None else check_out(out, (".npz", ".png", ".csv"), overwrite=overwrite)
    fitted, where = opened(run, device)
    columns = columns_for(fitted, target)
    limit = LARGEST * 100 // fitted.model.space.dims
    if not 1 <= n <= limit:
        raise UsageError(f"n must lie in 1 ... {limit:,} for points of this size, not {n:,}.")
    label = label_of(fitted, given)
    generator = runtime.keyed(seed, "sample", device=where)
    if columns is not None and fitted.classes and label is None:
        label = fitted.model._context_for(n, None, generator)
    x, account = drawn_with_account(fitted.model, n, label, generator, method_of(method))
    answer: dict[str, Any] = {"n": n, **account, "out": None}
    drawn = {"x": x} if label is None else {"x": x, "y": label.cpu().expand(n)}
    if target is None:
        return answer | drawn
    if columns is not None:
        names = None if label is None else [fitted.classes[int(c)] for c in label.expand(n)]
        cells = columns.cells(x.numpy(), names, runtime.keyed(seed, "cells"))
        write_bytes(target, written(columns.header, cells))
    elif target.suffix.lower() == ".png":
        write_bytes(target, picture(x, fitted.model.space))
    else:
        names = {} if label is None else {"y": np.array(fitted.classes)[drawn["y"].numpy()]}
        write_arrays(target, {"x": x.numpy()} | names)
    return answer | {"out": str(target)}


def columns_for(run: Run, target: Path | None) -> Columns | None:
    """The columns of a .csv that shall be written; None if none shall.

    Raises:
        UsageError: a model that was not fitted to a table.
    """
    if target is None or target.suffix.lower() != ".csv":
        return None
    if run.columns is None:
        raise UsageError(f"{target.name} needs a model of a table's columns; this one was not fitted to a .csv.")
    return run.columns


def drawn_with_account(
    model: Generative, n: int, given: torch.Tensor | None, generator: torch.Generator, method: Method = Method.AUTO
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Samples on the CPU, and what they took: seconds, and for autoregressive models the sampler and its price."""
    if isinstance(model, Autoregressive):
        x, report = model.sample_report(n, given=given, generator=generator, method=method)
        price = {"network_evaluations": report.network_evaluations, "forward_ratio": round(report.forward_ratio, 3)}
        return x, {"seconds": round(report.seconds, 4), "method": report.method, **price}
    if method is not Method.AUTO:
        raise UsageError("method can be chosen for a single autoregressive model alone: masked-mlp or masked-conv.")
    start = time.perf_counter()
    x = model.sample(n, given=given, generator=generator).cpu()
    seconds = time.perf_counter() - start
    return x, {"seconds": round(seconds, 4), **price_of(model, x, given, seconds)}


def price_of(model: Generative, x: torch.Tensor, given: torch.Tensor | None, seconds: float) -> dict[str, Any]:
    """Sampler, evaluations, and the ratio to one pass of the network where an ensemble has one; it draws its part."""
    members = model.parts() if isinstance(model, Ensemble) else []
    networks = [member for member in members if isinstance(member, Autoregressive)]
    if not networks:
        return {"method": "direct", "network_evaluations": None, "forward_ratio": None}
    context = networks[0]._context_for(len(x), given, runtime.keyed("any class", device=model.log_prior.device))
    ratio = round(seconds / networks[0].forward_seconds(x, context), 3)
    return {"method": f"members by weight, {networks[0].sampler}", "network_evaluations": 1, "forward_ratio": ratio}


def method_of(name: str) -> Method:
    """The method of that name."""
    if name not in list(Method):
        raise UsageError(f"there is no method '{name}': {did_you_mean(name, list(Method))}")
    return Method(name)


def label_of(run: Run, given: Mapping[str, str | int] | None) -> torch.Tensor | None:
    """The class that `given` names, as a scalar tensor."""
    if not given:
        return None
    if set(given) != {"label"}:
        raise UsageError(f"given must be label=CLASS, not {', '.join(f'{k}={v}' for k, v in given.items())}.")
    if not run.classes:
        raise UsageError("given label cannot be used: this model was fitted to data without labels of two classes.")
    name = str(given["label"])
    if name not in run.classes:
        raise UsageError(f"there is no class '{name}': {did_you_mean(name, run.classes)}")
    return torch.tensor(run.classes.index(name), device=run.model.log_prior.device)
