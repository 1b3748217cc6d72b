"""A photograph as its own prior: laws, and that it beats what it starts from."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image

from priorcraft import runtime
from priorcraft.errors import DataError, UsageError
from priorcraft.metrics.restoration import coverage
from priorcraft.photo.enlarging import enlarge, whole
from priorcraft.photo.evidence import held_out, weights
from priorcraft.photo.field import Field, conjugate_gradients, smooth
from priorcraft.photo.filling import fill
from priorcraft.photo.prior import fit_prior, thin_plate
from priorcraft.photo.windows import corners, offsets, taken


def waves(side: int = 64, channels: int = 1) -> torch.Tensor:
    """Slanted stripes with sharp edges and a little noise: structure that a smooth prior cannot continue."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    picture = 60 + 120 * (((x + 2 * y) // 6) % 2).float() + 0.5 * y
    noise = torch.randn(channels, side, side, generator=runtime.keyed("waves"))
    return (picture + 20 * torch.arange(channels)[:, None, None] + 2 * noise).round().clamp(0, 255)


def scratches(side: int = 64) -> torch.Tensor:
    hidden = torch.zeros(side, side, dtype=torch.bool)
    for column in range(6, side, 12):
        hidden[:, column : column + 3] = True
    return hidden


def rms(x: torch.Tensor, truth: torch.Tensor, scored: torch.Tensor) -> float:
    return float((x - truth)[:, scored].square().mean().sqrt())


def field_on(hidden: torch.Tensor, side: int = 4, size: int = 3) -> Field:
    picture = waves(len(hidden))
    windows = taken(picture, corners(tuple(hidden.shape), side), side)
    prior = fit_prior(windows, size, 2.0, generator=runtime.keyed("prior"))
    where = corners(tuple(hidden.shape), side)
    where = where[taken(hidden, where, side).any(1)]
    return Field(prior, where, prior.nearest(taken(picture[0], where, side)), hidden, side)


def test_a_fields_mean_is_the_least_squares_of_its_windows():
    hidden = torch.zeros(12, 12, dtype=torch.bool)
    hidden[4:8, 5:9] = True
    field, picture = field_on(hidden), waves(12)
    whole_picture = torch.zeros(144, 144)
    for where, kind in zip(field.where, field.kinds, strict=True):
        index = where + offsets(4, 12)
        whole_picture[index[:, None], index] += field.prior.precision[0, kind]
    h, s = hidden.flatten(), ~hidden.flatten()
    wanted = -torch.linalg.solve(whole_picture[h][:, h], whole_picture[h][:, s] @ picture.flatten()[s])
    found = field.settled(torch.where(hidden, 100.0, picture), most=200)
    assert torch.allclose(found[0][hidden], wanted, atol=0.5)
    assert bool((found[0][~hidden] == picture[0][~hidden]).all())
    assert torch.allclose(field.matrices[0].to_dense(), whole_picture[h][:, h], atol=1e-4)


@pytest.mark.parametrize("top", [0, 5])  # the first pixel of all has neighbours outside the picture
def test_deviations_have_the_fields_covariance(top):
    hidden = torch.zeros(12, 12, dtype=torch.bool)
    hidden[top : top + 2, top : top + 3] = True
    field = field_on(hidden)
    drawn = field.deviations(4000, runtime.keyed("draws"))[:, 0, hidden]
    wanted = torch.linalg.inv(field.matrices[0].to_dense().double()).float()
    assert torch.allclose(drawn.T.cov(), wanted, atol=0.1 * float(wanted.diagonal().max()))


def test_a_thin_plate_continues_a_slope():
    slope = (3 * torch.arange(24.0)[:, None] + 2 * torch.arange(24.0)).expand(2, 24, 24)
    hidden = torch.zeros(24, 24, dtype=torch.bool)
    hidden[8:14, 8:14] = True
    assert torch.allclose(smooth(torch.where(hidden, 0.0, slope), hidden), slope, atol=0.5)
    assert thin_plate(1).precision.sum().abs() < 1e-5


def test_projected_gradients_stay_where_they_may():
    matrix = torch.eye(4).to_sparse_csr()
    x = conjugate_gradients(
        matrix, torch.tensor([[4.0], [0.0], [0.0], [0.0]]), torch.zeros(4, 1), project=lambda v: v - v.mean(0)
    )
    assert torch.allclose(x[:, 0], torch.tensor([3.0, -1, -1, -1]), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_filling_beats_the_thin_plate_and_keeps_what_was_seen(channels):
    x, hidden = waves(channels=channels), scratches()
    done = fill(torch.where(hidden, 0.0, x), hidden, peak=255, n=24, generator=runtime.keyed("fill"))
    assert bool((done.mean[:, ~hidden] == x[:, ~hidden]).all())
    assert bool((done.draws[:, :, ~hidden] == x[:, ~hidden]).all())
    assert rms(done.mean, x, hidden) < 0.7 * rms(smooth(torch.where(hidden, 0.0, x), hidden), x, hidden)
    inside = coverage(done.draws.round()[None], x[None], hidden, generator=runtime.keyed("ties"))
    assert 0.8 < inside < 0.98


def test_what_stands_in_hidden_pixels_does_not_matter():
    x, hidden = waves(32), scratches(32)
    one, other = (
        fill(torch.where(hidden, value, x), hidden, peak=255, n=1, generator=runtime.keyed("fill")).mean
        for value in (0.0, 255.0)
    )
    assert torch.equal(one, other)


def test_nothing_hidden_and_nothing_seen():
    x = waves(16)
    done = fill(x, torch.zeros(16, 16, dtype=torch.bool), peak=255, n=2, generator=runtime.keyed("fill"))
    assert torch.equal(done.mean, x)
    with pytest.raises(DataError, match="more must be seen"):
        fill(x, torch.ones(16, 16, dtype=torch.bool), peak=255, n=2, generator=runtime.keyed("fill"))


@pytest.mark.parametrize("shape", [(3, 13, 12), (1, 5, 9)])
@pytest.mark.parametrize("factor", [2, 3])
def test_enlarging_keeps_every_block_mean(shape, factor):
    small = torch.randint(0, 256, shape, generator=runtime.keyed("small")).float()
    done = enlarge(small, factor, peak=255, n=2, generator=runtime.keyed("enlarge"))
    for picture in (done.mean, *done.draws):
        large = whole(picture, small, factor, 255)
        assert large.shape == (shape[0], shape[1] * factor, shape[2] * factor)
        assert torch.equal(F.avg_pool2d(large.float(), factor), small)
        assert 0 <= int(large.min()) <= int(large.max()) <= 255


def test_enlarging_beats_bicubic():
    flower = torch.from_numpy(load_sample_image("flower.jpg")[150:278, 250:378].copy())
    x = flower.float().mean(-1)[None]
    small = F.avg_pool2d(x, 2).round()
    cubic = F.interpolate(small[None], scale_factor=2, mode="bicubic", antialias=True)[0]
    done = enlarge(small, 2, peak=255, n=1, generator=runtime.keyed("enlarge"))
    everything = torch.ones(128, 128, dtype=torch.bool)
    assert rms(done.mean, x, everything) < 0.95 * rms(cubic, x, everything)
    with pytest.raises(UsageError, match="at least 2"):
        enlarge(small, 1, peak=255, generator=runtime.keyed("enlarge"))


def test_evidence_is_seen_and_like_the_mask():
    hidden = scratches()
    held = held_out(hidden, runtime.keyed("held"))
    assert bool(held.any())
    assert not bool((held & hidden).any())
    assert weights(torch.tensor([[1.0, 1], [9.0, 9]]), torch.tensor([1.0, 1]))[0] > 0.9
