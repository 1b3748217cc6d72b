"""Trees: agreement with enumeration, with all trees there are, and with EM's promise."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from priorcraft.core import UNLABELLED, Space
from priorcraft.errors import DataError, UsageError
from priorcraft.explicit.exact.chow_liu import ChowLiu
from priorcraft.explicit.exact.latent_tree import LatentTree
from priorcraft.explicit.exact.left_out import Bells, backed_off, evenly_shared, leaned
from priorcraft.explicit.exact.structure import centre, chow_liu_tree, hang, mutual_information, spanning_tree
from priorcraft.explicit.exact.tree_model import leaning
from priorcraft.runtime import keyed

SPACE, LABELS = Space((1, 3, 3), levels=2), Space((), levels=3)
ALL = torch.tensor(list(itertools.product((0, 1), repeat=9))).view(-1, 1, 3, 3)


def rows(n=120, seed=0):
    """Rows whose entries hang together, and their labels."""
    generator = keyed(seed, "rows")
    y = torch.randint(3, (n,), generator=generator)
    ups = torch.rand(n, 3, 3, generator=generator).cumsum(-1) * (1 + y.view(-1, 1, 1)) / 3
    return (ups.view(n, 1, 3, 3) > 0.6).long(), y


def fitted(kind, context=LABELS, rounds=4):
    """A tree fitted in float64, so that enumeration can be compared with it."""
    model = kind(SPACE, context).double()
    x, y = rows()
    given = None if context is None else y
    model.initialise(x, given, generator=keyed(1))
    for _ in range(rounds):
        model.update(x, given)
    return model


def latent(space, context=None, **changes):
    return LatentTree(space, context, **{"members": 2, "latents": 3, **changes})


@pytest.fixture(params=[ChowLiu, latent], ids=["chow-liu", "latent-tree"])
def kind(request):
    return request.param


@pytest.fixture(params=[None, LABELS], ids=["plain", "labels"])
def model(request, kind):
    return fitted(kind, request.param)


def test_sums_to_one(model):
    assert float(model.log_prob(ALL).exp().sum()) == pytest.approx(1, abs=1e-7)


def test_class_sum_rule(kind):
    model = fitted(kind)
    each = torch.stack([model.log_prob(ALL, torch.full((512,), c)) for c in range(3)], 1)
    assert each.exp().sum(0) == pytest.approx(torch.ones(3).double(), abs=1e-9)
    torch.testing.assert_close(model.log_prob(ALL), (each + model.log_prior).logsumexp(1))
    mixed = torch.tensor([UNLABELLED, 2]).repeat(256)
    torch.testing.assert_close(model.log_prob(ALL, mixed)[1::2], each[1::2, 2])
    torch.testing.assert_close(model.log_prob(ALL, mixed)[::2], model.log_prob(ALL)[::2])


def test_conditionals_agree_with_enumeration(model):
    """Another mask for every row, and a label for some of them."""
    generator = keyed(2, "masks")
    x = ALL[torch.randint(512, (12,), generator=generator)]
    seen = torch.rand(x.shape, generator=generator) < 0.5
    seen[0], seen[1] = True, False
    for given in [None, torch.arange(12) % 4 - 1] if model.classes else [None]:
        tables, log_p = model.conditional_tables(x, seen, given), model.log_marginal(x, seen, given)
        for i in range(12):
            context = None if given is None else given[i].expand(512)
            fits = ((x[i] == ALL) | ~seen[i]).flatten(1).all(1)
            p = torch.where(fits, model.log_prob(ALL, context).exp(), 0)
            torch.testing.assert_close(log_p[i], p.sum().log())
            ones = (p.view(-1, 1, 1, 1) * ALL).sum(0) / p.sum()
            torch.testing.assert_close(tables[i, ..., 1], ones)
    torch.testing.assert_close(tables.sum(-1), torch.ones_like(tables[..., 0]))


def test_draws_follow_the_posterior(model):
    """4,000 draws of 5 hidden entries: total variation from enumeration below 0.06 (mean over seeds 0.03)."""
    x, seen = ALL[[300]], torch.zeros(1, 3, 3, dtype=torch.bool)
    seen[0, 0], seen[0, 2, 2] = True, True
    drawn = model.sample_given(x, seen, 4000, generator=keyed(3))
    assert drawn.shape == (1, 4000, 1, 3, 3)
    assert bool((drawn == x.unsqueeze(1))[..., seen].all())
    fits = (x == ALL)[:, seen].all(1)
    p = torch.where(fits, model.log_prob(ALL).exp(), 0)
    found = torch.bincount(drawn.view(-1, 9) @ 2 ** torch.arange(8, -1, -1), minlength=512) / 4000
    assert float((found - p / p.sum()).abs().sum()) / 2 < 0.06


def test_evidence_chooses_the_member():
    """One member draws zeros, the other ones: a seen 1 leaves the second alone."""
    model = latent(SPACE).double()
    p_one = torch.where(model.forest.member == 1, 1 - 1e-9, 1e-9).double()
    model.log_emission.copy_(torch.stack([1 - p_one, p_one], 1).log().unsqueeze(-1).expand_as(model.log_emission))
    seen = torch.zeros(1, 3, 3, dtype=torch.bool)
    seen[0, 1, 1] = True
    assert bool(model.sample_given(torch.ones(1, 1, 3, 3), seen, 50, generator=keyed(12)).all())
    assert float(model.sample(400, generator=keyed(13)).float().mean()) == pytest.approx(0.5, abs=0.1)


def test_samples_follow_the_density(model):
    """Cross-entropy of own samples equals the entropy, within 4 standard errors."""
    log_p = model.log_prob(ALL)
    found = model.log_prob(model.sample(3000, generator=keyed(4)))
    assert abs(float(found.mean() + (-log_p * log_p.exp()).sum())) < 4 * float(found.std()) / math.sqrt(3000)


def test_hidden_entries_may_hold_anything(model):
    x, seen = rows(5)[0], torch.rand(1, 3, 3, generator=keyed(5)) < 0.5
    other = torch.where(seen, x, 77)
    assert torch.equal(model.log_marginal(x, seen), model.log_marginal(other, seen))
    with pytest.raises(DataError, match="boolean mask"):
        model.log_marginal(x, seen.long())


@pytest.mark.parametrize("unknown", [0, 60])
def test_em_never_lowers_the_likelihood(unknown):
    """Unsmoothed and with a single tree, where EM promises it; with and without labels."""
    model = latent(SPACE, LABELS, members=1, smoothing=0.0).double()
    x, y = rows()
    y[:unknown] = UNLABELLED
    model.initialise(x, y, generator=keyed(6))
    risen = []
    for _ in range(25):
        now = model.log_prob(x, y).mean()
        before = model.update(x, y)
        torch.testing.assert_close(before, now)
        risen.append(float(before))
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(risen))
    assert risen[-1] > risen[0] + 0.1


def test_pieces_do_not_matter(kind, monkeypatch):
    whole = fitted(kind)
    monkeypatch.setattr("priorcraft.explicit.exact.tree_model.NUMBERS", 9 * 2 * 3 * 7)
    pieces = fitted(kind)
    x, y = rows(50, seed=9)
    y[::3] = UNLABELLED
    torch.testing.assert_close(whole.log_prob(x, y), pieces.log_prob(x, y), atol=1e-4, rtol=0)


def test_blocks_of_rows_learn_too(monkeypatch):
    """Stepwise EM over blocks ends near the likelihood that whole rounds reach."""
    x, y = rows(240)
    found = []
    for size in (1000, 60):
        monkeypatch.setattr("priorcraft.explicit.exact.latent_tree.ROWS", size)
        model = latent(SPACE, LABELS, members=1)
        model.initialise(x, y, generator=keyed(6))
        first = model.log_prob(x, y).mean()
        for _ in range(12):
            model.update(x, y)
        found.append(float(model.log_prob(x, y).mean()))
        assert found[-1] > float(first) + 0.1
    assert found[0] == pytest.approx(found[1], abs=0.15)


def test_chow_liu_is_the_best_of_all_trees():
    """All 16 trees over 4 entries (Cayley), compared by their maximal likelihood."""
    x = rows(200)[0].flatten(1)[:, [0, 1, 2, 5]]
    model = ChowLiu(Space((4,), levels=2), smoothing=0.0).double()
    model.initialise(x, None, generator=keyed(0))
    model.update(x, None)
    pairs = list(itertools.combinations(range(4), 2))
    trees = [edges for edges in itertools.combinations(pairs, 3) if spans(edges)]
    assert len(trees) == 16
    best = max(sum(empirical(x[:, list(e)]) for e in edges) - degrees(x, edges) for edges in trees)
    assert float(model.log_prob(x).mean()) == pytest.approx(best, abs=1e-9)


def spans(edges):
    joined = {0}
    for _ in edges:
        joined |= {j for e in edges if joined & set(e) for j in e}
    return len(joined) == 4


def empirical(x):
    """Mean log frequency of the rows of x."""
    counts = x.unique(dim=0, return_counts=True)[1].double()
    return float((counts * (counts / len(x)).log()).sum()) / len(x)


def degrees(x, edges):
    flat = [i for e in edges for i in e]
    return sum((flat.count(i) - 1) * empirical(x[:, [i]]) for i in range(4))


def test_tree_hangs_from_its_centre():
    edges = [(i, i + 1) for i in range(8)]
    assert centre(edges) == 4
    assert hang(edges, 4).depth == [4, 3, 2, 1, 0, 1, 2, 3, 4]
    weight = torch.rand(6, 6, generator=keyed(7))
    assert len(spanning_tree(weight + weight.T)) == 5


def test_information_of_copies_and_constants():
    x = torch.randint(4, (400, 3), generator=keyed(8))
    x[:, 1], x[:, 2] = x[:, 0], 0
    information = mutual_information(x, torch.ones(400, 1), 4)
    assert float(information[0, 1]) == pytest.approx(math.log(4), abs=0.05)
    assert float(information[0, 2]) == pytest.approx(0, abs=0.01)


def test_information_is_the_same_a_few_rows_at_a_time(monkeypatch):
    x, weights = torch.randint(4, (400, 3), generator=keyed(8)), torch.rand(400, 2, generator=keyed(9))
    whole = mutual_information(x, weights, 4)
    monkeypatch.setattr("priorcraft.explicit.exact.structure.ROWS", 64)
    torch.testing.assert_close(mutual_information(x, lambda rows: weights[rows], 4), whole)


@pytest.mark.parametrize("dims", [1, 2])
def test_smallest_tables(kind, dims):
    """One row, one entry, a constant column: nothing becomes nan."""
    model = kind(Space((dims,), levels=3))
    x = torch.zeros(1, dims, dtype=torch.long)
    model.initialise(x, None, generator=keyed(0))
    model.update(x, None)
    model.update(x, None)
    assert bool(torch.isfinite(model.log_prob(x)).all())
    assert bool(model.log_prob(x).exp() > 0.3)


def test_state_restores_the_trees(model, kind):
    again = kind(SPACE, model.context).double()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.log_prob(ALL), model.log_prob(ALL))
    draw = [m.sample(20, generator=keyed(11)) for m in (model, again)]
    assert torch.equal(*draw)


def test_members_differ_and_are_averaged():
    model = fitted(latent, None)
    single = []
    for m in range(2):
        one = latent(SPACE, members=1).double()
        nodes = model.forest.member == m
        one.log_transition, one.log_emission = model.log_transition[nodes], model.log_emission[nodes]
        place = nodes.cumsum(0) - 1
        one.forest.variable, one.forest.depth = model.forest.variable[nodes], model.forest.depth[nodes]
        one.forest.parent = place[model.forest.parent[nodes]].where(one.forest.depth > 0, 0)
        single.append(one.log_prob(ALL))
    assert not torch.allclose(*single)
    torch.testing.assert_close(torch.stack(single).logsumexp(0) - math.log(2), model.log_prob(ALL))


def test_an_entry_is_smoothed_by_its_own_levels():
    """More levels in another column are no reason to blur one of three words."""
    words = F.pad(torch.tensor(list(itertools.product(range(3), repeat=2))), (0, 1))
    x, told = words[torch.tensor([0, 0, 0, 0, 1, 4, 4, 4, 8, 8, 8, 8])], []
    for levels in (3, 20):
        model = latent(Space((3,), levels=levels, sizes=(3, 3, levels)), members=1, latents=1).double()
        model.initialise(x, None, generator=keyed(0))
        start = model.log_prob(words)
        model.update(x, None)
        told.append(torch.stack([each - each[0] for each in (start, model.log_prob(words))]))
    torch.testing.assert_close(*told)


@pytest.mark.parametrize("context", [None, Space((1, 3, 3), 2)])
def test_what_cannot_be_counted_is_refused(kind, context):
    with pytest.raises(UsageError, match="tree"):
        kind(SPACE if context else Space((2,)), context)


def test_limits_are_sentences():
    for wrong in ({"members": 0}, {"latents": 0}, {"smoothing": -1.0}):
        with pytest.raises(UsageError, match=r"found|not"):
            latent(SPACE, **wrong)
    with pytest.raises(UsageError, match=r"levels\^2"):
        ChowLiu(Space((3, 64, 64), levels=256))


def test_many_levels_are_binned_for_the_structure():
    x = torch.randint(256, (50, 40), generator=keyed(10))
    x[:, 1] = x[:, 0]
    tree = chow_liu_tree(x, torch.ones(50, 1), 256)
    assert tree.parent[1] == 0 or tree.parent[0] == 1


def test_what_is_said_of_left_out_rows_is_what_the_tables_without_them_say(monkeypatch):
    monkeypatch.setattr("priorcraft.explicit.exact.left_out.STRENGTHS", (3.0,))
    counts = torch.randint(4, (2, 3, 4, 5), generator=keyed(3)).double()

    def tables(counts):
        root = leaned(counts.sum((1, 2), keepdim=True), [evenly_shared(torch.full((2, 1, 1, 5), 0.2).double())])
        return leaned(counts, [leaned(counts.sum(2, keepdim=True), [root])])

    whole = tables(counts)
    assert torch.allclose(whole.p.sum(-1), torch.ones(()).double())
    for cell in [tuple(cell) for cell in counts.nonzero()[::7].tolist()]:
        fewer = counts.clone()
        fewer[cell] -= 1
        assert float(whole.left[cell]) == pytest.approx(float(tables(fewer).p[cell]), rel=1e-6)


def test_tables_lean_as_far_as_left_out_rows_say():
    even = torch.full((1, 1, 1, 4), 0.25)
    certain = torch.tensor([[[[60.0, 0, 0, 0], [0, 60, 0, 0], [0, 0, 60, 0], [0, 0, 0, 60]]]])
    apart = backed_off(certain, even)
    assert 0 < float(apart[0, 0, 0, 1]) < 0.01
    noise = torch.ones(1, 1, 30, 4)
    noise[0, 0, torch.arange(30), torch.arange(30) % 4] += 1
    assert float((backed_off(noise, even) - 0.25).abs().max()) < 0.05
    by_class = certain.repeat(1, 2, 1, 1)  # what a class of two rows has not shown, the other one tells
    by_class[:, 1] = torch.eye(4)
    assert float(backed_off(by_class, even)[0, 1].diagonal().min()) > 0.9
    islands = torch.zeros(1, 3, 2, 3)  # each class on an island of its own, whatever the parent says
    islands[0, torch.arange(3), :, torch.arange(3)] = 20
    assert float(backed_off(islands, torch.full((1, 1, 1, 3), 1 / 3))[0, 0, :, 1:].max()) < 0.01


def test_tables_may_be_worked_on_one_by_one(monkeypatch):
    space = Space((5,), 4, unordered=(1,))
    model, x = ChowLiu(space, Space((), 3)), torch.randint(4, (60, 5), generator=keyed(3))
    model.initialise(x, x[:, 0] % 3, generator=keyed(0))
    model.update(x, x[:, 0] % 3)
    once = model.log_transition.clone()
    monkeypatch.setattr("priorcraft.explicit.exact.chow_liu.AT_ONCE", 1)
    model.update(x, x[:, 0] % 3)
    assert torch.allclose(model.log_transition, once)
    assert torch.allclose(model._bells(model.forest.nodes()[0, 1:2], 1.0)[0, 0], torch.eye(4))


def bells(tables, levels):
    """Bells of width one over so many levels, columns sum to one."""
    apart = torch.arange(levels).unsqueeze(1) - torch.arange(levels)
    return (-0.5 * apart.double().square()).softmax(0).float().expand(tables, 1, -1, -1)


def test_rows_near_a_cell_tell_what_it_is_worth_and_a_left_out_row_takes_its_bell_along():
    counts, near = torch.randint(3, (2, 1, 6, 6), generator=keyed(3)).float(), Bells(bells(2, 6), bells(2, 6))
    root = evenly_shared(torch.full((2, 1, 1, 6), 1 / 6))
    whole = near.smoothed(counts, root)
    assert torch.allclose(whole.p.sum(-1), torch.ones(()))
    for cell in [tuple(cell) for cell in counts.nonzero()[::5].tolist()]:
        fewer = counts.clone()
        fewer[cell] -= 1
        assert float(whole.left[cell]) == pytest.approx(float(near.smoothed(fewer, root).p[cell]), rel=1e-4)
    line = 3 * torch.eye(12).view(1, 1, 12, 12)  # numbers that go together: a cell beside the line is not one far away
    line[0, 0, ::2] = 0
    found = backed_off(line, torch.full((1, 1, 1, 12), 1 / 12), near=[Bells(bells(1, 12), bells(1, 12))])[0, 0]
    assert float(found[6, 5:8].sum()) > 0.5


def test_what_a_class_says_is_not_halved_by_what_the_parent_says():
    few = torch.tensor([[[18.0, 2.0], [10.0, 10.0]], [[1.5, 1.5], [0.3, 2.7]]])  # the odds of k are 1/9, 1, 1 and 9
    counts = few.view(1, 2, 1, 2, 2).repeat(1, 1, 20, 1, 1).view(1, 2, 40, 2)
    for found in (backed_off(counts, torch.full((1, 1, 1, 2), 0.5)), leaning(counts, 10.0)):
        assert torch.allclose(found.sum(-1), torch.ones(()))
        rare, even = found[0, 1, :2, 1]
        assert abs(rare - 0.5) < 0.08
        assert even > 0.75


def test_names_lend_no_weight_to_their_neighbours():
    x = torch.tensor([[0, 0], [4, 4]]).repeat(60, 1)
    near = []
    for unordered in ((), (0, 1)):
        model = latent(Space((2,), levels=5, unordered=unordered), members=1, latents=2)
        model.initialise(x, None, generator=keyed(0))
        for _ in range(4):
            model.update(x, None)
        near.append(model.conditional_tables(torch.zeros(1, 2).long(), torch.tensor([True, False]))[0, 1])
    ordered, names = near
    assert float(ordered[1]) > 2 * float(ordered[3])
    assert float(names[1]) == pytest.approx(float(names[3]))
