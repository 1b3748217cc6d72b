"""Laws that every model obeys, whatever is known of its density."""

from functools import cache

import pytest
import torch

from laws.table import BITS, COLUMNS, IMAGES_ALONE, MODELS, PLANE, REAL_VALUED, rows, tiny
from priorcraft import runtime, zoo
from priorcraft.core import Approximate, Encoder, Exact, Generative, Space
from priorcraft.datasets.splits import Rows
from priorcraft.errors import DataError, UsageError
from priorcraft.train.checkpoint import load_into
from priorcraft.train.loop import Budget, Progress, train, whole
from said import alike, full, golden, measured  # noqa: F401

CASES = [(name, BITS) for name in MODELS] + [(name, PLANE) for name in REAL_VALUED]
CASES += [(name, COLUMNS) for name in MODELS if name not in IMAGES_ALONE]


def test_the_table_has_every_model_of_the_zoo():
    assert set(MODELS) == set(zoo.ZOO)


@cache
def known(name: str, space: Space, labels: bool) -> Generative:
    """A tiny model that is asked and not changed."""
    return tiny(name, space=space, labels=labels)


@pytest.mark.parametrize(("name", "space"), CASES)
@pytest.mark.parametrize("labels", [True, False])
def test_a_model_says_the_numbers_that_it_said(name, space, labels):
    """`PRIORCRAFT_GOLDENS=write python -m pytest tests/laws -k numbers` where a change is meant."""
    model, (x, y) = known(name, space, labels), rows(space, 6)
    found = {"sample": model.sample(20, generator=runtime.keyed(1))}
    if labels:
        found["sample of classes"] = model.sample(6, given=y, generator=runtime.keyed(1))
    if isinstance(model, Exact):
        found |= {"log p": model.log_prob(x), "log p given": model.log_prob(x, y if labels else None)}
    if isinstance(model, Approximate):
        found["weights"] = model.log_weights(x, 3, y if labels else None, generator=runtime.keyed(1))
    if isinstance(model, Encoder):
        found["z"] = model.encode(x, y if labels else None)
    said = {key: measured(value.detach().numpy()) for key, value in found.items()}
    dims = "x".join(map(str, space.event_shape))
    assert alike(golden("numbers.json", f"{name} {dims} {labels}", said), said), said


@pytest.mark.parametrize(("name", "space"), CASES)
@pytest.mark.parametrize("labels", [True, False])
def test_same_seed_same_bits_and_the_global_generator_is_untouched(name, space, labels):
    model, before = known(name, space, labels), torch.get_rng_state()
    first = model.sample(20, generator=runtime.keyed(1))
    again = model.sample(20, generator=runtime.keyed(1))
    other = model.sample(20, generator=runtime.keyed(2))
    model.sample(2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "space"), CASES)
def test_samples_lie_in_the_space(name, space):
    x = known(name, space, True).sample(50, generator=runtime.keyed(0))
    assert x.shape == (50, *space.event_shape)
    assert x.is_floating_point() == (space.levels is None)
    space.check(x)


@pytest.mark.parametrize(("name", "space"), CASES)
def test_save_and_load_give_the_same_bits(name, space):
    model, blank = tiny(name, space=space), tiny(name, space=space, noise=0.7)
    load_into(blank, {key: value.clone() for key, value in model.state_dict().items()})
    assert torch.equal(model.sample(9, generator=runtime.keyed(0)), blank.sample(9, generator=runtime.keyed(0)))
    if isinstance(model, Exact) and isinstance(blank, Exact):
        x, y = rows(space)
        assert torch.equal(model.log_prob(x, y), blank.log_prob(x, y))


@pytest.mark.parametrize("name", MODELS)
def test_the_constructor_is_the_config(name):
    model = tiny(name)
    twin = type(model)(**model.config)
    assert {k: v.shape for k, v in twin.state_dict().items()} == {k: v.shape for k, v in model.state_dict().items()}


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_moves_when_it_is_trained(name):
    x, y = rows(BITS)
    model, objective = zoo.build(name, BITS, tiny(name).context, 60, dict(MODELS[name][1]), seed=0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=runtime.keyed("shake")))
    model.initialise(x, y, generator=runtime.keyed(0))
    before = {key: value.clone() for key, value in model.named_parameters()}
    objective.prepare(whole(Rows(x, y), x.device))
    list(train(objective, Rows(x, y), Rows(x, y), Budget(steps=6), seed=0, at=Progress()))
    said = {key: measured(value.detach().numpy()) for key, value in sorted(model.named_parameters())}
    said |= {key: measured(value.numpy()) for key, value in sorted(model.named_buffers())}
    assert alike(golden("numbers.json", f"{name} trained", said), said, 5e-2), said
    still = [key for key, value in model.named_parameters() if torch.equal(value, before[key])]
    assert not still


@pytest.mark.parametrize("name", MODELS)
def test_a_row_without_a_label_still_teaches(name):
    x, y = rows(BITS)
    for labels in (torch.where(torch.arange(60) < 30, y, -1), torch.full((60,), -1)):
        model, objective = zoo.build(name, BITS, tiny(name).context, 60, dict(MODELS[name][1]), seed=0)
        model.initialise(x, labels, generator=runtime.keyed(0))
        objective.prepare(whole(Rows(x, labels), x.device))
        records = list(train(objective, Rows(x, labels), Rows(x, labels), Budget(steps=2), seed=0))
        assert all(r.values["loss"] == r.values["loss"] for r in records if r.kind == "step")


@pytest.mark.parametrize("name", MODELS)
def test_bad_arguments_are_sentences(name):
    model = tiny(name)
    with pytest.raises(UsageError, match="n must be a whole number"):
        model.sample(0)
    with pytest.raises(DataError, match=r"given must lie in 0 \.\.\. 2"):
        model.sample(2, given=torch.tensor(3))
    with pytest.raises(UsageError, match="left out"):
        tiny(name, labels=False).sample(2, given=torch.tensor(0))
