"""`encode` and `decode`: from x to z and back, through any model that has a z; and what the other verbs of z share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Approximate, Encoder, Exact, Generative, LatentVariable
from priorcraft.data import Splits, read_image
from priorcraft.data.plain import read_arrays
from priorcraft.errors import DataError, UsageError
from priorcraft.implicit.gan import GAN
from priorcraft.implicit.inverse import invert
from priorcraft.io import Run
from priorcraft.report.grid import picture
from priorcraft.verbs.asked import data_of, opened
from priorcraft.verbs.outputs import check_out, write_arrays, write_bytes
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


def encode(
    run: str | Path | Run,
    images: Sequence[Point] = (),
    *,
    data: str | Path | Splits | None = None,
    limit: int = 1000,
    given: Mapping[str, str | int] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """The codes z of images or rows: by the encoder, or for a GAN by a search for the z that makes them.

    Args:
        run: a run folder, or what `load` returned.
        images: files, or numbers of test rows; without any, the first `limit` test rows.
        data: whose test rows; the run's own data if None.
        limit: test rows at most, where no images are named.
        given: {"label": class}; without it the labels of the rows, and for files the most probable class.
        out: .npz with z, and y (the labels that were used) where the model has classes.
        overwrite: replace `out` if it is there.
        seed: of a search.
        device: auto, cpu, cuda or mps.

    Returns:
        "n", "latent" (length of z; a hierarchy puts all its layers in a row, the coarsest first), "method",
        "reconstruction_error" (root mean square of decode(z) - x as a share of the range of x), "out", and z (and y)
        as tensors if `out` is None.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    target = None if out is None else check_out(out, (".npz",), overwrite=overwrite)
    fitted, _ = opened(run, device)
    x, y, _ = points_of(fitted, images, data, limit)
    found = coded(fitted, x, labelled(fitted, given, y, len(x)), seed)
    answer: dict[str, Any] = {"n": len(x), "latent": found.z.shape[1], "method": found.method}
    answer |= {"reconstruction_error": round(found.error, 4), "out": None if target is None else str(target)}
    arrays = {"z": found.z.cpu()} | ({} if found.y is None else {"y": found.y.cpu()})
    if target is None:
        return answer | arrays
    write_arrays(target, {name: value.numpy() for name, value in arrays.items()})
    return answer


@torch.no_grad()
def decode(
    run: str | Path | Run,
    z: str | Path | Tensor,
    *,
    given: Mapping[str, str | int] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
) -> dict[str, Any]:
    """The x that codes stand for: the mean of p(x | z).

    Args:
        run: a run folder, or what `load` returned.
        z: codes (B, latent), or an .npz that holds them as z, with labels y if need be, as `encode` writes it.
        given: {"label": class} in place of y.
        out: .png (a picture) or .npz (`mean`, and `x`, the nearest points of the data's space).
        overwrite: replace `out` if it is there.
        device: auto, cpu, cuda or mps.

    Returns:
        "n", "out", and "mean" and "x" as tensors if `out` is None.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    target = None if out is None else check_out(out, (".npz", ".png"), overwrite=overwrite)
    fitted, where = opened(run, device)
    model = latent_model(fitted.model)
    codes, y = read_codes(z) if isinstance(z, str | Path) else (z, None)
    codes, labels = checked_codes(model, codes).to(where), labelled(fitted, given, y, len(codes))
    if fitted.model.classes and (labels is None or bool((labels == UNLABELLED).any())):
        raise UsageError("decode needs the class of each z: pass --given label=CLASS, or y beside z in the file.")
    mean = decoded(model, codes, labels).cpu()
    space = fitted.model.space
    x = mean if space.levels is None else space.clamp(mean).round().long()
    answer: dict[str, Any] = {"n": len(mean), "out": None if target is None else str(target)}
    if target is None:
        return answer | {"mean": mean, "x": x}
    if target.suffix.lower() == ".png":
        write_bytes(target, picture(mean, space))
    else:
        write_arrays(target, {"mean": mean.numpy(), "x": x.numpy()})
    return answer


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
