"""The contracts: what is known of p(x) decides what may be asked.

    Generative      p(x) is known at least through its samples
      Exact           ... and can be computed                        log_prob
      Approximate     ... and can be bounded from below              elbo, bound
      Implicit        ... and nothing more
    LatentVariable  p(x) = sum or integral of p(x | z) p(z): prior, decode
    Encoder         ... and q(z | x): encode
    Observation     p(y | x), what was seen: Entrywise, LinearObservation
    Posterior       p(x | y), what follows from it

B is the batch, `event_shape` the shape of one x, K the number of classes. Densities are natural logarithms (nats).
Every public method checks its arguments here, once; a model implements the methods with an underscore.
"""

from priorcraft.core.abilities import (
    Classifier,
    ClosedForm,
    Encoder,
    LatentVariable,
    LearnsFromHoles,
    Summed,
    Trainable,
)
from priorcraft.core.evidence import Entrywise, LinearObservation, Observation, Posterior
from priorcraft.core.models import MOST_DRAWS, Approximate, Exact, Generative, Implicit
from priorcraft.core.space import UNLABELLED, Finer, Likelihood, Space

__all__ = [
    "MOST_DRAWS",
    "UNLABELLED",
    "Approximate",
    "Classifier",
    "ClosedForm",
    "Encoder",
    "Entrywise",
    "Exact",
    "Finer",
    "Generative",
    "Implicit",
    "LatentVariable",
    "LearnsFromHoles",
    "Likelihood",
    "LinearObservation",
    "Observation",
    "Posterior",
    "Space",
    "Summed",
    "Trainable",
]
