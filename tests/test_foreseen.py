"""Linear predictions from earlier neighbours: exact in any order, by any way of asking."""

import math

import pytest
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.condition.steps import steps_of
from priorcraft.core import Space
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.chain import Method
from priorcraft.explicit.exact.foreseen import Neighbourhood
from priorcraft.explicit.exact.masked_conv import MaskedConvolution

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
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = MaskedConvolution(SPACE, orders=2, channels=6, depth=1, window=3, patch=2, linear=3)
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


def test_steps_through_a_cell_know_what_the_whole_network_knows(model: MaskedConvolution) -> None:
    x, order = smooth(3).flatten(1), model.orders[0]
    steps = steps_of(model, order, x, 12, None, 12)
    table = model.conditionals(x, order, None).table()
    for q in range(12, 24):
        assert torch.allclose(steps.log_p(q, q), table[:, order[q]], atol=1e-4)
        steps.push(x[:, order[q]], q)


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


def test_what_a_sum_of_later_entries_is_likely_to_be_given_the_first() -> None:
    """The mean and variance of the logistic, beside entries that follow their linear predictions one after another."""
    near = Neighbourhood(SPACE, 3)
    near.fit(smooth(300))
    order, which, level, draws = torch.arange(48), torch.tensor([1, 3]), 20, 4000
    plan, known, open_ = near.plan(order), order < 21, torch.arange(21, 26)
    x = smooth(3)[2:].flatten(1)
    rest = torch.arange(2 * 63 + 1)
    log_p = plan.log_left(x.expand(len(rest), -1), open_, which, known, rest + level, 64)[:, level].softmax(0)
    mean = (log_p * rest).sum()
    drawn = x.expand(draws, -1).double().clone()
    drawn[:, open_[0]] = level
    for entry in open_[1:]:
        found = plan.at(drawn, entry[None], order < entry)
        noise = torch.randn(draws, 1, generator=runtime.keyed("noise", int(entry)))
        drawn[:, entry] = (found.mean + found.std * noise + 1)[:, 0] * 63 / 2
    sums = drawn[:, open_[which]].sum(1)
    assert float(mean) == pytest.approx(float(sums.mean()), abs=0.3)
    assert float((log_p * (rest - mean) ** 2).sum()) == pytest.approx(2 * float(sums.var()) + 1, rel=0.1)
