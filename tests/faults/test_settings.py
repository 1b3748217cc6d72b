"""No value of a setting ends in a stack trace, in an endless loop, or in a density that is none."""

import math

import pytest
import torch

from priorcraft import zoo
from priorcraft.core import Exact, Space
from priorcraft.errors import PriorcraftError, UsageError
from priorcraft.runtime import keyed
from priorcraft.settings import Range, ranges, whole
from priorcraft.train.objective import Batch

IMAGES, LABELS = Space((1, 4, 4), 3), Space((), 2)
ALL = [(member, setting) for member in zoo.ZOO for setting in zoo.settings_of(member)]
NUMBERS = [(member, s) for member, s in ALL if s.limits is not None]


FEW = {"forest-chain": {"trees": 2}}  # where the defaults take long


def built(member, **settings):
    return zoo.build(member, IMAGES, LABELS, 20, FEW.get(member, {}) | settings, seed=0)


@pytest.mark.parametrize("member", zoo.ZOO)
def test_every_number_that_can_be_set_has_a_range_which_holds_its_default(member):
    for setting in zoo.settings_of(member):
        assert setting.kind in (bool, str) or setting.limits is not None, setting
        assert setting.limits is None or setting.default is None or setting.default in setting.limits, setting


@pytest.mark.parametrize(("member", "setting"), NUMBERS, ids=[f"{m}-{s.name}" for m, s in NUMBERS])
def test_what_lies_outside_is_refused_by_name_and_range_before_anything_is_made(member, setting):
    limits = setting.limits
    outside = [limits.low - 1, limits.high * 2 + 1, 10**40, -math.inf, math.inf]
    for value in [*outside, *[limits.low] * limits.above, *[limits.high] * limits.below]:
        with pytest.raises(UsageError, match=setting.name):
            built(member, **{setting.name: value})
    for value in ("nan", "x", 1.5 if setting.kind is int else [], True):
        with pytest.raises(UsageError, match=setting.name):
            built(member, **{setting.name: value})


@pytest.mark.parametrize("member", zoo.ZOO)
def test_a_constructor_refuses_what_the_zoo_refuses(member):
    model = zoo.ZOO[member].model
    for name, limits in ranges(model).items():
        with pytest.raises(UsageError, match=name):
            model(IMAGES, LABELS, **{name: limits.low - 1})


@pytest.mark.parametrize(("member", "setting"), NUMBERS, ids=[f"{m}-{s.name}" for m, s in NUMBERS])
def test_the_lowest_value_trains_or_is_refused_in_a_sentence_and_a_density_stays_one(member, setting):
    low = setting.limits.low + (1e-6 if setting.limits.above else 0)
    x, y = torch.randint(3, (20, 1, 4, 4), generator=keyed(1)), torch.arange(20) % 2
    rows = Batch(x, y, torch.arange(20))
    try:
        model, objective = built(member, **{setting.name: setting.kind(low)})
        model.initialise(x, y, generator=keyed(0))
        objective.prepare(rows)
        objective.step(rows, progress=0.5, key=(0, 0))
    except PriorcraftError:
        return
    assert model.eval().sample(2, generator=keyed(0)).shape == (2, 1, 4, 4)
    if isinstance(model, Exact):
        assert float(model.log_prob(x).max().detach()) <= 1e-4


@pytest.mark.parametrize("settings", [{"depth": 64, "width": 4096}, {"width": 4096, "depth": 60, "orders": 8}])
def test_a_model_that_would_fill_the_memory_is_refused_while_it_grows(settings, monkeypatch):
    monkeypatch.setattr(zoo, "MOST_NUMBERS", 10**6)
    with pytest.raises(UsageError, match="more than 1,000,000 weights"):
        built("masked-mlp", **settings)


@pytest.mark.parametrize("value", [1.5, "2", None, True, float("nan"), float("inf"), -1, 2**63])
def test_whole_numbers_are_never_rounded(value):
    with pytest.raises(UsageError, match="n must be a whole number"):
        whole("n", value, Range(0, 2**63, below=True))
