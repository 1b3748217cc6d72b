"""What is known of p(x) decides what may be asked: samples, log p(x), or a bound on it."""

import inspect
import math
from abc import ABC, abstractmethod
from typing import Any, Self

import torch
from torch import Generator, Tensor, nn

from priorcraft import runtime, settings
from priorcraft.core.space import UNLABELLED, Space
from priorcraft.errors import NoDensity, UsageError
from priorcraft.settings import DRAWS, whole

MOST_DRAWS = 10**6  # of z for one x
PILOT, NEGLIGIBLE = 32, 1e-4  # draws that show which classes matter to a row, and the share of one that does not


class Generative(nn.Module, ABC):
    """p(x), or p(x | c) where a context is given.

    With labels as context the model is the joint p(x, c) = p(c) p(x | c). Asked without `given`, it obeys the sum
    rule: the class is summed over, or drawn first. A label of -1 means: not known.

    Args:
        space: where x lives.
        context: where c lives: None, labels `Space((), K)`, or another space.
    """

    config: dict[str, Any]
    log_prior: Tensor

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keeps the constructor's arguments verbatim: they are the model's whole configuration."""
        model = super().__new__(cls)
        arguments = inspect.signature(cls).bind_partial(*args, **kwargs).arguments
        settings.check(cls, arguments)
        object.__setattr__(model, "config", dict(arguments))
        return model

    def __init__(self, space: Space, context: Space | None = None) -> None:
        super().__init__()
        self.space = space
        self.context = context
        classes = context.levels if context is not None and context.is_label and context.levels else 0
        self.register_buffer("log_prior", torch.full((classes,), -math.log(max(classes, 1))))

    @property
    def classes(self) -> int:
        """Number of classes K of the joint p(x, c); 0 without labels."""
        return self.log_prior.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.log_prior.device

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Sets what is read off the training data before the first step: here p(c), with one extra count per class."""
        if self.classes and given is not None:
            counts = torch.bincount(given[given != UNLABELLED], minlength=self.classes) + 1.0
            self.log_prior.copy_((counts / counts.sum()).log())

    @torch.no_grad()
    def sample(self, n: int, *, given: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Draws n points, (n, *event_shape).

        Args:
            n: how many.
            given: one context for all, or n of them, (n, *context shape). Without it, classes are drawn from p(c).
            generator: source of randomness; a new one if None.
        """
        n = whole("n", n, DRAWS)
        generator = runtime.fresh(generator)
        return self._sample(n, self.contexts(n, given, generator=generator), generator)

    def contexts(self, n: int, given: Tensor | None = None, *, generator: Generator) -> Tensor | None:
        """One context a point, (n, *context shape): those that are given, one for all, or classes drawn from p(c).

        None for a model without a context.

        Raises:
            UsageError: contexts that the model does not take, or too few of them.
        """
        if self.context is None or (given is None and not self.classes):
            return self._check_context(given, n)
        if given is None:
            return runtime.categorical(self.log_prior.expand(n, -1), generator=generator)
        given = given.to(self.log_prior.device)
        given = given.expand(n, *self.context.event_shape) if given.dim() == len(self.context.event_shape) else given
        return self._check_context(given, n)

    def _check_context(self, given: Tensor | None, n: int) -> Tensor | None:
        if self.context is None:
            if given is not None:
                raise UsageError("given must be left out: this model was fitted without labels or other context.")
            return None
        if given is None:
            raise UsageError(f"given is needed: this model is p(x | c), with c of shape {self.context.event_shape}.")
        if len(given) != n:
            raise UsageError(f"given must hold {n} contexts, one a row of x, not {len(given)}.")
        return self.context.check(given, "given")

    @abstractmethod
    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor: ...

    def __getattr__(self, name: str) -> Any:
        if name in ("log_prob", "elbo", "bound"):
            raise NoDensity(_NO_DENSITY[name].format(model=type(self).__name__))
        return super().__getattr__(name)


_NO_DENSITY = {
    "log_prob": "{model} has no log_prob: only exact models can compute log p(x). Approximate ones have a bound; "
    "implicit ones are known through samples alone.",
    "elbo": "{model} has no elbo: only approximate models bound log p(x).",
    "bound": "{model} has no bound: only approximate models bound log p(x).",
}


class _Density(Generative):
    """A density of x given the context, extended to unknown labels by the sum rule."""

    def _over_classes(self, density: Any, x: Tensor, given: Tensor | None) -> Tensor:
        """log p(x | c) where c is known, log sum_c p(c) p(x | c) where it is not; (..., B)."""
        if not self.classes:
            return density(x, self._check_context(given, len(x)))
        if given is None:
            return torch.logsumexp(self._joint(density, x), -1)
        unknown = given == UNLABELLED
        if not bool(unknown.any()):
            return density(x, self._check_context(given, len(x)))
        summed = torch.logsumexp(self._joint(density, x), -1)
        known = density(x, self._check_context(given.clamp_min(0), len(x)))
        return torch.where(unknown, summed, known)

    def _joint(self, density: Any, x: Tensor) -> Tensor:
        """log p(c) + log p(x | c) for every class, (..., B, K)."""
        repeated = x.repeat_interleave(self.classes, 0)
        labels = torch.arange(self.classes, device=x.device).repeat(len(x))
        return density(repeated, labels).unflatten(-1, (len(x), self.classes)) + self.log_prior


class Exact(_Density):
    """A model whose log p(x) can be computed."""

    def log_prob(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """log p(x | given), or log p(x) = log sum_c p(c) p(x | c) without it. Exact, nats, (B,).

        Raises:
            DataError: x outside the space.
        """
        return self._over_classes(self._log_prob, self.space.check(x), given)

    def log_joint(self, x: Tensor) -> Tensor:
        """log p(x, c) = log p(c) + log p(x | c) for every class, exact, nats, (B, K)."""
        if not self.classes:
            raise UsageError("log_joint needs a model that was fitted with labels.")
        return self._joint(self._log_prob, self.space.check(x))

    def class_weights(self, x: Tensor, given: Tensor | None) -> Tensor:
        """p(c | x, label): one-hot where the label is known, the posterior where it is not; (B, max(K, 1))."""
        if not self.classes:
            return torch.ones(len(x), 1, dtype=self.log_prior.dtype, device=x.device)
        if given is None:
            return self.log_joint(x).softmax(-1)
        known = torch.nn.functional.one_hot(given.clamp_min(0), self.classes).to(self.log_prior)
        unknown = given == UNLABELLED
        if bool(unknown.any()):
            known[unknown] = self.log_joint(x[unknown]).softmax(-1).to(known)
        return known

    @abstractmethod
    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor: ...


class Approximate(_Density):
    """A model whose log p(x) can only be bounded from below, through q(z | x)."""

    def elbo(self, x: Tensor, given: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """One-sample evidence lower bound, E[elbo] <= log p(x). Unbiased for the bound, nats, (B,).

        L(x) = E_q(z|x) [log p(x, z) - log q(z | x)]   (Kingma & Welling 2013, arXiv:1312.6114)
        """
        return self.bound(x, 1, given, generator=generator)

    def bound(self, x: Tensor, k: int, given: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """Importance-weighted lower bound, which rises with k towards log p(x). Lower bound, nats, (B,).

        L_k(x) = E log 1/k sum_i p(x, z_i) / q(z_i | x)   (Burda, Grosse & Salakhutdinov 2015, arXiv:1509.00519)

        Raises:
            UsageError: k outside 1 ... 10^6.
        """
        return torch.logsumexp(self.log_weights(x, k, given, generator=generator), 0) - math.log(k)

    def log_weights(
        self, x: Tensor, k: int, given: Tensor | None = None, *, generator: Generator | None = None
    ) -> Tensor:
        """log of p(x, z_i) / q(z_i | x) for k draws z_i ~ q(z | x), each unbiased for p(x); nats, (k, B).

        Raises:
            UsageError: k outside 1 ... 10^6.
        """
        if not 1 <= k <= MOST_DRAWS:
            raise UsageError(f"k must lie in 1 ... {MOST_DRAWS:,}, not {k:,}; a few thousand draws are enough.")
        x, generator = self.space.check(x), runtime.fresh(generator)
        if self.classes and given is None and k > 8 * PILOT:
            return self._over_likely_classes(x, k, generator)
        return self._over_classes(lambda x, c: self._log_weights(x, c, k, generator), x, given)

    def _over_likely_classes(self, x: Tensor, k: int, generator: Generator) -> Tensor:
        """The sum rule over the classes that draws of their own show to matter: a lower bound as any sum of fewer."""
        pilot = self._joint(lambda x, c: self._log_weights(x, c, PILOT, generator), x).logsumexp(0).softmax(-1)
        rows, c = (pilot > NEGLIGIBLE).nonzero(as_tuple=True)
        log_w = torch.full((k, *pilot.shape), -torch.inf, dtype=pilot.dtype, device=pilot.device)
        log_w[:, rows, c] = self._log_weights(x[rows], c, k, generator) + self.log_prior[c]
        return torch.logsumexp(log_w, -1)

    @abstractmethod
    def _log_weights(self, x: Tensor, given: Tensor | None, k: int, generator: Generator) -> Tensor:
        """log p(x, z) - log q(z | x) for k draws z ~ q(z | x), (k, B)."""


class Implicit(Generative):
    """A model that is known through its samples alone: asking it for a density raises `NoDensity`."""
