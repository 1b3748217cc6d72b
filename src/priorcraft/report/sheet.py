"""Images in labelled lines: what a picture of a path through z needs to be understood without a caption."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from priorcraft.core import Space
from priorcraft.report.grid import pixels

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


def sheet(title: str, heads: Sequence[str], lines: Sequence[Line], space: Space) -> bytes:
    """Lines of images under heads, as PNG; pixels are enlarged without smoothing.

    Args:
        title: above all; "" leaves it out.
        heads: one a column.
        lines: of as many cells as there are heads.
        space: where the images live.
    """
    width, height = cell_size(space)
    text = min(max(TEXT, width // 8), LARGEST_TEXT)
    font = ImageFont.load_default(text)
    left = 2 * MARGIN + max(round(font.getlength(line.caption)) for line in lines)
    column = max(width, *(round(font.getlength(head)) + 4 for head in heads)) + GAP
    top = MARGIN + (text + 2 * GAP if title else 0) + text + 2 * GAP
    across = max(left + column * len(heads), MARGIN + round(font.getlength(title))) + MARGIN
    page = Image.new("RGB", (across, top + len(lines) * (height + GAP) + MARGIN), PAPER)
    pen = ImageDraw.Draw(page)
    if title:
        pen.text((MARGIN, MARGIN), title, INK, font)
    for i, head in enumerate(heads):
        pen.text((left + i * column + width / 2, top - GAP), head, QUIET, font, anchor="md")
    for j, line in enumerate(lines):
        y = top + j * (height + GAP)
        pen.text((left - MARGIN, y + height / 2), line.caption, INK, font, anchor="rm")
        for i, cell in enumerate(line.cells):
            if cell is not None:
                page.paste(enlarged(cell, space, (width, height)), (left + i * column, y))
    buffer = io.BytesIO()
    page.save(buffer, format="PNG")
    return buffer.getvalue()


def cell_size(space: Space) -> tuple[int, int]:
    """Width and height of an image on the sheet: a whole number of times its own, or its own."""
    height, width = space.event_shape[1:]
    scale = max(1, CELL // max(height, width))
    return width * scale, height * scale


def enlarged(x: Tensor, space: Space, size: tuple[int, int]) -> Image.Image:
    """One point as an image of this size."""
    image = Image.fromarray(pixels(x.unsqueeze(0), space)[0])
    return image.convert("RGB").resize(size, Image.Resampling.NEAREST)
