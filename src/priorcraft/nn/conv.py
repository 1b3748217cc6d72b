"""Convolutions for images of any size: a pyramid down, and the same pyramid up."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pyramid(height: int, width: int, smallest: int = 8) -> list[tuple[int, int]]:
    """Image sizes from the whole one down, halved (rounded up) until the longer side is below `smallest`.

    >>> pyramid(28, 28)
    [(28, 28), (14, 14), (7, 7)]
    """
    sizes = [(height, width)]
    while max(sizes[-1]) >= smallest:
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


class ResidualBlock(nn.Module):
    """x + f(x), with f = conv, SiLU, conv; begins as the identity (Zhang et al. 2019, arXiv:1901.09321).

    Args:
        channels: channels of input and output.
        dropout: share of features dropped while training.
    """

    def __init__(self, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.second.weight)

    def forward(self, h: Tensor) -> Tensor:
        """(B, channels, height, width) to the same."""
        return h + self.second(self.dropout(F.silu(self.first(F.silu(h)))))


class Down(nn.Module):
    """Images to features: a residual block a size, and a strided convolution between sizes.

    Args:
        channels: channels of the image.
        width: channels of the features.
        sizes: the pyramid, largest first.
        dropout: share of features dropped while training.
    """

    def __init__(self, channels: int, width: int, sizes: Sequence[tuple[int, int]], dropout: float = 0.0) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, width, 3, padding=1)
        self.strides = nn.ModuleList(nn.Conv2d(width, width, 3, 2, 1) for _ in sizes[1:])
        self.blocks = nn.ModuleList(ResidualBlock(width, dropout) for _ in sizes[1:])

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, *sizes[0]) to (B, width, *sizes[-1])."""
        h = self.enter(x)
        for stride, block in zip(self.strides, self.blocks, strict=True):
            h = block(stride(F.silu(h)))
        return h


class Up(nn.Module):
    """Features to images: nearest neighbours, then a convolution and a residual block, a size.

    Args:
        width: channels of the features.
        channels: channels of the output.
        sizes: the pyramid, largest first; it is climbed from its end.
        dropout: share of features dropped while training.
    """

    def __init__(self, width: int, channels: int, sizes: Sequence[tuple[int, int]], dropout: float = 0.0) -> None:
        super().__init__()
        self.sizes = list(reversed(sizes[:-1]))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in self.sizes)
        self.blocks = nn.ModuleList(ResidualBlock(width, dropout) for _ in self.sizes)
        self.leave = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """(B, width, *sizes[-1]) to (B, channels, *sizes[0])."""
        for size, convolution, block in zip(self.sizes, self.convolutions, self.blocks, strict=True):
            h = block(convolution(F.interpolate(h, size, mode="nearest")))
        return self.leave(F.silu(h))


class LocalContext(nn.Module):
    """What an image's pixels that come earlier, row by row, say of each pixel, as far as a window reaches.

    Args:
        channels: channels of the image.
        width: channels of the result.
        reach: pixels seen above, to the left and to the right; 0 sees nothing.
    """

    mask: Tensor

    def __init__(self, channels: int, width: int, reach: int) -> None:
        super().__init__()
        self.reach, side = reach, 2 * reach + 1
        self.weight = nn.Parameter(torch.randn(width, channels, side, side) / max(1, side))
        earlier = torch.arange(side * side).view(side, side) < side * side // 2
        self.register_buffer("mask", earlier[: reach + 1].to(self.weight.dtype))

    @property
    def kernel(self) -> Tensor:
        """The masked weights of the rows that are seen, (width, channels, reach + 1, 2 reach + 1)."""
        return self.weight[:, :, : self.reach + 1] * self.mask

    def forward(self, u: Tensor) -> Tensor:
        """(B, channels, height, width) to features of the same size, each blind to its own pixel and all later ones."""
        return F.conv2d(self.padded(u), self.kernel)

    def padded(self, u: Tensor) -> Tensor:
        """The image with a border of zeros as wide as the window needs."""
        return F.pad(u, (self.reach, self.reach, self.reach, 0))
