"""What the verbs of z share: points of a run, their codes, and what is decoded from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Approximate, Encoder, Exact, Generative, LatentVariable
from priorcraft.datasets import Splits, read_image
from priorcraft.datasets.plain import read_arrays
from priorcraft.errors import DataError, UsageError
from priorcraft.implicit.gan import GAN
from priorcraft.implicit.inverse import invert
from priorcraft.run import Run
from priorcraft.run.data import data_of
from priorcraft.verbs.sampling import label_of
from priorcraft.verbs.scoring import known

Point = str | Path | int | Tensor
BATCH = 256
BY_ENCODER, BY_SEARCH = (
    "encoder: the mean of q(z | x)",
    "search for the z whose G(z) is nearest: the model has no encoder",
)


@dataclass(frozen=True)
class Coded:
    """Points and their codes.

    Args:
        x: points, (B, *event_shape).
        z: codes, (B, latent).
        y: labels with which they were coded, (B,); None without labels.
        u: codes in units of p(z | c), in which they are moved, (B, latent).
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
    """The model, if it has a z that can be moved.

    Raises:
        UsageError: no latent variable.
    """
    if not isinstance(model, LatentVariable):
        raise UsageError(f"{type(model).__name__} has no latent variable z; fit a vae, a gan or ppca.")
    return model


def points_of(
    run: Run, images: Sequence[Point], data: str | Path | Splits | None, limit: int = 1
) -> tuple[Tensor, Tensor | None, Splits | None]:
    """The points that are named, their labels (-1 for files), and the data if they were opened.

    Args:
        images: tensors, files, or numbers of test rows; none takes the first `limit` test rows.
    """
    numbers = [isinstance(image, int) or (isinstance(image, str) and image.isdigit()) for image in images]
    splits = data_of(run, data) if data is not None or any(numbers) or not images else None
    if not images and splits is not None:
        if limit < 1:
            raise UsageError(f"limit must be at least 1, not {limit}.")
        y = splits.test.y
        return run.model.space.check(splits.test.x[:limit]), None if y is None else y[:limit], splits
    read = [
        test_row(splits, int(str(image))) if number and splits is not None else (one_point(run, image), UNLABELLED)
        for image, number in zip(images, numbers, strict=True)
    ]
    x = run.model.space.check(torch.stack([x for x, _ in read]), "the images")
    return x, torch.tensor([label for _, label in read]), splits


def test_row(splits: Splits, number: int) -> tuple[Tensor, int]:
    """A test row and its label."""
    if not 0 <= number < len(splits.test):
        raise UsageError(f"there is no test row {number}; they are numbered 0 ... {len(splits.test) - 1}.")
    y = splits.test.y
    return splits.test.x[number], UNLABELLED if y is None else int(y[number])


def one_point(run: Run, image: Point) -> Tensor:
    """A tensor as it is, or an image file."""
    return image if isinstance(image, Tensor) else read_image(str(image), run.model.space)


def labelled(run: Run, given: Mapping[str, str | int] | None, y: Tensor | None, n: int) -> Tensor | None:
    """The class that `given` names for all, else the labels that are known, (n,); None for a model without classes."""
    chosen = label_of(run, given)
    if run.model.context is not None and not run.model.classes:
        raise UsageError("this model translates images: its z cannot be asked for without the other image.")
    if not run.model.classes:
        return None
    device = run.model.log_prior.device
    if chosen is not None:
        return chosen.expand(n)
    return torch.full((n,), UNLABELLED, device=device) if y is None else y.to(device)


def coded(run: Run, x: Tensor, labels: Tensor | None, seed: int) -> Coded:
    """The codes of points; a class that is not known is the most probable one.

    Raises:
        UsageError: the model has no continuous z, or cannot find the z of an x.
    """
    model: Any = latent_model(run.model)
    device = run.model.log_prior.device
    x = x.to(device)
    match model:
        case GAN():
            z, labels = invert(model, x, labels, generator=runtime.keyed(seed, "invert", device=device))
            method = BY_SEARCH
        case Encoder():
            labels = known(model, x, labels) if isinstance(model, Exact | Approximate) and model.classes else labels
            method = BY_ENCODER
            z = encoded(model, x, labels)
        case _:
            raise UsageError(f"{type(model).__name__} has a z, but none that can be moved: fit a vae, a gan or ppca.")
    error = (decoded(model, z, labels) - x).square().mean().sqrt()
    scale = x.float().std() if run.model.space.levels is None else run.model.space.levels - 1
    with torch.no_grad():
        return Coded(x, z, model.standardised(z, labels), labels, method, float(error / scale))


@torch.no_grad()
def encoded(model: Any, x: Tensor, labels: Tensor | None) -> Tensor:
    """z of points, a batch at a time."""
    parts = [None] * len(x) if labels is None else labels.split(BATCH)
    return torch.cat([model.encode(rows, c) for rows, c in zip(x.split(BATCH), parts, strict=False)])


@torch.no_grad()
def decoded(model: LatentVariable, z: Tensor, labels: Tensor | None) -> Tensor:
    """The mean of p(x | z), a batch at a time."""
    parts = [None] * len(z) if labels is None else labels.split(BATCH)
    return torch.cat([model.decode(rows, c) for rows, c in zip(z.split(BATCH), parts, strict=False)])


def seen_from(model: LatentVariable, u: Tensor, labels: Tensor | None) -> Tensor:
    """`decoded`, from codes in units of p(z | c)."""
    with torch.no_grad():
        return decoded(model, model.unstandardised(u, labels), labels)


def read_codes(path: str | Path) -> tuple[Tensor, Tensor | None]:
    """z and, where they are there, labels from an .npz."""
    found = read_arrays(path, ("z", "y"))
    if "z" not in found or any(found[key].dtype.kind not in "biuf" for key in ("z", "y") if key in found):
        raise DataError(f"{path} must hold numbers z, as encode writes them; found {', '.join(found) or 'nothing'}.")
    return torch.from_numpy(found["z"]), torch.from_numpy(found["y"]).long() if "y" in found else None


def checked_codes(model: LatentVariable, z: Tensor) -> Tensor:
    """z, if the model could have drawn it.

    Raises:
        DataError: another length or type, or not finite.
    """
    assert isinstance(model, Generative)
    generator = runtime.keyed("codes", device=model.log_prior.device)
    like = model.prior(1, given=model._context_for(1, None, generator), generator=generator)
    if z.dim() != like.dim() or z.shape[1:] != like.shape[1:]:
        raise DataError(f"z must have shape (n, {', '.join(map(str, like.shape[1:]))}), not {tuple(z.shape)}.")
    if not len(z) or not bool(torch.isfinite(z).all()):
        raise DataError("z must hold at least one code, and finite numbers alone.")
    return z.to(like.dtype)
