"""p(x | parameters): what a network's last layer means.

Parameters come as (..., width), one vector an entry of x, so that every network serves every likelihood.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from priorcraft.core import Likelihood, Space
from priorcraft.likelihoods.discrete import Bernoulli, Categorical, LogisticMixture
from priorcraft.likelihoods.gaussian import Gaussian

__all__ = ["Bernoulli", "Categorical", "Gaussian", "Head", "LogisticMixture", "head_for"]

CATEGORICAL_LIMIT = 32


@dataclass(frozen=True)
class Head:
    """How many parameters an entry of x takes, and the distribution that they make.

    Args:
        width: number of parameters per entry.
        build: maps parameters (..., width) to a likelihood of entries (...).
    """

    width: int
    build: Callable[[Tensor], Likelihood]

    def __call__(self, parameters: Tensor) -> Likelihood:
        return self.build(parameters)


def head_for(space: Space, components: int = 0) -> Head:
    """The likelihood that fits a space.

    Bits are Bernoulli, few levels categorical, many levels a discretised logistic mixture (which knows that 7 is
    near 8), real numbers Gaussian.

    Args:
        space: where x lives.
        components: take a logistic mixture of that many components whatever the number of levels; 0 chooses.

    >>> head_for(Space((3,), 17)).width, head_for(Space((3,), 2)).width, head_for(Space((3,), 256)).width
    (17, 1, 15)
    """
    if space.levels is None:
        return Head(2, Gaussian.from_parameters)
    levels = space.levels
    if components == 0 and levels == 2:
        return Head(1, Bernoulli.from_parameters)
    if components == 0 and levels <= CATEGORICAL_LIMIT:
        return Head(levels, Categorical)
    return Head(3 * (components or 5), lambda p: LogisticMixture.from_parameters(p, levels))
