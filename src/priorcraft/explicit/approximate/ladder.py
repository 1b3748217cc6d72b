"""A hierarchy of latent layers: q(z | x) and p(z) both come down from the coarsest layer to the finest."""

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.networks import head_of
from priorcraft.explicit.approximate.pixels import PixelDecoder
from priorcraft.explicit.approximate.variational import Draws, Terms, Variational, repeated
from priorcraft.likelihoods import Gaussian
from priorcraft.likelihoods.gaussian import kl_divergence
from priorcraft.nn.conv import ResidualBlock, pyramid
from priorcraft.settings import Depth, Dropout, Range, Share, Weight, Width

DECODE_DRAWS = 16
LARGE = 8  # pixels a side, above which features are half as wide, and no latent layers
LAYOUT = torch.channels_last  # in which the steps of a training are a tenth faster
Choice = Callable[[int, "Layer", Tensor, Gaussian], Tensor]


class Layer(nn.Module):
    """One latent layer z_l of a hierarchy, with channels x height x width numbers.

    Args:
        width: channels of the features.
        latent: channels of z_l.
        dropout: share of features dropped while training.
    """

    def __init__(self, width: int, latent: int, dropout: float) -> None:
        super().__init__()
        self.prior = nn.Conv2d(width, 2 * latent, 3, padding=1)
        self.posterior = nn.Conv2d(2 * width, 2 * latent, 3, padding=1)
        self.merge = nn.Conv2d(latent, width, 1)
        self.block = ResidualBlock(width, dropout)
        nn.init.zeros_(self.prior.weight)

    def p(self, h: Tensor) -> Gaussian:
        """p(z_l | layers above), from the features that come down."""
        loc, log_scale = self.prior(F.silu(h)).to(self.prior.weight.dtype).chunk(2, 1)
        return Gaussian(loc, log_scale.clamp(-5.0, 3.0))

    def q(self, h: Tensor, up: Tensor, p: Gaussian) -> Gaussian:
        """q(z_l | layers above, x), relative to the prior (Vahdat & Kautz 2020, arXiv:2007.03898)."""
        change = self.posterior(F.silu(torch.cat([h, up], 1))).to(self.prior.weight.dtype)
        loc, log_scale = change.chunk(2, 1)
        return Gaussian(p.loc + loc * p.log_scale.exp(), p.log_scale + log_scale.clamp(-5.0, 2.0))

    def down(self, h: Tensor, z: Tensor) -> Tensor:
        """The features, with z_l merged into them."""
        return self.block(h + self.merge(z))


class LadderVAE(Variational):
    """A hierarchical VAE whose inference comes down the same ladder as generation.

    p(x, z) = p(x | z) prod_l p(z_l | z_<l),   q(z | x) = prod_l q(z_l | z_<l, x)
    (Sonderby et al. 2016, arXiv:1602.02282; Kingma et al. 2016, arXiv:1606.04934; Child 2020, arXiv:2011.10650)

    The last step, from features to pixels, may see the earlier pixels in a small window: what is local is then left
    to the window, and z is left with what is global (Gulrajani et al. 2016, arXiv:1611.05013).

    Args:
        space: images.
        context: where c lives; both directions see it.
        layers: latent layers, shared out over the coarse sizes of the image.
        latent: channels of a latent layer.
        width: channels of the features; half as many where they have more than 8 pixels a side.
        pixel_width: channels at the full size.
        reach: pixels that the window of the decoder sees on each side; 0 makes pixels independent given z.
        mixture: logistics an entry where there are more than two levels.
        dropout: share of features dropped while training.
        beta, free_bits, warm_up, draws, bf16, augment, augment_last: see `Variational`.

    Raises:
        UsageError: no image, or a size below 1.

    >>> model = LadderVAE(Space((1, 8, 8), 2), layers=2, latent=2, width=8)
    >>> model.bound(torch.zeros(3, 1, 8, 8), 4).shape, model.sample(2).shape
    (torch.Size([3]), torch.Size([2, 1, 8, 8]))
    """

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        layers: Depth = 4,
        latent: Width = 8,
        width: Annotated[int, Range(2, 4096)] = 64,
        pixel_width: Width = 32,
        reach: Annotated[int, Range(0, 64)] = 3,
        mixture: Annotated[int, Range(1, 100)] = 5,
        dropout: Dropout = 0.0,
        bf16: bool = False,
        beta: Weight = 1.0,
        free_bits: Weight = 0.5,
        warm_up: Share = 0.1,
        draws: Draws = 1,
        augment: Share = 0.0,
        augment_last: Share = 0.0,
    ) -> None:
        training = {"beta": beta, "free_bits": free_bits, "warm_up": warm_up, "draws": draws, "bf16": bf16}
        super().__init__(space, context, **training, augment=augment, augment_last=augment_last)
        if not space.is_image or max(space.event_shape[1:]) < 2:
            raise UsageError(f"a ladder needs images of several pixels, not {space.event_shape}; take a VAE.")
        self.sizes = pyramid(*space.event_shape[1:], smallest=min(5, max(space.event_shape[1:])))[1:]
        coarse = [i for i, s in enumerate(self.sizes) if max(s) <= LARGE] or [len(self.sizes) - 1]
        self.level = sorted((coarse[i % len(coarse)] for i in range(layers)), reverse=True)
        self.shapes = [(latent, *self.sizes[i]) for i in self.level]
        self.latent = sum(latent * h * w for _, h, w in self.shapes)
        self.widths = [width // 2 if max(s) > LARGE else width for s in self.sizes]
        self._build(latent, dropout, self.hears)
        self.pixels = PixelDecoder(space, head_of(space, mixture), self.widths[0], pixel_width, reach)

    def _build(self, latent: int, dropout: float, context: int) -> None:
        w = self.widths
        self.strides = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise([self.space.event_shape[0], *w]))
        self.blocks = nn.ModuleList(ResidualBlock(c, dropout) for c in w)
        self.top = nn.Parameter(torch.randn(1, w[-1], *self.sizes[-1]) * 0.1)
        self.told = nn.Linear(context, w[0] + w[-1], bias=False) if context else None
        self.layers = nn.ModuleList(Layer(w[level], latent, dropout) for level in self.level)
        self.widen = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(w))
        self.finish = nn.ModuleList(ResidualBlock(c, dropout) for c in w[:-1])

    def _context(self, given: Tensor | None, n: int) -> tuple[Tensor, Tensor]:
        """What the context adds to the first features on the way up, and on the way down, (n, width, 1, 1)."""
        if self.told is None:
            return self.top.new_zeros(1, 1, 1, 1), self.top.new_zeros(1, 1, 1, 1)
        told = self.told(self._told(given, self.top.expand(n, -1, -1, -1)))
        up, down = told.split([self.widths[0], self.widths[-1]], 1)
        return up[..., None, None], down[..., None, None]

    def _up(self, x: Tensor, given: Tensor | None) -> list[Tensor]:
        """The features of x at each size, finest first."""
        h, features = self.space.to_network(x, self.log_prior.dtype).contiguous(memory_format=LAYOUT), []
        told, _ = self._context(given, len(x))
        for i, (stride, block) in enumerate(zip(self.strides, self.blocks, strict=True)):
            h = block(stride(F.silu(h)) if i else stride(h) + told)
            features.append(h)
        return features

    def _down(self, n: int, given: Tensor | None, choose: Choice) -> Tensor:
        """Comes down the ladder with the z_l that `choose` gives; returns the features at the finest size."""
        _, told = self._context(given, n)
        h = (self.top.expand(n, -1, -1, -1) + told).contiguous(memory_format=LAYOUT)
        for size in reversed(range(len(self.sizes))):
            for i in (i for i, level in enumerate(self.level) if level == size):
                layer = self.layers[i]
                assert isinstance(layer, Layer)
                h = layer.down(h, choose(i, layer, h, layer.p(h)))
            if size:
                h = F.interpolate(h, self.sizes[size - 1], mode="nearest")
                h = self.finish[size - 1](self.widen[size - 1](h))
        return h

    def _split(self, flat: Tensor) -> list[Tensor]:
        """(..., latent) as one (..., channels, height, width) for each layer."""
        parts = flat.split([c * h * w for c, h, w in self.shapes], -1)
        return [part.unflatten(-1, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def _terms(self, x: Tensor, given: Tensor | None, noise: Tensor, closed: bool) -> Terms:
        k, n = noise.shape[:2]
        parts, kl = self._split(noise.flatten(0, 1)), []
        contexts = None if given is None else repeated(k, given)

        def choose(i: int, layer: Layer, h: Tensor, p: Gaussian) -> Tensor:
            q = layer.q(h, up[self.level[i]], p)
            z = q.loc + q.log_scale.exp() * parts[i]
            kl.append((kl_divergence(q, p) if closed else q.log_prob(z) - p.log_prob(z)).flatten(1).sum(1))
            return z

        with self._autocast():
            up = [repeated(k, h) if k > 1 else h for h in self._up(x, given)]
            h = self._down(k * n, contexts, choose)
            parameters = self.pixels(h, x)
        entries = self.pixels.head(parameters.to(self.log_prior.dtype)).log_prob(repeated(k, x))
        return Terms(entries.flatten(1).sum(1).unflatten(0, (k, n)), torch.stack(kl).unflatten(1, (k, n)))

    def _posterior_pass(
        self, x: Tensor, given: Tensor | None, choose: Callable[[int, Gaussian], Tensor]
    ) -> list[Tensor]:
        """Comes down with q(z_l | z_<l, x) known at each layer; returns what `choose` said of each q."""
        up, said = self._up(x, given), []

        def of_layer(i: int, layer: Layer, h: Tensor, p: Gaussian) -> Tensor:
            said.append(choose(i, layer.q(h, up[self.level[i]], p)))
            return said[-1]

        self._down(len(x), given, of_layer)
        return said

    def noise_of(self, z: Tensor, x: Tensor, given: Tensor | None = None) -> Tensor:
        """The noise from which q(z | x, c) would make z, (B, latent)."""
        parts, noise = self._split(z), []

        def choose(i: int, q: Gaussian) -> Tensor:
            noise.append(((parts[i] - q.loc) * (-q.log_scale).exp()).flatten(1))
            return parts[i]

        self._posterior_pass(x, given, choose)
        return torch.cat(noise, 1)

    def z_of(self, noise: Tensor, x: Tensor, given: Tensor | None = None) -> Tensor:
        """The z that q(z | x, c) makes of noise, (B, latent); inverse of `noise_of`."""
        parts = iter(self._split(noise))
        said = self._posterior_pass(x, given, lambda i, q: q.loc + q.log_scale.exp() * next(parts))
        return torch.cat([z.flatten(1) for z in said], 1)

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """The z of all layers, each at the mean of q(z_l | z_<l, x, c), (B, latent), the coarsest layer first."""
        x, given = self.space.check(x), self._check_context(given, len(x))
        return torch.cat([z.flatten(1) for z in self._posterior_pass(x, given, lambda i, q: q.loc)], 1)

    def prior(self, n: int, *, given: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """n draws of z from p(z | c), all layers in a row, (n, latent)."""
        return self.unstandardised(self._noise(1, n, runtime.fresh(generator))[0], given)

    def unstandardised(self, u: Tensor, given: Tensor | None = None) -> Tensor:
        """The z that p(z | c) makes of u: z_l = mean_l(z_<l) + scale_l(z_<l) u_l, (B, latent)."""
        parts, said = self._split(u), []

        def choose(i: int, layer: Layer, h: Tensor, p: Gaussian) -> Tensor:
            said.append(p.loc + p.log_scale.exp() * parts[i])
            return said[-1]

        self._down(len(u), given, choose)
        return torch.cat([z.flatten(1) for z in said], 1)

    def standardised(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """u from which p(z | c) makes z, layer by layer, (B, latent)."""
        parts, said = self._split(z), []

        def choose(i: int, layer: Layer, h: Tensor, p: Gaussian) -> Tensor:
            said.append((parts[i] - p.loc) * (-p.log_scale).exp())
            return parts[i]

        self._down(len(z), given, choose)
        return torch.cat([u.flatten(1) for u in said], 1)

    def _features(self, z: Tensor, given: Tensor | None) -> Tensor:
        parts = self._split(z)
        return self._down(len(z), given, lambda i, layer, h, p: parts[i])

    def draw(self, z: Tensor, given: Tensor | None = None, *, generator: Generator) -> Tensor:
        """One x ~ p(x | z, c) for each z, (B, *event_shape)."""
        return self.pixels.sample(self._features(z, given), generator)

    def completed(
        self, z: Tensor, y: Tensor, seen: Tensor, given: Tensor | None = None, *, generator: Generator
    ) -> Tensor:
        """One x for each z: y where it is seen, drawn given z and earlier pixels elsewhere, (B, *event_shape)."""
        h = self._features(z, given)
        u = runtime.uniform((len(z), *self.space.event_shape), generator=generator, like=h)
        return self.pixels.completed(h, u, y, seen)

    def log_prob_each(self, z: Tensor, x: Tensor, given: Tensor | None = None) -> Tensor:
        """log p(x_i | z, earlier pixels, c) of every entry, exact, nats, (B, *event_shape)."""
        return self.pixels.head(self.pixels(self._features(z, given), x)).log_prob(x)

    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of p(x | z, c) in the data's own units, (B, *event_shape).

        With a window it is the mean of 16 draws, always with the same noise.
        """
        h = self._features(z, self._check_context(given, len(z)))
        return self.pixels.mean(h, DECODE_DRAWS)
