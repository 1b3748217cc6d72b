"""What every model with q(z | x) shares: its bound, its training loss, and the class that is not known."""

from abc import abstractmethod
from typing import Annotated, NamedTuple

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Approximate, Encoder, Space, Trainable
from priorcraft.explicit.approximate.bounds import Estimate, estimate, importance_bound
from priorcraft.explicit.approximate.classes import completed
from priorcraft.explicit.approximate.networks import context_width, embed_context
from priorcraft.explicit.deforming import NUMBERS, Deforming
from priorcraft.settings import Range

ENTRIES = 2**20  # numbers of x that one pass of the decoder may produce: 4 MB, times the likelihood's width
Draws = Annotated[int, Range(1, 1000)]  # of z for a row in a step; 8 are usually plenty


class Terms(NamedTuple):
    """The two sides of the bound for k draws z ~ q(z | x).

    Args:
        log_likelihood: log p(x | z), (k, B).
        kl: log q(z_l | x) - log p(z_l) of each latent layer l, (layers, k, B); in closed form where asked for.
    """

    log_likelihood: Tensor
    kl: Tensor

    @property
    def log_weights(self) -> Tensor:
        """log p(x, z) - log q(z | x), (k, B)."""
        return self.log_likelihood - self.kl.sum(0)


class Variational(Approximate, Encoder, Trainable):
    """A model whose log p(x) is bounded through q(z | x).

    Args:
        space: where x lives.
        context: where c lives.
        beta: weight of the KL in training (Higgins et al. 2017); 1 is the bound itself.
        free_bits: nats of KL a latent layer that cost nothing in training (Kingma et al. 2016, arXiv:1606.04934).
        warm_up: share of training over which the KL's weight rises from 0 (Bowman et al. 2015, arXiv:1511.06349).
        draws: of z for each x in training; more than 1 descend the importance-weighted bound, where free_bits have no
            say (Burda et al. 2015, arXiv:1509.00519).
        bf16: whether training multiplies in bfloat16 where the hardware does, about twice as fast; scores and samples
            never do.
        augment, augment_last: share of the images that are deformed, at the start of the training, and from 70 % of it
            to the end; both networks are told how: see `Deforming`.

    Raises:
        UsageError: augment without images.
    """

    latent: int  # numbers in z, over all layers

    def __init__(
        self,
        space: Space,
        context: Space | None,
        *,
        beta: float,
        free_bits: float,
        warm_up: float,
        draws: int,
        bf16: bool,
        augment: float,
        augment_last: float,
    ) -> None:
        super().__init__(space, context)
        self.beta, self.free_bits, self.warm_up, self.bf16 = beta, free_bits, warm_up, bf16
        self.draws, self.deforms = draws, Deforming.of(space, augment, augment_last)
        self.hears = context_width(context) + (NUMBERS if self.deforms else 0)
        self._how: Tensor | None = None  # how the rows of a training step are deformed

    def _told(self, given: Tensor | None, like: Tensor) -> Tensor:
        """The context, and how rows are deformed where they may be, as vectors (B, hears)."""
        c = embed_context(self.context, given, like)
        if self.deforms is None:
            return c
        how = c.new_zeros(1, NUMBERS) if self._how is None else self._how.to(c)
        assert len(c) % len(how) == 0, "rows of a step, or several draws of them"
        return torch.cat([c, how.repeat(len(c) // len(how), 1)], 1)

    @abstractmethod
    def _terms(self, x: Tensor, given: Tensor | None, noise: Tensor, closed: bool) -> Terms:
        """Both sides of the bound at z = mean + scale * noise, for noise (k, B, latent).

        With `closed`, the KL is the exact one where it has a closed form, and not its value at z.
        """

    def _weighted(self, x: Tensor, given: Tensor | None, noise: Tensor, weight: float) -> tuple[Terms, Tensor]:
        """Both sides of the bound, and the importance-weighted bound (B,) with its reparametrised gradient.

        `weight` multiplies log q(z | x) - log p(z).
        """
        terms = self._terms(x, given, noise, closed=False)
        return terms, importance_bound(terms.log_likelihood, weight * terms.kl.sum(0))

    @abstractmethod
    def noise_of(self, z: Tensor, x: Tensor, given: Tensor | None = None) -> Tensor:
        """The noise from which q(z | x) would make z, (B, latent)."""

    @abstractmethod
    def draw(self, z: Tensor, given: Tensor | None = None, *, generator: Generator) -> Tensor:
        """One x ~ p(x | z, c) for each z, (B, *event_shape)."""

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        return self.draw(self.prior(n, given=given, generator=generator), given, generator=generator)

    def log_weights_at(self, noise: Tensor, x: Tensor, given: Tensor | None = None) -> Tensor:
        """log p(x, z) - log q(z | x) at the z that q(z | x) makes of noise (k, B, latent); nats, (k, B)."""
        return self._terms(x, given, noise, closed=False).log_weights

    def _autocast(self) -> torch.autocast:
        """What the networks run under."""
        return runtime.bfloat16_products(self.log_prior, wanted=self.bf16 and self.training)

    def _noise(self, k: int, n: int, generator: Generator) -> Tensor:
        return runtime.normal((k, n, self.latent), generator=generator, like=self.log_prior)

    def elbo(self, x: Tensor, given: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """One-sample evidence lower bound; unbiased for the bound, nats, (B,).

        L(x) = E_q(z|x) [log p(x | z)] - KL(q(z | x) || p(z))   (Kingma & Welling 2013, arXiv:1312.6114)

        The KL is in closed form, which has less variance; where a class is not known, the sum rule over classes
        needs drawn weights, and `bound` with k = 1 gives them.
        """
        if self.classes and (given is None or bool((given == UNLABELLED).any())):
            return self.bound(x, 1, given, generator=generator)
        x, given = self.space.check(x), self._check_context(given, len(x))
        noise = self._noise(1, len(x), runtime.fresh(generator))
        return self._terms(x, given, noise, closed=True).log_weights[0]

    def _log_weights(self, x: Tensor, given: Tensor | None, k: int, generator: Generator) -> Tensor:
        step = k if torch.is_grad_enabled() else self._step(len(x))
        parts = [min(step, k - start) for start in range(0, k, step)]
        return torch.cat([self.log_weights_at(self._noise(n, len(x), generator), x, given) for n in parts])

    def _step(self, n: int) -> int:
        """How many draws for each of n points one pass can hold."""
        return max(1, ENTRIES // (n * self.space.dims * max(self.classes, 1)))

    @torch.no_grad()
    def estimate(
        self, x: Tensor, k: int, given: Tensor | None = None, *, generator: Generator | None = None
    ) -> Estimate:
        """`bound` with its standard error and effective sample size, for any k in bounded memory.

        Raises:
            UsageError: k outside 1 ... 10^6.
        """
        x, generator = self.space.check(x), runtime.fresh(generator)

        def log_weights(n: int) -> Tensor:
            return self._over_classes(lambda x, c: self._log_weights(x, c, n, generator), x, given)

        return estimate(log_weights, k, self._step(len(x)))

    def loss_terms(
        self, x: Tensor, given: Tensor | None, *, progress: float, generator: Generator
    ) -> dict[str, Tensor]:
        """The loss of one step and its parts, nats, means over the batch.

        loss = - log p(x | z) + beta min(1, progress / warm_up) sum_l max(KL_l, free_bits)

        or, with several draws, minus the importance-weighted bound, its KL weighted likewise.

        Args:
            x: points, (B, *event_shape).
            given: contexts; a class of -1 is drawn from q(c | x), whose gradient is that of the summed bound.
            progress: share of the training that is done, 0 ... 1.

        Returns:
            "loss", "reconstruction" (-log p(x | z)), "kl", and "kl_z0", "kl_z1", ... for each latent layer.
        """
        x = self.space.check(x)
        given = completed(self, x, given, generator)
        if self.deforms is not None:
            x, self._how = self.deforms(x, progress, generator)
        try:
            return self._loss(x, given, progress, generator)
        finally:
            self._how = None

    def _loss(self, x: Tensor, given: Tensor | None, progress: float, generator: Generator) -> dict[str, Tensor]:
        noise = self._noise(self.draws, len(x), generator)
        weight = self.beta * min(1.0, progress / self.warm_up if self.warm_up else 1.0)
        if self.draws > 1:
            terms, bound = self._weighted(x, given, noise, weight)
        else:
            terms, bound = self._terms(x, given, noise, closed=True), None
        kl, reconstruction = terms.kl.mean((1, 2)), -terms.log_likelihood.mean()
        charged = kl.clamp_min(self.free_bits) if self.free_bits else kl  # an estimate of a KL may be negative
        loss = reconstruction + weight * charged.sum() if bound is None else -bound.mean()
        layers = {f"kl_z{i}": value for i, value in enumerate(kl.detach())}
        return {"loss": loss, "reconstruction": reconstruction.detach(), "kl": kl.detach().sum(), **layers}


def repeated(k: int, value: Tensor) -> Tensor:
    """A batch k times over, (k * B, ...)."""
    return value if k == 1 else value.repeat(k, *[1] * (value.dim() - 1))
