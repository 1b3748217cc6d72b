"""The two players where the context is an image or a vector: G(z, a) answers a, D(b, a) judges the answer beside it."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from priorcraft.core import Space
from priorcraft.implicit.alignment import ALIGNMENTS, BLANK, closest, resized
from priorcraft.implicit.networks import (
    SMALL,
    Prior,
    Saturation,
    fold,
    in_full,
    is_large,
    pixel_by_pixel,
    point_to_vector,
    vector_to_point,
)
from priorcraft.implicit.strokes import LENGTH, strokes
from priorcraft.nn.residual import Read
from priorcraft.nn.unet import UNet


class Sight(nn.Module):
    """What the networks see of a: beside b's pixels its own; where there are few, a vector of its pixels and strokes.

    In front of either stands a as an image of b's domain, aligned, which G only changes; zeros if that does not help.

    Args:
        space: where b lives.
        context: where a lives.
    """

    alignment: Tensor

    def __init__(self, space: Space, context: Space) -> None:
        super().__init__()
        self.space, self.context = space, context
        self.register_buffer("alignment", torch.tensor(BLANK))
        self.as_planes = space.is_image and context.is_image and is_large(space)
        self.finer = max(1, round(context.event_shape[1] / space.event_shape[1])) if self.as_planes else 1
        size = space.event_shape[1:] if self.as_planes else (1, 1)
        self.fold = fold(size)
        self.side = math.isqrt(min(math.prod(context.event_shape[1:]), SMALL))
        self.length = self._length()

    def _length(self) -> int:
        """Channels of the planes, or entries of the vector."""
        colours = self.context.event_shape[0]
        if self.as_planes:
            return self.space.event_shape[0] + colours * self.finer**2
        return self.space.dims + (colours * self.side**2 + LENGTH if self.context.is_image else self.context.dims)

    def align(self, a: Tensor, b: Tensor) -> None:
        """Chooses the alignment by pairs: a as data, b on the network's range."""
        if self.space.is_image and self.context.is_image:
            self.alignment.fill_(closest(self.context.to_network(a, b.dtype), b))

    def forward(self, a: Tensor, like: Tensor) -> Tensor:
        """a (B, *context shape) as planes (B, length, H, W) or vectors (B, length), of the type of `like`."""
        u = self.context.to_network(a, like.dtype)
        shape = self.space.event_shape
        if not (self.space.is_image and self.context.is_image):
            base = u.new_zeros(len(u), self.space.dims)
            return torch.cat([base, self._features(u) if self.context.is_image else u.flatten(1)], 1)
        alignment = ALIGNMENTS[int(self.alignment)]
        base, turned = alignment.onto(u, shape), u if alignment.blank else alignment(u)
        if not self.as_planes:
            return torch.cat([base.flatten(1), self._features(turned)], 1)
        fine = resized(turned, tuple(self.finer * side for side in shape[1:]))
        return torch.cat([base, F.pixel_unshuffle(fine, self.finer)], 1)

    def _features(self, u: Tensor) -> Tensor:
        """Pixels and strokes, the latter scaled as the former are."""
        return torch.cat([resized(u, (self.side, self.side)).flatten(1), strokes(u) * math.sqrt(LENGTH)], 1)


class Translator(nn.Module):
    """G: (z, a) -> u, a point on the network's range: a as far as it is aligned with b, and what is changed of it.

    Args:
        space: where b lives.
        sight: of a.
        latent, hidden, layers, components: as in `networks.Generator`.
    """

    def __init__(self, space: Space, sight: Sight, latent: int, hidden: int, layers: int, components: int) -> None:
        super().__init__()
        self.prior = Prior(latent, components)
        self.space, self.as_planes = space, sight.as_planes
        self.onto_range = nn.Identity() if space.levels is None else Saturation()
        if sight.as_planes:
            unet = UNet(sight.length, latent, space.event_shape, hidden, layers, sight.fold)
            self.body: nn.Module = pixel_by_pixel(unet)
        else:
            self.body = vector_to_point(space, latent + sight.length, hidden, layers)

    def forward(self, z: Tensor, seen: Tensor) -> Tensor:
        """(B, latent) and what is seen of a to (B, *event_shape)."""
        if self.as_planes:
            u = seen[:, : self.space.event_shape[0]] + self.body(seen, z)
        else:
            u = seen[:, : self.space.dims].view(-1, *self.space.event_shape) + self.body(torch.cat([z, seen], 1))
        return self.onto_range(u)


class PairCritic(nn.Module):
    """D: (u, a) -> logit of b beside a   (Isola et al. 2016, arXiv:1611.07004).

    Where a is seen as a vector: w . h(u) + (E a) . h(u) + b, as with labels (Miyato & Koyama 2018, arXiv:1802.05637),
    with E = 0 at the start: whether b is likely at all is learned before whether it belongs to a.

    Args:
        space: where b lives.
        sight: of a.
        hidden, layers: as in `networks.Critic`.
    """

    def __init__(self, space: Space, sight: Sight, hidden: int, layers: int) -> None:
        super().__init__()
        self.as_planes, self.fold = sight.as_planes, sight.fold
        if sight.as_planes:
            channels, height, width = space.event_shape
            folded = ((channels + sight.length) * self.fold**2, height // self.fold, width // self.fold)
            self.body: nn.Module = pixel_by_pixel(Read(folded, hidden, 4 * hidden, layers))
            features = 4 * hidden
        else:
            self.body, features = point_to_vector(space, hidden, layers)
        self.logit = nn.Linear(features, 1)
        self.projection = None if sight.as_planes else nn.Linear(sight.length, features, bias=False)
        if self.projection is not None:
            nn.init.zeros_(self.projection.weight)

    def forward(self, u: Tensor, seen: Tensor) -> Tensor:
        """(B, *event_shape) and what is seen of a to (B,)."""
        if self.projection is None:
            return in_full(self.logit, self.body(F.pixel_unshuffle(torch.cat([u, seen], 1), self.fold)))
        h = self.body(u)
        return in_full(self.logit, h) + (self.projection(seen) * h).sum(-1) / seen.shape[1] ** 0.5
