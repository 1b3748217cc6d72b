"""The two players' networks, built from the space: perceptrons for what is small, residual convolutions else."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.nn.residual import Grow, Read

SMALL = 12 * 12  # pixels up to which an image is treated as a vector
FOLDED = 24  # pixels a side from which two by two pixels are folded into channels, four times as fast
OCTAVES, LONGEST = 7, 16.0  # of sines, and their longest period, in standard deviations of a column
LEAK = 0.1


def sizes(space: Space, paired: bool = False) -> dict[str, int]:
    """What was found to work: the constructor's defaults for a space, with an image as context or without."""
    if is_large(space) and paired:
        return {"latent": 16, "hidden": 24, "layers": 1, "components": 0}
    if is_large(space):
        return {"latent": 32, "hidden": 24, "layers": 1, "components": 0}
    if is_real_vector(space):
        return {"latent": 16, "hidden": 64, "layers": 2, "components": 256}
    return {"latent": 32, "hidden": 256, "layers": 2, "components": 0}


def is_large(space: Space) -> bool:
    """Whether it takes convolutions: images of many pixels."""
    return space.is_image and math.prod(space.event_shape[1:]) > SMALL


def fold(size: tuple[int, ...]) -> int:
    """How many pixels a side become channels of one, so that convolutions see fewer places; 1 keeps all places.

    >>> fold((28, 28)), fold((28, 27)), fold((16, 16))
    (2, 1, 1)
    """
    return 2 if min(size) >= FOLDED and not any(side % 2 for side in size) else 1


def folded(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(channels, height, width) after folding."""
    by = fold(shape[1:])
    return shape[0] * by**2, shape[1] // by, shape[2] // by


def is_real_vector(space: Space) -> bool:
    """Whether a point is a row of real numbers, where modes may be far apart and narrow."""
    return space.levels is None and not space.is_image


class Prior(nn.Module):
    """p(z): standard normal, or an equal mixture of small normals whose centres and spreads are learned.

    p(z) = 1/M sum_m N(z; mu_m, s_m^2 I)   (Gurumurthy et al. 2017, arXiv:1706.02071)

    A continuous G maps one normal onto a connected set: between modes that lie apart it must leave samples. A mixture
    need not.

    Args:
        latent: length of z.
        components: M; 0 for the standard normal.
        spread: of each component before training.
    """

    origin: Tensor

    def __init__(self, latent: int, components: int, spread: float = 0.01) -> None:
        super().__init__()
        self.register_buffer("origin", torch.zeros(latent), persistent=False)
        self.centres = nn.Parameter(torch.randn(components, latent)) if components else None
        self.log_spread = nn.Parameter(torch.full((components, 1), math.log(spread))) if components else None

    def forward(self, n: int, generator: torch.Generator) -> Tensor:
        """n draws, (n, latent); differentiable in the centres and spreads."""
        noise = runtime.normal((n, len(self.origin)), generator=generator, like=self.origin)
        if self.centres is None or self.log_spread is None:
            return noise
        m = torch.randint(len(self.centres), (n,), generator=generator, device=generator.device).to(noise.device)
        return F.embedding(m, self.centres) + F.embedding(m, self.log_spread).exp() * noise


class Octaves(nn.Module):
    """u -> (u, sin(2^k u pi/8), cos(2^k u pi/8), ...): lets a perceptron see fine detail from the start.

    (Tancik et al. 2020, arXiv:2006.10739.) The longest period is wider than standardised data: points a period apart
    look the same to every sine, and a fake that strayed so far would pass for a neighbour of real rows.

    Args:
        octaves: number of frequencies.
    """

    frequencies: Tensor

    def __init__(self, octaves: int = OCTAVES) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2 * math.pi / LONGEST * 2.0 ** torch.arange(octaves), persistent=False)

    def forward(self, u: Tensor) -> Tensor:
        """(B, D) to (B, D (1 + 2 octaves))."""
        angles = (u.unsqueeze(-1) * self.frequencies).flatten(1)
        return torch.cat([u, angles.sin(), angles.cos()], 1)


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
        components: of the prior, see `Prior`.
    """

    def __init__(self, space: Space, classes: int, latent: int, hidden: int, layers: int, components: int) -> None:
        super().__init__()
        self.prior = Prior(latent, components)
        self.embedding = nn.Embedding(classes, latent) if classes else None
        inputs = 2 * latent if classes else latent
        self.body = vector_to_point(space, inputs, hidden, layers)
        self.onto_range = onto_range(space)

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
        self.body, features = point_to_vector(space, hidden, layers)
        self.logit = nn.Linear(features, 1)
        self.projection = nn.Parameter(torch.zeros(classes + 1, features)) if classes else None

    def forward(self, u: Tensor, given: Tensor | None) -> Tensor:
        """(B, *event_shape) and labels (B,) to (B,)."""
        h = self.body(u)
        logit = in_full(self.logit, h)
        if self.projection is None or given is None:
            return logit
        e = F.embedding(given % len(self.projection), self.projection)
        return logit + (e * h).sum(-1)


def in_full(logit: nn.Linear, h: Tensor) -> Tensor:
    """w . h + b, (B, features) to (B,), at full precision also where products are made in bfloat16."""
    return (logit.weight * h).sum(-1) + logit.bias


class Saturation(nn.Module):
    """u clamped to [-1, 1], but for a tenth of what is beyond: the ends are reached, and no gradient dies there."""

    def forward(self, u: Tensor) -> Tensor:
        """(B, ...) to the same."""
        return torch.lerp(u.clamp(-1, 1), u, LEAK)


def onto_range(space: Space) -> nn.Module:
    """The ends of the range, where most pixels of a drawing lie, are reached by saturation; real numbers stay."""
    if space.levels is None:
        return nn.Identity()
    return Saturation() if is_large(space) else nn.Tanh()


def vector_to_point(space: Space, inputs: int, hidden: int, layers: int) -> nn.Module:
    """A network from vectors (B, inputs) to points (B, *event_shape)."""
    if is_large(space):
        grow = Grow(inputs, folded(space.event_shape), hidden, layers)
        return pixel_by_pixel(nn.Sequential(grow, nn.PixelShuffle(fold(space.event_shape[1:]))))
    output = nn.Linear(hidden, space.dims)
    return nn.Sequential(MLP(inputs, hidden, layers), output, nn.Unflatten(1, space.event_shape))


def point_to_vector(space: Space, hidden: int, layers: int) -> tuple[nn.Module, int]:
    """A network from points (B, *event_shape) to vectors, and their length."""
    if is_large(space):
        read = Read(folded(space.event_shape), hidden, 4 * hidden, layers)
        return pixel_by_pixel(nn.Sequential(nn.PixelUnshuffle(fold(space.event_shape[1:])), read)), 4 * hidden
    if is_real_vector(space):
        inputs = space.dims * (1 + 2 * OCTAVES)
        return nn.Sequential(nn.Flatten(), Octaves(), MLP(inputs, hidden, layers)), hidden
    return nn.Sequential(nn.Flatten(), MLP(space.dims, hidden, layers)), hidden


def pixel_by_pixel(network: nn.Module) -> nn.Module:
    """The network with the channels of a pixel side by side in memory: a third faster on CPUs, the same function."""
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
