"""What a training tells of its speed."""

import re

import torch

from laws.table import BITS, LABELS, rows
from priorcraft import runtime, zoo
from priorcraft.data.splits import Rows
from priorcraft.train import speed
from priorcraft.train.loop import Budget, train, whole
from priorcraft.train.speed import Counted


def notes(name: str, **settings) -> list[str]:
    x, y = rows(BITS)
    model, objective = zoo.build(name, BITS, LABELS, 60, settings, seed=0)
    model.initialise(x, y, generator=runtime.keyed(0))
    objective.prepare(whole(Rows(x, y), x.device))
    records = list(train(objective, Rows(x, y), Rows(x, y), Budget(steps=24), seed=0))
    return [str(r.values["message"]) for r in records if r.kind == "note"]


def test_products_are_counted_forwards_and_backwards():
    x, weight = torch.randn(4, 3), torch.randn(5, 3, requires_grad=True)
    with Counted() as counted:
        torch.autograd.grad((x @ weight.t()).sum(), weight)
    assert counted.flops == 2 * (2 * 4 * 3 * 5)  # x needs no gradient
    with Counted() as counted:
        torch.nn.functional.conv2d(torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3), padding=1)
    assert counted.flops == 2 * (2 * 4 * 25) * (3 * 9)


def test_gradient_training_says_how_much_of_the_machine_it_used(monkeypatch):
    monkeypatch.setattr(speed, "ENOUGH", 0.0)
    for name in ("masked-mlp", "gan"):
        (sentence,) = notes(name)
        found = re.search(r"ran at (\d+)% .* \((.*) of (.*) GFLOP/s\)", sentence)
        assert found is not None
        assert 0 < float(found[2]) < float(found[3])


def test_counting_and_short_trainings_say_nothing():
    assert notes("naive-bayes") == []
    assert notes("masked-mlp", width=8) == []
