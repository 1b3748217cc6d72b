"""Conditioning: every engine against enumeration, in worlds so small that Bayes' theorem can be written out."""

import math
from collections.abc import Iterator

import pytest
import torch

from laws.table import BITS, LABELS, PLANE, every_image, rows, tiny
from priorcraft import runtime
from priorcraft.condition import engine_for, posterior
from priorcraft.condition.beside import BlocksBeside
from priorcraft.condition.blocks import BlockChain, sums_within, turn_blocks
from priorcraft.condition.cell_steps import CellSteps
from priorcraft.condition.evidence import PerMask
from priorcraft.condition.hamiltonian import HamiltonianChain, hamiltonian
from priorcraft.condition.latent import CodeGibbs, LatentChain
from priorcraft.condition.ordered import EvidenceFirst
from priorcraft.condition.steps import Steps
from priorcraft.condition.sums import ComponentSums, blocks_of
from priorcraft.condition.turns import CachedTurns, steps_of, turns_of
from priorcraft.condition.weighted import Importance, Particles, Sequential
from priorcraft.condition.windowed import WindowChain
from priorcraft.core import Observation, Space
from priorcraft.datasets.progress import telling
from priorcraft.errors import DataError, ImpossibleEvidence, NoDensity
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.approximate.vqvae import VQVAE
from priorcraft.explicit.exact.autoregressive import MaskedAutoregressive
from priorcraft.explicit.exact.chain import Autoregressive, evidence_first
from priorcraft.explicit.exact.chow_liu import ChowLiu
from priorcraft.explicit.exact.latent_tree import LatentTree
from priorcraft.explicit.exact.masked_conv import MaskedConvolution
from priorcraft.explicit.exact.mixture import Mixture
from priorcraft.explicit.exact.naive_bayes import NaiveBayes
from priorcraft.observe import BlockMean, Choice, GaussianNoise, Mask, Quantisation, compose, jointly

MASKS = [
    torch.tensor([1, 1, 1, 1, 1, 0, 0, 0, 0]),
    torch.tensor([0, 1, 0, 1, 0, 1, 0, 0, 1]),
    torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, 1]),
]
IMAGE = torch.tensor([1, 0, 1, 1, 0, 0, 1, 1, 0]).view(1, 1, 3, 3)


def model_of(name, *, labels=True):
    """A tiny model in float64; the trees and the convolution are built here, the others stand in the table."""
    kinds = {
        "chow-liu": (ChowLiu, {}),
        "latent-tree": (LatentTree, {"members": 2, "latents": 2}),
        "masked-conv": (MaskedConvolution, {"orders": 2, "channels": 4, "depth": 1, "window": 3}),
    }
    if name not in kinds:
        return tiny(name, labels=labels)
    kind, settings = kinds[name]
    with runtime.borrowed_global_generator("tiny", name):
        model = kind(BITS, LABELS if labels else None, **settings).double()
        x, y = rows(BITS)
        given = y if labels else None
        model.initialise(x, given, generator=runtime.keyed(name))
        for _ in range(3 if isinstance(model, ChowLiu | LatentTree) else 0):
            model.update(x, given)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def enumerated(log_p, observation, y):
    """log p(x | y) of every image, from log p(x) and p(y | x) alone."""
    x = every_image()
    wide = (
        tuple(part.expand(512, *part.shape[1:]) for part in y) if isinstance(y, tuple) else y.expand(512, *y.shape[1:])
    )
    return (log_p + observation.log_prob(wide, x)).log_softmax(0)


def chi_squared(draws, log_p):
    """Whether the frequencies of draws (n, 1, 3, 3) agree with log_p (512,); the error rate is about 1e-5."""
    code = (draws.flatten(1) * 2 ** torch.arange(8, -1, -1)).sum(1)
    counts, expected = torch.bincount(code, minlength=512), log_p.exp() * len(draws)
    large = expected > 5
    seen = torch.cat([counts[large], counts[~large].sum()[None]])
    hoped = torch.cat([expected[large], expected[~large].sum()[None]]).clamp_min(1e-9)
    degrees = int(large.sum())
    return float(((seen - hoped).square() / hoped).sum()) < degrees + 4.3 * math.sqrt(2 * degrees) + 12


def exact_for(model, observation, given=None):
    """log p(x) over every image of the density that the engine says it is exact for."""
    x = every_image()
    labels = None if given is None else given.expand(512)
    if isinstance(model, MaskedAutoregressive | MaskedConvolution) and isinstance(observation, Mask):
        orders = evidence_first(model.orders, observation.seen.flatten())
        each = torch.stack([model.log_prob_in(x, order, labels) for order in orders])
        return each.logsumexp(0) - math.log(len(orders))
    return model.log_prob(x, labels)


EXACT = ("masked-mlp", "masked-conv", "naive-bayes", "mixture", "chow-liu", "latent-tree")


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("labels", [True, False])
def test_exact_engines_agree_with_enumeration_for_every_mask(name, labels):
    model = model_of(name, labels=labels)
    with torch.no_grad():
        for mask in MASKS:
            observation = Mask(mask.bool().view(1, 3, 3))
            y = observation.forward(IMAGE)
            found = posterior(model, observation, y)
            assert found.kind == "exact"
            expected = enumerated(exact_for(model, observation), observation, y)
            some = (every_image() * mask.view(1, 3, 3) == y).all((1, 2, 3))
            each = [posterior(model, observation, y).log_prob(x[None]) for x in every_image()[some][:6]]
            assert torch.allclose(torch.cat(each), expected[some][:6], atol=1e-6)


@pytest.mark.parametrize("name", EXACT)
def test_draws_follow_the_posterior_and_leave_what_is_seen(name):
    model, observation = model_of(name), Mask(MASKS[1].bool().view(1, 3, 3))
    y = observation.forward(IMAGE)
    with torch.no_grad():
        draws = posterior(model, observation, y).sample(4000, generator=runtime.keyed(2))[0]
        assert torch.equal(observation.forward(draws), y.expand(4000, -1, -1, -1))
        assert chi_squared(draws, enumerated(exact_for(model, observation), observation, y))


@pytest.mark.parametrize("name", EXACT)
def test_a_label_is_evidence_too(name):
    model, observation = model_of(name), Mask(MASKS[0].bool().view(1, 3, 3))
    y, given = observation.forward(IMAGE), torch.tensor([2])
    with torch.no_grad():
        expected = enumerated(exact_for(model, observation, given), observation, y)
        draws = posterior(model, observation, y, given=given).sample(3000, generator=runtime.keyed(5))[0]
        assert chi_squared(draws, expected)
        unknown = posterior(model, observation, y, given=torch.tensor([-1])).log_prob(IMAGE)
        assert torch.allclose(unknown, posterior(model, observation, y).log_prob(IMAGE))


@pytest.mark.parametrize("name", EXACT)
def test_nothing_hidden_returns_the_input_and_everything_hidden_is_a_sample(name):
    model = model_of(name)
    nothing, everything = Mask(torch.ones(1, 3, 3).bool()), Mask(torch.zeros(1, 3, 3).bool())
    with torch.no_grad():
        kept = posterior(model, nothing, IMAGE).sample(3, generator=runtime.keyed(0))
        assert torch.equal(kept, IMAGE.expand(3, -1, -1, -1)[None])
        assert torch.allclose(posterior(model, nothing, IMAGE).log_prob(IMAGE), torch.zeros(1).double(), atol=1e-6)
        draws = posterior(model, everything, 0 * IMAGE).sample(4000, generator=runtime.keyed(1))[0]
        assert chi_squared(draws, model.log_prob(every_image()))


def soft_observations():
    seen = Mask(MASKS[1].bool().view(1, 3, 3))
    return [
        GaussianNoise(0.7),
        compose(seen, GaussianNoise(0.5)),
        jointly(seen, GaussianNoise(1.0)),
        Quantisation(2.0),
    ]


@pytest.mark.parametrize("which", range(4))
def test_uncertain_evidence_agrees_with_enumeration(which):
    observation: Observation = soft_observations()[which]
    y = observation.sample(IMAGE, generator=runtime.keyed("y"))
    for name, kind in (("naive-bayes", "exact"), ("mixture", "exact"), ("masked-mlp", "approximate")):
        model = model_of(name)
        with torch.no_grad():
            expected = enumerated(model.log_prob(every_image()), observation, y)
            found = posterior(model, observation, y)
            assert found.kind == kind
            if kind == "exact":
                assert torch.allclose(found.log_prob(IMAGE), expected[(every_image() == IMAGE).all((1, 2, 3))])
                assert chi_squared(found.sample(3000, generator=runtime.keyed(3))[0], expected)


def mean_gap(draws, log_p):
    """Largest difference between the means of entries under draws and under log_p."""
    expected = (log_p.exp()[:, None] * every_image().flatten(1)).sum(0)
    return float((draws.flatten(1).double().mean(0) - expected).abs().max())


def marginal(model, draws=8000):
    """log p(x) of every image as a mean over draws of (c, z) from the prior."""
    generator = runtime.keyed("marginal")
    c = runtime.categorical(model.log_prior.expand(draws, -1), generator=generator)
    on = model.likelihood(model.prior(draws, given=c, generator=generator), c).log_prob(torch.ones(draws, 1, 3, 3))
    off = torch.log1p(-on.exp())
    x = every_image().flatten(1).double()
    return torch.logsumexp(on.flatten(1) @ x.T + off.flatten(1) @ (1 - x).T, 0) - math.log(draws)


@pytest.mark.parametrize("name", ["masked-mlp", "flat-vae", "ppca", "gan"])
def test_approximate_engines_say_so_and_come_near(name):
    """Means of entries within 0.06 of enumeration; a generator without a density has none to be compared with."""
    model = model_of(name)
    observation = Mask(MASKS[0].bool().view(1, 3, 3))
    y = observation.forward(IMAGE)
    with torch.no_grad():
        engine = posterior(model, observation, y)
        if name == "masked-mlp":
            engine = Sequential(model, observation, y, None)
        if name == "flat-vae":
            engine = LatentChain(model, observation, y, None, start=8000, steps=20)
        draws = engine.sample(3000, generator=runtime.keyed(1))[0]
        assert engine.kind == "approximate"
        assert engine.diagnostics or name == "ppca"
        assert torch.equal(observation.forward(draws), y.expand(3000, -1, -1, -1))
        if name == "gan":
            return
        if name == "flat-vae":
            log_p = marginal(model)
        elif name == "masked-mlp":
            order = model.orders[0]
            log_p = model.log_prob_in(every_image(), order)
        else:
            log_p = model.log_prob(every_image())
        assert mean_gap(draws, enumerated(log_p, observation, y)) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("observation", [Mask(MASKS[0].bool().view(1, 3, 3)), BlockMean(3)])
def test_hamiltonian_chains_in_z_follow_the_posterior(observation):
    """They begin at one draw of z each, far from the target: what comes near is the chain's own work."""
    model = model_of("flat-vae", labels=False)
    y = observation.forward(IMAGE)
    with torch.no_grad():
        engine = HamiltonianChain(model, observation, y, None, start=1, steps=30)
        draws = engine.sample(3000, generator=runtime.keyed(1))[0]
        assert torch.equal(observation.forward(draws), y.expand(3000, *y.shape[1:]))
        assert 0.5 < engine.diagnostics["acceptance"] < 1
        assert mean_gap(draws, enumerated(marginal(model), observation, y)) < 0.06
        assert engine_for(model, observation) is HamiltonianChain


def test_hamiltonian_moves_reach_the_closed_form_of_a_linear_gaussian_model():
    """y = A z + e: N(S A' y / s^2, S) with S^-1 = I + A' A / s^2, from a start ten standard deviations away."""
    matrix = torch.tensor([[1.0, 2.0], [0.5, -1.0], [0.0, 0.3]]).double()
    y, noise = torch.tensor([1.0, -0.4, 0.2]).double(), 0.5
    covariance = torch.linalg.inv(torch.eye(2).double() + matrix.T @ matrix / noise**2)
    mean = covariance @ matrix.T @ y / noise**2

    def log_p(z):
        return -0.5 * z.square().sum(1) - 0.5 * (y - z @ matrix.T).square().sum(1) / noise**2

    z, share = hamiltonian(torch.full((4000, 2), 5.0).double(), log_p, steps=30, generator=runtime.keyed(0))
    assert 0.6 < share < 0.95
    assert torch.allclose(z.mean(0), mean, atol=0.03)
    assert torch.allclose(torch.cov(z.T), covariance, atol=0.02)


@pytest.mark.slow
def test_a_ladder_whose_pixels_see_earlier_ones_follows_the_posterior():
    """Hidden pixels before the seen ones: the first drawn look ahead. The steps keep what they begin with."""
    observation, x = Mask(MASKS[2].bool().view(1, 3, 3)), every_image()
    with runtime.borrowed_global_generator("ladder"):
        model = LadderVAE(BITS, layers=2, latent=1, width=4, pixel_width=4, reach=1).double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.4 * torch.randn_like(parameter))
    y = observation.forward(1 - IMAGE)
    with torch.no_grad():
        z = model.prior(300, generator=runtime.keyed(0))
        pairs = z.repeat_interleave(512, 0), x.repeat(300, 1, 1, 1)
        log_p = model.log_prob_each(*pairs).flatten(1).sum(1).view(300, 512).logsumexp(0) - math.log(300)
        engine = WindowChain(model, observation, y, None, start=2000, steps=3)
        draws = engine.sample(1000, generator=runtime.keyed(1))[0]
        assert torch.equal(observation.forward(draws), y.expand(1000, -1, -1, -1))
        assert mean_gap(draws, enumerated(log_p, observation, y)) < 0.07
        assert set(engine.diagnostics) == {"effective_share", "acceptance", "pixels_moved"}
        assert engine_for(model, observation) is WindowChain


@pytest.mark.parametrize("observation", [Mask(MASKS[1].bool().view(1, 3, 3)), BlockMean(3)])
def test_code_words_are_drawn_from_their_posterior(observation):
    """All 27 rows of code words enumerated; chains begin at one row each."""
    space = VQVAE.codes_space(3, 3)
    with runtime.borrowed_global_generator("codes"):
        model = VQVAE(BITS, prior=NaiveBayes(space), positions=3, words=3, word=2, hidden=8).double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.6 * torch.randn_like(parameter))
    y, z = observation.forward(IMAGE), torch.cartesian_prod(*[torch.arange(3)] * 3)
    with torch.no_grad():
        likelihood = model.likelihood(model.book[z.repeat_interleave(512, 0)])
        each = likelihood.log_prob(every_image().repeat(27, 1, 1, 1)).flatten(1).sum(1).view(27, 512)
        log_p = torch.logsumexp(each + model.p_z.log_prob(z)[:, None], 0)
        engine = CodeGibbs(model, observation, y, None, start=1, steps=24)
        draws = engine.sample(2000, generator=runtime.keyed(1))[0]
        assert mean_gap(draws, enumerated(log_p, observation, y)) < 0.06
        assert engine_for(model, observation) is CodeGibbs


@pytest.mark.parametrize("name", ["ppca", "qda", "gaussian-mixture", "gan", "kernel", "flat-vae"])
def test_block_means_are_met_by_engines_that_work_with_real_numbers(name):
    model, y = model_of(name, labels=False), torch.tensor([[[[4 / 9]]]])
    with torch.no_grad():
        draws = posterior(model, BlockMean(3), y).sample(20, generator=runtime.keyed(0))[0]
        assert torch.equal((BlockMean(3).forward(draws) * 9).round(), torch.full((20, 1, 1, 1), 4.0))
        with pytest.raises(ImpossibleEvidence, match="row 0"):
            posterior(model, BlockMean(3), y + 1)


def test_any_model_and_any_observation_have_an_answer():
    model, observation = model_of("masked-mlp"), BlockMean(3)
    y = observation.forward(IMAGE)
    with torch.no_grad():
        expected = enumerated(model.log_prob(every_image()), observation, y)
        draws = Importance(model, observation, y, None, draws=6000).sample(4000, generator=runtime.keyed(0))[0]
        assert mean_gap(draws, expected) < 0.05


FOUR = Space((1, 2, 4), 3)


def small(kind, **settings):
    with runtime.borrowed_global_generator("four"):
        model = kind(FOUR, LABELS, **settings).double()
        x, y = rows(FOUR)
        model.initialise(x, y, generator=runtime.keyed(0))
        for _ in range(3 if isinstance(model, NaiveBayes | Mixture) else 0):
            model.update(x + (y % 2).view(-1, 1, 1, 1), y)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


CELLS = {"orders": 1, "channels": 6, "depth": 1, "window": 3, "patch": 2}


def every_small():
    return torch.cartesian_prod(*[torch.arange(3)] * 8).view(-1, 1, 2, 4)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (NaiveBayes, {}),
        (Mixture, {"components": 3}),
        (MaskedAutoregressive, {"orders": 1, "width": 16}),
        (MaskedConvolution, CELLS),
    ],
)
def test_block_sums_are_met_exactly_and_draws_follow_the_posterior(kind, settings):
    model, observation, x = small(kind, **settings), BlockMean(2), every_small()
    y = torch.tensor([[[[1.25, 0.5]]]])
    with torch.no_grad():
        order = torch.tensor([0, 1, 4, 5, 2, 3, 6, 7])
        log_p = model.log_prob_in(x, order) if isinstance(model, Autoregressive) else model.log_prob(x)
        expected = (log_p + observation.log_prob(y.expand(len(x), -1, -1, -1), x)).softmax(0)
        engine = posterior(model, observation, y)
        if isinstance(engine, BlockChain):
            engine = BlockChain(model, observation, y, None, target=model.log_prob_in)
        draws = engine.sample(6000, generator=runtime.keyed(1))[0]
        assert torch.equal(observation.forward(draws), y.expand(6000, -1, -1, -1)[:, 0].view(6000, 1, 1, 2))
        gap = (draws.flatten(1).double().mean(0) - (expected[:, None] * x.flatten(1)).sum(0)).abs().max()
        assert float(gap) < 0.06
        if isinstance(engine, ComponentSums):
            inside = expected > 0
            found = [posterior(model, observation, y).log_prob(one[None]) for one in x[inside][:5]]
            assert torch.allclose(torch.cat(found).exp(), expected[inside][:5], atol=1e-8)
        else:
            assert isinstance(engine, BlockChain)
            assert engine.diagnostics["effective_share"] > 0.3


@pytest.mark.parametrize(("kind", "settings"), [(MaskedAutoregressive, {"width": 16}), (MaskedConvolution, CELLS)])
def test_block_sums_are_met_in_single_precision_a_few_rows_at_a_time(kind, settings, monkeypatch):
    model, observation, x = small(kind, **settings).float(), BlockMean(2), every_small()[::37][:5]
    y = observation.forward(x)
    monkeypatch.setattr("priorcraft.condition.blocks.ENTRIES", 2 * 64 * x[0].numel())  # two rows at a time
    engine, heard = posterior(model, observation, y), list[tuple[str, int, int]]()
    with telling(lambda *how_far: heard.append(how_far)):
        draws = engine.sample(3, generator=runtime.keyed(0))
    assert heard == [("drawn", 2, 5), ("drawn", 4, 5), ("drawn", 5, 5)]
    assert torch.equal(observation.forward(draws.flatten(0, 1)), y.repeat_interleave(3, 0))
    assert engine.diagnostics["particles"] == 64


def test_sweeps_without_a_target_settle_near_the_posterior_where_the_orders_agree():
    """The network's own weights are set to zero, so that p(x) is the same in every order."""
    model, observation, x = small(MaskedAutoregressive, orders=1, width=16), BlockMean(2), every_small()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("net"):
                parameter.zero_()
        y = torch.tensor([[[[1.25, 0.5]]]])
        expected = (model.log_prob(x) + observation.log_prob(y.expand(len(x), -1, -1, -1), x)).softmax(0)
        engine = posterior(model, observation, y)
        draws = engine.sample(4000, generator=runtime.keyed(1))[0]
    assert engine.diagnostics["acceptance"] > 0.99
    gap = (draws.flatten(1).double().mean(0) - (expected[:, None] * x.flatten(1)).sum(0)).abs().max()
    assert float(gap) < 0.06


def test_looking_ahead_by_a_triangular_solve_is_looking_ahead_by_whole_passes():
    model = small(MaskedAutoregressive, orders=1, width=16)
    order, c = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4]), torch.tensor([0, 2])
    x = torch.randint(3, (2, 8), generator=runtime.keyed(0))
    fast, plain = steps_of(model, order, x, 3, c, 4), Steps(model, order, x, 3, c)
    assert type(fast) is not type(plain)
    with torch.no_grad():
        for q in (3, 4, 6):
            assert torch.allclose(fast.log_p(q, 3), plain.log_p(q, 3))
        for steps in (fast, plain):
            steps.push(torch.tensor([2, 1]), 3)
        assert torch.allclose(fast.log_p(6, 4), plain.log_p(6, 4))


@pytest.mark.parametrize("order", [[0, 1, 4, 5, 2, 3, 6, 7], [2, 3, 6, 7, 0, 1, 4, 5]])
@pytest.mark.parametrize("start", [0, 4])
def test_the_entries_of_a_cell_follow_as_they_do_in_whole_passes(order, start):
    model, order, c = small(MaskedConvolution, **CELLS), torch.tensor(order), torch.tensor([0, 2])
    x = torch.randint(3, (2, 8), generator=runtime.keyed(0))
    fast, plain = steps_of(model, order, x, start, c, 4), Steps(model, order, x, start, c)
    assert isinstance(fast, CellSteps)
    with torch.no_grad():
        for p in range(start, start + 4):
            assert torch.allclose(fast.log_p(p, p), plain.log_p(p, p))
            for steps in (fast, plain):
                steps.push(torch.tensor([p % 3, 1]), p)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("patch", [1, 2])
def test_cells_of_a_block_follow_as_they_do_in_whole_passes_and_again(patch, factor):
    """Blocks that hold cells, and cells that hold blocks of several colours."""
    space, x = Space((2, 4, 8), 3), torch.randint(3, (2, 64), generator=runtime.keyed(0))
    with runtime.borrowed_global_generator("blocks"):
        model = MaskedConvolution(space, channels=4, depth=2, window=3, patch=patch, orders=1).double().eval()
        for parameter in model.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    blocks = turn_blocks(model, factor)
    order, size = blocks.flatten(), blocks.shape[1]
    numbers, part = sums_within(blocks, blocks_of(space.event_shape, factor))
    assert sorted(numbers.flatten().tolist()) == list(range(len(blocks_of(space.event_shape, factor))))
    assert sorted(part.unique().tolist()) == list(range(numbers.shape[1]))
    turns = turns_of(model, order, size)
    assert isinstance(turns, CachedTurns)
    with torch.no_grad():

        def said(steps: Steps) -> Iterator[torch.Tensor]:
            for p in range(start, start + size):
                yield torch.stack([steps.log_p(start + size - 1, p), steps.log_p(p, p)])
                steps.push(x[:, order[p]], p)

        for start in range(0, 64, size):
            fast = turns.at(start, x, None)
            ahead, now = torch.stack(list(said(fast)), 1)
        for steps in (fast.again(), steps_of(model, order, x, start, None, size)):
            assert torch.allclose(torch.stack(list(said(steps)), 1), torch.stack([ahead, now]))
        for p in range(start, 64, 3):
            assert torch.allclose(now[p - start], model.conditionals(x, order, None).table()[:, order[p]])


def test_the_colours_of_a_block_meet_a_sum_each_and_follow_the_posterior():
    space, observation = Space((3, 2, 2), 2), BlockMean(2)
    every = torch.cartesian_prod(*[torch.arange(2)] * 12).view(-1, 3, 2, 2)
    with runtime.borrowed_global_generator("colours"):
        model = MaskedConvolution(space, channels=4, depth=1, window=3, patch=2, orders=1).double().eval()
        for parameter in model.parameters():
            parameter.data.add_(0.4 * torch.randn_like(parameter))
    y = torch.tensor([0.5, 0.25, 0.75]).view(1, 3, 1, 1)
    alone = BlockChain(model, observation, y, None, sweeps=0, particles=16)
    with torch.no_grad():
        log_y = observation.log_prob(y.expand(len(every), -1, -1, -1), every)
        expected = (model.log_prob(every) + log_y).softmax(0)
        for engine in (posterior(model, observation, y), alone):
            draws = engine.sample(4000, generator=runtime.keyed(1))[0]
            assert torch.equal(observation.forward(draws), y.expand(4000, -1, -1, -1))
            gap = draws.flatten(1).double().mean(0) - (expected[:, None] * every.flatten(1)).sum(0)
            assert float(gap.abs().max()) < 0.03
            assert ("sweeps" in engine.method) == (engine is not alone)


def test_a_cell_of_which_a_colour_is_known_is_drawn_as_one():
    space, known = Space((3, 2, 2), 2), torch.tensor([1, 0, 0]).bool().view(3, 1, 1).expand(3, 2, 2)
    every = torch.cartesian_prod(*[torch.arange(2)] * 12).view(-1, 3, 2, 2)
    with runtime.borrowed_global_generator("colours"):
        model = MaskedConvolution(space, channels=4, depth=1, window=3, patch=2, orders=1).double().eval()
        for parameter in model.parameters():
            parameter.data.add_(0.4 * torch.randn_like(parameter))
    observation, truth = jointly(Mask(known), BlockMean(2)), every[2477:2478]
    y = observation.forward(truth)
    with torch.no_grad():
        log_y = observation.log_prob(tuple(part.expand(len(every), *part.shape[1:]) for part in y), every)
        expected = (model.log_prob(every) + log_y).softmax(0)
        engine = posterior(model, observation, y)
        assert isinstance(engine, BlocksBeside)
        engine.sweeps = 0
        engine.particles = 48
        draws = engine.sample(2000, generator=runtime.keyed(1))[0]
    assert len(engine.blocks) == 1
    assert torch.equal(draws[:, 0], truth[:, 0].expand(2000, 2, 2))
    assert torch.equal(BlockMean(2).forward(draws), y[1].expand(2000, 3, 1, 1))
    gap = draws.flatten(1).double().mean(0) - (expected[:, None] * every.flatten(1)).sum(0)
    assert float(gap.abs().max()) < 0.04


def test_each_draw_of_its_own_particles_begins_with_a_class_at_chance():
    model = small(MaskedAutoregressive, orders=1, width=16)
    of = Particles(model, 900, 2, None, runtime.keyed(0))
    shares = torch.bincount(of.c, minlength=model.classes) / len(of.c)
    assert torch.allclose(shares.double(), model.log_prior.exp(), atol=0.06)


@pytest.mark.parametrize("first", [0, 7])
def test_blocks_in_turn_are_what_whole_passes_say_when_points_are_drawn_again_in_between(first):
    """With `first` the block that comes before the others: a stage of its own."""
    space, x = Space((1, 6, 6), 3), torch.randint(3, (4, 36), generator=runtime.keyed(0))
    with runtime.borrowed_global_generator("turns"):
        model = MaskedConvolution(space, LABELS, channels=6, depth=2, window=3, patch=2, orders=1).double().eval()
        for parameter in model.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    blocks = blocks_of(space.event_shape, 2)
    order = torch.cat([blocks[first], blocks[torch.arange(9) != first].flatten()])
    drawn, c, turns = torch.zeros_like(x), torch.tensor([0, 1, 2, 1]), turns_of(model, order, 4)
    assert isinstance(turns, CachedTurns)
    with torch.no_grad():
        for start in range(0, 36, 4):
            fast, plain = turns.at(start, drawn, c), Steps(model, order, drawn, start, c)
            for p in range(start, start + 4):
                assert torch.allclose(fast.log_p(p, p), plain.log_p(p, p))
                for steps in (fast, plain):
                    steps.push(x[:, order[p]], p)
                drawn[:, order[p]] = x[:, order[p]]
            again = torch.randint(4, (4,), generator=runtime.keyed(start))
            drawn, x, c = drawn[again], x[again], c[again]
            turns.take(again)


@pytest.mark.parametrize("name", ["mixture", "gaussian-mixture", "ppca", "lda", "qda"])
def test_gaussians_are_conditioned_in_closed_form(name):
    """p(x_1 | x_0) of real-valued models against p(x_0, x_1) along a line."""
    model, observation = tiny(name, space=PLANE), Mask(torch.tensor([True, False]))
    line = torch.stack([torch.full((4001,), 0.7), torch.linspace(-20, 20, 4001)], 1).double()
    with torch.no_grad():
        weight = model.log_prob(line).softmax(0)
        engine = posterior(model, observation, observation.forward(line[:1]))
        draws = engine.sample(20000, generator=runtime.keyed(0))[0]
        mean, second = (weight * line[:, 1]).sum(), (weight * line[:, 1].square()).sum()
        assert engine.kind == "exact"
        assert torch.equal(draws[:, 0], line[:1, 0].expand(20000))
        assert abs(float(draws[:, 1].mean() - mean)) < 0.05
        assert abs(float(draws[:, 1].square().mean() - second)) < 0.15
        density = torch.cat([posterior(model, observation, line[:1] * torch.tensor([1, 0])).log_prob(line[2000:2001])])
        assert abs(float(density.exp()) - float(weight[2000] / 0.01)) < 1e-3
        noisy = posterior(model, GaussianNoise(0.5), line[2000:2001])
        grid = torch.cartesian_prod(*[torch.linspace(-6, 6, 241).double()] * 2)
        near = (model.log_prob(grid) + GaussianNoise(0.5).log_prob(line[2000:2001], grid)).softmax(0)
        drawn = noisy.sample(20000, generator=runtime.keyed(0))[0]
        assert torch.allclose(drawn.mean(0), (near[:, None] * grid).sum(0), atol=0.05)


@pytest.mark.parametrize("kind", [NaiveBayes, Mixture, MaskedConvolution])
def test_a_tile_sees_the_pixels_beside_it_and_meets_its_sums(kind):
    settings = CELLS if kind is MaskedConvolution else {}
    model, x = small(kind, **settings), every_small()
    known = torch.tensor([1, 1, 0, 0]).bool().expand(1, 2, 4)
    observation = jointly(Mask(known), BlockMean(2))
    truth = torch.tensor([[[[2, 0, 1, 2], [1, 2, 0, 1]]]])
    y = observation.forward(truth)
    with torch.no_grad():
        expected = (
            model.log_prob(x) + observation.log_prob(tuple(p.expand(len(x), *p.shape[1:]) for p in y), x)
        ).softmax(0)
        engine = posterior(model, observation, y)
        if isinstance(engine, BlocksBeside):
            order = torch.tensor([0, 1, 4, 5, 2, 3, 6, 7])
            log_p = model.log_prob_in(x, order) + observation.log_prob(
                tuple(p.expand(len(x), *p.shape[1:]) for p in y), x
            )
            expected = log_p.softmax(0)
            engine.sweeps = 0  # which would make up for wrong weights
        draws = engine.sample(4000, generator=runtime.keyed(1))[0]
    assert torch.equal(draws[..., :2], truth[..., :2].expand(4000, 1, 2, 2))
    assert torch.equal(BlockMean(2).forward(draws), y[1].expand(4000, 1, 1, 2))
    gap = (draws.flatten(1).double().mean(0) - (expected[:, None] * x.flatten(1)).sum(0)).abs().max()
    assert float(gap) < 0.06


def test_rows_with_masks_of_their_own():
    model = model_of("masked-mlp")
    seen = torch.stack([m.bool().view(1, 3, 3) for m in (*MASKS, MASKS[0])])
    x = IMAGE.expand(4, -1, -1, -1)
    with torch.no_grad():
        engine = posterior(model, Mask(seen), Mask(seen).forward(x))
        assert isinstance(engine, PerMask)
        one = [posterior(model, Mask(s), Mask(s).forward(IMAGE)).log_prob(IMAGE) for s in seen]
        assert torch.allclose(engine.log_prob(x), torch.cat(one))
        draws = engine.sample(5, generator=runtime.keyed(0))
        assert torch.equal(torch.where(seen[:, None], draws, 0), Mask(seen).forward(x)[:, None].expand_as(draws))


def test_choice_is_a_mask():
    space = Space((1, 4, 4), 2)
    model = NaiveBayes(space)
    y = torch.tensor([[[[1, 0], [1, 1]]]])
    draws = posterior(model, Choice(2), y).sample(3, generator=runtime.keyed(0))
    assert torch.equal(draws[..., ::2, ::2], y[:, None].expand(-1, 3, -1, -1, -1))


def test_the_types_choose_the_engine():
    mask = Mask(torch.ones(1, 3, 3).bool())
    assert engine_for(model_of("masked-mlp"), mask) is EvidenceFirst
    assert engine_for(model_of("masked-mlp"), GaussianNoise(1.0)) is Sequential
    assert engine_for(model_of("gan"), Quantisation(1.0)) is Importance


def test_bad_evidence_is_a_sentence():
    model = model_of("naive-bayes")
    with pytest.raises(DataError, match=r"y must have shape \(B, 1, 3, 3\)"):
        posterior(model, Mask(torch.ones(1, 3, 3).bool()), IMAGE[:, 0])
    with pytest.raises(DataError, match=r"y must lie in 0 \.\.\. 1"):
        posterior(model, Mask(torch.ones(1, 3, 3).bool()), IMAGE * 2)
    with pytest.raises(ImpossibleEvidence, match="row 0"):
        posterior(small(NaiveBayes), BlockMean(2), torch.tensor([[[[2.5, 1.0]]]]))
    with pytest.raises(ImpossibleEvidence, match="row 0"):
        posterior(small(MaskedAutoregressive, width=8), BlockMean(2), torch.tensor([[[[2.5, 1.0]]]]))
    with pytest.raises(NoDensity, match="is not known by"):
        posterior(model_of("gan"), Mask(torch.ones(1, 3, 3).bool()), IMAGE).log_prob(IMAGE)
