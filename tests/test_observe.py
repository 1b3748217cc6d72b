"""Observations: what each shows, how probable that is, and that the linear ones are linear."""

import math

import pytest
import torch

from laws.table import BITS, every_image, tiny
from priorcraft import runtime
from priorcraft.classifiers.generative import GenerativeClassifier
from priorcraft.core import Entrywise, LinearObservation
from priorcraft.errors import DataError, UsageError
from priorcraft.observe import (
    BlockMean,
    Blur,
    Choice,
    GaussianNoise,
    GreyFromColour,
    Label,
    Mask,
    Quantisation,
    compose,
    jointly,
)

SEEN = torch.rand(3, 6, 6, generator=runtime.keyed("seen")) < 0.5
LINEAR = {
    "mask": Mask(SEEN),
    "choice": Choice(3),
    "block-mean": BlockMean(2),
    "blur": Blur.gaussian(0.8),
    "lopsided-blur": Blur(torch.rand(3, 5, generator=runtime.keyed("kernel"))),
    "grey": GreyFromColour(),
    "noise": GaussianNoise(0.3),
    "grey-then-small": compose(GreyFromColour(), BlockMean(3)),
    "masked-then-noisy": compose(Mask(SEEN), GaussianNoise(0.1)),
    "small-then-noisy": compose(BlockMean(2), GaussianNoise(0.1)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_the_adjoint_is_the_adjoint(name):
    observation = LINEAR[name]
    assert isinstance(observation, LinearObservation)
    x = torch.randn(4, 3, 6, 6, generator=runtime.keyed("x"), dtype=torch.float64)
    y = observation.forward(x)
    v = torch.randn(y.shape, generator=runtime.keyed("v"), dtype=torch.float64)
    left, right = (y * v).sum(), (x * observation.adjoint(v)).sum()
    assert abs(float(left - right)) < 1e-9 * float(y.norm() * v.norm())
    twice = observation.forward(2 * x + x.flip(0))
    assert torch.allclose(twice, 2 * y + y.flip(0))


@pytest.mark.parametrize("name", LINEAR)
def test_what_is_seen_has_the_probability_of_being_seen(name):
    """Without noise y is certain and anything else impossible; with noise the density is the normal's."""
    observation = LINEAR[name]
    x = torch.randint(5, (3, 3, 6, 6), generator=runtime.keyed("x"))
    y, again = (observation.sample(x, generator=runtime.keyed(1)) for _ in range(2))
    assert torch.equal(y, again)
    other = observation.forward(x).double()
    other[:, 0, 0, 0] += 1
    if observation.noise:
        sigma, distance = observation.noise, (y - observation.forward(x)).double().flatten(1)
        expected = torch.distributions.Normal(0.0, sigma).log_prob(distance).sum(1)
        assert torch.allclose(observation.log_prob(y, x).double(), expected, rtol=1e-4)
        assert 0.05 < float(distance.std()) / sigma < 1.3
    else:
        assert torch.equal(observation.log_prob(y, x).exp().double(), torch.ones(3).double())
        wrong = observation.log_prob(other, x)
        seen_there = bool(SEEN[0, 0, 0]) or name != "mask"
        assert bool((wrong == -math.inf).all()) == seen_there


@pytest.mark.parametrize(
    "observation",
    [
        Quantisation(2.0),
        compose(Mask(torch.arange(9).view(1, 3, 3) < 4), GaussianNoise(0.5)),
        jointly(Mask(torch.arange(9).view(1, 3, 3) < 4), GaussianNoise(0.5)),
        compose(Mask(torch.arange(9).view(1, 3, 3) < 4), Quantisation(1.0)),
    ],
)
def test_entries_that_are_seen_by_themselves_multiply(observation):
    assert isinstance(observation, Entrywise)
    x = every_image()[:50]
    y = observation.sample(x, generator=runtime.keyed(0))
    each = observation.log_prob_each(y, x).flatten(1).sum(1)
    assert torch.allclose(each.double(), observation.log_prob(y, x).double())
    if isinstance(y, tuple):
        parts = sum(part.log_prob(y_k, x).double() for part, y_k in zip(observation.parts, y, strict=True))
        assert torch.allclose(each.double(), parts)


def test_a_label_is_seen_through_the_classifier():
    model, x = tiny("naive-bayes"), every_image()[:200]
    with torch.no_grad():
        label = Label(GenerativeClassifier(model))
        whole = torch.stack([label.log_prob(torch.full((200,), c), x) for c in range(3)]).logsumexp(0)
        assert torch.allclose(whole, torch.zeros(200).double(), atol=1e-9)
        assert int(label.sample(x, generator=runtime.keyed(0)).max()) <= 2
    both = jointly(Mask(torch.ones(BITS.event_shape).bool()), label)
    assert not isinstance(both, Entrywise)


def test_what_cannot_be_seen_is_a_sentence():
    x = torch.zeros(1, 1, 6, 6)
    with pytest.raises(UsageError, match="factor 4 does not divide"):
        BlockMean(4).forward(x)
    with pytest.raises(UsageError, match="factor must be at least 2, not 0"):
        Choice(0)
    with pytest.raises(DataError, match="the mask has shape"):
        Mask(SEEN).forward(x)
    with pytest.raises(UsageError, match="boolean"):
        Mask(torch.ones(3))
    with pytest.raises(UsageError, match="noise must be above 0"):
        GaussianNoise(0.0)
    with pytest.raises(UsageError, match="3 channels"):
        GreyFromColour().forward(x)
    with pytest.raises(UsageError, match="put the noise last"):
        compose(GaussianNoise(1.0), BlockMean(2))
    with pytest.raises(UsageError, match="both odd"):
        Blur(torch.ones(2, 3))
