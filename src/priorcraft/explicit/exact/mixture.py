"""A finite mixture: one discrete latent variable z, summed exactly."""

import math

import torch
from torch import Generator, Tensor

from priorcraft import bayes, runtime
from priorcraft.core import ClosedForm, Exact, LatentVariable, Space
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.components import CategoricalComponents, GaussianComponents


class Mixture(Exact, ClosedForm, LatentVariable):
    """Components shared by the classes, weighted anew in each of them.

    p(x | c) = sum_z p(z | c) prod_i p(x_i | z), fitted by EM (Dempster, Laird & Rubin 1977)

    Integers get categorical components (Bernoulli where there are two levels), real numbers Gaussian ones.

    Args:
        space: where x lives.
        context: labels or None.
        components: number of values of z.
        smoothing: imagined rows per component, spread evenly over the levels, or over the data's variance.
    """

    log_weights: Tensor

    def __init__(
        self, space: Space, context: Space | None = None, *, components: int = 40, smoothing: float = 2.0
    ) -> None:
        super().__init__(space, context)
        if components < 1:
            raise UsageError(f"components must be at least 1, not {components}.")
        shape = (max(self.classes, 1), components)
        self.register_buffer("log_weights", torch.full(shape, -math.log(components)))
        kind = GaussianComponents if space.levels is None else CategoricalComponents
        self.components = kind(space, components, smoothing)

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Counts p(c) and centres the components on rows that lie far apart (k-means++)."""
        super().initialise(x, given, generator=generator)
        x = self.space.check(x)
        flat = self.space.to_network(x).flatten(1)
        centres = spread_rows(flat, self.log_weights.shape[1], generator)
        nearest = torch.cdist(flat, flat[centres]).argmin(1)
        self.components.maximise(x.flatten(1), torch.nn.functional.one_hot(nearest, len(centres)).float())

    def update(self, x: Tensor, given: Tensor | None) -> Tensor:
        """One round of EM."""
        x = self.space.check(x)
        classes = self.class_weights(x, given)
        log_z, log_x = bayes.posterior(self.log_weights, self.components.log_prob(x.flatten(1)).unsqueeze(1))
        before = self._mean_log_prob(classes, log_x, given)
        joint = classes.unsqueeze(-1) * log_z.exp()
        counts = joint.sum(0) + 1.0 / joint.shape[-1]
        self.log_weights.copy_((counts / counts.sum(-1, keepdim=True)).log())
        self.components.maximise(x.flatten(1), joint.sum(1))
        return before

    def _mean_log_prob(self, classes: Tensor, log_x: Tensor, given: Tensor | None) -> Tensor:
        if given is None and self.classes:
            return torch.logsumexp(log_x + self.log_prior, -1).mean()
        known = (classes * log_x).sum(-1)
        if given is None or not bool((given < 0).any()):
            return known.mean()
        return torch.where(given < 0, torch.logsumexp(log_x + self.log_prior, -1), known).mean()

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        weights = self.log_weights[0] if given is None else self.log_weights[given]
        return torch.logsumexp(weights + self.components.log_prob(x.flatten(1)), -1)

    def _joint(self, density: object, x: Tensor) -> Tensor:
        each = self.components.log_prob(x.flatten(1)).unsqueeze(1)
        return torch.logsumexp(self.log_weights + each, -1) + self.log_prior

    def prior(self, n: int, *, given: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """n draws of z from p(z | c), int64, (n,)."""
        generator = runtime.fresh(generator)
        given = self._context_for(n, given, generator)
        weights = self.log_weights.expand(n, -1) if given is None else self.log_weights[given]
        return runtime.categorical(weights, generator=generator)

    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of component z, (B, *event_shape)."""
        return self.components.mean()[z].view(len(z), *self.space.event_shape)

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        z = self.prior(n, given=given, generator=generator)
        return self.components.sample(z, generator).view(n, *self.space.event_shape)


def spread_rows(x: Tensor, k: int, generator: Generator) -> Tensor:
    """Numbers of k rows that lie far apart, drawn by k-means++ (Arthur & Vassilvitskii 2007), int64, (k,)."""
    first = runtime.categorical(torch.zeros(1, len(x)), generator=generator)
    chosen, distance = [int(first)], torch.full((len(x),), math.inf)
    for _ in range(k - 1):
        distance = torch.minimum(distance, (x - x[chosen[-1]]).square().sum(1).float())
        chosen.append(int(runtime.categorical(distance.clamp_min(1e-12).log().unsqueeze(0), generator=generator)))
    return torch.tensor(chosen)
