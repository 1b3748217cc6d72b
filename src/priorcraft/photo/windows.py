"""Overlapping square windows of a picture: where they are, and what stands in them."""

import torch
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


def centred(windows: Tensor) -> Tensor:
    """Windows (..., n, side^2) less their own means."""
    return windows - windows.mean(-1, keepdim=True)
