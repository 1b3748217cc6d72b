"""Convolutions whose pixels see only what comes earlier in an order of the pixels that is given with the call."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Neighbours:
    """Which pixels of a k x k window come earlier than its centre.

    In an order like the raster, this is the same everywhere, and an ordinary convolution with a masked kernel will do.

    Args:
        order: (H * W,); order[p] is the number of the pixel that comes p-th.
        height, width: H and W.
        size: k, odd.
        centre: let a pixel see itself.
    """

    def __init__(self, order: Tensor, height: int, width: int, size: int, centre: bool) -> None:
        position = order.argsort().view(1, 1, height, width).double() + 1  # 0 is left for the padding
        windows = F.unfold(position, size, padding=size // 2).view(size * size, height, width)
        inside = windows > 0
        self.earlier = inside & (windows <= position[0] if centre else windows < position[0])
        self.radius, self.size = size // 2, size
        kernel = (self.earlier == inside).flatten(1).all(1)
        same = torch.equal(self.earlier, inside & kernel[:, None, None])
        self.kernel = kernel.view(size, size) if same else None


class LocallyMaskedConv2d(nn.Module):
    """A convolution that leaves out, at each pixel, the neighbours that do not come earlier in the order.

    (Jain, Abbeel & Pathak 2020, arXiv:2006.12486)

    Args:
        inputs, outputs: channels.
        size: side of the window, odd.
        gain: scale of the initial weights relative to 1 / sqrt(what a pixel sees).
    """

    def __init__(self, inputs: int, outputs: int, size: int, gain: float = 1.0) -> None:
        super().__init__()
        scale = gain / math.sqrt(inputs * (size * size + 1) / 2)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size) * scale)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, neighbours: Neighbours) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        return self._varying(x, neighbours) if neighbours.kernel is None else self._same(x, neighbours.kernel)

    def _same(self, x: Tensor, kernel: Tensor) -> Tensor:
        radius = len(kernel) // 2
        (top, bottom), (left, right) = _extent(kernel.any(1)), _extent(kernel.any(0))
        weight = (self.weight * kernel)[:, :, top:bottom, left:right]
        padding = (radius - left, right - radius - 1, radius - top, bottom - radius - 1)
        return F.conv2d(F.pad(x, padding), weight, self.bias)

    def _varying(self, x: Tensor, neighbours: Neighbours) -> Tensor:
        out = self.bias[:, None, None].to(x.dtype)
        r, k = neighbours.radius, neighbours.size
        padded = F.pad(x, (r, r, r, r))
        for tap, seen in enumerate(neighbours.earlier):
            if bool(seen.any()):
                row, column = divmod(tap, k)
                shifted = padded[:, :, row : row + x.shape[-2], column : column + x.shape[-1]] * seen.to(x.dtype)
                out = out + F.conv2d(shifted, self.weight[:, :, row, column, None, None])
        return out


def _extent(used: Tensor) -> tuple[int, int]:
    """First and last + 1 row in use; the middle one if none is."""
    rows = used.nonzero().flatten().tolist() or [len(used) // 2]
    return rows[0], rows[-1] + 1


class LocallyMaskedNet(nn.Module):
    """A residual convolutional network in which each pixel sees the codes of strictly earlier pixels.

    Args:
        features: channels that code a pixel at the input.
        height, width: of the image.
        channels: of the features.
        depth: residual blocks.
        window: side of the first convolution's window.
        dropout: share of features left out in training.
    """

    def __init__(
        self, features: int, height: int, width: int, channels: int, depth: int, window: int = 7, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.enter = LocallyMaskedConv2d(features, channels, window)
        self.place = nn.Parameter(torch.zeros(channels, height, width))
        self.gather = nn.ModuleList(LocallyMaskedConv2d(channels, channels, 3) for _ in range(depth))
        self.mix = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(depth))
        for layer in self.mix:
            nn.init.zeros_(layer.weight)  # pyright: ignore[reportArgumentType]
        self.dropout = nn.Dropout(dropout)

    def neighbours(self, order: Tensor) -> tuple[Neighbours, Neighbours]:
        """What the first convolution and the others may see."""
        first = Neighbours(order, self.height, self.width, self.enter.weight.shape[-1], centre=False)
        return first, Neighbours(order, self.height, self.width, 3, centre=True)

    def forward(self, codes: Tensor, order: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, features, H, W) to (B, channels, H, W); a context (B, channels, H or 1, W or 1) is added first."""
        first, others = self.neighbours(order)
        h = self.enter(codes, first)
        h = h + (self.place if context is None else self.place + context).to(h.dtype)
        for gather, mix in zip(self.gather, self.mix, strict=True):
            h = h + mix(self.dropout(F.silu(gather(F.silu(h), others))))
        return F.silu(h)
