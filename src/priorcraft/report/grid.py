"""Points of a space as pictures."""

import io
import math

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from priorcraft.core import Space

SIDE = 1200  # longest side of a grid that small pixels are enlarged to fill


def pixels(x: Tensor, space: Space) -> np.ndarray:
    """x (B, *event_shape) as grey or colour images, uint8, (B, H, W) or (B, H, W, 3); vectors are one row high."""
    x = x.detach().cpu().double()
    if space.levels is None:
        low, high = x.amin(), x.amax()
        x = (x - low) / (high - low).clamp_min(1e-12)
    else:
        x = x / (space.levels - 1)
    if not space.is_image:
        x = x.reshape(len(x), 1, 1, -1)
    image = (x.clamp(0, 1) * 255).round().to(torch.uint8)
    return (image[:, 0] if image.shape[1] != 3 else image.permute(0, 2, 3, 1)).numpy()


def grid(x: Tensor, space: Space, columns: int, *, ink_on_paper: bool = False) -> Image.Image:
    """x (B, *event_shape) side by side, row after row, with a gap of one pixel, enlarged without smoothing."""
    cells = pixels(x, space)
    cells = 255 - cells if ink_on_paper else cells
    rows, (height, width) = math.ceil(len(cells) / columns), cells.shape[1:3]
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, *cells.shape[3:]), 128, np.uint8)
    for i, cell in enumerate(cells):
        top, left = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        sheet[top : top + height, left : left + width] = cell
    scale = max(1, min(6, SIDE // max(sheet.shape[:2])))
    return Image.fromarray(sheet.repeat(scale, 0).repeat(scale, 1))


def scatter(x: Tensor) -> Image.Image:
    """Points of the plane, (B, 2), as a scatter plot."""
    figure = Figure(figsize=(4, 4), layout="constrained")
    figure.add_subplot(aspect="equal").scatter(*x.detach().cpu().numpy().T, s=3, alpha=0.5)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return Image.open(buffer)


def picture(x: Tensor, space: Space, columns: int = 10) -> bytes:
    """x as a PNG: a grid, or a scatter plot for points of the plane."""
    plane = space.levels is None and space.dims == 2
    return png(scatter(x.reshape(len(x), -1)) if plane else grid(x, space, min(columns, len(x))))


def png(image: Image.Image) -> bytes:
    """An image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
