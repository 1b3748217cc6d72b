"""`translate`: images of one domain as images of another, by p(b | a)."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from priorcraft import io, runtime, zoo
from priorcraft.core import ClosedForm, Space
from priorcraft.data.image import read_image
from priorcraft.data.splits import Splits
from priorcraft.errors import DataError, UsageError
from priorcraft.io import Run, load
from priorcraft.metrics.likelihood import score as measure
from priorcraft.report.grid import picture
from priorcraft.tasks.translate import Pairs, open_pairs
from priorcraft.train.loop import Record, whole
from priorcraft.train.recorded import train_recorded
from priorcraft.train.run_folder import RunFolder
from priorcraft.verbs.fitting import budget_of
from priorcraft.verbs.outputs import check_out, write_arrays, write_bytes

MOST = 100_000


def fit_pairs(
    pairs: str | Path | Pairs,
    model: str,
    *,
    out: str | Path,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    settings: zoo.Settings | None = None,
    overwrite: bool = False,
    device: str = "auto",
    on_record: Callable[[Record], None] = lambda record: None,
) -> dict[str, Any]:
    """Fits p(b | a) to pairs and keeps it in a run folder that `translate` takes.

    Args:
        pairs: what `open_pairs` takes.
        model: a name from `models()` that accepts images as context: masked-mlp, vae, gan.
        out, minutes, steps, seed, settings, overwrite, device, on_record: as in `fit`.

    Returns:
        "run", "model", "family", "steps", "seconds", and "score" of b given a on the validation pairs.
    """
    where = runtime.pick_device(device)
    runtime.tune()
    found = pairs if isinstance(pairs, Pairs) else open_pairs(pairs, seed=seed)
    if issubclass(zoo.entry(model, found.b.space, len(found.b.train))[1].model, ClosedForm):
        raise UsageError(
            f"{model} is fitted by counting and takes labels alone as context; use masked-mlp, vae or gan."
        )
    splits = paired_splits(found)
    budget = budget_of(minutes, steps)
    config = io.describe(model, splits, settings or {}, source=splits.name, seed=seed, budget=budget)
    config["context"] = asdict(found.context)
    zoo.build(model, splits.space, found.context, len(splits.train), settings or {}, seed=seed)
    run = RunFolder.create(Path(out), config, overwrite=overwrite)
    fitted, objective = io.rebuild(run.config, where)
    start = whole(splits.train, where)
    fitted.initialise(start.x, start.given, generator=runtime.keyed(seed, "start"))
    objective.prepare(whole(splits.valid, where))
    for record in train_recorded(run, objective, splits, budget, seed=seed):
        on_record(record)
    kept = io.load(run.path, device=where)
    valid = measure(kept.model, splits.valid, generator=runtime.keyed(0, "score", device=where))
    return {
        "run": str(run.path),
        "model": kept.name,
        "family": kept.family,
        "steps": kept.steps,
        "seconds": round(kept.seconds, 3),
        "score": valid.as_dict() | {"split": "valid"},
    }


def paired_splits(pairs: Pairs) -> Splits:
    """Splits whose rows are b, each with its a in the place of a label."""
    a, b = pairs.a, pairs.b
    train, valid, test = (pairs.rows(part) for part in ("train", "valid", "test"))
    return Splits(b.name, b.space, (), train, valid, test, b.fingerprint + a.fingerprint, b.counts, b.notes)


def translate(
    run: str | Path | Run,
    images: str | Path | Tensor | Sequence[str | Path],
    n: int = 4,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Draws several answers b ~ p(b | a) for every image a.

    Args:
        run: a run that `fit_pairs` made.
        images: image files, an .npz with `a`, or points of the domain A as a tensor (B, *event_shape).
        n: answers each.
        out: .png (a contact sheet, an image a line: a itself if it has b's shape, then its answers) or .npz of `b`.
        overwrite: replace `out`.
        seed: of the draws.
        device: auto, cpu, cuda or mps.

    Returns:
        "images", "n", "out", and "b" (images, n, *event_shape) if `out` is None.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    target = None if out is None else check_out(out, (".npz", ".png"), overwrite=overwrite)
    where = runtime.pick_device(device)
    runtime.tune()
    fitted = run if isinstance(run, Run) else load(run, device=where)
    context, space = fitted.model.context, fitted.model.space
    if context is None or context.is_label:
        raise UsageError(
            "translate needs a model of p(b | a) with an image as a; fit one with: priorcraft fit --pairs."
        )
    a = context.check(read(images, context), "images")
    if not 1 <= n * len(a) <= MOST:
        raise UsageError(f"n must lie in 1 ... {MOST // max(len(a), 1)} for {len(a)} images, not {n}.")
    generator = runtime.keyed(seed, "translate", device=where)
    b = fitted.model.sample(n * len(a), given=a.repeat_interleave(n, 0).to(where), generator=generator).cpu()
    b = b.unflatten(0, (len(a), n))
    if target is None:
        return {"images": len(a), "n": n, "out": None, "b": b}
    if target.suffix.lower() == ".npz":
        write_arrays(target, {"b": b.numpy(), "a": a.numpy()})
    else:
        write_bytes(target, contact_sheet(a, b, context, space))
    return {"images": len(a), "n": n, "out": str(target)}


def read(images: str | Path | Tensor | Sequence[str | Path], context: Space) -> Tensor:
    """Points of the domain A, (B, *event_shape).

    Raises:
        DataError: none, or an .npz without `a`.
    """
    if isinstance(images, Tensor):
        return images
    paths = [Path(images)] if isinstance(images, str | Path) else [Path(path) for path in images]
    if not paths:
        raise UsageError("translate needs at least one image.")
    if paths[0].suffix.lower() == ".npz":
        try:
            with np.load(paths[0], allow_pickle=False) as found:
                return torch.from_numpy(found["a"])
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{paths[0]} must hold an array a of images ({error}).") from None
    return torch.stack([read_image(path, context) for path in paths])


def contact_sheet(a: Tensor, b: Tensor, context: Space, space: Space) -> bytes:
    """A line an image: a, where it has the same shape and levels as b, and its answers; PNG."""
    if context == space:
        return picture(torch.cat([a.unsqueeze(1), b], 1).flatten(0, 1), space, b.shape[1] + 1)
    return picture(b.flatten(0, 1), space, b.shape[1])
