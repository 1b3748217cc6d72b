"""A finite mixture: one discrete latent variable z, summed exactly."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.core import UNLABELLED, Exact, LatentVariable, Space, Summed
from priorcraft.explicit.exact.components import CategoricalComponents, Components, GaussianComponents, column_moments
from priorcraft.explicit.exact.holes import seen_points
from priorcraft.settings import Count, Smoothing

FIRST = 2**16  # rows that the first centres are found among
ABSENT = -1e30  # log weight of a component that takes no part; finite, as everything on disk
INTEGER_SIZES, REAL_SIZES = (5, 10, 20, 40), (1, 2, 4, 8, 16, 32)  # among which validation rows choose


class FiniteMixture(Exact, Summed, LatentVariable):
    """Components shared by the classes, weighted anew in each of them.

    p(x | c) = sum_z p(z | c) p(x | z), fitted by EM (Dempster, Laird & Rubin 1977)

    Args:
        space: where x lives.
        context: labels or None.
        make: makes so many components.
        components: number of values of z; None leaves the choice among `sizes` to the training.
    """

    log_weights: Tensor

    def __init__(
        self, space: Space, context: Space | None, make: Callable[[int], Components], components: Count | None
    ) -> None:
        super().__init__(space, context)
        self.sizes = (components,) if components else REAL_SIZES if space.levels is None else INTEGER_SIZES
        most = self.sizes[-1]
        self.register_buffer("log_weights", torch.full((max(self.classes, 1), most), -math.log(most)))
        self.components = make(most)

    @property
    def used(self) -> int:
        """Number of components that take part; the others have weight zero."""
        return int(self.components.used)

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator, seen: Tensor | None = None) -> None:
        """Counts p(c) and starts the smallest number of components.

        Args as in `expect`, and
            generator: source of the first centres.
        """
        super().initialise(x, given, generator=generator)
        self.begin(min(self.sizes), x, generator=generator, seen=seen)

    @torch.no_grad()
    def begin(self, count: int, x: Tensor, *, generator: Generator, seen: Tensor | None = None) -> None:
        """Centres `count` components on rows that lie far apart (k-means++), and forgets all others.

        Of more than 65,536 rows as many are looked at, evenly apart.
        """
        some = torch.arange(FIRST) * len(x) // FIRST if len(x) > FIRST else slice(None)
        x, seen = self._observed(x[some], None if seen is None else seen[some])
        self.log_weights.fill_(ABSENT)
        self.log_weights[:, :count] = -math.log(count)
        self.components.used.fill_(count)
        flat = self._features(x)
        flat = flat if seen is None else torch.where(seen, flat, column_moments(flat, seen)[0])
        centres = spread_rows(flat, count, generator)
        nearest = torch.cdist(flat, flat[centres]).argmin(1)
        if seen is not None and self.space.levels is None:
            x, seen = flat, None  # the first centres take the mean of a column for what is missing
        self.components.maximise(x.flatten(1), torch.nn.functional.one_hot(nearest, count).to(flat), seen)

    def _features(self, x: Tensor) -> Tensor:
        """Numbers by which the first components are told apart, (B, D)."""
        return self.space.to_network(x).flatten(1)

    def expect(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None) -> list[Tensor]:
        """The log-likelihood of some rows, how many belong to each component, and what the components need of them.

        Args:
            x: rows, (B, *event_shape); real numbers may be nan where they are missing.
            given: labels, (B,), or None.
            seen: False where an entry is missing, (B, *event_shape); None if all are there or missing ones are nan.
        """
        x, seen = self._observed(x, seen)
        joint, likely = self._shares(x, given, seen)
        return [likely.double().sum(), joint.sum(0), *self.components.expect(x.flatten(1), joint.sum(1), seen)]

    def maximise(self, sums: Sequence[Tensor], rounds: int = 1) -> None:
        """Weights and components from the sums over all rows."""
        self._weigh(sums[1])
        self.components.settle(sums[2:])

    def _shares(self, x: Tensor, given: Tensor | None, seen: Tensor | None) -> tuple[Tensor, Tensor]:
        """p(c, z | x, label), (B, max(K, 1), used), and log p(x | label), (B,)."""
        log_z, log_x = probability.posterior(self._weights(), self.components.log_prob(x.flatten(1), seen).unsqueeze(1))
        return self._class_shares(log_x, given).unsqueeze(-1) * log_z.exp(), self._of_rows(log_x, given)

    def _weigh(self, counts: Tensor) -> None:
        """p(z | c) from how many rows of each class belong to each component, (max(K, 1), used)."""
        counts = counts + 1.0 / counts.shape[-1]
        self.log_weights[:, : self.used] = (counts / counts.sum(-1, keepdim=True)).log()

    def log_marginal(self, x: Tensor, seen: Tensor | None = None, given: Tensor | None = None) -> Tensor:
        """log p(x_seen | given), the missing entries summed or integrated out. Exact, nats, (B,).

        Args as in `expect`.
        """
        x, seen = self._observed(x, seen)
        if not self.classes:
            self._check_context(given, len(x))
        return self._of_rows(self._given_class(x, seen), given)

    def _weights(self) -> Tensor:
        return self.log_weights[:, : self.used]

    def _given_class(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """log p(x_seen | c) of every class, (B, max(K, 1))."""
        return torch.logsumexp(self._weights() + self.components.log_prob(x.flatten(1), seen).unsqueeze(1), -1)

    def _of_rows(self, log_x: Tensor, given: Tensor | None) -> Tensor:
        """log p(x | label) from log p(x | c) of every class, which is summed out where it is not known, (B,)."""
        if not self.classes:
            return log_x.squeeze(1)
        summed = torch.logsumexp(log_x + self.log_prior, -1)
        if given is None:
            return summed
        known = log_x.gather(1, given.clamp_min(0).unsqueeze(1)).squeeze(1)
        return torch.where(given == UNLABELLED, summed, known)

    def _observed(self, x: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """x with zeros where it is missing, and what is there, (B, D); None if everything is."""
        if seen is None and x.is_floating_point() and bool(torch.isnan(x).any()):
            seen = ~torch.isnan(x)
        if seen is None:
            return self.space.check(x), None
        x, seen = seen_points(self.space, x, seen)
        return x, seen.flatten(1)

    def _class_shares(self, log_x: Tensor, given: Tensor | None) -> Tensor:
        """p(c | x, label) from log p(x | c), (B, max(K, 1))."""
        if not self.classes:
            return torch.ones_like(log_x)
        likely = (log_x + self.log_prior).softmax(-1)
        if given is None:
            return likely
        known = torch.nn.functional.one_hot(given.clamp_min(0), self.classes).to(likely)
        return torch.where((given == UNLABELLED).unsqueeze(1), likely, known)

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        weights = self.log_weights[0] if given is None else self.log_weights[given]
        return torch.logsumexp(weights[..., : self.used] + self.components.log_prob(x.flatten(1)), -1)

    def _joint(self, density: object, x: Tensor) -> Tensor:
        return self._given_class(x) + self.log_prior

    def prior(self, n: int, *, given: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """n draws of z from p(z | c), int64, (n,)."""
        generator = runtime.fresh(generator)
        given = self.contexts(n, given, generator=generator)
        weights = self.log_weights.expand(n, -1) if given is None else self.log_weights[given]
        return runtime.categorical(weights, generator=generator)

    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of component z, (B, *event_shape)."""
        return self.components.mean()[z].view(len(z), *self.space.event_shape)

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        z = self.prior(n, given=given, generator=generator)
        return self.components.sample(z, generator).view(n, *self.space.event_shape)


class Mixture(FiniteMixture):
    """Independent entries, or Gaussians, in each component.

    p(x | c) = sum_z p(z | c) prod_i p(x_i | z) on integers, p(x | c) = sum_z p(z | c) N(x; m_z, S_z) on real numbers

    Integers get categorical components (Bernoulli where there are two levels), real numbers Gaussian ones. Rows may
    have holes: `update` and `log_marginal` take what is there, and sum out the rest exactly.

    Args:
        space, context, components: as in `FiniteMixture`.
        smoothing: imagined rows per component, spread evenly over the levels, or over the data's variance.
    """

    def __init__(
        self, space: Space, context: Space | None = None, *, components: Count | None = None, smoothing: Smoothing = 2.0
    ) -> None:
        kind = GaussianComponents if space.levels is None else CategoricalComponents
        super().__init__(space, context, lambda count: kind(space, count, smoothing), components)


def spread_rows(x: Tensor, k: int, generator: Generator) -> Tensor:
    """Numbers of k rows that lie far apart, drawn by k-means++ (Arthur & Vassilvitskii 2007), int64, (k,)."""
    first = runtime.categorical(torch.zeros(1, len(x)), generator=generator)
    chosen, distance = [int(first)], torch.full((len(x),), math.inf)
    for _ in range(k - 1):
        distance = torch.minimum(distance, (x - x[chosen[-1]]).square().sum(1).float())
        chosen.append(int(runtime.categorical(distance.clamp_min(1e-12).log().unsqueeze(0), generator=generator)))
    return torch.tensor(chosen)
