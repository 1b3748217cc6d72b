"""Images in labelled lines: what a picture of a path through z needs to be understood without a caption."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from priorcraft.core import Space
from priorcraft.report.grid import picture, pixels, png

CELL = 56  # pixels to which the longer side of a small image is enlarged
GAP, MARGIN, TEXT, LARGEST_TEXT = 4, 10, 13, 28
PAPER, INK, QUIET = "#ffffff", "#0f172a", "#64748b"


@dataclass(frozen=True)
class Line:
    """One line of a sheet.

    Args:
        caption: what it shows, at its left.
        cells: points (*event_shape), None where the line is empty.
    """

    caption: str
    cells: Sequence[Tensor | None]


@dataclass(frozen=True)
class Sheet:
    """Lines of images under heads.

    Args:
        title: above all; "" leaves it out.
        heads: one a column.
        lines: of as many cells as there are heads.
        space: where the images live.
    """

    title: str
    heads: Sequence[str]
    lines: Sequence[Line]
    space: Space

    def png(self) -> bytes:
        """The sheet as PNG; pixels are enlarged without smoothing."""
        width, height = cell_size(self.space)
        text = min(max(TEXT, width // 8), LARGEST_TEXT)
        font = ImageFont.load_default(text)
        left = 2 * MARGIN + max(round(font.getlength(line.caption)) for line in self.lines)
        column = max(width, *(round(font.getlength(head)) + 4 for head in self.heads)) + GAP
        top = MARGIN + (text + 2 * GAP if self.title else 0) + text + 2 * GAP
        across = max(left + column * len(self.heads), MARGIN + round(font.getlength(self.title))) + MARGIN
        page = Image.new("RGB", (across, top + len(self.lines) * (height + GAP) + MARGIN), PAPER)
        pen = ImageDraw.Draw(page)
        if self.title:
            pen.text((MARGIN, MARGIN), self.title, INK, font)
        for i, head in enumerate(self.heads):
            pen.text((left + i * column + width / 2, top - GAP), head, QUIET, font, anchor="md")
        for j, line in enumerate(self.lines):
            y = top + j * (height + GAP)
            pen.text((left - MARGIN, y + height / 2), line.caption, INK, font, anchor="rm")
            for i, cell in enumerate(line.cells):
                if cell is not None:
                    page.paste(enlarged(cell, self.space, (width, height)), (left + i * column, y))
        return png(page)


def sheet_of(cells: Tensor, heads: Sequence[str], space: Space) -> bytes:
    """Cells (rows, columns, *event_shape) as PNG: numbered lines under heads, or a plain grid if they are no images."""
    if not space.is_image or space.levels is None:
        return picture(cells.flatten(0, 1), space, len(heads))
    captions = [str(i + 1) for i in range(len(cells))] if len(cells) > 1 else [""]
    lines = [Line(caption, row.unbind(0)) for caption, row in zip(captions, cells, strict=True)]
    return Sheet("", heads, lines, space).png()


def cell_size(space: Space) -> tuple[int, int]:
    """Width and height of an image on the sheet: a whole number of times its own, or its own."""
    height, width = space.event_shape[1:]
    scale = max(1, CELL // max(height, width))
    return width * scale, height * scale


def enlarged(x: Tensor, space: Space, size: tuple[int, int]) -> Image.Image:
    """One point as an image of this size."""
    image = Image.fromarray(pixels(x.unsqueeze(0), space)[0])
    return image.convert("RGB").resize(size, Image.Resampling.NEAREST)
