"""Which engine answers: the types of the model and of the observation say it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from priorcraft.condition.beside import BlocksBeside, ComponentsBeside
from priorcraft.condition.blocks import BlockChain
from priorcraft.condition.components import Components
from priorcraft.condition.evidence import ExactPosterior, PerMask
from priorcraft.condition.gaussian import Gaussian, RoundedGaussian
from priorcraft.condition.hamiltonian import HamiltonianChain
from priorcraft.condition.inversion import Inversion
from priorcraft.condition.kernels import Kernels, LinearKernels
from priorcraft.condition.latent import CodeGibbs
from priorcraft.condition.ordered import EvidenceFirst
from priorcraft.condition.pooled import Pooled
from priorcraft.condition.reordered import ReorderedChain
from priorcraft.condition.sums import ComponentSums
from priorcraft.condition.trees import Messages
from priorcraft.condition.weighted import Importance, Sequential
from priorcraft.condition.windowed import WindowChain
from priorcraft.core import Entrywise, Generative, LinearObservation, Observation, Posterior, Space
from priorcraft.errors import DataError
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.explicit.approximate.vqvae import VQVAE
from priorcraft.explicit.exact.autoregressive import Autoregressive
from priorcraft.explicit.exact.discriminant import Discriminant
from priorcraft.explicit.exact.ensemble import Ensemble
from priorcraft.explicit.exact.gaussian_mixture import GaussianMixture
from priorcraft.explicit.exact.kernel import KernelDensity
from priorcraft.explicit.exact.mixture import Mixture
from priorcraft.explicit.exact.naive_bayes import NaiveBayes
from priorcraft.explicit.exact.ppca import PPCA
from priorcraft.explicit.exact.tree_model import TreeModel
from priorcraft.implicit.gan import GAN
from priorcraft.observe import BlockMean, Choice, Mask, PixelsAndBlocks

INTEGERS, REALS = (True,), (False,)
EITHER = INTEGERS + REALS

Engine = Callable[..., Posterior]


def pooled(model: Ensemble, observation: Mask, y: Tensor, given: Tensor | None) -> Posterior:
    """The posteriors of those members that have an exact one, weighted by their evidence."""
    parts = [engine_for(member, observation)(member, observation, y, given) for member in model.parts()]
    exact = {m: part for m, part in enumerate(parts) if isinstance(part, ExactPosterior)}
    if not exact:
        return Importance(model, observation, y, given)
    weights = model.log_weights[list(exact)]
    answer = Pooled(weights - weights.logsumexp(0), list(exact.values()))
    if len(exact) < len(parts):
        answer.diagnostics["unasked_weight"] = 1 - float(weights.exp().sum())
    return answer


def pooled_blocks(model: Ensemble, observation: BlockMean | PixelsAndBlocks, y: Any, given: Tensor | None) -> Posterior:
    """The autoregressive member alone: trees cannot look at sums."""
    weighed = zip(model.parts(), model.log_weights.exp().tolist(), strict=True)
    chain, weight = next(((member, w) for member, w in weighed if isinstance(member, Autoregressive)), (None, 0.0))
    if chain is None:
        return Importance(model, observation, y, given)
    alone = engine_for(chain, observation)(chain, observation, y, given)
    alone.diagnostics["unasked_weight"] = 1 - weight
    return alone


# The first row that fits answers. Each says: model, observation, values of x, engine.
ENGINES: list[tuple[type[Generative], type[Observation], tuple[bool, ...], Engine]] = [
    (Ensemble, Mask, EITHER, pooled),
    (Ensemble, BlockMean, INTEGERS, pooled_blocks),
    (Ensemble, PixelsAndBlocks, INTEGERS, pooled_blocks),
    (Autoregressive, Mask, EITHER, EvidenceFirst),
    (Autoregressive, PixelsAndBlocks, INTEGERS, BlocksBeside),
    (Autoregressive, BlockMean, INTEGERS, BlockChain),
    (Autoregressive, Entrywise, INTEGERS, Sequential),
    (NaiveBayes, Entrywise, INTEGERS, Components),
    (NaiveBayes, BlockMean, INTEGERS, ComponentSums),
    (GaussianMixture, LinearObservation, REALS, Gaussian),
    (GaussianMixture, LinearObservation, INTEGERS, RoundedGaussian),
    (Mixture, Entrywise, INTEGERS, Components),
    (Mixture, BlockMean, INTEGERS, ComponentSums),
    (NaiveBayes, PixelsAndBlocks, INTEGERS, ComponentsBeside),
    (Mixture, PixelsAndBlocks, INTEGERS, ComponentsBeside),
    (Mixture, LinearObservation, REALS, Gaussian),
    (Discriminant, LinearObservation, REALS, Gaussian),
    (PPCA, LinearObservation, REALS, Gaussian),
    (PPCA, Mask, INTEGERS, ReorderedChain),
    (PPCA, LinearObservation, INTEGERS, RoundedGaussian),
    (Discriminant, LinearObservation, INTEGERS, RoundedGaussian),
    (TreeModel, Mask, INTEGERS, Messages),
    (KernelDensity, Mask, EITHER, Kernels),
    (KernelDensity, LinearObservation, EITHER, LinearKernels),
    (VAE, Mask, EITHER, HamiltonianChain),
    (VAE, Entrywise, INTEGERS, HamiltonianChain),
    (VAE, BlockMean, INTEGERS, HamiltonianChain),
    (LadderVAE, Mask, EITHER, WindowChain),
    (VQVAE, Mask, EITHER, CodeGibbs),
    (VQVAE, Entrywise, INTEGERS, CodeGibbs),
    (VQVAE, BlockMean, INTEGERS, CodeGibbs),
    (GAN, LinearObservation, EITHER, Inversion),
    (Generative, Observation, EITHER, Importance),
]
MANY_MASKS: tuple[Engine, ...] = (Components, Messages)  # engines that take one mask a row as they are


@torch.no_grad()
def posterior(model: Generative, observation: Observation, y: Any, *, given: Tensor | None = None) -> Posterior:
    """p(x | y) from a fitted p(x) and what was seen, by the engine that their types call for.

    Args:
        model: any fitted model.
        observation: p(y | x).
        y: what was seen, one a row, on the model's device; a tuple for `Jointly`.
        given: class labels, (B,), -1 where not known; None if none is.

    Raises:
        ImpossibleEvidence: p(y) = 0.
        DataError: y does not lie where the observation of this model's x does.

    >>> from priorcraft.explicit.exact.naive_bayes import NaiveBayes
    >>> from priorcraft.runtime import keyed
    >>> p = posterior(NaiveBayes(Space((2,), 2)), Mask(torch.tensor([True, False])), torch.tensor([[1, 0]]))
    >>> p.kind, p.sample(2, generator=keyed(0))[..., 0].tolist(), p.log_prob(torch.tensor([[1, 1]])).exp()
    ('exact', [[1, 1]], tensor([0.5000]))
    """
    check_seen(model.space, observation, y)
    if isinstance(observation, Choice):
        observation, y = observation.as_mask(y)
    engine = engine_for(model, observation)
    many = isinstance(observation, Mask) and observation.seen.dim() > len(model.space.event_shape)
    if many and isinstance(observation, Mask) and engine not in MANY_MASKS:
        return PerMask(observation, y, given, partial(engine, model))
    return engine(model, observation, y, given)


def engine_for(model: Generative, observation: Observation) -> Engine:
    """The first engine whose types fit.

    >>> engine_for(NaiveBayes(Space((1, 2, 2), 2)), BlockMean(2)).__name__
    'ComponentSums'
    """
    integers = model.space.levels is not None
    fits = (
        engine
        for kind, seen, values, engine in ENGINES
        if isinstance(model, kind) and isinstance(observation, seen) and integers in values
    )
    return next(fits)


def check_seen(space: Space, observation: Observation, y: Any) -> None:
    """Raises a DataError if y has not the shape that x of this space shows, or is not finite."""
    kind, first = torch.long if space.levels else torch.float, as_tuple(y)[0]
    shown = observation.forward(torch.zeros(len(first), *space.event_shape, dtype=kind, device=first.device))
    for part, like in zip(as_tuple(y), as_tuple(shown), strict=True):
        if tuple(part.shape[1:]) != tuple(like.shape[1:]):
            expected = ", ".join(("B", *map(str, like.shape[1:])))
            raise DataError(f"y must have shape ({expected}) for this observation, not {tuple(part.shape)}.")
        if part.is_floating_point() and not bool(torch.isfinite(part).all()):
            raise DataError("y must be finite; found nan or infinity. Hide such entries by a mask.")
    if isinstance(observation, Mask):
        space.check(torch.where(observation.seen, y, torch.zeros_like(y)), "y")


def as_tuple(y: Any) -> tuple[Tensor, ...]:
    """y as a tuple of what its parts show."""
    return y if isinstance(y, tuple) else (y,)
