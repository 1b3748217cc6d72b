"""Where z begins and ends, what stands beside it, and how the answer is kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED
from priorcraft.datasets import Splits
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.latent import nearest
from priorcraft.outputs import check_out, write_arrays, write_bytes
from priorcraft.run import Run
from priorcraft.run.data import data_of, opened
from priorcraft.verbs.codes import (
    Coded,
    Point,
    coded,
    labelled,
    latent_model,
    points_of,
    seen_from,
)

MOST = 64  # steps of a path, or lines of a sheet
NEAREST = "nearest real"
Given = Mapping[str, str | int] | None


def ready(run: str | Path | Run, out: str | Path | None, overwrite: bool, device: str) -> tuple[Path | None, Run]:
    """The file to write, and a model with a z.

    Raises:
        UsageError: a picture of what is no image, among others.
    """
    target = None if out is None else check_out(out, (".png", ".npz"), overwrite=overwrite)
    fitted, _ = opened(run, device)
    latent_model(fitted.model)
    if target is not None and target.suffix.lower() == ".png" and not fitted.model.space.is_image:
        raise UsageError("a picture needs images, and these are rows: write an .npz.")
    return target, fitted


def ends_of(
    run: Run,
    images: Sequence[Point],
    data: str | Path | Splits | None,
    given: Given,
    neighbours: bool,
    seed: int,
) -> tuple[Coded, Splits | None]:
    """The codes of the images that are named, and the data for their neighbours."""
    x, y, splits = points_of(run, images, data)
    found = coded(run, x, labelled(run, given, y, len(x)), seed)
    return found, (splits or data_of(run, data)) if neighbours else None


def start_of(
    run: Run, image: Point | None, data: str | Path | Splits | None, given: Given, neighbours: bool, seed: int
) -> tuple[Coded, Splits | None]:
    """The code of an image, or one drawn from p(z) with the x that it stands for."""
    if image is not None:
        return ends_of(run, [image], data, given, neighbours, seed)
    model, device = run.model, run.model.log_prior.device
    generator = runtime.keyed(seed, "start", device=device)
    c = labelled(run, given, None, 1)
    c = model._context_for(1, None if c is None or int(c) == UNLABELLED else c, generator)
    z = latent_model(model).prior(1, given=c, generator=generator)
    if not z.is_floating_point():
        raise UsageError(f"{type(model).__name__} has a z, but none that can be moved: fit a vae, a gan or ppca.")
    with torch.no_grad():
        u = latent_model(model).standardised(z, c)
    x = seen_from(latent_model(model), u, c)
    return Coded(x, z, u, c, "a draw from p(z)", 0.0), data_of(run, data) if neighbours else None


def checked_latents(latents: Sequence[int], length: int) -> list[int]:
    """The entries of z that were asked for, if it has them."""
    if latents and not (0 <= min(latents) <= max(latents) < length and len(latents) <= MOST):
        raise UsageError(f"latents must be at most {MOST} numbers in 0 ... {length - 1}, not {list(latents)}.")
    return list(latents)


def check_between(name: str, value: int, least: int) -> None:
    """Raises a UsageError if a number of steps is too small or too large for a picture."""
    if not least <= value <= MOST:
        raise UsageError(f"{name} must lie in {least} ... {MOST}, not {value:,}.")


def neighbours_of(x: Tensor, splits: Splits | None) -> tuple[Tensor, list[int]] | None:
    """The nearest training rows (Euclidean distance), and their numbers."""
    if splits is None:
        return None
    numbers = nearest(x.cpu(), splits.train.x)
    return splits.train.x[numbers], numbers.tolist()


def account(rows: Coded, near: tuple[Tensor, list[int]] | None) -> dict[str, Any]:
    """What is said of the codes, and of the neighbours."""
    about = {"method": rows.method, "reconstruction_error": round(rows.error, 4)}
    return about | {"nearest": None if near is None else near[1]}


def named_classes(run: Run, y: Tensor | None) -> str:
    """The classes of the images, for a title."""
    if y is None:
        return ""
    names = list(dict.fromkeys(run.classes[int(c)] for c in y))
    return f"   (class {' to '.join(names[:2])})"


def delivered(answer: dict[str, Any], arrays: Mapping[str, Tensor | None], target: Path | None, drawn: Any) -> Any:
    """Writes the picture or the arrays; without a file, the arrays come with the answer."""
    there = {name: value.detach().cpu() for name, value in arrays.items() if value is not None}
    answer |= {"out": None if target is None else str(target)}
    if target is None:
        return answer | there
    if target.suffix.lower() == ".png":
        write_bytes(target, drawn())
    else:
        write_arrays(target, {name: value.numpy() for name, value in there.items()})
    return answer
