"""The variational autoencoder: p(x) = integral of p(x | z) p(z) dz, bounded through q(z | x)."""

from typing import Annotated

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Likelihood, Space
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.bounds import doubly_reparametrised
from priorcraft.explicit.approximate.networks import Sizes, head_of
from priorcraft.explicit.approximate.prior import MixturePrior, VampPrior
from priorcraft.explicit.approximate.variational import Draws, Terms, Variational, repeated
from priorcraft.likelihoods import Gaussian
from priorcraft.settings import Depth, Dropout, Range, Share, Weight, Width


class VAE(Variational):
    """A variational autoencoder with one latent layer (Kingma & Welling 2013, arXiv:1312.6114).

    The encoder goes up from x to z, q(z | x, c) = N(mean, diag scale^2); the decoder goes down, p(x | z, c). Images
    from 16 pixels a side get convolutions, everything else a multilayer perceptron.

    Args:
        space: where x lives.
        context: where c lives; both networks see it.
        latent: length of z.
        hidden: units of a hidden layer.
        depth: hidden layers of the perceptrons.
        width: channels of the convolutions.
        components: components of a learned mixture as p(z); 0 is the standard normal.
        vamp: instead of components, so many learned inputs whose q(z | u) are the components (`VampPrior`).
        class_prior: whether each class, where there are any, has a p(z | c) of its own.
        mixture: logistics an entry of an image with more than two levels; 0 takes what fits the levels, which for
            few levels is a categorical that does not know that 7 is near 8.
        dropout: share of hidden units dropped while training.
        beta, free_bits, warm_up, draws, bf16, augment, augment_last: see `Variational`; the gradient for several draws
            is doubly reparametrised (Tucker et al. 2018, arXiv:1810.04152).

    Raises:
        UsageError: a size below 1; components and vamp together; vamp with a context that is not seen by p(z).

    >>> model = VAE(Space((1, 8, 8), 17), Space((), 10), latent=4, hidden=32)
    >>> x = model.sample(3, given=torch.tensor(7), generator=runtime.keyed(0))
    >>> x.shape, model.bound(x, 8).shape, model.encode(x, torch.tensor([7, 7, 7])).shape
    (torch.Size([3, 1, 8, 8]), torch.Size([3]), torch.Size([3, 4]))
    """

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        latent: Width = 16,
        hidden: Width = 128,
        depth: Depth = 2,
        width: Width = 32,
        components: Annotated[int, Range(0, 4096)] = 0,
        vamp: Annotated[int, Range(0, 4096)] = 0,
        class_prior: bool = True,
        mixture: Annotated[int, Range(1, 100)] = 5,
        dropout: Dropout = 0.2,
        beta: Weight = 1.0,
        free_bits: Weight = 0.0,
        warm_up: Share = 0.1,
        draws: Draws = 1,
        bf16: bool = False,
        augment: Share = 0.0,
        augment_last: Share = 0.0,
    ) -> None:
        training = {"beta": beta, "free_bits": free_bits, "warm_up": warm_up, "draws": draws, "bf16": bf16}
        super().__init__(space, context, **training, augment=augment, augment_last=augment_last)
        self.latent, own = latent, class_prior and self.classes > 0
        if components and vamp:
            raise UsageError(f"give components or vamp, not both; found {components} and {vamp}.")
        if vamp and context is not None and not own:
            raise UsageError("vamp needs a prior for each class, or no context: its inputs come without any.")
        many = self.classes if own else 1
        self.p_z = (
            MixturePrior(latent, max(components, int(own)), many)
            if not vamp
            else VampPrior(latent, vamp, many, space.event_shape, self._as_they_are)
        )
        self.head, sizes = head_of(space, mixture), Sizes(hidden, depth, width, dropout)
        self.encoder = sizes.encoder(space, self.hears, 2 * latent)
        self.decoder = sizes.decoder(space, latent + self.hears, self.head.width)

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Counts p(c); a VampPrior starts at rows of the data."""
        super().initialise(x, given, generator=generator)
        if isinstance(self.p_z, VampPrior):
            u, labels = self.space.to_network(x, self.log_prior.dtype), given if self.classes else None
            self.p_z.begin(u, labels, generator)

    def posterior(self, x: Tensor, given: Tensor | None = None) -> Gaussian:
        """q(z | x, c), normals (B, latent)."""
        return self._encoded(self.space.to_network(x, self.log_prior.dtype), given)

    def _encoded(self, u: Tensor, given: Tensor | None) -> Gaussian:
        """q(z | x, c) of x in the network's units."""
        with self._autocast():
            out = self.encoder(u, self._told(given, u))
        loc, log_scale = out.to(u.dtype).chunk(2, -1)
        return Gaussian(loc, log_scale.clamp(-7.0, 3.0))

    def _as_they_are(self, u: Tensor, given: Tensor | None) -> Gaussian:
        """q(z | x, c) of images that are not deformed, whatever the step's are."""
        how, self._how = self._how, None
        try:
            return self._encoded(u, given)
        finally:
            self._how = how

    def likelihood(self, z: Tensor, given: Tensor | None = None) -> Likelihood:
        """p(x | z, c) for z (B, latent)."""
        with self._autocast():
            parameters = self.decoder(torch.cat([z, self._told(given, z)], -1))
        return self.head(parameters.to(z.dtype))

    def _terms(self, x: Tensor, given: Tensor | None, noise: Tensor, closed: bool) -> Terms:
        q = self.posterior(x, given)
        z = q.loc + q.log_scale.exp() * noise
        kl = self.p_z.divergence(q, given) if closed else None
        if kl is None:
            kl = q.log_prob(z).sum(-1) - self.p_z.log_prob(z, given)
        return Terms(self._log_likelihood(z, x, given), kl.expand(1, len(noise), -1))

    def _log_likelihood(self, z: Tensor, x: Tensor, given: Tensor | None) -> Tensor:
        """log p(x | z, c) for z (k, B, latent), (k, B)."""
        k = len(z)
        contexts = None if given is None else repeated(k, given)
        entries = self.likelihood(z.flatten(0, 1), contexts).log_prob(repeated(k, x))
        return entries.flatten(1).sum(1).unflatten(0, (k, len(x)))

    def _weighted(self, x: Tensor, given: Tensor | None, noise: Tensor, weight: float) -> tuple[Terms, Tensor]:
        """As for every member, with the doubly reparametrised gradient, whose signal does not fade with more draws."""
        q = self.posterior(x, given)
        z = q.loc + q.log_scale.exp() * noise
        log_q = Gaussian(q.loc.detach(), q.log_scale.detach()).log_prob(z).sum(-1)
        log_likelihood, log_p = self._log_likelihood(z, x, given), self.p_z.log_prob(z, given)
        bound = doubly_reparametrised(log_likelihood + weight * log_p, weight * log_q, z)
        return Terms(log_likelihood, (log_q - log_p).unsqueeze(0)), bound

    def noise_of(self, z: Tensor, x: Tensor, given: Tensor | None = None) -> Tensor:
        """The noise from which q(z | x, c) would make z, (B, latent)."""
        q = self.posterior(x, given)
        return (z - q.loc) * (-q.log_scale).exp()

    def draw(self, z: Tensor, given: Tensor | None = None, *, generator: Generator) -> Tensor:
        """One x ~ p(x | z, c) for each z, (B, *event_shape)."""
        return self.likelihood(z, given).sample(generator)

    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of p(x | z, c) in the data's own units, (B, *event_shape)."""
        return self.likelihood(z, self._check_context(given, len(z))).mean()

    def prior(self, n: int, *, given: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """n draws of z from p(z | c), (n, latent)."""
        return self.p_z.sample(n, given, runtime.fresh(generator))

    def standardised(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """z in units of p(z | c), where that is one normal, (B, latent)."""
        p = self.p_z.normal(given, len(z))
        return z if p is None else (z - p.loc) * (-p.log_scale).exp()

    def unstandardised(self, u: Tensor, given: Tensor | None = None) -> Tensor:
        """The z that `standardised` makes into u, (B, latent)."""
        p = self.p_z.normal(given, len(u))
        return u if p is None else p.loc + p.log_scale.exp() * u

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of q(z | x, c), (B, latent)."""
        return self.posterior(self.space.check(x), self._check_context(given, len(x))).loc
