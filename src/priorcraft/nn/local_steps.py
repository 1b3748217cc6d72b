"""A locally masked network evaluated one pixel after another, every activation once."""

import torch
import torch.nn.functional as F
from torch import Tensor

from priorcraft.nn.local_masked import LocallyMaskedConv2d, LocallyMaskedNet, Neighbours


class Taps:
    """One locally masked convolution, asked for one pixel at a time: a matrix product over the pixels that it sees.

    Args:
        layer: the convolution.
        neighbours: what it may see.
        inputs: (H * W, n, channels), filled from outside as pixels become known.
    """

    def __init__(self, layer: LocallyMaskedConv2d, neighbours: Neighbours, inputs: Tensor) -> None:
        self.bias, self.inputs = layer.bias, inputs
        self.weight = layer.weight.flatten(2).permute(2, 1, 0).contiguous()
        self.matrices: dict[tuple[int, ...], Tensor] = {}
        size, width = neighbours.size, neighbours.earlier.shape[-1]
        tap = torch.arange(size * size, device=inputs.device)
        offset = (tap // size - size // 2) * width + tap % size - size // 2
        seen = neighbours.earlier.flatten(1).t()
        self.taps = [tap[row].tolist() for row in seen.cpu()]
        self.pixels = [(offset[row] + pixel).tolist() for pixel, row in enumerate(seen.cpu())]

    def at(self, pixel: int) -> Tensor:
        """The convolution's output at one pixel, (n, outputs)."""
        taps = tuple(self.taps[pixel])
        if not taps:
            return self.bias
        if taps not in self.matrices:  # the same few sets of neighbours occur all over an image
            self.matrices[taps] = self.weight[list(taps)].flatten(0, 1)
        patch = torch.cat([self.inputs[i] for i in self.pixels[pixel]], 1)
        return torch.addmm(self.bias, patch, self.matrices[taps])


class LocalSteps:
    """The state of drawing n images pixel by pixel in one order.

    Args:
        net: the network.
        order: (H * W,).
        codes: (n, features, H, W); those of the first `start` pixels of the order are taken as known.
        context: as in `LocallyMaskedNet.forward`.
        start: number of pixels known.
    """

    def __init__(self, net: LocallyMaskedNet, order: Tensor, codes: Tensor, context: Tensor | None, start: int) -> None:
        self.net, self.context = net, context
        first, others = net.neighbours(order)
        self.codes = _by_pixel(codes)
        self.enter = Taps(net.enter, first, self.codes)
        caches = self._caches(codes, order, start)
        self.gather = [Taps(layer, others, cache) for layer, cache in zip(net.gather, caches, strict=True)]  # pyright: ignore[reportArgumentType]
        self.mix = [(layer.weight.flatten(1).t(), layer.bias) for layer in net.mix]  # pyright: ignore[reportCallIssue]

    def _caches(self, codes: Tensor, order: Tensor, start: int) -> list[Tensor]:
        """What each block gathers from, right for the pixels that are known."""
        if start:
            return [_by_pixel(h) for h in self.net.layers(codes, order, self.context)[:-1]]
        channels = self.net.place.shape[0]
        return [codes.new_zeros(len(order), len(codes), channels) for _ in self.net.gather]

    def features(self, pixel: int) -> Tensor:
        """The features of the next pixel of the order, (n, channels)."""
        row, column = divmod(pixel, self.net.width)
        h = self.enter.at(pixel) + self.net.place[:, row, column]
        if self.context is not None:
            h = h + self.context[:, :, row % self.context.shape[2], column % self.context.shape[3]]
        h = h.expand(self.codes.shape[1], -1)
        for gather, (weight, bias) in zip(self.gather, self.mix, strict=True):
            gather.inputs[pixel] = F.silu(h)
            h = h + torch.addmm(bias, F.silu(gather.at(pixel)), weight)  # pyright: ignore[reportArgumentType]
        return F.silu(h)

    def push(self, code: Tensor, pixel: int) -> None:
        """Takes the code (n, features) of the pixel that was drawn."""
        self.codes[pixel] = code


def _by_pixel(images: Tensor) -> Tensor:
    """(n, channels, H, W) to (H * W, n, channels)."""
    return images.flatten(2).permute(2, 0, 1).contiguous()
