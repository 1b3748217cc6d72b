"""The two players' networks, built from the space: perceptrons for what is small, residual convolutions else."""

import math

import torch
from torch import Tensor, nn

from priorcraft.core import Space
from priorcraft.nn.residual import Grow, Read

SMALL = 12 * 12  # pixels up to which an image is treated as a vector


class MLP(nn.Sequential):
    """Linear layers and smooth rectifiers, ending in a rectified layer; weights scaled to keep the variance.

    Args:
        inputs: length of the input.
        hidden: width of each layer.
        layers: how many.
    """

    def __init__(self, inputs: int, hidden: int, layers: int) -> None:
        super().__init__()
        for i in range(layers):
            linear = nn.Linear(inputs if i == 0 else hidden, hidden)
            nn.init.kaiming_normal_(linear.weight, 0.2)
            nn.init.zeros_(linear.bias)
            self.append(linear)
            self.append(nn.LeakyReLU(0.2))


class Generator(nn.Module):
    """G: (z, c) -> u, a point on the network's range.

    Args:
        space: where x lives.
        classes: number of classes; 0 without.
        latent: length of z.
        hidden: width of a layer, or channels of an image at full size.
        layers: hidden layers, or residual blocks at each size.
    """

    def __init__(self, space: Space, classes: int, latent: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, latent) if classes else None
        inputs = 2 * latent if classes else latent
        self.body = vector_to_point(space, inputs, hidden, layers)
        # the ends of the range, where most pixels of a drawing lie, are reached by saturation
        self.onto_range = nn.Tanh() if space.levels else nn.Identity()

    def forward(self, z: Tensor, given: Tensor | None) -> Tensor:
        """(B, latent) and labels (B,) to (B, *event_shape)."""
        code = z if self.embedding is None else torch.cat([z, self.embedding(given)], -1)
        return self.onto_range(self.body(code))


class Critic(nn.Module):
    """D: (u, c) -> logit, w . h(u) + e_c . h(u) + b   (projection: Miyato & Koyama 2018, arXiv:1802.05637).

    The last row of e stands for "label not known", which the label -1 picks.

    Args:
        space: where x lives.
        classes: number of classes; 0 without.
        hidden, layers: as in `Generator`.
    """

    def __init__(self, space: Space, classes: int, hidden: int, layers: int) -> None:
        super().__init__()
        if is_small(space):
            self.body: nn.Module = nn.Sequential(nn.Flatten(), MLP(space.dims, hidden, layers))
            features = hidden
        else:
            features = 4 * hidden
            self.body = Read(space.event_shape, hidden, features, layers)
        self.logit = nn.Linear(features, 1)
        self.projection = nn.Parameter(torch.zeros(classes + 1, features)) if classes else None

    def forward(self, u: Tensor, given: Tensor | None) -> Tensor:
        """(B, *event_shape) and labels (B,) to (B,)."""
        h = self.body(u)
        logit = self.logit(h).squeeze(-1)
        if self.projection is None or given is None:
            return logit
        return logit + (self.projection[given] * h).sum(-1)


def vector_to_point(space: Space, inputs: int, hidden: int, layers: int) -> nn.Module:
    """A network from vectors (B, inputs) to points (B, *event_shape)."""
    if not is_small(space):
        return Grow(inputs, space.event_shape, hidden, layers)
    output = nn.Linear(hidden, space.dims)
    return nn.Sequential(MLP(inputs, hidden, layers), output, nn.Unflatten(1, space.event_shape))


def is_small(space: Space) -> bool:
    """Whether a multilayer perceptron serves: vectors, and images of few pixels."""
    return not space.is_image or math.prod(space.event_shape[1:]) <= SMALL
