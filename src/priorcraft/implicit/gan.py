"""A generator that has learned p(x) from a critic, and has no density."""

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Implicit, LatentVariable, Space
from priorcraft.errors import DataError
from priorcraft.implicit.networks import Critic, Generator, is_small


class GAN(Implicit, LatentVariable):
    """x = G(z, c) with z ~ N(0, I): samples without a density (Goodfellow et al. 2014, arXiv:1406.2661).

    The critic D(x, c) that teaches the generator stays with the model: it is a two-sample test, not a likelihood.

    Args:
        space: where x lives.
        context: None, or labels.
        latent: length of z.
        hidden: width of a hidden layer, 256 if None; for images larger than 12 x 12, channels at full size, 16 if None.
        layers: hidden layers; for larger images, residual blocks at each size.

    >>> gan = GAN(Space((1, 8, 8), 17), Space((), 10))
    >>> gan.sample(3, given=torch.tensor(7)).shape
    torch.Size([3, 1, 8, 8])
    """

    location: Tensor
    scale: Tensor

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        latent: int = 32,
        hidden: int | None = None,
        layers: int = 2,
    ) -> None:
        super().__init__(space, context)
        self.latent = latent
        hidden = hidden or (256 if is_small(space) else 16)
        self.generator = Generator(space, self.classes, latent, hidden, layers)
        self.critic = Critic(space, self.classes, hidden, layers)
        self.register_buffer("location", torch.zeros(space.event_shape))
        self.register_buffer("scale", torch.ones(space.event_shape))

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: torch.Generator) -> None:
        """Counts p(c), and for real numbers reads off the location and scale that the networks see.

        Raises:
            DataError: every row is the same, which leaves nothing to play for.
        """
        super().initialise(x, given, generator=generator)
        if bool((x == x[:1]).all()):
            raise DataError(
                f"x has no variance: all {len(x)} rows are the same, and a generator has nothing to learn; "
                "give it rows that differ."
            )
        if self.space.levels is None:
            scale = x.std(0)
            self.location.copy_(x.mean(0))
            self.scale.copy_(torch.where(scale > 0, scale, 1.0))

    def to_network(self, x: Tensor) -> Tensor:
        """x on the range that the networks see: integers on [-1, 1], real numbers standardised."""
        return (self.space.to_network(x, self.scale.dtype) - self.location) / self.scale

    def prior(self, n: int, *, given: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """n draws z ~ N(0, I), whatever the context, (n, latent)."""
        return runtime.normal((n, self.latent), generator=runtime.fresh(generator), like=self.log_prior)

    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """G(z, given) in the data's own units, real-valued also where `sample` rounds, (B, *event_shape)."""
        u = self.generator(z, self._check_context(given, len(z)))
        if self.space.levels is None:
            return u * self.scale + self.location
        return ((u + 1) * ((self.space.levels - 1) / 2)).clamp(0, self.space.levels - 1)

    def _sample(self, n: int, given: Tensor | None, generator: torch.Generator) -> Tensor:
        x = self.decode(self.prior(n, generator=generator), given)
        return x if self.space.levels is None else x.round().long()
