"""Mixtures: rows with holes, and the number of components."""

import itertools

import pytest
import torch

from laws.table import BITS, LABELS, PLANE, rows, tiny
from priorcraft import runtime, zoo
from priorcraft.core import Space, Summed
from priorcraft.datasets.splits import Rows
from priorcraft.errors import DataError
from priorcraft.explicit.exact.counting import CODES, log_frequencies, one_hot_chunks, table_log_prob, weighted_counts
from priorcraft.explicit.exact.mixture import Mixture
from priorcraft.train.loop import Budget, Progress, train, whole
from priorcraft.train.size import MixtureChoice

SPACE = Space((3,))


def real_rows(n: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    x = rows(SPACE, n)[0]
    return x, torch.rand(x.shape, generator=runtime.keyed("holes")) > 0.3


@torch.no_grad()
@pytest.mark.parametrize("given", [None, torch.tensor([1]), torch.tensor([-1])])
def test_missing_integers_are_summed_out(given):
    model, x = tiny("mixture"), rows(BITS)[0][:1]
    seen = torch.ones(1, 3, 3, dtype=torch.bool)
    seen[0, 1, :2] = False
    filled = x.repeat(4, 1, 1, 1)
    filled[:, 0, 1, :2] = torch.tensor(list(itertools.product((0, 1), repeat=2)))
    every = model.log_prob(filled, None if given is None else given.expand(4))
    assert torch.allclose(model.log_marginal(x, seen, given), every.logsumexp(0))


@torch.no_grad()
def test_missing_reals_are_integrated_out():
    model, side = tiny("mixture", space=PLANE), torch.linspace(-60, 60, 24001, dtype=torch.float64)
    along = torch.stack([torch.full_like(side, 0.4), side], 1)
    found = model.log_marginal(torch.tensor([[0.4, torch.nan]]).double())
    expected = model.log_prob(along).logsumexp(0) + torch.log(side[1] - side[0])
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(model.log_marginal(torch.full((1, 2), torch.nan)), torch.zeros(1).double(), atol=1e-6)


@pytest.mark.parametrize("space", [SPACE, Space((3,), 2)])
def test_em_on_rows_with_holes_never_lowers_the_likelihood_of_what_is_there(space):
    (x, seen), given = real_rows(), torch.arange(80) % 4 - 1
    x = x if space.levels is None else (x > 0).long()
    model = Mixture(space, LABELS, components=3, smoothing=1e-9).double()
    model.initialise(x, given, generator=runtime.keyed(0), seen=seen)
    model.log_prior.copy_(torch.tensor([0.2, 0.3, 0.5]).log())
    scores = []
    for _ in range(12):
        before = model.log_marginal(x, seen, given).mean()
        assert torch.allclose(model.update(x, given, seen=seen), before)
        scores.append(float(before))
    assert all(later >= earlier - 1e-4 for earlier, later in itertools.pairwise(scores))
    assert scores[-1] > scores[0] + 0.05


@pytest.mark.parametrize("space", [SPACE, Space((3,), 2)])
def test_a_mask_that_hides_nothing_changes_nothing(space):
    x = real_rows()[0]
    x = x if space.levels is None else (x > 0).long()
    models = [Mixture(space, components=3).double() for _ in range(2)]
    for model, seen in zip(models, (None, torch.ones_like(x, dtype=torch.bool)), strict=True):
        model.initialise(x, None, generator=runtime.keyed(0), seen=seen)
        for _ in range(3):
            model.update(x, None, seen=seen)
    assert torch.allclose(models[0].log_prob(x), models[1].log_prob(x))


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(DataError, match="seen must be a boolean mask"):
        Mixture(SPACE).log_marginal(torch.zeros(2, 3), torch.ones(2, 2, dtype=torch.bool))


def clusters(n: int, key: str) -> Rows:
    """Five kinds of rows of 12 bits, each bit wrong in one of twenty."""
    generator = runtime.keyed("clusters", key)
    kinds = torch.randint(2, (5, 12), generator=runtime.keyed("kinds"))
    wrong = torch.rand(n, 12, generator=generator) < 0.05
    return Rows(kinds[torch.randint(5, (n,), generator=generator)] ^ wrong.long())


def test_validation_rows_choose_the_number_of_components():
    objective = zoo.build("mixture", Space((12,), 2), None, 300, {}, seed=0)[1]
    assert isinstance(objective, MixtureChoice)
    train_rows, valid, at = clusters(300, "train"), clusters(300, "valid"), Progress()
    objective.model.initialise(train_rows.x, None, generator=runtime.keyed(0))
    objective.prepare(whole(valid, train_rows.x.device))
    records = list(train(objective, train_rows, valid, Budget(steps=200), seed=0, at=at))
    assert objective.averaged.used == 5
    assert "5 components were chosen" in records[-1].values["message"]
    assert torch.allclose(-objective.averaged.log_prob(valid.x).mean(), objective.nats.min().float())
    assert at.nats == pytest.approx(float(objective.nats.min()), abs=1e-4)


def test_a_choice_that_goes_on_from_its_state_chooses_the_same():
    train_rows, valid = clusters(100, "train"), clusters(100, "valid")
    found = []
    for stop in (None, 3, 9):
        at, objective = Progress(), zoo.build("mixture", Space((12,), 2), None, 100, {}, seed=0)[1]
        objective.model.initialise(train_rows.x, None, generator=runtime.keyed(0))
        objective.prepare(whole(valid, train_rows.x.device))
        for record in train(objective, train_rows, valid, Budget(steps=60), seed=0, at=at):
            if record.step == stop and record.kind == "step":
                state = {k: v.clone() for k, v in objective.state().items()}
                kept = {k: v.clone() for k, v in objective.averaged.state_dict().items()}
                objective = zoo.build("mixture", Space((12,), 2), None, 100, {}, seed=1)[1]
                objective.prepare(whole(valid, train_rows.x.device))
                objective.averaged.load_state_dict(kept)
                objective.restore(state)
                list(train(objective, train_rows, valid, Budget(steps=60), seed=0, at=Progress(step=stop)))
                break
        found.append(objective.averaged.log_prob(valid.x))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize(("levels", "groups"), [(2, 5), (256, 3)])  # counted by level, and by group
def test_counts_and_their_table_say_what_a_loop_says(levels, groups):
    generator = runtime.keyed("counts", levels)
    x, seen = torch.randint(levels, (40, 6), generator=generator), torch.rand(40, 6, generator=generator) < 0.7
    weights = torch.rand(40, groups, generator=generator, dtype=torch.float64)
    space = Space((6,), levels)
    table = log_frequencies(weighted_counts(x, weights, space, seen), space, 1.0)
    where, level = 4, int(x[0, 4])
    count = (weights * (seen[:, where] & (x[:, where] == level)).unsqueeze(1)).sum(0) + 1 / levels
    total = (weights * seen[:, where].unsqueeze(1)).sum(0) + 1
    torch.testing.assert_close(table[:, where, level].exp(), count / total)
    log_p = sum(table[:, d, x[:, d]] * seen[:, d] for d in range(6))
    torch.testing.assert_close(table_log_prob(table, x, seen), log_p.T)


def test_rows_of_many_levels_are_counted_in_little_memory():
    wide = torch.zeros(300, 784, dtype=torch.long)
    chunks = [code.numel() for _, code in one_hot_chunks(wide, 256)]
    assert max(chunks) <= CODES
    assert sum(chunks) == 300 * 784 * 256


@pytest.mark.parametrize("name", ["naive-bayes", "chow-liu", "latent-tree", "mixture"])
def test_an_update_is_the_same_in_whatever_stretches_its_rows_are_summed(name, monkeypatch):
    x, c = rows(BITS, 40)
    found = list[dict[str, torch.Tensor]]()
    for at_once in (7, 1000):
        monkeypatch.setattr("priorcraft.core.abilities.AT_ONCE", at_once)
        model = tiny(name)
        assert isinstance(model, Summed)
        model.update(x, c)
        found.append(model.state_dict())
    for key, value in found[0].items():
        assert torch.allclose(value.double(), found[1][key].double()), key
