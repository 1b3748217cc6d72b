"""Truths of which the answer is known: drawn from p(x), seen through p(y | x), and asked for again."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from priorcraft.condition.dispatch import posterior
from priorcraft.core import Generative, Observation


@dataclass(frozen=True)
class Simulated:
    """Truths, and the draws that an engine made of each from what was seen of it.

    Args:
        truth: (T, *event_shape).
        draws: (T, n, *event_shape).
        around: other draws of p(x), that know nothing of the truths, (T, *event_shape).
        kind, method: as the posterior says.
        diagnostics: how well it went.
    """

    truth: Tensor
    draws: Tensor
    around: Tensor
    kind: str
    method: str
    diagnostics: dict[str, float]


@torch.no_grad()
def simulate(
    model: Generative,
    observation: Observation,
    sets: int,
    draws: int,
    *,
    truth: Tensor | None = None,
    given: Tensor | None = None,
    generator: Generator,
) -> Simulated:
    """Draws x ~ p(x), y ~ p(y | x) and n draws of p(x | y): if the engine is right, x is one more of its draws.

    Args:
        model: any fitted model.
        observation: p(y | x).
        sets: how many truths.
        draws: n, of each.
        truth: rows (T, *event_shape) to take in the place of the model's own draws: the check is then of model and
            engine together.
        given: class labels of the rows, (T,), -1 where not known.
        generator: source of randomness.
    """
    x = model.sample(sets, generator=generator) if truth is None else truth
    y = observation.sample(x, generator=generator)
    source = posterior(model, observation, y, given=given)
    drawn = source.sample(draws, generator=generator)
    around = model.sample(len(x), generator=generator)
    said = source.kind, source.method, dict(source.diagnostics)
    return Simulated(x.cpu(), drawn.cpu(), around.cpu(), *said)
