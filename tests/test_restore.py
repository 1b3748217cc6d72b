"""From a fitted run to restored images, as a user would go; bad inputs are sentences and cost nothing."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import priorcraft as pc
from priorcraft import cli, runtime
from priorcraft.condition.enlarged import rounds, upscale
from priorcraft.condition.restoration import Restoration, complaints
from priorcraft.condition.tiles import inpaint
from priorcraft.core import Space
from priorcraft.errors import DataError, UsageError
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.exact.naive_bayes import NaiveBayes
from priorcraft.explicit.exact.ppca import PPCA
from priorcraft.metrics.restoration import coverage, psnr, ssim
from priorcraft.observe.named import named_mask
from priorcraft.report.completed import completed, tasks_for

DIGIT = Space((1, 8, 8), 17)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "nb"
    pc.fit("digits", "naive-bayes", out=folder, steps=2)
    return folder


@pytest.fixture
def image(tmp_path):
    x = pc.open_data("digits").test.x[3, 0].numpy()
    Image.fromarray((x * 15.9).astype(np.uint8)).save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


def command(capsys, *arguments):
    """Exit code, stdout and stderr of one command."""
    code = 0
    try:
        cli.main([str(a) for a in arguments])
    except SystemExit as leaving:
        code = leaving.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_inpaint_an_image_by_the_command_line(run, image, tmp_path, capsys):
    sheet, numbers, restored = (tmp_path / name for name in ("sheet.png", "numbers.npz", "restored.png"))
    code, out, _ = command(capsys, "inpaint", run, image, "--mask", "bottom", "-n", 3, "--out", sheet, "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["kind"] == "exact"
    assert answer["consistency"] == 0
    assert set(answer) >= {"method", "diagnostics", "psnr_mean", "ssim_mean", "judge_samples", "bits_per_hidden"}
    assert Image.open(sheet).width > Image.open(sheet).height
    options = ("--mask", "bottom", "-n", 3, "--out", numbers, "--restored", restored)
    assert command(capsys, "inpaint", run, image, *options)[0] == 0
    with np.load(numbers) as found:
        assert found["x"].shape == (1, 3, 1, 8, 8)
        assert found["mask"][0, 0, :4].all()
        assert not found["mask"][0, 0, 4:].any()
        assert (found["x"][0, :, 0, :4] == found["seen"][0, 0, :4]).all()
        assert found["std"][0, 0, :4].max() == 0
        assert found["std"][0, 0, 4:].max() > 0
    assert (np.asarray(Image.open(restored))[:4] == np.asarray(Image.open(image))[:4]).all()


def test_test_rows_come_with_figures(run, tmp_path):
    answer = pc.inpaint(run, data="digits", limit=30, mask="random:0.5", n=2, draws=40).save(tmp_path / "f.npz")
    assert answer.images == 30
    assert 5 < answer.psnr_mean < 30
    assert 0.5 < answer.coverage90 <= 1
    assert 0 < answer.bits_per_hidden < 4.1
    assert 0 <= answer.judge_samples <= 1
    assert answer.consistency == 0
    again = pc.inpaint(run, data="digits", limit=30, mask="random:0.5", n=2, draws=40)
    with np.load(tmp_path / "f.npz") as found:
        assert (found["x"] == again.x.numpy()).all()


def test_upscale_meets_every_block_mean(run, tmp_path, capsys):
    answer = pc.upscale(run, data="digits", limit=10, factor=2, n=2, draws=4)
    x = answer.x.float()
    small = torch.nn.functional.avg_pool2d(pc.open_data("digits").test.x[:10].float(), 2)
    assert torch.equal(torch.nn.functional.avg_pool2d(x.flatten(0, 1), 2), small.repeat_interleave(2, 0))
    assert answer.consistency == 0
    Image.fromarray(np.full((4, 4), 100, np.uint8)).save(tmp_path / "small.png")
    code, _, said = command(capsys, "upscale", run, tmp_path / "small.png", "--out", tmp_path / "large.png")
    assert code == 0, said
    assert (tmp_path / "large.png").exists()


def test_impute_fills_what_is_missing_and_nothing_else(run, tmp_path):
    x = pc.open_data("digits").test.x[:6].float().numpy()
    missing = np.random.default_rng(0).random(x.shape) < 0.3
    np.savez(tmp_path / "holes.npz", x=np.where(missing, np.nan, x))
    answer = pc.impute(run, tmp_path / "holes.npz", n=5).save(tmp_path / "full.npz")
    assert answer.missing == missing.sum()
    with np.load(tmp_path / "full.npz") as found:
        assert np.isfinite(found["x"]).all()
        kept = np.broadcast_to(x[:, None], found["x"].shape)
        where = np.broadcast_to(~missing[:, None], kept.shape)
        assert (found["x"][where] == kept[where]).all()
    np.savez(tmp_path / "masked.npz", x=x.astype(int), mask=missing)
    assert torch.equal(
        pc.impute(run, tmp_path / "masked.npz", n=5).x, torch.from_numpy(np.load(tmp_path / "full.npz")["x"])
    )


def test_a_mask_of_nothing_returns_the_input(run, image, tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "nothing.png")
    answer = pc.inpaint(run, image, mask=str(tmp_path / "nothing.png"), n=2)
    assert torch.equal(answer.x, answer.seen[:, None].expand_as(answer.x))
    assert float(answer.std.max()) == 0


@pytest.mark.parametrize("hole", ["middle", "nothing"])
def test_larger_images_are_completed_tile_by_tile(hole):
    model = NaiveBayes(Space((1, 4, 4), 5))
    x = torch.randint(5, (2, 1, 9, 11), generator=runtime.keyed(0))
    seen = torch.ones(1, 9, 11).bool()
    if hole == "middle":
        seen[:, 2:7, 3:9] = False
    done = inpaint(model, x, seen, 3, generator=runtime.keyed(1))
    assert done.x.shape == (2, 3, 1, 9, 11)
    assert torch.equal(torch.where(seen, done.x, 0), torch.where(seen, x, 0)[:, None].expand_as(done.x))
    assert done.kind == "approximate"
    assert (len(done.x[:, :, ~seen].unique()) == 5) == (hole == "middle")
    with pytest.raises(DataError, match="or be larger"):
        inpaint(model, x[..., :3], seen[..., :3], 1, generator=runtime.keyed(0))
    assert inpaint(model, x, seen, 1, draws=4, generator=runtime.keyed(1)).coverage_draws.shape[:2] == (2, 4)


@pytest.mark.parametrize("model", [NaiveBayes(Space((1, 4, 4), 5)), PPCA(Space((1, 4, 4), 5), latent=2)])
def test_larger_images_are_enlarged_tile_by_tile_and_keep_every_mean(model):
    small = torch.randint(17, (2, 1, 5, 7), generator=runtime.keyed(0))
    done = upscale(model, small, 2, 3, draws=4, generator=runtime.keyed(1))
    assert done.x.shape == (2, 3, 1, 10, 14)
    assert done.coverage_draws.shape[1] == 4
    sums = torch.nn.functional.avg_pool2d(done.x.flatten(0, 1).float(), 2) * 4
    assert torch.equal(sums.long(), small.repeat_interleave(3, 0))
    assert "by itself" in done.method or "beside what is there" in done.method
    with pytest.raises(DataError, match="or be larger"):
        upscale(model, small[..., :1], 2, 1, generator=runtime.keyed(0))


def test_windows_cover_an_image_and_those_of_a_round_do_not_touch():
    known = torch.zeros(11, 14).bool()
    for windows in rounds(known, (4, 4)):
        seen = torch.zeros_like(known).long()
        for window in windows:
            seen[window] += 1
        assert int(seen.max()) == 1
        for window in windows:
            known[window] = True
    assert known.all()


def test_a_look_at_the_completions_says_what_it_is():
    model, generator = NaiveBayes(DIGIT), runtime.keyed(0)
    truth = pc.open_data("digits").test.x[:1]
    looks = [completed(model, task, generator=generator) for task in tasks_for(truth, DIGIT)]
    assert [look.said.startswith("exact: closed form over components") for look in looks] == [True, True]
    assert all(look.picture for look in looks)
    ladder = LadderVAE(DIGIT, layers=1, latent=1, width=4)
    silent = completed(ladder, tasks_for(truth, DIGIT)[1], generator=generator)
    assert silent.picture is None
    assert "no better engine" in silent.said
    assert tasks_for(truth.float(), Space((1, 8, 8))) == []


def test_bad_input_is_a_sentence_and_writes_nothing(run, image, tmp_path, capsys):
    grey = tmp_path / "grey.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(grey)
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(tmp_path / "tall.png")
    Image.fromarray(np.zeros((3, 5), np.uint8)).save(tmp_path / "tiny.png")
    out = tmp_path / "out.npz"
    inpainting = ("inpaint", run, image, "--out", out, "--mask")
    cases = [
        ((*inpainting, "botom"), 2, "did you mean 'bottom'"),
        ((*inpainting, "random:2"), 2, "between 0 and 1"),
        ((*inpainting, grey, "--mask-colour", "reddish"), 2, "a name or #rrggbb"),
        ((*inpainting, "top", "--prior", image), 2, "the run is the prior"),
        ((*inpainting, tmp_path / "tall.png"), 3, "8 x 9, the image 8 x 8"),
        ((*inpainting, "top", "-n", 10**9), 2, "n must lie in 1"),
        ((*inpainting, "top", "-n", 0), 2, "n must lie in 1"),
        ((*inpainting, "top", "--data", "digits"), 2, "not both"),
        (("inpaint", run, "--mask", "top", "--out", out), 2, "either an image file or --data"),
        (("inpaint", run, "--data", "digits", "--mask", "top", "--out", tmp_path / "o.txt"), 2, "must end in"),
        (("upscale", run, image, "--factor", 3, "--out", out), 2, "3 does not"),
        (("upscale", run, image, "--factor", 0, "--out", out), 2, "at least 2"),
        (("upscale", run, tmp_path / "tiny.png", "--factor", 2, "--out", out), 3, "4 x 4"),
        (("upscale", run, image, "-n", 10**9, "--out", out), 2, "n must lie in 1"),
        (("inpaint", run, tmp_path / "tiny.png", "--mask", "top", "--out", out), 3, "8 x 8 is needed"),
        (("impute", run, image, "--out", out), 3, "cannot be read"),
    ]
    for arguments, expected, sentence in cases:
        code, _, said = command(capsys, *arguments)
        assert (code, sentence in said) == (expected, True), said
    assert not out.exists()
    out.write_bytes(b"mine")
    code, _, said = command(capsys, *inpainting, "top")
    assert code == 2
    assert "exists" in said
    assert out.read_bytes() == b"mine"


@pytest.mark.parametrize("mode", ["RGBA", "P", "I;16", "RGB"])
def test_images_of_other_modes_are_read_by_the_stated_rules(run, mode, tmp_path):
    ramp = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)
    picture = Image.fromarray(ramp)
    picture = Image.fromarray(ramp.astype(np.uint16) * 257) if mode == "I;16" else picture.convert(mode)
    picture.save(tmp_path / "x.png")
    found = pc.inpaint(run, tmp_path / "x.png", mask="random:0.0", n=1).x
    assert int((found.flatten() - torch.from_numpy(ramp / 255 * 16).round().long().flatten()).abs().max()) <= 1


def test_a_named_mask_hides_its_part():
    assert named_mask("centre", DIGIT)[0, 2:6, 2:6].sum() == 0
    assert named_mask("centre", DIGIT).sum() == 48
    assert named_mask("random:0.25", DIGIT, seed=1).sum() == 48
    assert not torch.equal(named_mask("random", DIGIT, seed=1), named_mask("random", DIGIT, seed=2))
    with pytest.raises(UsageError, match="no mask"):
        named_mask("bottom", Space((5,), 2))


def test_figures_agree_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    a, b = torch.rand(2, 2, 1, 16, 16, generator=runtime.keyed(0)).double()
    ours = ssim(a, b, 1.0)
    theirs = np.mean(
        [metrics.structural_similarity(p[0].numpy(), q[0].numpy(), data_range=1.0) for p, q in zip(a, b, strict=True)]
    )
    assert abs(ours - theirs) < 1e-9
    everywhere = torch.ones(1, 16, 16).bool()
    assert (
        abs(psnr(a, b, everywhere, 1.0) - metrics.peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=1.0)) < 1e-9
    )


def test_draws_from_the_truth_cover_what_they_should():
    """20,000 entries of four levels: 0.9 within 4 standard errors."""
    draws = torch.randint(4, (200, 30, 100), generator=runtime.keyed(0))
    truth = torch.randint(4, (200, 100), generator=runtime.keyed(1))
    found = coverage(draws, truth, torch.ones(100).bool(), generator=runtime.keyed(2))
    assert abs(found - 0.9) < 4 * (0.09 / 20000) ** 0.5
    narrow = coverage(draws.clamp(1, 2), truth, torch.ones(100).bool(), generator=runtime.keyed(2))
    assert narrow < 0.7


def test_an_engine_that_does_badly_says_so():
    zeros = torch.zeros(1, 2, 2)
    how = ("approximate", "importance", {"effective_share": 0.01, "acceptance": 0.001, "distinct_share": 0.02})
    said = complaints(Restoration.of(zeros, 2, Space((2,), 2), how, 0.0))
    assert [("1.0%" in s, "2.0%" in s, "0.1%" in s) for s in said] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
