"""z in a user's hands: encode, decode, move it, and see what happens, for every model that has one."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import priorcraft as pc
from laws.table import PLANE, rows, tiny
from priorcraft import runtime
from priorcraft.cli import main
from priorcraft.core import Space
from priorcraft.errors import DataError, UsageError
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.approximate.latent import liveliest, principal_axes, shown, traversal
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.implicit.gan import GAN
from priorcraft.implicit.inverse import invert
from priorcraft.report.sheet import Line, Sheet

STEPS = {
    "flat-vae": {"latent": 3, "hidden": 16},
    "ladder-vae": {"width": 8, "latent": 1, "layers": 2, "reach": 0},
    "gan": {"hidden": 16},
    "ppca": {},
}


@pytest.fixture(scope="module", params=STEPS)
def run(request, tmp_path_factory, digits):
    """A run of each family that has a z, hardly trained."""
    path = tmp_path_factory.mktemp("latent") / request.param
    return pc.fit(digits, request.param, out=path, steps=3, settings=STEPS[request.param])


def test_what_is_encoded_can_be_decoded_and_moved_in_every_family(run, digits, tmp_path):
    z = tmp_path / "z.npz"
    answer = pc.encode(run, data=digits, limit=12).save(z)
    assert answer.n == 12
    assert ("search" in answer.method) == isinstance(run.model, GAN)
    back = pc.decode(run, z)
    assert back.x.shape == (12, 1, 8, 8)
    run.model.space.check(back.x)
    error = float((back.mean - digits.test.x[:12]).square().mean().sqrt()) / 16
    assert error == pytest.approx(answer.reconstruction_error, abs=1e-3)

    way = pc.interpolate(run, 0, 5, steps=5, data=digits)
    ends = pc.encode(run, [0, 5], data=digits)
    for end, z, y in zip(way.x[[0, -1]], ends.z, ends.y, strict=True):
        assert torch.allclose(end, decoded(run, z, y), atol=1e-3)
    assert list(way.nearest) == nearest_rows(way.x, digits.train.x)

    moved = pc.traverse(run, 3, latents=[1, 0], steps=3, data=digits)
    centre = pc.encode(run, [3], data=digits)
    for line in moved.x:
        assert torch.allclose(line[1], decoded(run, centre.z[0], centre.y[0]), atol=1e-3)
    assert not torch.allclose(moved.x[0, 0], moved.x[0, 2], atol=1e-4)
    same = pc.analogy(run, 4, 4, 3, data=digits)
    assert torch.allclose(same.x[0], same.x[-1], atol=1e-5)
    assert pc.latent_map(run, data=digits, limit=30, tiles=3).points.shape == (30, 2)


def decoded(run, z, y):
    return pc.decode(run, z.unsqueeze(0), given={"label": int(y)}).mean[0]


def nearest_rows(x, train):
    distance = (x[:, None].double() - train[None].double()).flatten(2).square().sum(2)
    return distance.argmin(1).tolist()


@torch.no_grad()
@pytest.mark.parametrize("kind", [VAE, LadderVAE])
def test_units_of_the_prior_make_its_draws_standard_and_go_back(kind):
    """4000 draws: 5 standard errors of a mean square are 0.12."""
    model = tiny("flat-vae" if kind is VAE else "ladder-vae")
    given = torch.zeros(4000, dtype=torch.long)
    if isinstance(model, VAE):
        model.p_z.loc.normal_(generator=runtime.keyed(0))
        model.p_z.log_scale.normal_(generator=runtime.keyed(1))
    z = model.prior(4000, given=given, generator=runtime.keyed(2))
    u = model.standardised(z, given)
    assert torch.allclose(model.unstandardised(u, given), z)
    assert float((u.square().mean(0) - 1).abs().max()) < 0.15
    assert float(u.mean(0).abs().max()) < 0.1


def test_a_generator_finds_the_z_of_its_own_images():
    model = tiny("gan")
    y = torch.arange(6) % 3
    u = model.generator(model.prior(6, generator=runtime.keyed(0)), y).detach()
    model.space = Space(model.space.event_shape)  # what a generator draws before it is rounded is real
    found, label = invert(model, u, y, generator=runtime.keyed(1))
    assert torch.equal(label, y)
    assert float((model.generator(found, y) - u).detach().abs().max()) < 0.1
    with pytest.raises(UsageError, match="starts"):
        invert(model, u, y, starts=2, descents=3)


def test_the_latents_that_matter_come_first():
    class Fading(torch.nn.Module):
        def forward(self, z):
            mean = z * torch.tensor([1.0, 3.0, 0.0, 2.0])
            return torch.stack([mean, mean * 0], -1)

    model = VAE(Space((4,)), latent=4, hidden=4, depth=1)
    model.decoder = Fading()
    assert liveliest(model, torch.zeros(4), 3, 1.0) == [1, 3, 0]
    assert torch.equal(shown(model, traversal(torch.zeros(4), [3], 3, 1.0)[0])[:, 3], torch.tensor([-2.0, 0.0, 2.0]))


def test_the_axes_of_a_map_are_those_along_which_codes_spread():
    z = torch.randn(500, 5, generator=runtime.keyed(0)) * torch.tensor([0.1, 3.0, 0.1, 2.0, 0.1])
    axes = principal_axes(z)
    assert axes.directions.abs()[[1, 3], [0, 1]].min() > 0.99
    assert float(axes.share.sum()) > 0.99
    assert torch.allclose(
        axes.coordinates(axes.at(torch.tensor([[1.0, -2.0]]))), torch.tensor([[1.0, -2.0]]), atol=1e-5
    )


def test_a_sheet_is_as_wide_as_its_columns_and_shows_the_pixels():
    x = torch.full((1, 4, 4), 16)
    png = Sheet("title", ["a", "b"], [Line("one", [x, None]), Line("two", [x, x])], Space((1, 4, 4), 17)).png()
    page = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
    assert page.shape[0] > 2 * 56
    black = Sheet("t", ["a"], [Line("x", [x.expand(3, -1, -1) * 0])], Space((3, 4, 4), 17))
    colour = np.asarray(Image.open(io.BytesIO(black.png())))
    assert (colour == 0).all(-1).sum() >= 56 * 56


def ask(capsys, *words):
    main([*map(str, words), "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("run", ["flat-vae"], indirect=True)
def test_the_command_line_writes_pictures_and_arrays(run, capsys, tmp_path):
    out = {name: tmp_path / f"{name}.png" for name in ("strip", "sheet", "sum", "map", "decoded")}
    assert ask(capsys, "encode", run.path, "0", "1", "--out", tmp_path / "z.npz")["n"] == 2
    assert ask(capsys, "decode", run.path, tmp_path / "z.npz", "--out", out["decoded"])["n"] == 2
    assert len(ask(capsys, "interpolate", run.path, 0, 1, "--steps", 4, "--out", out["strip"])["nearest"]) == 4
    assert ask(capsys, "traverse", run.path, "--latents", "1,0", "--out", out["sheet"])["latents"] == [1, 0]
    assert ask(capsys, "analogy", run.path, 0, 1, 2, "--no-neighbours", "--out", out["sum"])["nearest"] is None
    assert ask(capsys, "latent-map", run.path, "--limit", 40, "--tiles", 3, "--out", out["map"])["n"] == 40
    for path in out.values():
        assert Image.open(path).size[0] > 50
    image = tmp_path / "image.png"
    Image.new("L", (8, 8), 200).save(image)
    answer = ask(capsys, "interpolate", run.path, image, 1, "--out", tmp_path / "way.npz")
    assert answer["steps"] == 9
    with np.load(tmp_path / "way.npz") as arrays:
        assert arrays["x"].shape == (9, 1, 8, 8)


def test_codes_are_kept_with_the_names_of_their_classes_and_need_no_seed(digits, capsys, tmp_path):
    run = pc.fit(digits, "flat-vae", out=tmp_path / "vae", steps=2, settings={"latent": 3})
    codes = pc.encode(run, data=digits, limit=4).save(tmp_path / "z.npz")
    with np.load(tmp_path / "z.npz") as kept:
        assert kept["y"].tolist() == list(codes.classes) == [digits.classes[int(c)] for c in codes.y]
    mean = pc.decode(run, tmp_path / "z.npz").mean
    np.savez(tmp_path / "numbers.npz", z=codes.z, y=codes.y)
    assert torch.equal(pc.decode(run, tmp_path / "numbers.npz").mean, mean)
    for y, sentence in ((["3"] * 3, "a class for each of the 4 rows"), ([99] * 4, "no class '99'")):
        np.savez(tmp_path / "wrong.npz", z=codes.z, y=y)
        with pytest.raises(DataError, match=sentence):
            pc.decode(run, tmp_path / "wrong.npz")
    with pytest.raises(SystemExit):
        main(["decode", str(run.path), str(tmp_path / "z.npz"), "--out", str(tmp_path / "x.png"), "--seed", "1"])
    assert "--seed" in capsys.readouterr().err


def test_an_answer_shows_the_same_whether_it_is_kept_or_not(digits, tmp_path):
    run = pc.fit(digits, "flat-vae", out=tmp_path / "vae", steps=2, settings={"latent": 3})
    way = pc.interpolate(run, 0, 5, data=digits)
    before = way.to_dict()
    assert way.save(tmp_path / "way.png").to_dict() == before | {"out": str(tmp_path / "way.png")}
    assert (tmp_path / "way.png").read_bytes() == way.sheet.png()
    with np.load(way.save(tmp_path / "way.npz").saved["out"]) as kept:
        assert kept["y"].tolist() == [digits.classes[int(c)] for c in way.y]
    for answer in (way, pc.traverse(run, 3, data=digits), pc.latent_map(run, data=digits, limit=20, tiles=2)):
        assert "data:image/png;base64," in answer._repr_html_()
        assert "reconstruction error" in str(answer)


def test_what_has_no_z_or_no_such_row_is_a_sentence(digits, tmp_path):
    nb, vae = tmp_path / "nb", tmp_path / "vae"
    pc.fit(digits, "naive-bayes", out=nb, steps=2)
    pc.fit(digits, "flat-vae", out=vae, steps=2, settings={"latent": 3})
    with pytest.raises(UsageError, match="no latent variable"):
        pc.encode(nb)
    pc.fit(digits, "mixture", out=tmp_path / "mixture", steps=2)
    with pytest.raises(UsageError, match="none that can be moved"):
        pc.encode(tmp_path / "mixture")
    for wrong, sentence in {
        "no test row 9999": lambda: pc.interpolate(vae, 0, 9999),
        "steps must lie": lambda: pc.interpolate(vae, 0, 1, steps=1),
        "steps must lie in": lambda: pc.traverse(vae, 0, steps=10**9),
        "span must be": lambda: pc.traverse(vae, 0, span=float("nan")),
        "latents must be": lambda: pc.traverse(vae, 0, latents=[3]),
        "limit must be": lambda: pc.encode(vae, limit=0),
        "needs the class": lambda: pc.decode(vae, torch.zeros(1, 3)),
    }.items():
        with pytest.raises(UsageError, match=wrong):
            sentence()
    for z in (torch.zeros(2, 4), torch.full((2, 3), float("nan"))):
        with pytest.raises(DataError, match="z must"):
            pc.decode(vae, z, given={"label": 1})
    (tmp_path / "x.npz").write_bytes(b"no")
    with pytest.raises(DataError, match=r"cannot be read as an array file"):
        pc.decode(vae, tmp_path / "x.npz")


def test_rows_of_numbers_have_a_z_too(tmp_path):
    x, _ = rows(PLANE, 60)
    np.savez(tmp_path / "plane.npz", x=x.numpy().astype("float32"))
    pc.fit(tmp_path / "plane.npz", "gan", out=tmp_path / "gan", steps=3)
    assert pc.interpolate(tmp_path / "gan", 0, 1).x.shape == (9, 2)
    assert pc.latent_map(tmp_path / "gan").save(tmp_path / "map.png").n > 3
    with pytest.raises(UsageError, match="a picture needs images"):
        pc.interpolate(tmp_path / "gan", 0, 1).save(tmp_path / "x.png")


def test_an_image_of_another_size_is_cropped_and_resized_and_said(tmp_path, digits, capsys):
    run = pc.fit(digits, "flat-vae", out=tmp_path / "r", steps=1, settings={"latent": 2, "hidden": 8})
    wide, square = Image.new("L", (20, 16), 90), Image.new("L", (8, 8), 90)
    wide.save(tmp_path / "wide.png")
    square.save(tmp_path / "square.png")
    main(["encode", str(run.path), str(tmp_path / "wide.png"), "--out", str(tmp_path / "z.npz")])
    assert "wide.png is 20 x 16: cropped about its centre and resized to 8 x 8" in capsys.readouterr().err
    both = [pc.encode(run, [tmp_path / name]).z for name in ("wide.png", "square.png")]
    assert torch.equal(*both)


def test_images_of_a_folder_are_named(tmp_path):
    rng, folder = np.random.default_rng(0), tmp_path / "own"
    for kind in ("left", "right"):
        (folder / kind).mkdir(parents=True)
        for i in range(20):
            picture = rng.integers(0, 60, (8, 8), dtype=np.uint8)
            picture[:, 4 * (kind == "right") :][:, :4] += 150
            Image.fromarray(picture).save(folder / kind / f"{i:02}.png")
    vae = pc.fit(folder, "flat-vae", out=tmp_path / "vae", steps=2, settings={"latent": 2, "hidden": 8})
    way = pc.interpolate(vae, 0, 1, steps=3)
    for name, number in zip(way.nearest_files, way.nearest, strict=True):
        row = vae.model.space.to_network(pc.open_data(folder).train.x[number])
        there = np.asarray(Image.open(folder / name)) / 127.5 - 1
        assert np.allclose(row[0], there, atol=0.01)
    assert way.nearest_files[0] in str(way)

    (tmp_path / "asked").mkdir()
    for i in range(6):
        white = np.full((8, 8), 255 if i == 4 else 40, np.uint8)
        white[:, :4] -= 0 if i == 4 else 30
        Image.fromarray(white).save(tmp_path / "asked" / f"holiday {i}.png")
    exact = pc.fit(folder, "naive-bayes", out=tmp_path / "nb", steps=2)
    found = pc.unusual(exact, tmp_path / "asked")
    assert [found.files[i] for i in range(6)] == [f"holiday {number}.png" for number in found.most]
    assert "which are the files " + found.files[0] in str(found)
    assert Image.open(found.save(tmp_path / "u.png").saved["out"]).width > 6 * 8
    assert "data:image/png;base64," in found._repr_html_()
