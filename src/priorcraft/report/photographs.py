"""Photographs repaired or enlarged without a model of one's own: the answer of `inpaint` and `upscale` then."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from priorcraft.answer import ARRAY, Answer, Facts, Piece, Rows
from priorcraft.answer import Picture as Shown
from priorcraft.outputs import packed
from priorcraft.photo.picture import Picture
from priorcraft.photo.restored import Best, Photograph
from priorcraft.report.grid import png
from priorcraft.report.pictures import Pictures, distinct

SHOWN, ROWS, GAP, HEAD = 2, 6, 8, 26  # draws and images of a sheet at most; its margins, pixels
METHOD = "Gaussian field of the photograph's own windows, mixed by what it makes of seen pixels"


@dataclass(frozen=True)
class Row(Answer):
    """One photograph of the answer.

    Args:
        image: its file.
        width, height: of the result, pixels.
        hidden: share of its pixels that follow from the others.
        weights: of the smooth picture and of each round's field in the mean.
        stretch: by which factor the spread was widened to hold 90 % of the pixels that it was tried on.
        seconds: wall time.
    """

    image: str
    width: int
    height: int
    hidden: float
    weights: tuple[float, ...]
    stretch: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Photographs(Pictures):
    """Photographs that were repaired or enlarged.

    Args:
        kind: "approximate": the field is fitted to the photograph itself.
        method: how.
        images, n: photographs, and draws of each.
        files: what was done with each.
        notes: rules by which masks were read, and what could not be kept.
        restored_as: what `save(path, "restored")` writes.
        done: the photographs.
    """

    writes: ClassVar = {"out": (".png", ".npz"), "restored": (".png", ".tif", ".tiff"), "sheet": (".png",)}

    kind: str
    method: str
    images: int
    n: int
    files: tuple[Row, ...]
    notes: tuple[str, ...]
    restored_as: Best
    done: tuple[Photograph, ...] = field(repr=False, compare=False, metadata=ARRAY)

    @classmethod
    def of(cls, done: Sequence[Photograph], n: int, restored_as: Best) -> Self:
        """The answer that photographs are."""
        notes = dict.fromkeys(note for one in done for note in one.notes)
        return cls(
            kind="approximate",
            method=METHOD,
            images=len(done),
            n=n,
            files=tuple(map(_row, done)),
            notes=tuple(notes),
            restored_as=restored_as,
            done=tuple(done),
        )

    def images_named(self) -> list[str]:
        """The stem of each file."""
        return distinct([one.file for one in self.done])

    def restored(self, number: int, suffix: str) -> bytes:
        """The best picture of one photograph, in the depth, alpha, palette and profile of its file."""
        return self.done[number].best(self.restored_as).to_bytes(suffix)

    def shown(self) -> list[Piece]:
        """What was done with each, and the sheet."""
        table = [{key: value for key, value in vars(row).items() if key != "weights"} for row in self.files]
        about = Facts({"kind": self.kind, "method": self.method, "images": self.images, "n": self.n})
        return [about, Rows(table), Shown(self.sheet, "seen, mean, draws and uncertainty")]

    def sheet(self) -> bytes:
        """Seen, mean, draws and uncertainty of each photograph, a line each, as PNG."""
        large = self.done[0].factor > 1
        heads = ["bicubic" if large else "seen", "mean", *(f"draw {i + 1}" for i in range(min(self.n, SHOWN)))]
        heads += ["uncertainty"] if self.done[0].spread is not None else []
        lines = [_line(one) for one in self.done[:ROWS]]
        font = ImageFont.load_default(14)
        width, height = (max(cell.shape[axis] for line in lines for cell in line) for axis in (1, 0))
        width = max(width, *(round(font.getlength(head)) for head in heads))
        page = Image.new("RGB", ((width + GAP) * len(heads) + GAP, HEAD + (height + GAP) * len(lines)), "white")
        pen = ImageDraw.Draw(page)
        for i, head in enumerate(heads):
            pen.text((GAP + i * (width + GAP), GAP), head, "#64748b", font)
            for j, line in enumerate(lines):
                page.paste(Image.fromarray(line[i]), (GAP + i * (width + GAP), HEAD + j * (height + GAP)))
        return png(page)

    def _bytes(self, what: str, suffix: str) -> bytes:
        if suffix != ".npz":
            return self.sheet()
        arrays = {}
        for name, one in zip(self.images_named(), self.done, strict=True):
            arrays |= {f"{name}/mean": one.drawn.mean.numpy(), f"{name}/draws": one.drawn.draws[: self.n].numpy()}
            arrays |= {f"{name}/mask": ~one.hidden.numpy()}
            if len(one.drawn.draws) > 1:
                arrays[f"{name}/std"] = one.drawn.draws.std(0, correction=0).numpy()
        return packed(arrays)


class Enlarged(Photographs):
    """Photographs that were enlarged: an `out` that is a picture is the enlarged one."""

    pictured: ClassVar = ("restored", "out")


def _row(one: Photograph) -> Row:
    height, width = one.hidden.shape
    weights = tuple(round(weight, 4) for weight in one.drawn.weights)
    hidden = round(float(one.hidden.float().mean()), 4)
    return Row(str(one.file), width, height, hidden, weights, round(one.drawn.stretch, 3), one.seconds)


def _line(one: Photograph) -> list[np.ndarray]:
    """The cells of a sheet, each (H, W, 3) bytes; the uncertainty is white at a quarter of the range."""
    pictures = [one.plain, one.picture(one.drawn.mean), *map(one.picture, one.drawn.draws[:SHOWN])]
    if one.spread is None:
        return [*map(_on_white, pictures)]
    spread = (255 * (4 * one.spread).clamp(0, 1)).byte().numpy()
    return [*map(_on_white, pictures), np.repeat(spread[..., None], 3, 2)]


def _on_white(picture: Picture) -> np.ndarray:
    """A picture in 8 bits on white, (H, W, 3)."""
    v = picture.pixels
    if picture.top > 255:
        white = np.full(v.shape[2], picture.white)
        white[-1] = picture.top if v.shape[2] in (2, 4) else picture.white  # of alpha
        v = (v / white * 255).clip(0, 255).astype(np.uint8)
    if v.shape[2] in (2, 4):
        alpha = v[..., -1:].astype(float) / 255
        v = np.rint(v[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(v, (*v.shape[:2], 3)))
