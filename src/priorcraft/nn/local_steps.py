"""A locally masked network evaluated one pixel after another, every activation once."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from priorcraft.nn.local_masked import LocallyMaskedConv2d, LocallyMaskedNet, Neighbours
from priorcraft.nn.masked import MaskedMLP


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
        shape = (len(order), len(codes), net.place.shape[0])
        self.gather = [Taps(layer, others, codes.new_zeros(shape)) for layer in net.gather]  # pyright: ignore[reportArgumentType]
        self.mix = [(layer.weight.flatten(1).t(), layer.bias) for layer in net.mix]  # pyright: ignore[reportCallIssue]

        for pixel in rim(order, start, net.height, net.width, len(net.gather)):
            self.features(pixel)

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

    def take(self, index: Tensor) -> None:
        """The images have become those of these numbers, (n,)."""
        self.codes = self.enter.inputs = self.codes[:, index]
        self.context = self.context if self.context is None or len(self.context) == 1 else self.context[index]
        for gather in self.gather:
            gather.inputs = gather.inputs[:, index]


class WithinSteps:
    """A masked perceptron without residual blocks, asked for the entries of one cell after another, in their order.

    Args:
        net: the perceptron; its context is the cell's features. None for cells of one entry.
        leave: what the features add to the outputs without it.
    """

    hidden: Tensor
    base: Tensor

    def __init__(self, net: MaskedMLP | None, leave: nn.Linear) -> None:
        self.net, self.leave = net, leave
        if net is None:
            return
        position = torch.arange(net.entries, device=net.degrees.device)
        enter, _, last = net.masks(position)
        self.enter, self.last = (net.enter.weight * enter).t(), (net.leave.weight * last).t()
        direct = net.direct
        self.direct = None if direct is None else (direct.weight * net.direct_mask(position)).t()
        self.units = [0, *torch.searchsorted(net.degrees, position, right=True).tolist()]

    def begin(self, h: Tensor) -> "WithinSteps":
        """The steps of a cell with features h (n, channels)."""
        begun, net = copy.copy(self), self.net
        begun.base = self.leave(h)
        if net is not None:
            assert net.context is not None
            assert net.context_out is not None
            begun.hidden = net.enter.bias + net.context(h)
            begun.base = begun.base + net.leave.bias + net.context_out(h)
            if net.direct is not None:
                begun.base = begun.base + net.direct.bias
        return begun

    def at(self, rank: int, codes: Tensor) -> Tensor:
        """Outputs (n, outputs) of the entry of this rank, from the codes (n, entries, features) of those before it."""
        if self.net is None:
            return self.base
        seen = codes[:, :rank].flatten(1)
        done, count = self.units[rank], seen.shape[1]
        units = F.silu(torch.addmm(self.hidden[:, :done], seen, self.enter[:count, :done])) if rank else seen
        mine = slice(rank * self.net.outputs, (rank + 1) * self.net.outputs)
        out = torch.addmm(self.base[:, mine], units, self.last[:done, mine])
        return out if self.direct is None else torch.addmm(out, seen, self.direct[:count, mine])


def _by_pixel(images: Tensor) -> Tensor:
    """(n, channels, H, W) to (H * W, n, channels)."""
    return images.flatten(2).permute(2, 0, 1).contiguous()


def rim(order: Tensor, start: int, height: int, width: int, depth: int) -> list[int]:
    """Of the first `start` pixels, those that `depth` layers of 3 x 3 windows see from the others, in their order.

    >>> rim(torch.arange(25), 15, 5, 5, 1)
    [10, 11, 12, 13, 14]
    """
    hidden = torch.zeros(height * width, device=order.device).index_fill_(0, order[start:], 1.0)
    near = hidden.view(1, 1, height, width)
    for _ in range(depth):
        near = F.max_pool2d(near, 3, 1, 1)
    known = order[:start]
    return known[near.flatten()[known] > 0].tolist()
