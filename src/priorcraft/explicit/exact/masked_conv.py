"""Locally masked convolutions as a density of images."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from priorcraft.core import Likelihood, Space, Trainable
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.chain import Autoregressive
from priorcraft.explicit.exact.entries import Entries
from priorcraft.nn.local_masked import LocallyMaskedNet
from priorcraft.nn.local_steps import LocalSteps
from priorcraft.nn.masked import MaskedMLP


class MaskedConvolution(Autoregressive, Trainable):
    """Locally masked convolutions, in which a pixel sees the neighbours that come earlier in any order.

    (Jain, Abbeel & Pathak 2020, arXiv:2006.12486)

    The ensemble's orders are the raster and its flips and transposes: there, neighbours are the same everywhere, and
    ordinary convolutions do. Other orders of the pixels (evidence first) take the same weights and more time. The
    channels of one pixel follow one another.

    Args:
        space, context: as in `Generative`; x is an image, c may be a label, an image or a vector.
        orders: size O of the ensemble, 1 ... 8.
        channels, depth: of the network.
        window: side of the first convolution's window.
        dropout: share of features left out in training.
        any_order: share of the training steps that take a random order of the pixels.
    """

    sampler = "cached convolution"

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        orders: int = 8,
        channels: int = 64,
        depth: int = 6,
        window: int = 7,
        dropout: float = 0.0,
        any_order: float = 0.0,
    ) -> None:
        if not space.is_image:
            raise UsageError(f"space must hold images (channels, height, width), not {space.event_shape}.")
        if not 1 <= orders <= 8:
            raise UsageError(f"orders must be 1 ... 8, the raster orders of an image, not {orders}.")
        colours, height, width = space.event_shape
        super().__init__(space, context, pixelwise(rasters(height, width)[:orders], colours))
        self.any_order = any_order
        self.entries = Entries(space)
        self.net = LocallyMaskedNet(colours * self.entries.features, height, width, channels, depth, window, dropout)
        self.sees = None if context is None else context_net(context, channels, self.classes)
        features, outputs = self.entries.features, self.entries.outputs
        self.leave = nn.Linear(channels, colours * outputs)
        self.within = MaskedMLP(colours, features, outputs, channels, 0, channels) if colours > 1 else None

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Sets p(c) and the marginal distribution of each entry."""
        super().initialise(x, given, generator=generator)
        self.entries.initialise(x.flatten(1))

    def check_order(self, order: Tensor) -> Tensor:
        """`order` itself, if it is a permutation in which the channels of each pixel follow one another."""
        order = super().check_order(order)
        pixels = self._pixels(order)
        if not torch.equal(pixelwise(pixels[None], self.space.event_shape[0])[0], order):
            raise UsageError("order must keep the channels of each pixel together, first to last; this one does not.")
        return order

    def _pixels(self, order: Tensor) -> Tensor:
        return order[:: self.space.event_shape[0]] % self.net.place[0].numel()

    def conditionals(self, x: Tensor, order: Tensor, given: Tensor | None) -> Likelihood:
        """p(x_i | the entries before i in `order`) for every entry at once, over x flattened to (B, D)."""
        codes = self.entries.code(x.unflatten(1, (self.space.event_shape[0], -1)))  # (B, colours, H * W, features)
        h = self.net(self._planes(codes), self._pixels(order), self._context_planes(given))
        outputs = self._outputs(h.flatten(2).transpose(1, 2), codes.transpose(1, 2))
        return self.entries.likelihood(outputs.transpose(1, 2).flatten(1, 2), self.entries.marginal)

    def _planes(self, codes: Tensor) -> Tensor:
        """Codes (B, colours, H * W, features) as an image of colours * features channels."""
        return codes.transpose(2, 3).flatten(1, 2).unflatten(2, self.space.event_shape[1:])

    def _outputs(self, h: Tensor, codes: Tensor) -> Tensor:
        """Features (..., channels) and codes (..., colours, features) of pixels to outputs (..., colours, outputs)."""
        out = self.leave(h).unflatten(-1, (codes.shape[-2], -1))
        if self.within is None:
            return out
        position = torch.arange(codes.shape[-2], device=h.device)
        return out + self.within(codes.flatten(0, -3), position, h.flatten(0, -2)).view(out.shape)

    def _context_planes(self, given: Tensor | None) -> Tensor | None:
        if self.sees is None or self.context is None or given is None:
            return None
        dtype = self.entries.marginal.dtype
        if self.classes:
            return self.sees(F.one_hot(given, self.classes).to(dtype))
        c = self.context.to_network(given, dtype)
        return self.sees(F.interpolate(c, self.space.event_shape[1:]) if self.context.is_image else c.flatten(1))

    def loss_terms(
        self, x: Tensor, given: Tensor | None, *, progress: float, generator: Generator
    ) -> dict[str, Tensor]:
        """-log p(x) in one order: an upper bound on -log p(x) of the ensemble, unbiased for its mean over orders."""
        return {"loss": self._loss_in(self._training_order(generator), x, given)}

    def _training_order(self, generator: Generator) -> Tensor:
        u, member = torch.rand(2, generator=generator, device=generator.device).tolist()
        if u >= self.any_order:
            return self.orders[int(member * len(self.orders))]
        pixels = torch.randperm(self.net.place[0].numel(), generator=generator, device=generator.device)
        return pixelwise(pixels[None].to(self.orders.device), self.space.event_shape[0])[0]

    def _draw(self, x: Tensor, orders: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        """Exact; each activation is computed once, a pixel at a time."""
        contexts = [
            None if given is None else self._context_planes(c) for c in (given if given is not None else orders)
        ]
        parts = [self._draw_in(*row) for row in zip(x, orders, [start] * len(x), u, contexts, strict=True)]
        return torch.stack(parts)

    def _draw_in(self, x: Tensor, order: Tensor, start: int, u: Tensor, context: Tensor | None) -> Tensor:
        colours = self.space.event_shape[0]
        x, u = x.clone().unflatten(1, (colours, -1)), u.unflatten(1, (colours, -1))
        codes = self.entries.code(x)
        steps = LocalSteps(self.net, self._pixels(order), self._planes(codes), context, start // colours)
        marginal = self.entries.marginal.unflatten(0, (colours, -1))
        for p, pixel in enumerate(self._pixels(order).tolist()):
            if (p + 1) * colours > start:
                h = steps.features(pixel)
                for colour in range(max(start - p * colours, 0), colours):
                    outputs = self._outputs(h, codes[:, :, pixel])[:, colour]
                    x[:, colour, pixel] = self.entries.likelihood(outputs, marginal[colour, pixel]).quantile(
                        u[:, colour, pixel]
                    )
                    codes[:, colour, pixel] = self.entries.code(x[:, colour, pixel])
                steps.push(codes[:, :, pixel].flatten(1), pixel)
        return x.flatten(1)


def rasters(height: int, width: int) -> Tensor:
    """The raster order of H * W pixels, its flips and its transposes, (8, H * W).

    >>> rasters(2, 2)[:3].tolist()
    [[0, 1, 2, 3], [3, 2, 1, 0], [0, 2, 1, 3]]
    """
    grid = torch.arange(height * width).view(height, width)
    turned = [g.flip(flips) for flips in ((), (0, 1), (0,), (1,)) for g in (grid, grid.t())]
    return torch.stack([turned[i].flatten() for i in (0, 2, 1, 3, 4, 5, 6, 7)])


def pixelwise(pixels: Tensor, colours: int) -> Tensor:
    """Orders of pixels (O, H * W) as orders of entries (O, colours * H * W): the channels of a pixel in their turn.

    >>> pixelwise(torch.tensor([[1, 0]]), 3).tolist()
    [[1, 3, 5, 0, 2, 4]]
    """
    planes = torch.arange(colours, device=pixels.device) * pixels.shape[1]
    return (pixels[:, :, None] + planes).flatten(1)


def context_net(context: Space, channels: int, classes: int) -> nn.Module:
    """A label or vector to (B, channels, 1, 1), an image to (B, channels, H, W)."""
    if context.is_image:
        first = nn.Conv2d(context.event_shape[0], channels, 5, padding=2)
        return nn.Sequential(first, nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))
    return nn.Sequential(nn.Linear(classes or context.dims, channels, bias=False), nn.Unflatten(1, (channels, 1, 1)))
