"""The two networks of an autoencoder, sized from the spaces that they connect."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from priorcraft.core import Space
from priorcraft.likelihoods import Head, head_for
from priorcraft.nn.conv import Down, Up, pyramid
from priorcraft.nn.mlp import residual_mlp

SHUT = -60.0  # added to the logit of a level that an entry does not have


def context_width(context: Space | None) -> int:
    """Length of the vector that stands for a context."""
    if context is None:
        return 0
    return context.levels if context.is_label and context.levels else context.dims


def embed_context(context: Space | None, given: Tensor | None, like: Tensor) -> Tensor:
    """The context as vectors (B, context_width): labels one-hot, anything else flattened."""
    if context is None or given is None:
        return like.new_zeros(len(like), 0)
    if context.is_label and context.levels:
        return F.one_hot(given, context.levels).to(like.dtype)
    return context.to_network(given, like.dtype).flatten(1)


def is_large_image(space: Space) -> bool:
    """Whether convolutions are worth it: images from 16 pixels a side."""
    return space.is_image and min(space.event_shape[1:]) >= 16


class ImageEncoder(nn.Module):
    """Image and context vector to a vector, by convolutions.

    Args:
        space: where the image lives.
        context: length of the context vector.
        outputs: length of the result.
        width: channels of the features.
        hidden: units between features and result.
    """

    def __init__(self, space: Space, context: int, outputs: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        channels, *size = space.event_shape
        sizes = pyramid(*size)
        self.down = Down(channels, width, sizes, dropout)
        self.head = residual_mlp(width * sizes[-1][0] * sizes[-1][1] + context, outputs, hidden, 1, dropout)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """(B, channels, height, width) and (B, context) to (B, outputs)."""
        return self.head(torch.cat([F.silu(self.down(x)).flatten(1), c], 1))


class ImageDecoder(nn.Module):
    """Vector to parameters of an image's likelihood, by convolutions.

    Args:
        space: where the image lives.
        inputs: length of the vector.
        per_entry: parameters an entry.
        width: channels of the features.
        hidden: units between vector and features.
    """

    def __init__(self, space: Space, inputs: int, per_entry: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        channels, *size = space.event_shape
        self.channels, self.width, self.sizes = channels, width, pyramid(*size)
        h, w = self.sizes[-1]
        self.head = residual_mlp(inputs, width * h * w, hidden, 1, dropout)
        self.up = Up(width, channels * per_entry, self.sizes, dropout)

    def forward(self, z: Tensor) -> Tensor:
        """(B, inputs) to (B, channels, height, width, per_entry)."""
        h = self.head(z).unflatten(1, (self.width, *self.sizes[-1]))
        return self.up(h).unflatten(1, (self.channels, -1)).movedim(2, -1)


class VectorEncoder(nn.Module):
    """Any x, flattened, and context vector to a vector."""

    def __init__(self, space: Space, context: int, outputs: int, hidden: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.network = residual_mlp(space.dims + context, outputs, hidden, depth, dropout)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """(B, *event_shape) and (B, context) to (B, outputs)."""
        return self.network(torch.cat([x.flatten(1), c], 1))


class VectorDecoder(nn.Module):
    """Vector to parameters of the likelihood of any x."""

    def __init__(self, space: Space, inputs: int, per_entry: int, hidden: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.shape = (*space.event_shape, per_entry)
        self.network = residual_mlp(inputs, space.dims * per_entry, hidden, depth, dropout)

    def forward(self, z: Tensor) -> Tensor:
        """(B, inputs) to (B, *event_shape, per_entry)."""
        return self.network(z).unflatten(1, self.shape)


@dataclass(frozen=True)
class Sizes:
    """Sizes of a pair of networks.

    Args:
        hidden: units of a hidden layer.
        depth: residual blocks of a perceptron.
        width: channels of convolutions.
        dropout: share of hidden units dropped while training.
    """

    hidden: int
    depth: int
    width: int
    dropout: float

    def encoder(self, space: Space, context: int, outputs: int) -> nn.Module:
        """A network from x and a context vector of that length to `outputs` numbers."""
        if is_large_image(space):
            return ImageEncoder(space, context, outputs, self.width, self.hidden, self.dropout)
        return VectorEncoder(space, context, outputs, self.hidden, self.depth, self.dropout)

    def decoder(self, space: Space, inputs: int, per_entry: int) -> nn.Module:
        """A network from a vector of that length, z and context, to the parameters of every entry of x."""
        if is_large_image(space):
            return ImageDecoder(space, inputs, per_entry, self.width, self.hidden, self.dropout)
        return VectorDecoder(space, inputs, per_entry, self.hidden, self.depth, self.dropout)


def head_of(space: Space, mixture: int) -> Head:
    """The likelihood of all entries: logistics for images with more than two levels, else what fits the levels."""
    ordered = space.is_image and space.levels is not None and space.levels > 2
    head, allowed = head_for(space, mixture if ordered else 0), space.allowed
    if allowed is None:
        return head
    shut = torch.where(allowed, 0.0, SHUT).view(*space.event_shape, -1)
    return Head(head.width, lambda parameters: head(parameters + shut.to(parameters)))
