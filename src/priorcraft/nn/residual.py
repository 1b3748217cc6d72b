"""Residual networks without normalisation, for images: a trunk that grows them and one that reads them.

Every residual branch ends in zeros, and its first convolution is shrunk by the number of branches, so that the
untrained network is as well scaled as a shallow one (Zhang, Dauphin & Ma 2019, arXiv:1901.09321).
"""

import math
from itertools import pairwise
from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


class Residual(nn.Module):
    """h + conv(act(conv(act(h)))).

    Args:
        width: number of channels.
        branches: number of residual branches in the whole network.
    """

    def __init__(self, width: int, branches: int) -> None:
        super().__init__()
        self.first = he(nn.Conv2d(width, width, 3, padding=1), gain=branches**-0.5)
        self.last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, h: Tensor) -> Tensor:
        """(B, width, H, W) to the same."""
        return h + self.last(act(self.first(act(h))))


class Grow(nn.Module):
    """A vector to an image: a learned basis at the smallest size, then residual blocks and bilinear enlargement.

    Args:
        inputs: length of the vector.
        shape: (channels, height, width) of the image.
        width: channels at full size; doubled once at the smaller ones.
        blocks: residual blocks at each size.
    """

    def __init__(self, inputs: int, shape: tuple[int, ...], width: int, blocks: int = 1) -> None:
        super().__init__()
        self.sizes = sizes(shape)[::-1]
        widths = [2 * width] * (len(self.sizes) - 1) + [width]
        branches = blocks * len(self.sizes)
        self.basis = he(nn.Linear(inputs, widths[0] * math.prod(self.sizes[0])))
        self.change = nn.ModuleList(he(nn.Conv2d(a, b, 1)) for a, b in pairwise(widths))
        self.stages = nn.ModuleList(nn.Sequential(*(Residual(w, branches) for _ in range(blocks))) for w in widths)
        self.image = he(nn.Conv2d(width, shape[0], 3, padding=1))

    def forward(self, code: Tensor) -> Tensor:
        """(B, inputs) to (B, *shape)."""
        h = self.stages[0](self.basis(code).unflatten(1, (-1, *self.sizes[0])))
        for size, change, stage in zip(self.sizes[1:], self.change, self.stages[1:], strict=True):
            h = stage(F.interpolate(change(h), size=size, mode="bilinear"))
        return self.image(act(h))


class Read(nn.Module):
    """An image to a vector: residual blocks and halving, the mirror of `Grow`.

    Args:
        shape: (channels, height, width) of the image.
        width: channels at full size; doubled once at the smaller ones.
        outputs: length of the vector.
        blocks: residual blocks at each size.
    """

    def __init__(self, shape: tuple[int, ...], width: int, outputs: int, blocks: int = 1) -> None:
        super().__init__()
        self.sizes = sizes(shape)
        widths = [width] + [2 * width] * (len(self.sizes) - 1)
        branches = blocks * len(self.sizes)
        self.image = he(nn.Conv2d(shape[0], width, 3, padding=1))
        self.stages = nn.ModuleList(nn.Sequential(*(Residual(w, branches) for _ in range(blocks))) for w in widths)
        self.change = nn.ModuleList(he(nn.Conv2d(a, b, 1)) for a, b in pairwise(widths))
        self.basis = he(nn.Linear(widths[-1] * math.prod(self.sizes[-1]), outputs))

    def forward(self, u: Tensor) -> Tensor:
        """(B, *shape) to (B, outputs)."""
        h = self.stages[0](self.image(u))
        for size, change, stage in zip(self.sizes[1:], self.change, self.stages[1:], strict=True):
            h = stage(change(F.interpolate(h, size=size, mode="bilinear")))
        return act(self.basis(act(h).flatten(1)))


def sizes(shape: tuple[int, ...], smallest: int = 4) -> list[tuple[int, int]]:
    """Heights and widths from the image's own down by halves, while both stay at least `smallest`.

    >>> sizes((1, 28, 28)), sizes((3, 9, 32))
    ([(28, 28), (14, 14), (7, 7), (4, 4)], [(9, 32), (5, 16)])
    """
    pyramid = [(shape[-2], shape[-1])]
    while min(pyramid[-1]) >= 2 * smallest - 1:
        height, width = pyramid[-1]
        pyramid.append((-(-height // 2), -(-width // 2)))
    return pyramid


def act(h: Tensor) -> Tensor:
    """Leaky rectifier."""
    return F.leaky_relu(h, SLOPE)


def he(layer: Layer, gain: float = 1.0) -> Layer:
    """Weights that keep the variance through a leaky rectifier, zero bias (He et al. 2015, arXiv:1502.01852)."""
    nn.init.kaiming_normal_(layer.weight, SLOPE)
    layer.weight.data.mul_(gain)
    nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    return layer
