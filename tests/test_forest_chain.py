"""The chain of forests: what it learns of columns that hang together, and what an ensemble answers without it."""

import copy

import pytest
import torch
import torch.nn.functional as F

from priorcraft import runtime
from priorcraft.condition import posterior
from priorcraft.core import Finer, Space
from priorcraft.explicit.exact.chow_liu import ChowLiu
from priorcraft.explicit.exact.ensemble import TreesAndNetwork
from priorcraft.explicit.exact.forest_chain import ForestChain, weighed
from priorcraft.explicit.exact.latent_tree import LatentTree
from priorcraft.explicit.exact.scores import Scores
from priorcraft.observe import Mask
from priorcraft.zoo.found import trees_and_network

FINER = (Finer(3, 0, (4,) * 8), Finer(4, 1, (4,) * 8), Finer(5, 2, (4,) * 8))
NUMBERS = Space((6,), 8, sizes=(8, 8, 8, 4, 4, 4), finer=FINER)


def sums(n: int) -> torch.Tensor:
    """Two numbers and their sum, each by its rank in two digits."""
    a, b = torch.randn(2, n, generator=runtime.keyed(1, n))
    rank = torch.special.ndtr(torch.stack([a, b, (a + b) / 2**0.5], 1)) * 32
    leaf = rank.long().clamp(0, 31)
    return torch.cat([leaf // 4, leaf % 4], 1)


def test_a_sum_of_two_columns_is_known_below_the_bin():
    """A hidden tree cannot say it; the exact conditional entropy of the third number is that of rounding alone."""
    train, test = sums(300), sums(200)
    chain = ForestChain(NUMBERS, trees=2, leaves=8)
    tree = LatentTree(NUMBERS, members=1, latents=6)
    for model, rounds in ((chain, 1), (tree, 10)):
        model.initialise(train, None, generator=runtime.keyed(0))
        for _ in range(rounds):
            model.update(train, None)
    assert float(chain.log_prob(test).mean()) > float(tree.log_prob(test).mean()) + 0.8
    again = copy.deepcopy(chain)
    again.update(train, None)
    assert torch.equal(again.log_prob(test), chain.log_prob(test)), "it is grown once"


def test_scores_of_two_digits_are_those_of_the_number():
    scores, x = Scores(NUMBERS, 0), sums(2000)
    scores.initialise(x)
    place = (x[:, 0] * 4 + x[:, 3] + 0.5) / 32
    assert torch.allclose(torch.special.ndtr(scores.of(3, x)), place, atol=0.03)
    edges = scores.edges(3, x)
    own = torch.arange(len(x)), x[:, 3]
    assert bool((edges[own] < scores.of(3, x)).all() and (scores.of(3, x) < edges[:, 1:][own]).all())


def test_experts_are_weighed_by_what_they_say():
    said = torch.tensor([[0.9, 0.1]] * 60 + [[0.1, 0.9]] * 20)
    assert weighed(said).tolist() == pytest.approx([0.8125, 0.1875], abs=0.02)  # (.8 w + .1) = .75


def test_a_counted_tree_is_a_member_of_ensembles_of_tables():
    model, x = TreesAndNetwork(NUMBERS, latents=2, trees=1, orders=1, width=8, chow_liu=True), sums(60)
    model.initialise(x, None, generator=runtime.keyed(0))
    tree = model.parts()[1]
    assert isinstance(tree, ChowLiu)
    tree.update(x, None)
    model.weigh(x, None)
    assert float(model.log_weights[1].exp()) > 0.8  # the others have not learned yet
    every = torch.cartesian_prod(*(torch.arange(size) for size in NUMBERS.sizes[:2]))
    seen = torch.arange(6) < 2
    each = [posterior(model.eval(), Mask(seen), F.pad(some, (0, 4))).log_evidence for some in every.split(64)]
    assert float(torch.cat(each).logsumexp(0).exp()) == pytest.approx(1, abs=1e-4)
    assert all(trees_and_network(NUMBERS, 1000)[key] for key in ("chow_liu", "forests"))
    assert not trees_and_network(Space((5000,), levels=32), 1000)["chow_liu"]


def test_evidence_is_answered_by_the_members_that_know_any_order():
    model, x = TreesAndNetwork(NUMBERS, latents=2, trees=1, orders=1, width=8, forests=2, leaves=4), sums(60)
    model.initialise(x, None, generator=runtime.keyed(0))
    model.parts()[1].update(x, None)  # pyright: ignore[reportAttributeAccessIssue]
    answer = posterior(model.eval(), Mask(torch.arange(6) < 3), x[:4])
    assert answer.kind == "exact"
    assert answer.diagnostics["unasked_weight"] == pytest.approx(1 / 3)
    others = [model.parts()[m] for m in (0, 2)]
    each = torch.stack([posterior(member, Mask(torch.arange(6) < 3), x[:4]).log_prob(x[:4]) for member in others])
    assert bool((answer.log_prob(x[:4]) <= each.amax(0) + 1e-5).all())
