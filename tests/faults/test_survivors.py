"""Mistakes in the source that a suite did not see: each has a test here that fails with the mistake put back."""

import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from priorcraft import zoo
from priorcraft.cells.numerals import numeral_of
from priorcraft.classifiers.deformed import _moves
from priorcraft.cli.command import _capital
from priorcraft.condition.weighted import Particles
from priorcraft.core import Space
from priorcraft.datasets.audit import _absent
from priorcraft.datasets.columns.aside import Identifier
from priorcraft.datasets.image import to_pixels
from priorcraft.datasets.splits import Rows
from priorcraft.errors import DataError, Diverged, UsageError
from priorcraft.explicit.approximate.latent import principal_axes
from priorcraft.explicit.exact.autoregressive import Autoregressive
from priorcraft.explicit.exact.ensemble import Ensemble
from priorcraft.explicit.exact.naive_bayes import NaiveBayes
from priorcraft.explicit.exact.orders import read as read_orders
from priorcraft.metrics.relabel import Relabelled
from priorcraft.observe.smaller import Blur
from priorcraft.photo.field import smooth
from priorcraft.photo.picture import Palette, _nearest
from priorcraft.report.page import by_class
from priorcraft.run.photographs import blank
from priorcraft.runtime import keyed
from priorcraft.train.launch import backend
from priorcraft.train.likelihood import ExpectationMaximisation
from priorcraft.train.loop import Progress, validate
from priorcraft.train.objective import Batch


def test_each_entry_of_a_space_ends_at_its_own_last_level():
    space = Space((3,), 4, sizes=(2, 4, 3))
    tops = torch.tensor([[1, 3, 2]])
    assert torch.equal(space.check(tops), tops)
    for entry in range(3):
        beyond = tops.clone()
        beyond[0, entry] += 1
        with pytest.raises(DataError, match=rf"entry {entry} of x|x must lie in"):
            space.check(beyond)


@pytest.mark.parametrize(("others", "redrawn"), [(0.06, True), (0.16, True), (0.2, False), (0.9, False)])
def test_particles_are_drawn_again_below_half_an_effective_number(others, redrawn):
    """Weights (1, w, ..., w) of ten: the effective share (1 + 9w)^2 / (10 (1 + 9w^2)) crosses a half at w = .177."""
    model, _ = zoo.build("masked-mlp", Space((2,), 2), None, 10, {"width": 4}, seed=0)
    assert isinstance(model, Autoregressive)
    particles = Particles(model, 1, 10, None, keyed(0))
    share = (1 + 9 * others) ** 2 / (10 * (1 + 9 * others**2))
    assert (share < 0.5) == redrawn
    again = particles.weigh(torch.tensor([1.0] + [others] * 9).log())
    assert (again is not None) == redrawn


def test_the_weights_to_keep_are_those_of_the_lowest_score_not_the_last():
    x = torch.tensor([[0], [0], [0], [1]])
    model, at = NaiveBayes(Space((1,), 2), smoothing=0.0), Progress()
    objective = ExpectationMaximisation(model)
    scores = {0.5: math.log(2), 0.75: 0.5623, 0.1: None}
    for p in scores:
        model.log_table.copy_(torch.tensor([[[p, 1 - p]]]).log())
        validate(objective, Rows(x), at, 0.5, seed=0)
    assert at.nats == pytest.approx(0.5623, abs=1e-3)
    assert float(at.best["log_table"][0, 0, 0].exp()) == pytest.approx(0.75)


@pytest.mark.parametrize("said", [float("nan"), float("inf")])
def test_closed_form_updates_that_end_in_no_number_stop_the_training(said, monkeypatch):
    _, objective = zoo.build("naive-bayes", Space((2,), 2), None, 4, {}, seed=0)
    monkeypatch.setattr(NaiveBayes, "update", lambda *_, **__: torch.tensor(said))
    x = torch.zeros(4, 2, dtype=torch.long)
    with pytest.raises(Diverged, match=r"became (nan|inf)"):
        objective.step(Batch(x, None, torch.arange(4)), progress=0.5, key=(0, 0))


def test_boxes_average_only_where_both_sides_shrink():
    stripes = np.zeros((4, 16), np.uint8)
    stripes[:, ::2] = 255
    image = Image.fromarray(stripes)
    shrunk = to_pixels(image, 1, (2, 2))  # 16 -> 4 after the crop to a square, 4 -> 2
    assert set(np.unique(shrunk)) == {128}
    sharp = np.tile(np.array([[0, 255]], np.uint8), (8, 4))
    grown = to_pixels(Image.fromarray(sharp), 1, (16, 4))  # one side grows: cropped to 2 x 8, and twice as large
    assert not set(np.unique(grown)) <= {0, 255}, "Lanczos' curves, not boxes"


def test_an_ensemble_s_weights_are_updated_from_the_old_ones():
    """EM reaches the maximum of the likelihood: all rows speak for one member, and it takes all weight but a row's."""
    members = [NaiveBayes(Space((1,), 2)) for _ in range(2)]
    for member, p in zip(members, (0.6, 0.4), strict=True):
        member.log_table.copy_(torch.tensor([[[p, 1 - p]]]).log())
    ensemble = Ensemble(Space((1,), 2), members=members)
    ensemble.weigh(torch.zeros(1000, 1, dtype=torch.long), None, rounds=200)
    assert float(ensemble.log_weights.exp()[0]) > 0.99, "one step from even weights would give 0.6"


def test_relabelled_rows_are_as_many_as_the_samples():
    lots = Relabelled.of(5, 7, 40, generator=keyed(0)).drawn
    assert lots.sum(0).tolist() == [5] * 41
    assert lots[:, 0].tolist() == [True] * 5 + [False] * 7


@pytest.mark.parametrize("dims", [1, 2, 3, 5])
def test_principal_axes_are_orthonormal_and_hold_the_variance(dims):
    z = torch.randn(50, dims, generator=keyed(dims), dtype=torch.float64) * torch.arange(1, dims + 1)
    axes = principal_axes(z)
    assert axes.directions.shape == (dims, 2)
    held = axes.directions.T @ axes.directions
    assert torch.allclose(held, torch.eye(2, dtype=held.dtype) * (torch.arange(2) < dims), atol=1e-6)
    shares = (z - z.mean(0)) @ axes.directions.double()
    assert torch.allclose(shares.var(0) / z.var(0).sum(), axes.share.double(), atol=1e-6)


def test_a_thin_plate_goes_on_with_a_plane():
    plane = torch.arange(24.0)[None, :, None] + 2 * torch.arange(24.0)[None, None]
    hidden = torch.zeros(24, 24, dtype=torch.bool)
    hidden[7:17, 8:16] = True
    smoothed = smooth(torch.where(hidden, torch.zeros(()), plane), hidden)
    assert float((smoothed - plane).abs().max()) < 1.5
    assert torch.equal(smoothed[:, ~hidden], plane[:, ~hidden])


def test_classes_without_rows_are_named_up_to_five():
    rows = Rows(torch.zeros(4, 1, dtype=torch.long), torch.zeros(4, dtype=torch.long))
    for count in (1, 5, 6):
        (said,) = _absent(rows, ("there", *(f"class {i}" for i in range(count))))
        assert said.count("class ") == min(count, 5)
        assert ("..." in said) == (count > 5)


def test_who_carries_tensors_and_how_a_sentence_begins():
    assert [backend(torch.device(kind)) for kind in ("cpu", "cuda")] == ["gloo", "nccl"]
    assert [_capital(words) for words in ("a table of rows", ".png for a sheet", "key=value")] == [
        "A table of rows", ".png for a sheet", "key=value"
    ]  # fmt: skip


@pytest.mark.parametrize("comma", [True, False])
def test_a_comma_is_a_point_where_the_table_has_semicolons(comma):
    found = numeral_of(pa.array(["1,234", "12,500"]), comma=comma)
    assert found is not None
    assert (found.point, found.thousands) == ((",", "") if comma else (".", ","))


def test_orders_are_read_up_to_the_most():
    assert [len(read_orders(words, 3, 0)) for words in ("random", "random:2", "raster+random:3")] == [1, 2, 4]
    for words in (f"random:{10**17}", "random:0", "random:" + "9" * 30, "random:x"):
        with pytest.raises(UsageError, match="order"):
            read_orders(words, 3, 0)


def test_samples_are_shown_by_class_even_if_there_is_one_class_alone():
    x = torch.zeros(6, 1, 2, 2, dtype=torch.long)
    pages = [by_class(x, y, Space((1, 2, 2), 2)) for y in (torch.zeros(6).long(), None, torch.full((6,), -1))]
    assert pages[0] != pages[1] == pages[2]


class Ends:
    """A generator that draws the ends of 0 ... 1 in turn."""

    def random(self, n: int) -> np.ndarray:
        return np.resize([0.0, 1 - 1e-12], n)


def test_identifiers_that_are_numbers_are_drawn_from_the_first_to_the_last():
    assert Identifier(first="0010", last="0099")._made(2, 0, Ends()) == ["0010", "0099"]
    assert Identifier(first="8", last="12")._made(2, 0, Ends()) == ["8", "12"]
    assert Identifier(first="8", last="11")._made(2, 0, Ends()) == ["8", "27"], "four are too few for two at once"


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan")])
def test_a_blur_without_width_is_refused(sigma):
    with pytest.raises(UsageError, match="above 0"):
        Blur.gaussian(sigma)
    assert float(Blur.gaussian(1e-3).kernel.sum()) == pytest.approx(1)


def test_masks_of_test_rows_are_held_against_a_black_picture():
    assert blank(2, 3).pixels.shape == (2, 3, 1)
    assert not blank(2, 3).pixels.any()


def test_a_shear_moves_the_ends_as_far_as_it_says_and_the_middle_not():
    index = torch.arange(15).view(1, 5, 3)
    moved = _moves((1, 5, 3), 1, 2).view(-1, 5, 3)
    assert len(moved) == 1 + 4 + 4
    assert torch.equal(moved[0], index[0])
    assert torch.equal(moved[1:5], torch.cat([index.roll(s, d) for d in (-1, -2) for s in (-1, 1)]))
    for shear, by in zip(
        moved[5:], ([1, 0, 0, 0, -1], [-1, 0, 0, 0, 1], [2, 1, 0, -1, -2], [-2, -1, 0, 1, 2]), strict=True
    ):
        assert [row.tolist() for row in shear] == [index[0, i].roll(s).tolist() for i, s in enumerate(by)]
    assert _moves((1, 1, 2), 0, 1).tolist() == [[0, 1], [1, 0], [1, 0]]


def test_a_pixel_takes_the_nearest_colour_of_the_palette():
    colours = np.array([[0, 0, 0], [200, 10, 10], [10, 200, 10], [255, 255, 255]], np.uint8)
    pixels = np.array([[[20, 0, 9], [180, 60, 0], [0, 150, 60], [250, 199, 255]]], np.uint8)
    palette = Palette(colours, np.array([[3, 3, 3, 0]], np.uint8))
    assert _nearest(palette, pixels, np.ones((1, 4), bool)).numbers.tolist() == [[0, 1, 2, 3]]
    assert _nearest(palette, pixels, np.array([[True, False, False, False]])).numbers.tolist() == [[0, 3, 3, 0]]
