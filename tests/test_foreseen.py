"""Linear predictions from earlier neighbours: exact in any order, by any way of asking."""

import math

import pytest
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.condition.blocks import BlockChain, turn_blocks
from priorcraft.condition.rollout import MARGIN, Rollout
from priorcraft.condition.turns import steps_of
from priorcraft.core import Space
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.chain import Method
from priorcraft.explicit.exact.foreseen import Neighbourhood
from priorcraft.explicit.exact.masked_conv import MaskedConvolution
from priorcraft.observe import BlockMean

SPACE = Space((3, 4, 4), 64)


def smooth(n: int) -> Tensor:
    """Images (n, 3, 4, 4) of slopes of one colour, with some noise."""
    generator = runtime.keyed("slopes", n)
    along = torch.linspace(0, 1, 4)
    start, right, down = runtime.uniform((3, n, 1, 1, 1), generator=generator, like=along)
    x = 16 * (start + right * along + down * along[:, None]) + torch.zeros(1, 3, 1, 1)
    return (x + runtime.uniform(tuple(x.shape), generator=generator, like=x)).round().long()


@pytest.fixture(scope="module")
def model() -> MaskedConvolution:
    """One that has seen slopes, and whose weights are not zero."""
    return made_of(2)


def made_of(patch: int) -> MaskedConvolution:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = MaskedConvolution(SPACE, orders=2, channels=6, depth=1, window=3, patch=patch, linear=3)
        made.initialise(smooth(200), None, generator=runtime.keyed("start"))
        for weight in made.parameters():
            weight.data.add_(0.05 * torch.randn(weight.shape))
    return made


def test_an_entry_is_foreseen_from_earlier_ones_alone(model: MaskedConvolution) -> None:
    x, order = smooth(2).flatten(1), torch.randperm(48, generator=runtime.keyed("order"))
    other, count = x.clone(), 20
    other[:, order[count:]] = 63 - other[:, order[count:]]
    tables = [model.conditionals(each, order, None).table() for each in (x, other)]
    assert torch.allclose(tables[0].exp().sum(-1), torch.ones(2, 48), atol=1e-5)
    assert torch.equal(tables[0][:, order[: count + 1]], tables[1][:, order[: count + 1]])
    assert not torch.equal(tables[0], tables[1])


def test_every_way_of_drawing_draws_the_same(model: MaskedConvolution) -> None:
    drawn = [model.sample_report(4, generator=runtime.keyed("draw"), method=method)[0] for method in Method]
    assert all(torch.equal(each, drawn[0]) for each in drawn)


@pytest.mark.parametrize("patch", [1, 2])
def test_steps_through_a_block_know_what_the_whole_network_knows(patch: int) -> None:
    model = made_of(patch)
    x, order = smooth(3).flatten(1), turn_blocks(model, 2).flatten()
    steps = steps_of(model, order, x, 12, None, 12)
    table = model.conditionals(x, order, None).table()
    steps.log_left([15, 18], 12, x[:, order[[12, 15, 18]]].sum(1), 64)  # looks ahead, and comes back
    for q in range(12, 24):
        assert torch.allclose(steps.log_p(q, q), table[:, order[q]], atol=1e-4)
        steps.push(x[:, order[q]], q)


@pytest.mark.parametrize("sweeps", [0, 1])
def test_block_sums_of_colours_are_met(model: MaskedConvolution, sweeps: int) -> None:
    x, observation = smooth(2), BlockMean(2)
    y = observation.forward(x)
    with torch.no_grad():
        draws = BlockChain(model, observation, y, None, particles=4, sweeps=sweeps).sample(
            3, generator=runtime.keyed(0)
        )
    assert torch.equal(observation.forward(draws.flatten(0, 1)), y.repeat_interleave(3, 0))
    assert bool((draws[:, 0] != draws[:, 1]).any(1).all())
    assert float((draws - x[:, None]).abs().float().mean()) < 3  # of 64: slopes are foreseen well


def test_training_starts_from_the_linear_prediction() -> None:
    x, start = smooth(200), runtime.keyed("start")
    plain, linear = (MaskedConvolution(SPACE, orders=1, channels=6, depth=1, patch=2, linear=side) for side in (0, 3))
    for each in (plain, linear):
        each.initialise(x, None, generator=start)
    with torch.no_grad():
        bits = [float(-each.log_prob(smooth(50)).mean() / 48 / math.log(2)) for each in (plain, linear)]
    assert bits[1] < bits[0] - 2


def test_the_prediction_is_the_gaussian_conditional() -> None:
    near, x = Neighbourhood(SPACE, 3), smooth(300)
    near.fit(x)
    plan, order = near.plan(torch.arange(48)), torch.arange(48)
    entry = 21  # second channel, second row, second column
    taps = plan.taps[entry][plan.weight[entry] != 0]
    assert bool((taps < entry).all())
    where = near.inside[entry] & (near.taps[entry] < entry)
    own = near.cover[where][:, where].double()
    expected = torch.linalg.solve(own, near.cover[where, 9 + 4].double()).float()
    assert torch.allclose(plan.weight[entry][where], expected, atol=1e-4)
    assert torch.allclose(plan.of(x.flatten(1)).mean[:, [entry]], plan.at(x.flatten(1), order[[entry]]).mean, atol=1e-5)


def test_few_levels_have_no_locations() -> None:
    with pytest.raises(UsageError, match="more than 32 levels"):
        MaskedConvolution(Space((1, 4, 4), 2), linear=3)


def test_a_plan_says_how_much_entries_lean_on_each_other() -> None:
    near, order = Neighbourhood(SPACE, 3), torch.randperm(48, generator=runtime.keyed("order"))
    near.fit(smooth(300))
    plan, entries, x = near.plan(order), order[20:28], smooth(1).flatten(1)
    moved = x.clone()
    moved[:, entries[2]] += 9
    change = plan.of(moved).mean - plan.of(x).mean
    assert torch.allclose(change[0, entries], plan.among(entries)[:, 2] * 9 * 2 / 63, atol=1e-5)
    assert bool((plan.among(entries).triu() == 0).all())


def test_what_a_sum_of_later_entries_is_likely_to_be_given_the_first_ones() -> None:
    """The mean and variance of the logistic, beside entries that are drawn one after another."""
    generator = runtime.keyed("rollout")
    weights = torch.rand(5, 5, generator=generator).tril(-1) * 0.6
    mean, variance = 20 + 10 * torch.rand(5, generator=generator), 4 + 4 * torch.rand(5, generator=generator)
    drawn, level, later = torch.tensor([[24.0, 19.0]]), 31, torch.tensor([3, 4])
    entries = torch.cat([drawn, torch.tensor([[level]])], 1).repeat(20_000, 1)
    for i in (3, 4):
        at = mean[i] + (entries - mean[:i].round()) @ weights[i, :i]
        noise = torch.randn(len(entries), generator=generator) * variance[i].sqrt()
        entries = torch.cat([entries, (at + noise)[:, None]], 1)
    sums, rest = entries[:, later].sum(1), torch.arange(127)
    rows = [part.expand(127, -1) for part in (mean.round(), mean, variance)]
    found = Rollout(rows[0], rows[1], rows[2], weights).log_left(drawn.expand(127, -1), later, rest + level, 64)
    p = found[:, level].softmax(0)
    assert float(p @ rest.float()) == pytest.approx(float(sums.mean()), abs=0.2)
    expected = MARGIN * float(sums.var()) + 1 / 12
    assert float(p @ (rest - p @ rest.float()).square()) == pytest.approx(expected, rel=0.06)
