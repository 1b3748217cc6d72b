"""A generator that has learned p(x) from a critic, and has no density."""

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Implicit, LatentVariable, Space
from priorcraft.errors import DataError
from priorcraft.implicit.networks import Critic, Generator, sizes
from priorcraft.implicit.paired import PairCritic, Sight, Translator
from priorcraft.settings import Count, Depth, Width

ALIGNED = 1000  # pairs by which an alignment is chosen


class GAN(Implicit, LatentVariable):
    """x = G(z, c) with z ~ p(z): samples without a density (Goodfellow et al. 2014, arXiv:1406.2661).

    With an image or a vector as c it translates: G changes c, and the critic sees x beside c.

    The critic D(x, c) that teaches the generator stays with the model: it is a two-sample test, not a likelihood.

    Args:
        space: where x lives.
        context: None, labels, or where the images or vectors live that are translated.
        latent: length of z.
        hidden: width of a hidden layer; for images larger than 12 x 12, channels at full size.
        layers: hidden layers; for larger images, residual blocks at each size.
        components: 0 for z ~ N(0, I), else p(z) is a mixture of so many learned normals (`Prior`).

    What is left out is chosen by the space (`networks.sizes`): a mixture for rows of real numbers, N(0, I) for images.

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
        latent: Width | None = None,
        hidden: Width | None = None,
        layers: Depth | None = None,
        components: Count | None = None,
    ) -> None:
        super().__init__(space, context)
        chosen = {"latent": latent, "hidden": hidden, "layers": layers, "components": components}
        size = sizes(space, context is not None and not context.is_label) | {
            name: value for name, value in chosen.items() if value is not None
        }
        self.sight = None if context is None or context.is_label else Sight(space, context)
        if self.sight is None:
            self.generator: Generator | Translator = Generator(space, self.classes, **size)
            self.critic: Critic | PairCritic = Critic(space, self.classes, size["hidden"], size["layers"])
        else:
            self.generator = Translator(space, self.sight, **size)
            self.critic = PairCritic(space, self.sight, size["hidden"], size["layers"])
        self.register_buffer("location", torch.zeros(space.event_shape))
        self.register_buffer("scale", torch.ones(space.event_shape))

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: torch.Generator) -> None:
        """Counts p(c) or aligns c with x, and reads off the location and scale that the networks see of real numbers.

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
        if self.sight is not None and given is not None:
            self.sight.align(given[:ALIGNED], self.to_network(x[:ALIGNED]))

    def to_network(self, x: Tensor) -> Tensor:
        """x on the range that the networks see: integers on [-1, 1], real numbers standardised."""
        return (self.space.to_network(x, self.scale.dtype) - self.location) / self.scale

    def see(self, given: Tensor | None) -> Tensor | None:
        """A context as the networks take it: labels as they are, images and vectors through `Sight`."""
        return given if self.sight is None or given is None else self.sight(given, self.scale)

    @torch.no_grad()
    def prior(self, n: int, *, given: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """n draws z ~ p(z), whatever the context, (n, latent)."""
        return self.generator.prior(n, runtime.fresh(generator))

    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """G(z, given) in the data's own units, real-valued also where `sample` rounds, (B, *event_shape)."""
        u = self.generator(z, self.see(self._check_context(given, len(z))))
        if self.space.levels is None:
            return u * self.scale + self.location
        return self.space.clamp((u + 1) * ((self.space.levels - 1) / 2))

    def _sample(self, n: int, given: Tensor | None, generator: torch.Generator) -> Tensor:
        x = self.decode(self.prior(n, generator=generator), given)
        return x if self.space.levels is None else x.round().long()
