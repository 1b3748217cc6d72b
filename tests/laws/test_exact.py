"""Laws of models whose log p(x) is computed: it is a probability, and samples follow it."""

import itertools
import math

import pytest
import torch

from laws.table import (
    BITS,
    COLUMNS,
    DIGITS,
    EXACT,
    HOLDS_DIGITS,
    IMAGES_ALONE,
    LABELS,
    PLANE,
    every_image,
    every_row,
    rows,
    tiny,
)
from priorcraft import probability, runtime
from priorcraft.classifiers.generative import GenerativeClassifier
from priorcraft.condition import posterior
from priorcraft.condition.marginal import evidence_of
from priorcraft.errors import DataError, NoDensity
from priorcraft.observe import Mask


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("labels", [True, False])
def test_probabilities_sum_to_one_over_every_image(name, labels):
    model, x = tiny(name, labels=labels), every_image()
    with torch.no_grad():
        assert abs(float(model.log_prob(x).exp().sum()) - 1) < 1e-6
        for c in range(3 if labels else 0):
            assert abs(float(model.log_prob(x, torch.full((512,), c)).exp().sum()) - 1) < 1e-6


@pytest.mark.parametrize("name", [name for name in EXACT if name not in IMAGES_ALONE])
def test_columns_have_no_probability_beyond_their_own_states(name):
    model, x = tiny(name, space=COLUMNS), torch.cartesian_prod(*(torch.arange(size) for size in COLUMNS.sizes))
    with torch.no_grad():
        for given in (None, torch.full((24,), 1)):
            assert abs(float(model.log_prob(x, given).exp().sum()) - 1) < 1e-6
    with pytest.raises(DataError, match="entry 1 of x must lie in"):
        model.log_prob(torch.tensor([[0, 3, 0]]))


@pytest.mark.parametrize("name", HOLDS_DIGITS)
def test_digits_that_do_not_fit_have_no_probability(name):
    model, (x, wrong) = tiny(name, space=DIGITS), every_row()
    with torch.no_grad():
        for given in (None, torch.full((len(x),), 1)):
            assert abs(float(model.log_prob(x, given).exp().sum()) - 1) < 1e-6
        drawn = model.sample(500, generator=runtime.keyed(5))
    assert not (drawn.unsqueeze(1) == wrong).all(2).any()


@pytest.mark.parametrize("name", ["chow-liu", "latent-tree"])
def test_posteriors_of_trees_agree_with_sums_over_digits_that_fit(name):
    """Every mask, a fine digit seen alone among them; frequencies of 800 draws within .08, 4.5 standard errors."""
    model, (x, _) = tiny(name, space=DIGITS), every_row()
    log_p, generator = model.log_prob(x), runtime.keyed(6)
    for mask in itertools.product([False, True], repeat=4):
        seen = torch.tensor(mask)
        same = ((x.unsqueeze(1) == x) | ~seen).all(2)
        expected = log_p.expand_as(same).masked_fill(~same, -torch.inf)
        assert torch.allclose(evidence_of(posterior(model, Mask(seen), x)), expected.logsumexp(1), atol=1e-6)
        drawn = posterior(model, Mask(seen), x[7:8]).sample(800, generator=generator)[0]
        share = (drawn.unsqueeze(1) == x).all(2).double().mean(0)
        assert float((share - expected[7].softmax(0)).abs().max()) < 0.08


@pytest.mark.parametrize("name", EXACT)
def test_sum_rule_over_labels_that_are_not_known(name):
    model, (x, y) = tiny(name), rows(BITS)
    with torch.no_grad():
        some = torch.where(torch.arange(60) % 2 == 0, y, -1)
        assert torch.allclose(model.log_prob(x), torch.logsumexp(model.log_joint(x), 1))
        expected = torch.where(some >= 0, model.log_prob(x, y), model.log_prob(x))
        assert torch.allclose(model.log_prob(x, some), expected)


@pytest.mark.parametrize("name", EXACT)
def test_samples_follow_the_density(name):
    """The cross-entropy of 4,000 samples equals the entropy within 4 standard errors (error rate 6e-5 a model)."""
    model = tiny(name)
    with torch.no_grad():
        log_p = model.log_prob(every_image())
        entropy, second = -(log_p.exp() * log_p).sum(), (log_p.exp() * log_p.square()).sum()
        error = (second - entropy.square()).sqrt() / math.sqrt(4000)
        drawn = -model.log_prob(model.sample(4000, generator=runtime.keyed(3))).mean()
    assert abs(float(drawn - entropy)) < 4 * float(error)


@pytest.mark.parametrize("name", EXACT)
def test_samples_given_a_class_follow_its_density(name):
    """Frequencies of all 512 images against their probabilities: chi-squared below its 1 - 1e-5 quantile."""
    model, n = tiny(name), 6000
    with torch.no_grad():
        p = model.log_prob(every_image(), torch.full((512,), 1)).exp()
        x = model.sample(n, given=torch.tensor(1), generator=runtime.keyed(4)).flatten(1)
    code = (x * 2 ** torch.arange(8, -1, -1)).sum(1)
    counts = torch.bincount(code, minlength=512)
    large = p * n > 5
    pooled = torch.cat([counts[large], counts[~large].sum()[None]]), torch.cat([p[large], p[~large].sum()[None]]) * n
    statistic = float(((pooled[0] - pooled[1]).square() / pooled[1].clamp_min(1e-9)).sum())
    degrees = int(large.sum())
    assert statistic < degrees + 4.3 * math.sqrt(2 * degrees) + 12


@pytest.mark.parametrize("name", EXACT)
def test_any_exact_model_is_a_classifier_by_bayes_theorem(name):
    model, (x, _) = tiny(name), rows(BITS)
    with torch.no_grad():
        log_posterior, log_evidence = GenerativeClassifier(model).posterior(x)
        assert torch.allclose(log_evidence, model.log_prob(x))
        likelihood = torch.stack([model.log_prob(x, torch.full((60,), c)) for c in range(3)], 1)
        assert torch.allclose(log_posterior, probability.posterior(model.log_prior, likelihood)[0])
        moved = GenerativeClassifier(model, torch.tensor([0.8, 0.1, 0.1]).log())
        assert float((moved.log_posterior(x) - log_posterior).abs().max()) > 0.01


@pytest.mark.parametrize("name", ["mixture", "gaussian-mixture", "ppca", "lda", "qda"])
def test_real_valued_densities_integrate_to_one(name):
    model = tiny(name, space=PLANE)
    side = torch.linspace(-25, 25, 801, dtype=torch.float64)
    points = torch.cartesian_prod(side, side)
    with torch.no_grad():
        mass = float(model.log_prob(points).exp().sum()) * float(side[1] - side[0]) ** 2
    assert abs(mass - 1) < 1e-3


@pytest.mark.parametrize("name", EXACT)
def test_points_outside_the_space_are_refused(name):
    model = tiny(name)
    with pytest.raises(DataError, match=r"x must lie in 0 \.\.\. 1; found 0 \.\.\. 2"):
        model.log_prob(torch.tensor([[0, 2, 1] * 3]).view(1, 1, 3, 3))
    with pytest.raises(DataError, match="shape"):
        model.log_prob(torch.zeros(2, 9).long())


@pytest.mark.parametrize("name", EXACT)
def test_an_exact_model_has_no_bound(name):
    model = tiny(name)
    with pytest.raises(NoDensity, match="bound"):
        model.bound(torch.zeros(1, 1, 3, 3).long(), 5)
    assert LABELS.levels == model.classes


def test_ppca_is_the_gaussian_that_it_says():
    model, (x, _) = tiny("ppca", space=PLANE, labels=False), rows(PLANE)
    covariance = model.weight[0] @ model.weight[0].T + model.noise[0] * torch.eye(2, dtype=torch.float64)
    gaussian = torch.distributions.MultivariateNormal(model.means[0], covariance)
    assert torch.allclose(model.log_prob(x), gaussian.log_prob(x))
    assert torch.allclose(covariance, torch.cov(x.T, correction=0), atol=1e-6)


def test_em_never_lowers_the_penalised_likelihood():
    model, (x, y) = tiny("mixture", labels=False), rows(BITS, 200)
    del y
    model.components.smoothing = 1e-9
    before = [float(model.update(x, None)) for _ in range(12)]
    assert all(later >= earlier - 1e-3 for earlier, later in itertools.pairwise(before))
