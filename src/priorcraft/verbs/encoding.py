"""`encode` and `decode`: from x to z and back, through any model that has a z."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft.core import UNLABELLED
from priorcraft.datasets import Splits
from priorcraft.errors import UsageError
from priorcraft.outputs import check_out, write_arrays, write_bytes
from priorcraft.report.grid import picture
from priorcraft.run import Run
from priorcraft.run.data import opened
from priorcraft.verbs.codes import Point, checked_codes, coded, decoded, labelled, latent_model, points_of, read_codes


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
