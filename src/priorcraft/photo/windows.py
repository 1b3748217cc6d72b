"""Overlapping square windows of a picture: where they are, and what stands in them."""

import torch
import torch.nn.functional as F
from torch import Tensor


def offsets(side: int, width: int) -> Tensor:
    """Distance of each pixel of a window from its corner in a flattened picture of that width, (side^2,).

    >>> offsets(2, 10).tolist()
    [0, 1, 10, 11]
    """
    steps = torch.arange(side)
    return (steps[:, None] * width + steps).flatten()


def corners(shape: tuple[int, int], side: int, step: int = 1) -> Tensor:
    """Flat index of the upper left pixel of every window, `step` apart; the last row and column of windows always.

    >>> corners((3, 4), 2, 2).tolist()
    [0, 2, 4, 6]
    """
    height, width = shape
    rows, columns = (
        torch.tensor(sorted({*range(0, length - side + 1, step), length - side})) for length in (height, width)
    )
    return (rows[:, None] * width + columns).flatten()


def taken(picture: Tensor, where: Tensor, side: int) -> Tensor:
    """The windows at `where` of a picture (..., H, W): (..., n, side^2)."""
    index = where[:, None] + offsets(side, picture.shape[-1])
    return picture.flatten(-2)[..., index]


def hits(mask: Tensor, where: Tensor, side: int) -> Tensor:
    """How many pixels of a mask (H, W) stand in each of the windows at `where`, (n,).

    >>> hits(torch.eye(3).bool(), corners((3, 3), 2), 2).tolist()
    [2, 1, 1, 2]
    """
    area = F.pad(mask.long().cumsum(0).cumsum(1), (1, 0, 1, 0))
    y, x = where // mask.shape[1], where % mask.shape[1]
    return area[y + side, x + side] - area[y, x + side] - area[y + side, x] + area[y, x]


def centred(windows: Tensor) -> Tensor:
    """Windows (..., n, side^2) less their own means."""
    return windows - windows.mean(-1, keepdim=True)
