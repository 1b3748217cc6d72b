"""Translation: partners that are given, partners that are found, another label for the same image."""

import contextlib
import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import priorcraft as pc
from priorcraft import runtime
from priorcraft.cli import main
from priorcraft.condition.translated import by_windows
from priorcraft.core import Space
from priorcraft.datasets import open_data
from priorcraft.datasets.pairs import open_pairs
from priorcraft.errors import DataError, Stopped, UsageError
from priorcraft.explicit.approximate.attribute import carried, relabelled
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.implicit.alignment import ALIGNMENTS, BLANK, Alignment, closest, simplest
from priorcraft.implicit.coupling import couple
from priorcraft.implicit.gan import GAN
from priorcraft.implicit.strokes import strokes
from priorcraft.run.domains import open_domains
from priorcraft.run.forms import open_as
from priorcraft.train.game import Game, ranked
from priorcraft.train.objective import Batch

IMAGES = Space((1, 8, 8), 17)


@pytest.fixture(scope="module")
def x():
    """Digits as 17 levels, in an order without writers."""
    rows = open_data("digits").train.x
    return rows[torch.randperm(len(rows), generator=runtime.keyed("order"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, x):
    """pairs/A, pairs/B; domains/trainA, domains/trainB; few/trainA with three images."""
    root = tmp_path_factory.mktemp("translate")
    grey = (x[:120, 0] * 15).byte().numpy()
    turned = 255 - np.rot90(grey, 1, (1, 2))
    rooms = {"pairs/A": grey[:60], "pairs/B": turned[:60], "domains/trainA": grey[:60], "domains/trainB": turned[60:]}
    for name, images in (rooms | {"few/trainA": grey[:3], "few/trainB": grey[3:40]}).items():
        (root / name).mkdir(parents=True)
        for i, image in enumerate(images):
            Image.fromarray(image).save(root / name / f"{i:03}.png")
    return root


def typed(*words, cwd):
    """The exit code of a command typed in a folder."""
    with contextlib.chdir(cwd):
        try:
            main(list(words))
        except SystemExit as end:
            return end.code
    return 0


def test_an_alignment_is_found_by_pairs_and_without_them(x):
    u = IMAGES.to_network(x)
    truth = Alignment(turns=1, mirrored=True, negative=True)
    assert ALIGNMENTS[closest(u[:100], truth(u[:100]))] == truth
    assert closest(u[:100], u[100:200].flip(0)) == BLANK
    assert simplest(u[:500], truth(u[500:]), generator=runtime.keyed(0)) == truth
    thick = torch.nn.functional.max_pool2d(u[500:], 3, 1, 1)
    assert simplest(u[:500], thick, generator=runtime.keyed(0)) is None


def test_strokes_forget_size_place_and_ink():
    wide = torch.zeros(1, 1, 20, 20)
    wide[..., 4:16, 5], wide[..., 15, 5:12], wide[..., 4, 5:8] = 1, 1, 1
    far = torch.nn.functional.pad(wide, (8, 0, 4, 4))
    other = torch.zeros(1, 1, 20, 20)
    other[..., 4:16, 12], other[..., 4, 6:12], other[..., 9, 8:12] = 1, 1, 1
    same = (strokes(wide) - strokes(-far)).norm()
    assert same < 0.5 * (strokes(wide) - strokes(other)).norm()
    assert torch.allclose(strokes(wide).norm(dim=1), torch.ones(1))


def test_partners_of_like_images_are_alike(digits):
    """Two other sets of digits, one turned and in negative: most partners are of the same class, and all are used."""
    u, y = IMAGES.to_network(digits.train.x), digits.train.y
    found = couple(Alignment(turns=2, negative=True)(u[::2]), u[1::2], generator=runtime.keyed(0))
    i, j = found.draw(2, generator=runtime.keyed(1))
    assert (y[::2][i] == y[1::2][j]).double().mean() > 0.9  # 0.1 by chance
    assert len(j.unique()) > 250
    assert torch.allclose(found.q.sum(1), torch.ones(500), atol=1e-4)


def test_the_score_of_each_entry_is_smallest_at_the_truth():
    """x ~ N(0, 1): among N(0, s^2), the expected score is smallest at s = 1, while L1 alone would want s = 0."""
    draws = torch.randn(3, 200_000, generator=runtime.keyed("score"))
    scores = {s: float(ranked(draws[0], s * draws[1], s * draws[2])) for s in (0.0, 0.7, 1.0, 1.3)}
    assert min(scores, key=scores.__getitem__) == 1.0


@pytest.mark.parametrize(
    ("b", "a"), [((1, 8, 8), (1, 8, 8)), ((3, 26, 24), (1, 13, 12)), ((1, 14, 14), (1, 28, 28)), ((5,), (4,))]
)
def test_a_gan_translates_whatever_the_shapes(b, a):
    space, context = Space(b, 17), Space(a, 5)
    model = GAN(space, context, latent=3, hidden=8, layers=1)
    rows = torch.arange(8)
    batch = Batch(torch.randint(17, (8, *b)), torch.randint(5, (8, *a)), rows)
    model.initialise(batch.x, batch.given, generator=runtime.keyed(0))
    game = Game(model)
    game.prepare(batch)
    record = game.step(batch, progress=0.0, key=(0, 0))
    assert record["reconstruction"] > 0
    assert game.averaged.sample(8, given=batch.given).shape == (8, *b)
    with pytest.raises(UsageError, match="given is needed"):
        model.sample(3)


def test_an_untrained_translator_answers_with_the_aligned_image(x):
    model = GAN(Space((1, 16, 16), 17), Space((1, 16, 16), 17), latent=3, hidden=8, layers=1)
    a = x[:50].repeat_interleave(2, 2).repeat_interleave(2, 3).long()
    truth = 16 - torch.rot90(a, 3, (-2, -1))
    model.initialise(truth, a, generator=runtime.keyed(0))
    assert torch.equal(model.sample(50, given=a), truth)


def test_reconstruction_needs_pairs():
    with pytest.raises(UsageError, match="reconstruct needs pairs"):
        Game(GAN(IMAGES, Space((), 10)), reconstruct=1.0)


def test_domains_become_pairs(x):
    turned = 16 - torch.rot90(x[500:], 1, (-2, -1))
    pairs = open_domains({"a": x[:500].numpy(), "b": turned.numpy(), "levels": 17})
    assert "90 degrees, negative" in pairs.found
    assert torch.equal(pairs.test.x, 16 - torch.rot90(pairs.test.partner, 1, (-2, -1)))
    thick = torch.nn.functional.max_pool2d(x[500:].float(), 3, 1, 1).byte()
    pairs = open_domains({"a": x[:500].numpy(), "b": thick.numpy(), "levels": 17})
    assert "likeness" in pairs.found
    assert len(pairs.test) == 0
    b = {row.numpy().tobytes() for row in pairs.train.x}
    assert not b & {row.numpy().tobytes() for row in pairs.valid.x}


@pytest.mark.parametrize("form", ["pairs", "domains", "domains reversed"])
def test_stopped_and_resumed_it_ends_bit_for_bit(form, folder, tmp_path):
    source, flags = folder / form.split()[0], {word.replace("reversed", "reverse"): True for word in form.split()}
    how = {"steps": 4, "settings": {"hidden": 16}, **flags}

    def stop(record):
        if record.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    whole = pc.fit(source, "gan", out=tmp_path / "whole", **how)
    with pytest.raises(Stopped):
        pc.fit(source, "gan", out=tmp_path / "run", listen=lambda name: stop, **how)
    run = pc.fit(resume=True, out=tmp_path / "run")
    assert run.steps == 4
    one, two = (each.model.state_dict() for each in (whole, run))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_change_on_either_side_is_noticed_at_resume(folder, tmp_path):
    shutil.copytree(folder / "pairs", tmp_path / "pairs")
    pc.fit(tmp_path / "pairs", "gan", pairs=True, out=tmp_path / "run", steps=1, settings={"hidden": 16})
    shutil.copy(tmp_path / "pairs/A/001.png", tmp_path / "pairs/A/002.png")
    with pytest.raises(DataError, match="changed"):
        pc.fit(resume=True, out=tmp_path / "run", steps=2)


def test_z_is_carried_between_the_priors_of_two_labels(digits):
    model = VAE(IMAGES, Space((), 10), latent=3, hidden=8, depth=1)
    with torch.no_grad():
        model.p_z.loc.copy_(torch.randn(10, 1, 3, generator=runtime.keyed("loc")))
        model.p_z.log_scale.copy_(0.3 * torch.randn(10, 1, 3, generator=runtime.keyed("scale")))
    three, five = torch.full((4000,), 3), torch.full((4000,), 5)
    z = model.prior(4000, given=three, generator=runtime.keyed("z"))
    moved = carried(model, z, three, five)
    assert torch.allclose(moved.mean(0), model.p_z.loc[5, 0], atol=0.1)
    assert torch.allclose(moved.std(0), model.p_z.log_scale[5, 0].exp(), rtol=0.1)
    assert torch.allclose(carried(model, moved, five, three), z, atol=1e-5)
    x = digits.train.x[:4].long()
    found = relabelled(model, x, torch.full((4,), 5), generator=runtime.keyed(0))
    assert found.shape == x.shape
    with pytest.raises(UsageError, match="fitted with labels"):
        relabelled(VAE(IMAGES, latent=2, hidden=8), x, torch.zeros(4).long(), generator=runtime.keyed(0))


def test_as_a_user_types_it(folder, tmp_path, capsys):
    """Pairs, domains and labels, from the command line to the contact sheet."""
    fit = ("fit", str(folder / "domains"), "gan", "--domains", "--steps", "3", "--out", "run", "--quiet", "--json")
    code = typed(*fit, cwd=tmp_path)
    assert code == 0
    assert "90 degrees, negative" in json.loads(capsys.readouterr().out)["notes"][0]
    image = str(folder / "domains/trainA/000.png")
    code = typed("translate", "run", image, "-n", "3", "--out", "sheet.png", cwd=tmp_path)
    assert code == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 4 * 56  # the image itself and three answers, side by side
    code = typed("fit", str(folder / "pairs"), "gan", "--pairs", "--domains", "--out", "no", cwd=tmp_path)
    assert code == 2
    assert "not both" in capsys.readouterr().err


def test_another_label_from_the_command_line(tmp_path, capsys):
    pc.fit("digits", "vae", out=tmp_path / "vae", steps=2, settings={"hidden": 8, "latent": 2})
    np.savez(tmp_path / "rows.npz", x=open_data("digits").test.x[:3, 0].numpy())
    code = typed("translate", "vae", "rows.npz", "--to", "7", "--out", "b.npz", cwd=tmp_path)
    assert code == 0
    with np.load(tmp_path / "b.npz") as found:
        assert found["b"].shape == (3, 4, 1, 8, 8)
    for words, sentence in ((["--to", "11"], "there is no class '11'"), ([], "name the class to become: --to LABEL")):
        code = typed("translate", "vae", "rows.npz", *words, "--out", "c.png", cwd=tmp_path)
        assert code == 2
        assert sentence in capsys.readouterr().err


def test_bad_input_is_a_sentence(folder, tmp_path, capsys):
    few = np.zeros((3, 8, 8), np.uint8)
    with pytest.raises(DataError, match="domain A holds 3 images"):
        open_domains(folder / "few")
    with pytest.raises(DataError, match="domain B holds 3 images"):
        open_domains({"a": np.zeros((40, 8, 8), np.uint8), "b": few, "levels": 256})
    with pytest.raises(DataError, match="must hold images"):
        open_domains({"a": np.zeros((40, 8)), "b": np.zeros((40, 8))})
    with pytest.raises(DataError, match="a holds 5 rows and b 3"):
        open_pairs({"a": np.zeros((5, 8, 8), int), "b": few})
    with pytest.raises(UsageError, match="no form of data 'pair'"):
        open_as("pair", folder / "pairs", seed=0)
    shutil.copytree(folder / "pairs", tmp_path / "pairs")
    (tmp_path / "pairs/B/007.png").unlink()
    code = typed("fit", "pairs", "gan", "--pairs", "--out", "no", cwd=tmp_path)
    assert code == 3
    assert "007 is in only one of A and B" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_smaller_image_is_refused(folder, tmp_path):
    pc.fit(folder / "pairs", "gan", pairs=True, out=tmp_path / "run", steps=1, settings={"hidden": 16})
    Image.new("L", (9, 7)).save(tmp_path / "low.png")
    with pytest.raises(DataError, match="9 x 7; 8 x 8 is needed"):
        pc.translate(tmp_path / "run", tmp_path / "low.png")


def test_larger_images_are_translated_in_windows_of_one_noise(folder, capsys):
    run = str(folder / "wide")
    words = ("--pairs", "--steps", "1", "--quiet", "--out", run)
    assert typed("fit", "pairs", "masked-conv", *words, "--set", "channels=4", "--set", "depth=1", cwd=folder) == 0
    large = np.asarray(Image.open(folder / "pairs/A/000.png").resize((12, 9)))
    Image.fromarray(large).save(folder / "large.png")
    assert typed("translate", run, "large.png", "-n", "2", "--out", "large-b.png", cwd=folder) == 0
    assert "Note: large.png is 12 x 9: asked about in windows of 8 x 8" in capsys.readouterr().err
    found = pc.translate(run, folder / "large.png", n=2)
    assert tuple(found.b.shape) == (1, 2, 1, 9, 12)
    assert found.seen.event_shape == (1, 9, 12)
    assert torch.equal(found.b, pc.translate(run, found.a, n=2).b)
    with pytest.raises(DataError, match="7 x 7; 8 x 8 is needed, or more"):
        pc.translate(run, torch.zeros(1, 1, 7, 7).long())


def test_windows_are_blended_without_a_seam():
    flat, small = torch.zeros(1, 1, 10, 13), Space((1, 4, 4), None)
    bright = iter(range(100))
    found = by_windows(lambda a: a + next(bright), flat, small, small)
    assert found.shape == flat.shape
    assert found.diff(dim=3).abs().max() < 1  # hard edges would be a step of 1
    wide = by_windows(
        lambda a: a.repeat_interleave(2, 2).repeat_interleave(2, 3), flat + 3, small, Space((1, 8, 8), None)
    )
    assert torch.equal(wide, torch.full((1, 1, 20, 26), 3.0))
    with pytest.raises(DataError, match="whole multiple"):
        by_windows(lambda a: a, flat, small, Space((1, 6, 6), None))
