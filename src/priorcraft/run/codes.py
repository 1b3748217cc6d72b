"""Codes z of points, for every model that has a continuous z: found by its encoder, or sought."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.classifiers.generative import with_likeliest
from priorcraft.core import UNLABELLED, Approximate, Encoder, Exact, Generative, LatentVariable
from priorcraft.datasets.plain import read_arrays
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.explicit.approximate.latent import decoded, encoded, shown
from priorcraft.implicit.gan import GAN
from priorcraft.implicit.inverse import invert
from priorcraft.run import Run
from priorcraft.run.data import Given, labels_of

BY_ENCODER, BY_SEARCH, DRAWN = (
    "encoder: the mean of q(z | x)",
    "search for the z whose G(z) is nearest: the model has no encoder",
    "a draw from p(z)",
)
NO_CODE = "{} has a z, but none that can be moved: fit a vae, a gan or ppca."


@dataclass(frozen=True)
class Coded:
    """Points and their codes.

    Args:
        x: points, (B, *event_shape).
        z: codes, (B, latent).
        u: codes in units of p(z | c), in which they are moved, (B, latent).
        y: labels with which they were coded, (B,); None without labels.
        method: how.
        error: root mean square of decode(z) - x, as a share of the range of x (of its standard deviation for reals).
    """

    x: Tensor
    z: Tensor
    u: Tensor
    y: Tensor | None
    method: str
    error: float


def latent_model(model: Generative) -> Any:
    """The model, if it has a z that can be moved: Generative and LatentVariable.

    Raises:
        UsageError: no latent variable.
    """
    if not isinstance(model, LatentVariable):
        raise UsageError(f"{type(model).__name__} has no latent variable z; fit a vae, a gan or ppca.")
    return model


def code_labels(run: Run, given: Given | None, y: Tensor | None, n: int) -> Tensor | None:
    """The class that `given` names for all, else the labels that are known, (n,); None for a model without classes.

    Raises:
        UsageError: the model's context is an image.
    """
    chosen = labels_of(run, given, n)
    if run.model.context is not None and not run.model.classes:
        raise UsageError("this model translates images: its z cannot be asked for without the other image.")
    if not run.model.classes or chosen is not None:
        return chosen
    device = run.model.device
    return torch.full((n,), UNLABELLED, device=device) if y is None else y.to(device)


def coded(run: Run, x: Tensor, labels: Tensor | None, seed: int) -> Coded:
    """The codes of points; a class that is not known is the most probable one.

    Raises:
        UsageError: the model has no continuous z, or cannot find the z of an x.
    """
    model: Any = latent_model(run.model)
    device = run.model.device
    x = x.to(device)
    match model:
        case GAN():
            z, labels = invert(model, x, labels, generator=runtime.keyed(seed, "invert", device=device))
            method = BY_SEARCH
        case Encoder():
            if isinstance(model, Exact | Approximate) and model.classes:
                labels = with_likeliest(model, x, labels)
            z, method = encoded(model, x, labels), BY_ENCODER
        case _:
            raise UsageError(NO_CODE.format(type(model).__name__))
    error = (decoded(model, z, labels) - x).square().mean().sqrt()
    scale = x.float().std() if run.model.space.levels is None else run.model.space.levels - 1
    with torch.no_grad():
        return Coded(x, z, model.standardised(z, labels), labels, method, float(error / scale))


def drawn_code(run: Run, given: Given | None, seed: int) -> Coded:
    """One code drawn from p(z), of a class drawn from p(c) if `given` names none, with the x that it stands for.

    Raises:
        UsageError: the model has no continuous z.
    """
    model, device = latent_model(run.model), run.model.device
    generator, c = runtime.keyed(seed, "start", device=device), code_labels(run, given, None, 1)
    c = model.contexts(1, c if given else None, generator=generator)
    z = model.prior(1, given=c, generator=generator)
    if not z.is_floating_point():
        raise UsageError(NO_CODE.format(type(model).__name__))
    with torch.no_grad():
        u = model.standardised(z, c)
    return Coded(shown(model, u, c), z, u, c, DRAWN, 0.0)


def read_codes(path: str | Path, run: Run) -> tuple[Tensor, Tensor | None]:
    """z and, where they are there, labels from an .npz, by the names of the classes or by their numbers.

    Raises:
        DataError: no numbers z, or no class for each of them.
    """
    found = read_arrays(path, ("z", "y"))
    if "z" not in found or found["z"].dtype.kind not in "biuf":
        raise DataError(f"{path} must hold numbers z, as encode writes them; found {', '.join(found) or 'nothing'}.")
    z, y = torch.from_numpy(found["z"]), found.get("y")
    if y is None or not run.classes:
        return z, None
    if y.shape != z.shape[:1]:
        raise DataError(f"y in {path} must hold a class for each of the {len(z)} rows of z, not {y.shape}.")
    if y.dtype.kind in "iu" and bool(((y >= UNLABELLED) & (y < len(run.classes))).all()):
        return z, torch.from_numpy(y.astype("int64"))
    names = list(map(str, y.tolist()))
    for name in names:
        if name not in run.classes:
            raise DataError(f"y in {path}: there is no class '{name}': {did_you_mean(name, run.classes)}")
    return z, torch.tensor([run.classes.index(name) for name in names])


def checked_codes(model: Any, z: Tensor) -> Tensor:
    """z, if the model could have drawn it.

    Raises:
        DataError: another length or type, or not finite.
    """
    generator = runtime.keyed("codes", device=model.device)
    like = model.prior(1, given=model.contexts(1, None, generator=generator), generator=generator)
    if z.dim() != like.dim() or z.shape[1:] != like.shape[1:]:
        raise DataError(f"z must have shape (n, {', '.join(map(str, like.shape[1:]))}), not {tuple(z.shape)}.")
    if not len(z) or not bool(torch.isfinite(z).all()):
        raise DataError("z must hold at least one code, and finite numbers alone.")
    return z.to(like.dtype)


def class_names(run: Run, y: Tensor | None) -> tuple[str, ...] | None:
    """The names of the classes y, (B,), "" where not known; None without labels."""
    return None if y is None else tuple("" if c == UNLABELLED else run.classes[c] for c in y.tolist())
