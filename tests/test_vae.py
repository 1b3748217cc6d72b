"""Approximate models against a truth that is known: linear-Gaussian data, where log p(x) has a closed form."""

import math

import pytest
import torch
from torch import nn

from priorcraft import fit, runtime, score
from priorcraft.core import Space
from priorcraft.datasets.splits import Rows
from priorcraft.errors import NoDensity, UsageError
from priorcraft.explicit.approximate import bounds, latent
from priorcraft.explicit.approximate.check import annealed, sandwich, trial
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.approximate.pixels import PixelDecoder
from priorcraft.explicit.approximate.prior import MixturePrior
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.explicit.approximate.variational import Variational
from priorcraft.explicit.approximate.vqvae import VQVAE
from priorcraft.explicit.exact.naive_bayes import NaiveBayes
from priorcraft.likelihoods import Gaussian, head_for
from priorcraft.metrics.bound import bound_score

LABELS = Space((), 3)
BITS = Space((1, 8, 8), 2)
NOISE = 0.25  # variance of x given z
AXES = torch.linalg.qr(torch.randn(5, 2, generator=runtime.keyed(0), dtype=torch.float64))[0] * torch.tensor([2.0, 1.0])
X = torch.randn(20, 5, generator=runtime.keyed(1), dtype=torch.float64)


class LinearDecoder(nn.Module):
    """p(x | z) = N(A z, noise)."""

    def forward(self, z):
        mean = z @ AXES.T
        return torch.stack([mean, torch.full_like(mean, 0.5 * math.log(NOISE))], -1)


class LinearEncoder(nn.Module):
    """The true posterior, which is diagonal as the axes are orthogonal; moved and stretched if asked."""

    def __init__(self, shift, stretch):
        super().__init__()
        self.shift, self.stretch = nn.Parameter(torch.tensor(shift)), stretch

    def forward(self, x, c):
        precision = 1 + AXES.square().sum(0) / NOISE
        mean = x @ AXES / NOISE / precision + self.shift
        return torch.cat([mean, (math.log(self.stretch) - 0.5 * precision.log()).expand(len(x), -1)], 1)


def linear_gaussian(shift=0.0, stretch=1.0):
    model = VAE(Space((5,)), latent=2, hidden=4, depth=1).double()
    model.decoder, model.encoder = LinearDecoder(), LinearEncoder(shift, stretch)
    return model.eval()


def truth():
    covariance = AXES @ AXES.T + NOISE * torch.eye(5)
    return torch.distributions.MultivariateNormal(torch.zeros(5).double(), covariance).log_prob(X)


def gap(shift, stretch):
    """KL(q || posterior), summed over the two entries of z."""
    precision = 1 + AXES.square().sum(0) / NOISE
    return float(0.5 * (stretch**2 - 1 - 2 * math.log(stretch) + shift**2 * precision).sum())


@torch.no_grad()
def test_the_bound_is_the_truth_at_the_true_posterior():
    for k in (1, 7):
        assert torch.allclose(linear_gaussian().bound(X, k, generator=runtime.keyed(0)), truth(), atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize(("shift", "stretch"), [(0.3, 1.0), (0.0, 1.5), (0.2, 0.7)])
def test_the_gap_is_the_divergence_of_q_from_the_posterior(shift, stretch):
    """Mean of 20 x 4000 elbos; 5 standard errors are below 0.05 nats."""
    model, rows = linear_gaussian(shift, stretch), X.repeat(4000, 1)
    for bound in (model.elbo(rows, generator=runtime.keyed(0)), model.bound(rows, 1, generator=runtime.keyed(1))):
        assert float(bound.mean()) == pytest.approx(float(truth().mean()) - gap(shift, stretch), abs=0.05)


@torch.no_grad()
def test_the_bound_rises_with_k_to_the_truth():
    model, rows = linear_gaussian(0.2, 1.3), X.repeat(100, 1)
    means = [float(model.bound(rows, k, generator=runtime.keyed(k)).mean()) for k in (1, 4, 16, 64)]
    assert means == sorted(means)
    assert means[-1] == pytest.approx(float(truth().mean()), abs=0.03)
    assert means[-1] < float(truth().mean()) + 0.01


@torch.no_grad()
def test_the_error_of_an_estimate_covers_the_truth():
    found = linear_gaussian(0.1, 1.3).estimate(X, 2000, generator=runtime.keyed(0))
    z = (found.value - truth()) / found.standard_error
    assert float(z.abs().max()) < 4.5
    assert 0.5 < float(z.square().mean()) < 2
    assert 0 < float(found.effective.min()) <= float(found.effective.max()) < 2000


def test_chunks_do_not_change_an_estimate():
    log_w = torch.randn(100, 4, generator=runtime.keyed(0), dtype=torch.float64)

    def estimated(step):
        parts = iter(log_w.split(step))
        return bounds.estimate(lambda n: next(parts), 100, step)

    for one, other in zip(vars(estimated(100)).values(), vars(estimated(7)).values(), strict=True):
        assert one == other if isinstance(one, int) else torch.allclose(one, other)
    assert torch.allclose(estimated(9).value, bounds.importance_bound(log_w, torch.zeros_like(log_w)))
    with pytest.raises(UsageError, match="k must lie in 1"):
        bounds.estimate(lambda n: log_w, 10**9, 100)


def test_bounds_from_the_same_draws_rise_and_end_at_the_bound():
    log_w = 3 * torch.randn(200, 6, generator=runtime.keyed(0), dtype=torch.float64)
    found = bounds.nested(log_w, [1, 10, 100, 200])
    assert bool((found.diff(dim=0) > 0).all())
    assert torch.allclose(found[0], log_w.mean(0))
    assert torch.allclose(found[-1], log_w.logsumexp(0) - math.log(200))
    assert torch.allclose(bounds.nested(log_w, [150])[0], log_w[:150].logsumexp(0) - math.log(150))


def test_a_score_of_many_draws_covers_the_truth_and_says_how_many_took_part():
    """20 rows at 1000 draws; the estimate's own error is about 0.01 nats."""
    found = bound_score(linear_gaussian(0.2, 1.3), Rows(X), samples=1000, generator=runtime.keyed(0)).to_dict()
    assert [line["k"] for line in found["bounds"]] == [1, 10, 100, 1000]
    nats = [line["nats"] for line in found["bounds"]]
    assert nats == sorted(nats, reverse=True)
    assert nats[-1] == found["nats"] == pytest.approx(-float(truth().mean()), abs=0.05)
    assert found["standard_error"] == pytest.approx(float(truth().std()) / math.sqrt(20), rel=0.05)
    assert 1 < found["fewest_effective"] <= found["effective_draws"] < 1000
    for k in (0, 10**9):
        with pytest.raises(UsageError, match="samples must lie in 1"):
            bound_score(linear_gaussian(), Rows(X), samples=k)
        with pytest.raises(UsageError, match="k must lie in 1"):
            linear_gaussian().bound(X, k)


@torch.no_grad()
def test_leaving_out_classes_without_weight_does_not_change_the_sum():
    model, (x, _) = shaken(made(VAE).double().eval()), rows()
    model.log_prior.copy_(torch.tensor([0.6, 0.4, 1e-6]).log())
    k = 2000
    few = model.bound(x, k, generator=runtime.keyed(0))
    every = torch.logsumexp(model._joint(lambda x, c: model._log_weights(x, c, k, runtime.keyed(1)), x), -1)
    assert float((few - (every.logsumexp(0) - math.log(k))).abs().max()) < 0.1


@pytest.mark.slow
def test_the_second_opinion_trusts_a_good_q_and_doubts_a_poor_one():
    good = trial(linear_gaussian(0.1, 1.1), X[:8], k=200, generator=runtime.keyed(0))
    assert good.trusted
    assert "can be trusted" in good.verdict
    poor = trial(linear_gaussian(0.8, 0.9), X[:8], k=1, generator=runtime.keyed(0))
    assert poor.closed
    assert not poor.trusted
    assert "more; take more samples" in poor.verdict
    assert poor.bound < poor.annealed - 1
    assert poor.annealed == pytest.approx(float(truth()[:8].mean()), abs=0.5)


def test_annealing_reaches_the_truth_where_q_is_poor():
    """q is shifted by 0.8 (up to 3 posterior deviations): the plain bound is nats away, annealing is not."""
    model, generator = linear_gaussian(0.8, 0.7), runtime.keyed(0)
    with torch.no_grad():
        assert float(model.bound(X, 8, generator=generator).mean()) < float(truth().mean()) - 1
    found = annealed(model, X, steps=40, chains=16, generator=generator)
    assert float(found.value.mean()) == pytest.approx(float(truth().mean()), abs=0.25)


@pytest.mark.slow
def test_the_truth_lies_in_the_sandwich_and_more_steps_close_it():
    model = linear_gaussian(0.3, 0.8)
    wide = sandwich(model, 300, steps=5, generator=runtime.keyed(0))
    narrow = sandwich(model, 300, steps=40, generator=runtime.keyed(0))
    assert wide.upper - wide.lower > narrow.upper - narrow.lower > 0
    covariance = AXES @ AXES.T + NOISE * torch.eye(5)
    entropy = float(torch.distributions.MultivariateNormal(torch.zeros(5).double(), covariance).entropy())
    spread = 5 * math.sqrt(2.5 / 300)  # log p of a 5-dimensional normal has variance 5/2
    assert narrow.lower - spread < -entropy < narrow.upper + spread
    assert narrow.upper - narrow.lower < 0.25


def test_the_doubly_reparametrised_gradient_is_that_of_the_bound_with_less_noise():
    """Gradient of the shift over 3000 repetitions, against the reparametrised one; 5 standard errors."""
    model, k = linear_gaussian(0.2, 1.2), 16
    precision = 1 + AXES.square().sum(0) / NOISE

    def gradients(doubly):
        shift = torch.full((3000, 2), 0.2, dtype=torch.float64, requires_grad=True)
        q = Gaussian((X[:1] @ AXES / NOISE / precision) + shift, math.log(1.2) - 0.5 * precision.log().expand(3000, 2))
        noise = torch.randn(k, 3000, 2, generator=runtime.keyed(0), dtype=torch.float64)
        z = q.loc + q.log_scale.exp() * noise
        stopped = Gaussian(q.loc.detach(), q.log_scale)
        likelihood = model.likelihood(z.flatten(0, 1)).log_prob(X[:1]).sum(-1).unflatten(0, (k, 3000))
        log_joint = likelihood + model.p_z.log_prob(z)
        if doubly:
            bounds.doubly_reparametrised(log_joint, stopped.log_prob(z).sum(-1), z).sum().backward()
        else:
            bounds.importance_bound(log_joint, q.log_prob(z).sum(-1)).sum().backward()
        return shift.grad

    plain, double = gradients(False), gradients(True)
    error = (plain - double).std(0) / math.sqrt(3000)
    assert bool(((plain.mean(0) - double.mean(0)).abs() < 5 * error).all())
    assert bool((double.std(0) < plain.std(0)).all())


def test_training_with_several_draws_descends_the_importance_weighted_bound():
    """Gradients of 40 batches of 50 x, 8 draws each; 5 standard errors of the difference of the means."""

    def gradients(loss_of):
        model, found = linear_gaussian(0.2, 1.2), []
        model.draws = 8
        for seed in range(40):
            (slope,) = torch.autograd.grad(loss_of(model, X[:1].expand(50, -1), seed), [model.encoder.shift])
            found.append(slope)
        return torch.stack(found)

    def doubly(model, x, seed):
        return model.loss_terms(x, None, progress=1.0, generator=runtime.keyed(seed))["loss"]

    plain = gradients(lambda model, x, seed: -model.bound(x, 8, generator=runtime.keyed("plain", seed)).mean())
    double = gradients(doubly)
    error = ((plain.var() + double.var()) / 40).sqrt()
    assert float((plain.mean() - double.mean()).abs()) < 5 * float(error)
    assert float(double.mean().abs()) > 10 * float(error)
    assert float(double.std()) < float(plain.std())
    with torch.no_grad():
        loss = doubly(linear_gaussian(0.2, 1.2), X, 0)
        model = linear_gaussian(0.2, 1.2)
        model.draws = 8
        assert float(doubly(model, X, 0)) == pytest.approx(-float(model.bound(X, 8, generator=runtime.keyed(0)).mean()))
        assert float(doubly(model, X, 0)) < float(loss)


@pytest.mark.parametrize("kind", [VAE, LadderVAE])
def test_several_draws_train_every_parameter(kind):
    model, (x, y) = made(kind, draws=3), rows()
    terms = model.loss_terms(x, y, progress=1.0, generator=runtime.keyed(0))
    terms["loss"].backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in model.parameters())
    assert "kl_z0" in terms
    with pytest.raises(UsageError, match="draws must lie in 1"):
        made(kind, draws=0)


def made(kind, context=LABELS, **settings):
    with runtime.borrowed_global_generator("made"):
        if kind is VQVAE:
            prior = NaiveBayes(VQVAE.codes_space(4, 6), context)
            return VQVAE(BITS, context, prior=prior, positions=4, words=6, word=3, hidden=12)
        small = {"width": 8, "latent": 2, "dropout": 0.0} | (
            {"layers": 2, "pixel_width": 6, "reach": 2} if kind is LadderVAE else {"hidden": 12}
        )
        return kind(BITS, context, **{**small, **settings})


def at_prior(model):
    """A ladder whose q is its prior: poor, but never wildly wrong."""
    for layer in model.layers if isinstance(model, LadderVAE) else []:
        nn.init.zeros_(layer.posterior.weight)
        nn.init.zeros_(layer.posterior.bias)
    return model


def shaken(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=runtime.keyed("shake"), dtype=torch.float64))
    return model


def rows(n=12):
    return torch.randint(2, (n, 1, 8, 8), generator=runtime.keyed("rows")), torch.arange(n) % 3


KINDS = [VAE, LadderVAE, VQVAE]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_works_in_float64_and_repeats_itself(kind):
    model, (x, y) = made(kind).double().eval(), rows()
    with torch.no_grad():
        bound = model.bound(x, 3, y, generator=runtime.keyed(0))
        assert bound.dtype == torch.float64
        assert torch.equal(bound, model.bound(x, 3, y, generator=runtime.keyed(0)))
        assert model.decode(model.encode(x, y), y).shape == x.shape
    assert torch.equal(model.sample(5, generator=runtime.keyed(1)), model.sample(5, generator=runtime.keyed(1)))
    BITS.check(model.sample(5))
    with pytest.raises(NoDensity):
        model.log_prob(x)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_parameter(kind):
    model, (x, y) = made(kind, **({"components": 2} if kind is VAE else {})), rows()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=runtime.keyed("shake")))
    model.loss_terms(x, y, progress=1.0, generator=runtime.keyed(0))["loss"].backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert [name for name in still if not name.startswith("p_z") or kind is not VQVAE] == []


@pytest.mark.parametrize("kind", KINDS)
def test_state_travels(kind):
    model, other = made(kind), made(kind)
    x, y = rows()
    model.initialise(x, y, generator=runtime.keyed(0))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model.sample(4, generator=runtime.keyed(0)), other.sample(4, generator=runtime.keyed(0)))


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_the_sum_over_classes_is_a_bound_below_which_no_class_lies(kind):
    """log p(x) >= log p(c) + log p(x | c) for every class, and the bound of one class is reached by its row."""
    model, (x, y) = at_prior(made(kind).double().eval()), rows()
    x, y = x[:4], y[:4]
    summed = model.bound(x, 400, generator=runtime.keyed(0))
    known = torch.stack([model.bound(x, 400, torch.full_like(y, c), generator=runtime.keyed(1)) for c in range(3)])
    assert torch.allclose(summed, (known + model.log_prior[:, None]).logsumexp(0), atol=0.5)
    assert bool((summed > known.max(0).values + model.log_prior.min() - 0.5).all())


@torch.no_grad()
@pytest.mark.parametrize("kind", [VAE, LadderVAE])
def test_noise_and_z_are_two_names_of_one_point(kind):
    model, (x, y) = shaken(made(kind).double().eval()), rows()
    assert float(model.noise_of(model.encode(x, y), x, y).abs().max()) < 1e-9


@torch.no_grad()
def test_where_q_is_the_prior_a_draw_of_the_prior_has_standard_noise():
    """400 x 40 numbers: 5 standard errors of their mean square are 0.06."""
    model, x = at_prior(shaken(made(LadderVAE, context=None).double().eval())), rows(1)[0].expand(400, -1, -1, -1)
    noise = model.noise_of(model.prior(400, generator=runtime.keyed(0)), x)
    assert float(noise.square().mean()) == pytest.approx(1, abs=0.06)


@torch.no_grad()
def test_the_pixel_sampler_draws_from_the_likelihood_that_scores_it():
    model = shaken(made(LadderVAE).double().eval())
    h = torch.randn(6, 8, 4, 4, dtype=torch.float64, generator=runtime.keyed(0))
    u = torch.rand(6, 1, 8, 8, dtype=torch.float64, generator=runtime.keyed(1))
    x = model.pixels.quantile(h, u)
    assert torch.equal(x, model.pixels.head(model.pixels(h, x)).quantile(u))


def test_the_window_never_sees_its_own_pixel_or_a_later_one():
    model, (x, _) = made(LadderVAE).double().eval(), rows(1)
    h = torch.randn(1, 8, 4, 4, dtype=torch.float64, generator=runtime.keyed(0))
    with torch.no_grad():
        for i in (0, 9, 27, 63):
            changed = x.clone().view(1, -1)
            changed[0, i:] = 1 - changed[0, i:]
            one, other = model.pixels(h, x).flatten(), model.pixels(h, changed.view_as(x)).flatten()
            assert torch.equal(one[: i + 1], other[: i + 1])
            assert i == 63 or not torch.equal(one, other)


def test_free_bits_and_warm_up_change_the_loss_as_they_say():
    x, y = rows()

    def terms(progress, **settings):
        return made(VAE, beta=2.0, **settings).eval().loss_terms(x, y, progress=progress, generator=runtime.keyed(0))

    full = terms(1.0, warm_up=0.5)
    assert float(full["loss"].detach()) == pytest.approx(
        float((full["reconstruction"] + 2 * full["kl"]).detach()), rel=1e-5
    )
    early = terms(0.1, warm_up=0.5)
    assert float(early["loss"].detach()) == pytest.approx(float(early["reconstruction"] + 0.4 * early["kl"]), rel=1e-5)
    free = terms(1.0, free_bits=100.0)
    assert float(free["loss"].detach()) == pytest.approx(float(free["reconstruction"] + 200), rel=1e-5)
    assert {f"kl_z{i}" for i in range(2)} <= set(
        made(LadderVAE).loss_terms(x, y, progress=1, generator=runtime.keyed(0))
    )


@torch.no_grad()
def test_the_mixture_prior_draws_what_it_scores():
    """Entropy of 4000 draws by its own density, against quadrature on a grid; 5 standard errors."""
    prior = MixturePrior(1, 3, 2).double()
    given = torch.ones(4000, dtype=torch.long)
    own = -prior.log_prob(prior.sample(4000, given, runtime.keyed(0)).unsqueeze(0), given)[0]
    grid = torch.linspace(-9, 9, 4000, dtype=torch.float64)
    log_p = prior.log_prob(grid.view(1, -1, 1), given)[0]
    step = 18 / 3999
    assert float(log_p.exp().sum()) * step == pytest.approx(1, abs=1e-4)
    entropy = -float((log_p.exp() * log_p).sum()) * step
    assert abs(float(own.mean()) - entropy) < 5 * float(own.std()) / math.sqrt(4000)


def test_moving_z():
    model, (x, _) = made(VAE, context=None).eval(), rows()
    z, ends = latent.encoded(model, x), latent.decoded(model, latent.encoded(model, x[:2]))
    assert torch.allclose(ends, model.decode(model.encode(x[:2])), atol=1e-6)
    u = model.standardised(z)
    path = latent.shown(model, latent.line(u[0], u[1], 5))
    assert torch.allclose(path[[0, -1]], ends, atol=1e-6)
    moved = latent.shown(model, latent.traversal(u[0], [1], 3, 2.5)[0])
    assert torch.allclose(moved[1], ends[0], atol=1e-6)
    assert not torch.allclose(moved[0], moved[2])
    axes = latent.principal_axes(z)
    assert torch.allclose(axes.at(axes.coordinates(z)), z, atol=1e-5)  # z has two numbers
    assert latent.plane(model, 4).shape == (4, 4, 1, 8, 8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("x", [torch.zeros(5, 1, 8, 8), torch.ones(1, 1, 8, 8)])
def test_constant_images_and_a_single_one_do_no_harm(kind, x):
    model, y = made(kind), torch.zeros(len(x), dtype=torch.long)
    model.initialise(x, y, generator=runtime.keyed(0))
    assert math.isfinite(float(model.loss_terms(x, y, progress=0.5, generator=runtime.keyed(0))["loss"].detach()))


def test_bad_sizes_are_sentences():
    for kind, settings in [
        (VAE, {"latent": 0}),
        (VAE, {"beta": -1.0}),
        (VAE, {"warm_up": 2.0}),
        (LadderVAE, {"layers": 0}),
    ]:
        with pytest.raises(UsageError, match="must"):
            kind(BITS, **settings)
    with pytest.raises(UsageError, match="images"):
        LadderVAE(Space((5,), 2))
    with pytest.raises(UsageError, match="prior must be a model of"):
        VQVAE(BITS, prior=NaiveBayes(Space((3,), 6)), positions=4, words=6)
    assert issubclass(LadderVAE, Variational)


def test_several_draws_of_h_stand_before_their_own_image():
    with runtime.borrowed_global_generator("pixels"):
        pixels = PixelDecoder(Space((1, 6, 6), 2), head_for(Space((1, 6, 6), 2)), features=3, width=4, reach=1)
    x = torch.randint(2, (5, 1, 6, 6), generator=runtime.keyed("x"))
    h = torch.randn(3 * 5, 3, 3, 3, generator=runtime.keyed("h"))
    torch.testing.assert_close(pixels(h, x), pixels(h, x.repeat(3, 1, 1, 1)))


@pytest.mark.parametrize(("kind", "draws"), [(VAE, 1), (VAE, 3), (LadderVAE, 1)])
def test_networks_that_are_told_of_deformations_speak_of_images_as_they_are(kind, draws):
    with runtime.borrowed_global_generator("told"):
        model = kind(BITS, LABELS, draws=draws, augment=1.0, augment_last=1.0).double().eval()
        plain = kind(BITS, LABELS, draws=draws).double().eval()
    x, y = rows()
    heard = [p for p in model.parameters() if p.shape not in {q.shape for q in plain.parameters()}]
    assert heard  # the weights that hear seven numbers more
    with torch.no_grad():
        before = model.bound(x, 2, y, generator=runtime.keyed(0))
        loss = model.loss_terms(x, y, progress=1.0, generator=runtime.keyed(1))["loss"]
        for weight in heard:
            weight[:, -7:] += 1.0  # whatever they say of a deformation, it is not said of an image as it is
        if kind is LadderVAE:
            assert model.told.weight is heard[0]
        after = model.loss_terms(x, y, progress=1.0, generator=runtime.keyed(1))["loss"]
        assert torch.equal(model.bound(x, 2, y, generator=runtime.keyed(0)), before)
    assert float((after - loss).abs()) > 1e-3
    if kind is VAE:  # pseudo-inputs are images as they are, whatever the rows of a step are
        vamp = VAE(BITS, LABELS, vamp=4, augment=1.0, augment_last=1.0).double()
        vamp.initialise(x, y, generator=runtime.keyed(0))
        vamp._how = torch.ones(12, 7, dtype=torch.float64)
        told = vamp.p_z.normals().loc
        vamp._how = None
        assert torch.equal(vamp.p_z.normals().loc, told)
    with pytest.raises(UsageError, match="augment deforms images"):
        VAE(Space((5,), 2), augment=0.5)


def test_a_vamp_prior_is_the_mixture_of_what_the_encoder_makes_of_its_inputs(tmp_path):
    x, y = rows()
    with runtime.borrowed_global_generator("vamp"):
        model = VAE(BITS, LABELS, latent=2, hidden=8, depth=1, vamp=4).double().eval()
    model.initialise(x, y, generator=runtime.keyed(0))
    for c in range(3):  # the inputs of a class start at rows of that class
        own, known = model.p_z.inputs[c].detach().flatten(1), BITS.to_network(x[y == c], torch.float64).flatten(1)
        assert float(torch.cdist(own, known).amin(1).max()) == 0
    z, c = torch.randn(5, 2, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0])
    for row, label, found in zip(z, c, model.p_z.log_prob(z, c), strict=True):
        q = model._encoded(model.p_z.inputs[label], label.expand(4))
        assert torch.allclose(found, torch.logsumexp(q.log_prob(row).sum(-1), 0) - math.log(4))
    negative = set()
    for seed in range(20):  # a KL that is estimated may be negative, and is then no less a loss
        model.zero_grad()
        terms = model.loss_terms(x, y, progress=1.0, generator=runtime.keyed(seed))
        terms["loss"].backward()
        assert torch.allclose(terms["loss"], terms["reconstruction"] + terms["kl"])
        assert float(model.p_z.inputs.grad.abs().sum()) > 0
        negative.add(bool(terms["kl"] < 0))
    assert negative == {True, False}
    fit("digits", "flat-vae", out=tmp_path / "run", steps=3, settings={"vamp": 5})
    assert score(tmp_path / "run", samples=4, limit=20).kind == "lower bound"
    with pytest.raises(UsageError, match="not both"):
        VAE(BITS, components=2, vamp=2)
    with pytest.raises(UsageError, match="prior for each class"):
        VAE(BITS, Space((2,)), vamp=2)
