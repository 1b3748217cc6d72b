"""What `inpaint`, `upscale` and `impute` share: files, data, figures and outputs."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from priorcraft import runtime
from priorcraft.condition.restoration import Restoration, complaints
from priorcraft.core import LinearObservation, Space
from priorcraft.datasets import Splits, read_image
from priorcraft.datasets.image import decode, to_pixels
from priorcraft.disk import printable
from priorcraft.errors import DataError, UsageError
from priorcraft.metrics.fidelity import Judge
from priorcraft.outputs import check_out, write_arrays, write_bytes
from priorcraft.report.contact import COMPLETIONS, ROWS, contact_sheet
from priorcraft.report.figures import consistency, figures
from priorcraft.report.grid import picture, pixels
from priorcraft.report.sheet import Line, sheet
from priorcraft.run import Run
from priorcraft.run.data import data_of
from priorcraft.verbs.sampling import label_of

Images = str | Path | Sequence[str | Path] | None
ENTRIES = 2**28  # numbers of one answer at most


def checked_targets(out: str | Path | None, restored: str | Path | None, overwrite: bool) -> tuple[Path | None, ...]:
    """The two files to write, if they may be written."""
    if out is not None and restored is not None and Path(out).resolve() == Path(restored).resolve():
        raise UsageError(f"out and restored are both {out}; the sheet and the completion need names of their own.")
    return (
        None if out is None else check_out(out, (".npz", ".png"), overwrite=overwrite),
        None if restored is None else check_out(restored, (".png",), overwrite=overwrite),
    )


def check_size(n: int, draws: int, x: Tensor, entries: int | None = None) -> None:
    """Raises a UsageError if so many draws cannot be held."""
    most = max(1, ENTRIES // (len(x) * (entries or x[0].numel())))
    for name, value in (("n", n), ("draws", draws)):
        if not 1 <= value <= most:
            raise UsageError(f"{name} must lie in 1 ... {most:,} for {len(x)} points of this size, not {value:,}.")


def images_of(
    run: Run, image: Images, data: str | Path | Splits | None, limit: int, space: Space | None = None
) -> tuple[Tensor, Splits | None, Tensor | None]:
    """Points from files, or the test rows of data with their splits and labels.

    Args:
        space: the size that files must have at least, and its levels; the model's without it.
    """
    if (image is None) == (data is None):
        raise UsageError("give either an image file or --data, and not both.")
    if data is None:
        files = [image] if isinstance(image, str | Path) else list(image or ())
        if not files:
            raise UsageError("at least one image file is needed.")
        return torch.stack(same_size([read_any(file, space or run.model.space) for file in files], files)), None, None
    if limit < 1:
        raise UsageError(f"limit must be at least 1, not {limit}.")
    splits = data_of(run, data)
    test = splits.test
    x = test.x[:limit] if splits.space.levels is None else test.x[:limit].long()
    return x, splits, None if test.y is None else test.y[:limit]


def read_any(path: str | Path, space: Space) -> Tensor:
    """An image file with the channels and levels of a space, of its own size; no smaller than the space's.

    Raises:
        UsageError: a space that holds no images.
        DataError: a smaller image, or one that cannot be read.
    """
    if not space.is_image:
        raise UsageError("the model knows rows and no images; impute draws the missing values of rows.")
    width, height = decode(path).size
    channels, *least = space.event_shape
    if height < least[0] or width < least[1]:
        raise DataError(f"{printable(path)} is {width} x {height}; {least[1]} x {least[0]} is needed, or more.")
    return read_image(path, Space((channels, height, width), space.levels))


def same_size(images: list[Tensor], files: Sequence[str | Path]) -> list[Tensor]:
    """The images, if all are of one size."""
    for image, file in zip(images, files, strict=True):
        if image.shape != images[0].shape:
            raise DataError(f"{printable(file)} is not of the size of {printable(files[0])}; give them one at a time.")
    return images


def labels_of(run: Run, given: Mapping[str, str | int] | None, x: Tensor) -> Tensor | None:
    """The class that `given` names, one a row."""
    label = label_of(run, given)
    return None if label is None else label.expand(len(x))


def report(
    done: Restoration,
    observation: LinearObservation,
    y: Tensor,
    truth: Tensor | None,
    scored: Tensor,
    splits: Splits | None,
    labels: Tensor | None,
    seed: int,
) -> dict[str, Any]:
    """Figures and what has to be said about them."""
    keys = ("psnr_mean", "ssim_mean", "judge_samples", "judge_mean", "bits_per_hidden", "coverage90")
    found: dict[str, Any] = dict.fromkeys(keys)
    found["consistency"] = consistency(done, observation, y)
    if truth is not None and splits is not None:
        judge = Judge(splits) if splits.classes and labels is not None else None
        generator = runtime.keyed(seed, "ties")
        found = figures(
            done, observation, y, truth, scored, splits.space, judge=judge, labels=labels, generator=generator
        )
    about = {"kind": done.kind, "method": done.method, "diagnostics": rounded(done.diagnostics)}
    return about | found | {"notes": complaints(done)}


def rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    """Diagnostics with four decimals."""
    return {key: round(value, 4) for key, value in numbers.items()}


def written(
    answer: dict[str, Any],
    done: Restoration,
    shown: tuple[Tensor, Tensor],
    truth: Tensor | None,
    space: Space,
    targets: tuple[Path | None, ...],
    original: tuple[str | Path, Tensor] | None = None,
) -> dict[str, Any]:
    """Writes what was asked for, and completes the answer.

    Args:
        original: the first image's file and mask, so that its seen pixels are written as they were.
    """
    out, restored = targets
    arrays = {"x": done.x, "mean": done.mean, "std": done.std, "entropy": done.entropy}
    arrays |= {"seen": shown[1], "mask": shown[0]}
    answer |= {"n": done.x.shape[1], "images": len(done.x), "seconds": round(done.seconds, 3)}
    answer["out"] = None if out is None else str(out)
    if restored is not None:
        write_bytes(restored, first_completion(done, space, original))
    if out is None:
        return answer | arrays
    if out.suffix.lower() == ".npz":
        write_arrays(out, {name: value.cpu().numpy() for name, value in arrays.items()})
    else:
        answer["notes"] = [*answer["notes"], *left_out(done)]
        cells, heads = contact_sheet(done, *shown, truth, space)
        write_bytes(out, labelled(cells, heads, space))
    return answer


def left_out(done: Restoration) -> list[str]:
    """What a sheet does not show, in a sentence."""
    images, n = done.x.shape[:2]
    if images <= ROWS and n <= COMPLETIONS:
        return []
    shown = f"{min(n, COMPLETIONS)} of {n} completions of {min(images, ROWS)} of {images} images"
    return [f"the sheet shows {shown}; an .npz keeps them all."]


def labelled(cells: Tensor, heads: Sequence[str], space: Space) -> bytes:
    """A sheet of cells (rows, columns, *event_shape) as PNG, with heads where the cells are images of integers."""
    if not space.is_image or space.levels is None:
        return picture(cells.flatten(0, 1), space, len(heads))
    captions = [str(i + 1) for i in range(len(cells))] if len(cells) > 1 else [""]
    lines = [Line(caption, row.unbind(0)) for caption, row in zip(captions, cells, strict=True)]
    return sheet("", heads, lines, space)


def first_completion(done: Restoration, space: Space, original: tuple[str | Path, Tensor] | None) -> bytes:
    """The first completion as a PNG of its own size; where it was seen, the file's own pixels."""
    image = pixels(done.x[:1, 0], space)[0]
    if original is not None:
        file, seen = original
        own = to_pixels(decode(file), space.event_shape[0], space.event_shape[1:]).transpose(1, 2, 0)  # pyright: ignore[reportArgumentType]
        image = np.where(seen.numpy().transpose(1, 2, 0), own, np.atleast_3d(image)).squeeze()
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
