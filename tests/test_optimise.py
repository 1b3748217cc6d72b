import torch
from torch import nn

from priorcraft.train.optimise import EVERY, OFTEN, Average


def walk(average: Average[nn.Linear], module: nn.Linear, steps: int) -> list[float]:
    """The average after each of so many updates, the module's weight going through 1, 2, 3, ..."""
    seen = []
    for step in range(1, steps + 1):
        nn.init.constant_(module.weight, float(step))
        average.update()
        seen.append(float(average.module.weight))
    return seen


def test_the_average_starts_as_the_plain_mean_and_is_never_long_behind():
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    average = Average(module, decay=0.99)
    average.restart()
    seen = walk(average, module, OFTEN + 50 * EVERY)
    exact, value = [], 1.0
    for step in range(1, len(seen) + 1):
        keep = min(0.99, step / (step + 9))
        value = keep * value + (1 - keep) * step
        exact.append(value)
    assert torch.allclose(torch.tensor(seen[:OFTEN]), torch.tensor(exact[:OFTEN]), rtol=1e-4)
    behind = torch.tensor(seen[OFTEN:]) - torch.tensor(exact[OFTEN:])
    assert float(behind.abs().max()) < EVERY, "of a weight that grows by one in every update"
