"""Laws of the autoregressive family: sums to one, sees no later entry, and draws fast what it draws slowly."""

import itertools

import pytest
import torch

from priorcraft import runtime
from priorcraft.condition import posterior
from priorcraft.core import Space
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.autoregressive import Autoregressive, MaskedAutoregressive, MaskedConvolution
from priorcraft.explicit.exact.cells import Cells, rasters
from priorcraft.explicit.exact.chain import Method, evidence_first
from priorcraft.nn.local_masked import LocallyMaskedConv2d, Neighbours
from priorcraft.nn.warp import affine, warped
from priorcraft.observe import Mask

ORDER = torch.tensor([4, 0, 8, 2, 6, 1, 7, 3, 5])
IMAGE, LABELS = Space((1, 3, 3), 2), Space((), 3)


def disturbed(model: Autoregressive, scale: float = 0.3) -> Autoregressive:
    """The model in float64 with every weight moved: nothing is zero by initialisation."""
    generator = runtime.keyed("weights")
    for parameter in model.parameters():
        parameter.data += scale * torch.randn(parameter.shape, generator=generator)
    return model.double().eval()


BINARY = {
    "masked MLP": lambda context: MaskedAutoregressive(IMAGE, context, orders=3),
    "narrow masked MLP": lambda context: MaskedAutoregressive(IMAGE, context, orders=3, width=4, depth=2),
    "convolution": lambda context: MaskedConvolution(IMAGE, context, channels=6, depth=2, window=5),
}
OTHER = {
    "17 levels, label": lambda: MaskedAutoregressive(Space((1, 3, 4), 17), LABELS, width=30),
    "256 levels": lambda: MaskedAutoregressive(Space((1, 2, 3), 256), width=30, depth=2),
    "table, vector context": lambda: MaskedAutoregressive(Space((7,), 5), Space((2,)), width=5),
    "real": lambda: MaskedAutoregressive(Space((6,)), width=20),
    "convolution, 17 levels, label": lambda: MaskedConvolution(Space((1, 3, 4), 17), LABELS, channels=5, depth=1),
    "convolution, colour, image context": lambda: MaskedConvolution(
        Space((3, 3, 2), 256), Space((1, 2, 2), 5), channels=6, depth=1, orders=2
    ),
    "convolution, cells of four pixels": lambda: MaskedConvolution(
        Space((1, 4, 6), 3), channels=6, depth=1, window=3, orders=3, patch=2
    ),
    "convolution, cells of four pixels in colour, label": lambda: MaskedConvolution(
        Space((3, 2, 4), 17), LABELS, channels=6, depth=1, window=3, orders=8, patch=2
    ),
    "one entry": lambda: MaskedAutoregressive(Space((1,), 2)),
}
MODELS = {name: lambda make=make: make(None) for name, make in BINARY.items()} | OTHER


def contexts(model: Autoregressive, n: int):
    """n contexts that the model can take."""
    generator = runtime.keyed("contexts")
    if model.context is None:
        return None
    if model.classes:
        return torch.randint(model.classes, (n,), generator=generator)
    if model.context.levels:
        return torch.randint(model.context.levels, (n, *model.context.event_shape), generator=generator)
    return torch.randn((n, *model.context.event_shape), generator=generator).double()


def any_order(model: Autoregressive) -> torch.Tensor:
    """A random order of the entries."""
    return torch.randperm(model.space.dims, generator=runtime.keyed("order"))


def every_image() -> torch.Tensor:
    return torch.tensor(list(itertools.product((0, 1), repeat=9))).view(-1, 1, 3, 3)


@torch.no_grad()
@pytest.mark.parametrize("make", BINARY.values(), ids=BINARY)
def test_sums_to_one_in_every_order_and_in_the_ensemble(make):
    model = disturbed(make(LABELS))
    for order in (ORDER, *model.orders[:2]):
        total = model.log_prob_in(every_image(), order, torch.full((512,), 1)).logsumexp(0)
        assert abs(float(total)) < 1e-9
    assert abs(float(model.log_prob(every_image()).logsumexp(0))) < 1e-6


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_no_parameter_sees_its_own_or_a_later_entry(make):
    model = disturbed(make())
    order = any_order(model)
    given, other = contexts(model, 1), disturbed_points(model, 1)
    before = model.conditionals(other, order, given).log_prob(torch.zeros_like(other))
    for p, entry in enumerate(order.tolist()):
        changed = other.clone()
        changed[:, entry] = 1 - changed[:, entry]
        after = model.conditionals(changed, order, given).log_prob(torch.zeros_like(other))
        assert torch.equal(after[:, order[: p + 1]], before[:, order[: p + 1]])
        assert p + 1 == len(order) or not torch.equal(after[:, order[p + 1 :]], before[:, order[p + 1 :]])


def disturbed_points(model: Autoregressive, n: int) -> torch.Tensor:
    generator = runtime.keyed("points")
    if model.space.levels is None:
        return torch.randn(n, model.space.dims, generator=generator).double()
    return torch.randint(2, (n, model.space.dims), generator=generator)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_fast_sampler_draws_what_the_naive_one_draws(make, share):
    model, n = disturbed(make()), 12
    given, dims = contexts(model, n), model.space.dims
    u = torch.rand(n, dims, generator=runtime.keyed("u")).double()
    order = any_order(model)
    seen, start = disturbed_points(model, n), int(share * dims)
    fast, naive = model.draw(seen, order, start, u, given), model.fill(seen, order, start, u, given)
    assert torch.equal(fast[:, order[:start]], seen[:, order[:start]])
    assert torch.equal(fast, naive) if model.space.levels else torch.allclose(fast, naive, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 60])
def test_the_ensembles_samples_are_those_of_its_members(n):
    model = disturbed(MaskedAutoregressive(Space((1, 3, 4), 17), LABELS, orders=5, width=30))
    given, generator = contexts(model, n), runtime.keyed("sample")
    member = torch.randint(5, (n,), generator=generator)
    u = runtime.uniform((n, 12), generator=generator, like=model.log_prior)
    x = model.sample(n, given=given, generator=runtime.keyed("sample")).flatten(1)
    rows = [model.fill(model._empty(1), model.orders[o], 0, u[r, None], given[r, None]) for r, o in enumerate(member)]
    assert torch.equal(x, torch.cat(rows))


def test_ensemble_is_at_least_the_mean_of_its_members():
    model = disturbed(BINARY["masked MLP"](None))
    each = torch.stack([model.log_prob_in(every_image(), order) for order in model.orders])
    ensemble = model.log_prob(every_image())
    assert bool((ensemble >= each.mean(0) - 1e-12).all())
    assert torch.allclose(ensemble.exp(), each.exp().mean(0))


@pytest.mark.parametrize("order", [torch.zeros(9).long(), torch.arange(8), torch.arange(9) + 1])
def test_what_is_no_permutation_is_refused(order):
    with pytest.raises(UsageError, match=r"permutation of 0 \.\.\. 8"):
        BINARY["masked MLP"](None).log_prob_in(every_image(), order)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_every_weight_learns(make):
    model = disturbed(make()).float().train()
    if isinstance(model, MaskedConvolution):
        model.any_order = 0.5
    x = disturbed_points(model, 8).view(8, *model.space.event_shape)
    x = x if model.space.levels else x.float()
    given = contexts(model, 8)
    given = given.float() if given is not None and given.is_floating_point() else given
    loss = sum(model.loss_terms(x, given, progress=0.5, generator=runtime.keyed("loss", i))["loss"] for i in range(20))
    loss.backward()
    if model.space.dims > 1:
        assert [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())] == []


def test_report_of_a_sampling():
    model = disturbed(BINARY["masked MLP"](LABELS))
    x, report = model.sample_report(7, given=torch.tensor(2), generator=runtime.keyed("report"))
    assert x.shape == (7, 1, 3, 3)
    assert torch.equal(x, model.sample(7, given=torch.tensor(2), generator=runtime.keyed("report")))
    assert (report.method, report.network_evaluations) == ("triangular", 1)
    assert report.forward_ratio > 0


def test_evidence_first_in_a_raster_order_takes_two_stages_and_a_permutation_at_most_one_an_entry():
    cells = Cells(Space((1, 4, 6), 2), 2)
    seen = torch.rand(24, generator=runtime.keyed("seen")) < 0.5
    for order in cells.orders(8):
        assert len(cells.stages(order)) == 1
        assert len(cells.stages(evidence_first(order[None], seen)[0])) == 2
    order = torch.randperm(24, generator=runtime.keyed("order"))
    stages = cells.stages(order)
    assert sum(stage.entries.int() for stage in stages).tolist() == [1] * 24
    assert [bool(s.known[order[0]]) for s in stages] == [False] + [True] * (len(stages) - 1)


def test_a_patch_that_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="patch must divide"):
        MaskedConvolution(IMAGE, patch=2)


@pytest.mark.parametrize("order", rasters(5, 4))
@pytest.mark.parametrize("centre", [False, True])
def test_rasters_take_an_ordinary_convolution_that_equals_the_general_one(order, centre):
    layer = LocallyMaskedConv2d(2, 3, 5).double()
    neighbours = Neighbours(order, 5, 4, 5, centre)
    assert neighbours.kernel is not None
    x = torch.randn(2, 2, 5, 4, generator=runtime.keyed("x")).double()
    assert torch.allclose(layer(x, neighbours), layer._varying(x, neighbours))


@torch.no_grad()
@pytest.mark.parametrize("levels", [2, 5])
def test_training_starts_from_the_frequencies_of_each_class(levels):
    generator = runtime.keyed("rows")
    x = torch.randint(levels, (4000, 3), generator=generator) * torch.tensor([1, 0, 1])
    y = torch.randint(-1, 2, (4000,), generator=generator)
    x[y == 1, 0] = 1
    model = MaskedAutoregressive(Space((3,), levels), Space((), 2))
    model.net.leave.weight.zero_()
    model.initialise(x, y, generator=generator)
    p = model.conditionals(x[:1], torch.arange(3), torch.tensor([1])).log_prob(torch.ones(1, 3).long()).exp()
    assert abs(float(p[0, 0]) - 1) < 0.01
    assert float(p[0, 1]) < 1e-3
    assert abs(float(p[0, 2]) - 1 / levels) < 0.05


@pytest.mark.parametrize("make", [OTHER["17 levels, label"], OTHER["convolution, 17 levels, label"]])
def test_fixed_point_iteration_ends_where_the_naive_sampler_does(make):
    model, n, order = disturbed(make()), 20, torch.arange(12)
    given, seen = contexts(model, n), disturbed_points(model, n)
    u = torch.rand(n, 12, generator=runtime.keyed("u")).double()
    for start in (0, 5, 12):
        x, rounds = model.iterate(seen, order, start, u, given)
        assert torch.equal(x, model.fill(seen, order, start, u, given))
        assert 1 <= rounds <= 13 - start


@pytest.mark.parametrize("make", [OTHER["17 levels, label"], OTHER["convolution, 17 levels, label"]])
def test_every_method_draws_the_same(make):
    model, reports = disturbed(make()), {}
    for method in Method:
        x, reports[method] = model.sample_report(9, generator=runtime.keyed("methods"), method=method)
        assert torch.equal(x, model.sample(9, generator=runtime.keyed("methods")))
    assert reports[Method.FAST].method == reports[Method.AUTO].method == model.sampler
    assert (reports[Method.NAIVE].method, reports[Method.NAIVE].network_evaluations) == ("naive", 12)
    assert (reports[Method.JACOBI].method, reports[Method.FAST].network_evaluations) == ("jacobi", 1)
    assert 2 <= reports[Method.JACOBI].network_evaluations <= 13


def test_deformed_images_stay_in_the_space_and_fade_out() -> None:
    model = MaskedConvolution(Space((1, 4, 4), 17), channels=4, depth=1, augment=1.0)
    x = torch.randint(0, 17, (50, 1, 4, 4), generator=runtime.keyed("x"))
    assert model.deforms is not None
    (early, how), (late, nothing) = (model.deforms(x, progress, runtime.keyed("deform")) for progress in (0.0, 0.7))
    assert float((early != x).flatten(1).any(1).float().mean()) > 0.9
    assert 0 <= int(early.min()) <= int(early.max()) <= 16
    assert torch.equal(late, x)
    assert how is not None
    assert how.shape == (50, 7)
    assert nothing is None


def test_a_network_that_is_told_of_deformations_speaks_of_images_as_they_are() -> None:
    """The weights that hear of a deformation move in training, and say nothing when there is none."""
    space, labels = Space((1, 4, 4), 3), torch.tensor([0, 1, -1, 1])
    with runtime.borrowed_global_generator("told"):
        model = MaskedConvolution(space, Space((), 2), channels=8, depth=1, augment=1.0, augment_last=1.0)
    assert model.told is not None
    x = torch.randint(0, 3, (4, 1, 4, 4), generator=runtime.keyed("x"))
    terms = model.loss_terms(x, labels, progress=1.0, generator=runtime.keyed(0))
    terms["loss"].backward()
    assert float(model.told.weight.grad.abs().sum()) > 0
    model.eval()
    with torch.no_grad():
        before = model.log_prob(x, labels)
        model.told.weight.normal_()
        assert torch.equal(model.log_prob(x, labels), before)
        after = model.loss_terms(x, labels, progress=1.0, generator=runtime.keyed(0))["loss"]
    assert float((after - terms["loss"].detach()).abs()) > 1e-3


def test_no_deformation_is_the_image_itself() -> None:
    x = torch.randn(3, 2, 5, 4, generator=runtime.keyed("x"))
    still = affine(*torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 1.0]).unsqueeze(1).expand(6, 3))
    torch.testing.assert_close(warped(x, still), x)


def test_wide_tables_that_have_no_direct_connections_are_drawn_and_conditioned_alike(monkeypatch):
    monkeypatch.setattr("priorcraft.explicit.exact.masked_mlp.DIRECT_LIMIT", 0)
    model = MaskedAutoregressive(Space((9,), 4), width=64, orders=2)
    torch.nn.init.normal_(model.eval().net.leave.weight)
    assert model.net.direct is None
    fast, _ = model.sample_report(50, generator=runtime.keyed(0), method=Method.FAST)
    naive, _ = model.sample_report(50, generator=runtime.keyed(0), method=Method.NAIVE)
    assert torch.equal(fast, naive)
    seen = torch.arange(9) % 2 == 0
    drawn = posterior(model, Mask(seen), fast[:3]).sample(4, generator=runtime.keyed(1))
    assert bool((drawn[..., seen] == fast[:3, None][..., seen]).all())
