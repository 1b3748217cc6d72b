"""When a training looks at its validation rows."""

import torch

from priorcraft import runtime, zoo
from priorcraft.core import Space
from priorcraft.datasets import Rows
from priorcraft.train.loop import Budget, train


def test_few_rows_are_looked_at_early():
    """After 1, 2, 4 and 8 epochs of two steps; from a twelfth of the budget on, every twelfth of it."""
    x, space = torch.randint(2, (40, 6), generator=runtime.keyed("few")), Space((6,), 2)
    model, objective = zoo.build("flat-vae", space, None, 40, {"latent": 2, "hidden": 4, "batch_size": 20}, seed=0)
    model.initialise(x, None, generator=runtime.keyed(0))
    records = train(objective, Rows(x), Rows(x), Budget(steps=240), seed=0)
    looked = [record.step for record in records if record.kind == "validation"]
    assert looked == [2, 4, 8, 16, *range(20, 241, 20)]
