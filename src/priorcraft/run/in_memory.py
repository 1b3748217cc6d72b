"""A model fitted without a run folder, for those who need many of them."""

import torch

from priorcraft import runtime, zoo
from priorcraft.core import Generative, Space
from priorcraft.datasets.splits import Rows
from priorcraft.train.loop import Budget, Progress, train, whole


def fitted(
    name: str,
    space: Space,
    context: Space | None,
    rows: Rows,
    valid: Rows,
    *,
    settings: zoo.Settings | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    double: bool = False,
) -> Generative:
    """The model that `fit` would have kept, in evaluation mode.

    Args:
        name: from `models()`.
        space, context: where x and its label live.
        rows: to learn from.
        valid: rows that choose among the weights met on the way.
        settings: of the model or its objective.
        budget: 20 rounds without it, enough for models with closed-form updates.
        seed: of every draw.
        double: compute in float64.
    """
    cpu = torch.device("cpu")
    model, objective = zoo.build(name, space, context, len(rows), settings or {}, seed=seed)
    if double:
        model.double()
    start = whole(rows, cpu)
    model.initialise(start.x, start.given, generator=runtime.keyed(seed, "start"))
    objective.prepare(whole(valid, cpu))
    at = Progress()
    for _ in train(objective, rows, valid, budget or Budget(steps=20), seed=seed, at=at):
        pass
    kept = objective.averaged
    if at.best:
        kept.load_state_dict(at.best)
    return kept.eval()
