"""Completions of images, with what can be said and shown of them: the answer of `inpaint` and `upscale`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.answer import ARRAY, Facts, Picture, Piece
from priorcraft.condition.restoration import Restoration, complaints
from priorcraft.core import LinearObservation, Space
from priorcraft.datasets import Splits
from priorcraft.errors import UsageError
from priorcraft.metrics.fidelity import Judge
from priorcraft.outputs import packed
from priorcraft.photo.picture import Picture as FilePicture
from priorcraft.photo.picture import model_channels, read_picture
from priorcraft.photo.restored import Best
from priorcraft.report.contact import COMPLETIONS, ROWS, contact_sheet
from priorcraft.report.figures import Figures, consistency, figures
from priorcraft.report.pictures import Pictures, distinct
from priorcraft.report.sheet import sheet_of

KEPT = ("x", "mean", "std", "entropy", "seen", "mask")  # of an .npz


@dataclass(frozen=True, kw_only=True)
class Restored(Pictures, Figures):
    """Completions of images.

    Args:
        kind: "exact" if they are draws of the model's own p(x | y), "approximate" otherwise.
        method: the engine that made them.
        diagnostics: its own figures.
        notes: what has to be said about an engine that did badly.
        n, images: completions of each image, and images.
        seconds: wall time.
        x: completions, (images, n, *event_shape).
        mean, std: of all draws made, entry by entry, (images, *event_shape).
        entropy: of their histogram, bits, (images, *event_shape).
        seen: what was seen, at the size of x, (images, *event_shape).
        mask: True where it was seen, (images, *event_shape).
        truth: (images, *event_shape), where it is known.
        space: where x lives.
        files: of the images, whose pixels are kept where they were seen; none if they came from data.
        restored_as: what `save(path, "restored")` writes.
        factor: by which images of files were enlarged; 1 if they were completed.
        top: the value that is white in files of 16 bits, where it is not the largest.
        done: the draws that all this was said of.
    """

    writes: ClassVar = {"out": (".npz", ".png"), "restored": (".png", ".tif", ".tiff"), "sheet": (".png",)}

    kind: str
    method: str
    diagnostics: dict[str, float]
    notes: tuple[str, ...]
    n: int
    images: int
    seconds: float
    x: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    mean: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    std: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    entropy: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    seen: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    mask: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    truth: Tensor | None = field(repr=False, compare=False, metadata=ARRAY)
    space: Space = field(repr=False, compare=False, metadata=ARRAY)
    files: tuple[str | Path, ...] = field(repr=False, compare=False, metadata=ARRAY)
    restored_as: Best = field(repr=False, compare=False, metadata=ARRAY)
    factor: int = field(repr=False, compare=False, metadata=ARRAY)
    top: int | None = field(repr=False, compare=False, metadata=ARRAY)
    done: Restoration = field(repr=False, compare=False, metadata=ARRAY)

    @classmethod
    def of(
        cls,
        done: Restoration,
        found: Figures,
        *,
        seen: Tensor,
        mask: Tensor,
        truth: Tensor | None,
        space: Space,
        files: tuple[str | Path, ...] = (),
        restored_as: Best = "mean",
        factor: int = 1,
        top: int | None = None,
        notes: Sequence[str] = (),
    ) -> "Restored":
        """The answer that completions are; the arguments as above, `mask` for one image or for each."""
        return cls(
            **{each.name: getattr(found, each.name) for each in fields(Figures)},
            kind=done.kind,
            method=done.method,
            diagnostics=rounded(done.diagnostics),
            notes=(*notes, *complaints(done)),
            n=done.x.shape[1],
            images=len(done.x),
            seconds=round(done.seconds, 3),
            x=done.x.cpu(),
            mean=done.mean.cpu(),
            std=done.std.cpu(),
            entropy=done.entropy.cpu(),
            seen=seen.cpu(),
            mask=mask.expand_as(seen).cpu(),
            truth=truth,
            space=space,
            files=files,
            restored_as=restored_as,
            factor=factor,
            top=top,
            done=done,
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures, with what a sheet that was written does not show among the notes."""
        return super().to_dict() | {"notes": self.remarks}

    @property
    def remarks(self) -> list[str]:
        """The notes, and what a sheet that was written does not show."""
        if not self.saved.get("out", "").lower().endswith(".png") or (self.images <= ROWS and self.n <= COMPLETIONS):
            return list(self.notes)
        shown = (
            f"{min(self.n, COMPLETIONS)} of {self.n} completions of {min(self.images, ROWS)} of {self.images} images"
        )
        return [*self.notes, f"the sheet shows {shown}; an .npz keeps them all."]

    def shown(self) -> list[Piece]:
        """How they were made, figures where the truth is known, and the sheet."""
        about = {"kind": self.kind, "method": self.method, **self.diagnostics}
        measured = {each.name: getattr(self, each.name) for each in fields(Figures)}
        counts = {"images": self.images, "n": self.n, "seconds": self.seconds}
        return [Facts(about | measured | counts), Picture(self.sheet, "seen, completions, mean and uncertainty")]

    def sheet(self) -> bytes:
        """Seen, completions, mean, uncertainty and truth of each image, as PNG."""
        cells, heads = contact_sheet(self.done, self.mask, self.seen, self.truth, self.space)
        return sheet_of(cells, heads, self.space)

    def images_named(self) -> list[str]:
        """The stem of each file, or the number of each row."""
        return distinct(self.files) if self.files else [str(row) for row in range(self.images)]

    def restored(self, number: int, suffix: str) -> bytes:
        """One image as a picture of its own size; where it was seen, the file's own pixels in their own depth."""
        x = {"mean": self.mean, "draw": self.x[:, 0], "median": self.done.coverage_draws.cpu().median(1).values}
        best, levels = x[self.restored_as][number], self.space.levels
        if not self.space.is_image or levels is None:
            raise UsageError(
                "restored is a picture, and the model knows no images of integers; --out answer.npz keeps rows."
            )
        if not self.files:
            top = 255 if levels <= 256 else 65_535
            grey = torch.round(best.permute(1, 2, 0).double() * top / (levels - 1)).numpy()
            return FilePicture(grey.astype(np.uint8 if top == 255 else np.uint16)).to_bytes(suffix)
        picture = read_picture(self.files[number])
        channels = model_channels(best, picture, levels, self.top)
        if self.factor > 1:
            return picture.larger(channels).to_bytes(suffix)
        return picture.with_channels(channels, ~self.mask[number].all(0)).to_bytes(suffix)

    def _bytes(self, what: str, suffix: str) -> bytes:
        return (
            self.sheet()
            if what == "sheet" or suffix == ".png"
            else packed({name: getattr(self, name).numpy() for name in KEPT})
        )


def measured(
    done: Restoration,
    observation: LinearObservation,
    y: Tensor,
    truth: Tensor | None,
    scored: Tensor,
    splits: Splits | None,
    labels: Tensor | None,
    seed: int,
) -> Figures:
    """How near completions come to the truth, judged by the labels of its data where it has any.

    Args:
        done: completions.
        observation, y: what was seen.
        truth: (B, *event_shape), None where it is not known.
        scored: True for the entries that count, broadcast to truth.
        splits, labels: the data of the truth, and its classes, (B,).
        seed: of the ties in coverage.
    """
    if truth is None or splits is None:
        return Figures(consistency=consistency(done, observation, y))
    judge = Judge(splits) if splits.classes and labels is not None else None
    generator = runtime.keyed(seed, "ties")
    return figures(done, observation, y, truth, scored, splits.space, judge=judge, labels=labels, generator=generator)


def rounded(diagnostics: dict[str, float]) -> dict[str, float]:
    """Figures of an engine with four decimals."""
    return {key: round(value, 4) for key, value in diagnostics.items()}
