"""The batch size that a machine likes, found by a short measurement."""

import time

import torch

from priorcraft.datasets.splits import Rows
from priorcraft.errors import UsageError
from priorcraft.train.likelihood import MaximumLikelihood
from priorcraft.train.loop import taken
from priorcraft.train.objective import Objective
from priorcraft.train.team import Team

SIZES = (16, 32, 64, 128, 256, 512)
NEAR = 0.8  # of the most rows a second: smaller batches make more updates of the same rows
LONGEST = 0.5  # seconds of a step, beyond which no larger batch is tried
REPEATS = 3


def fastest_batch(objective: Objective, rows: Rows) -> dict[int, float]:
    """Rows a second of training steps, by batch size; the smallest that comes near the best is the first.

    The objective and its model are used up by the measurement.

    Args:
        objective: of a model that is initialised; its steps follow gradients.
        rows: training rows.

    Raises:
        UsageError: an objective without such steps.
    """
    parts = objective.parts if isinstance(objective, Team) else [objective]
    by_gradient = [part for part in parts if isinstance(part, MaximumLikelihood)]
    if not by_gradient:
        raise UsageError("batch_size=auto needs a model of likelihood or bound that is trained in batches.")
    speeds = dict[int, float]()
    for size in SIZES:
        if size > max(len(rows) // 4, SIZES[0]):
            break
        seconds = min(_step_seconds(by_gradient[0], rows, size, i) for i in range(REPEATS))
        speeds[size] = size / seconds
        if seconds > LONGEST:
            break
    chosen = next(size for size, speed in speeds.items() if speed >= NEAR * max(speeds.values()))
    return {chosen: speeds[chosen]} | speeds


def _step_seconds(objective: MaximumLikelihood, rows: Rows, size: int, repeat: int) -> float:
    index = torch.arange(repeat * size, (repeat + 1) * size) % len(rows)
    batch = taken(rows, index, objective.model.device)
    began = time.perf_counter()
    objective.step(batch, progress=0.5, key=("batch", size, repeat))
    return time.perf_counter() - began
