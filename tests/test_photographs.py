"""`inpaint` and `upscale` without a run, as a user types them: pictures in, pictures of the same kind out."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import priorcraft as pc
from priorcraft import cli
from priorcraft.errors import DataError, UsageError
from priorcraft.photo.enlarging import enlarge
from priorcraft.photo.picture import png16, read_picture
from priorcraft.runtime import keyed


def stripes(height: int, width: int, channels: int = 3) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    picture = 50 + 140 * (((x + y) // 5) % 2)[..., None] + 20 * np.arange(channels)
    return picture.astype(np.uint8)


@pytest.fixture
def place(tmp_path):
    hole = np.zeros((30, 26), np.uint8)
    hole[8:22, 12:15] = 255
    Image.fromarray(hole).save(tmp_path / "mask.png")
    for name in ("one", "two"):
        Image.fromarray(stripes(30, 26)).save(tmp_path / f"{name}.png")
    return tmp_path


def command(capsys, *words):
    """Exit code, stdout and stderr of one command."""
    code = 0
    try:
        cli.main([str(word) for word in words])
    except SystemExit as leaving:
        code = leaving.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_photograph_is_repaired_in_place_of_a_run(place, capsys):
    out, sheet = place / "out.png", place / "sheet.png"
    words = ("--mask", place / "mask.png", "--restored", out, "--sheet", sheet, "-n", 2, "--json")
    code, said, _ = command(capsys, "inpaint", place / "one.png", *words)
    answer = json.loads(said)
    assert code == 0
    assert answer["kind"] == "approximate"
    assert answer["files"][0]["width"] == 26
    hole = np.asarray(Image.open(place / "mask.png")) > 0
    found = np.asarray(Image.open(out)).astype(int)
    assert (found[~hole] == stripes(30, 26)[~hole]).all()
    assert np.abs(found - stripes(30, 26))[hole].mean() < 40
    assert Image.open(sheet).width > 5 * 26
    assert command(capsys, "inpaint", place / "one.png", *words)[0] == 2


def test_several_images_are_several_files(place, capsys):
    words = ("--mask", "centre", "-n", 1)
    assert (
        command(capsys, "inpaint", place / "one.png", place / "two.png", *words, "--restored", place / "r.png")[0] == 0
    )
    assert {"r-one.png", "r-two.png"} <= {path.name for path in place.iterdir()}
    (place / "in").mkdir()
    for name in ("one", "two"):
        (place / f"{name}.png").rename(place / "in" / f"{name}.png")
    assert command(capsys, "inpaint", place / "in", *words, "--out", place / "folder")[0] == 0
    assert {path.name for path in (place / "folder").iterdir()} == {"one.png", "two.png"}


@pytest.mark.parametrize("deep", [False, True])
def test_depth_and_alpha_come_back(place, deep):
    pixels = np.dstack([stripes(30, 26), np.full((30, 26), 255, np.uint8)])
    pixels[:4, :, 3] = 90
    (place / "alpha.png").unlink(missing_ok=True)
    if deep:
        (place / "alpha.png").write_bytes(png16(pixels.astype(np.uint16) * 257 - 3 * (pixels > 9)))
    else:
        Image.fromarray(pixels).save(place / "alpha.png")
    before = read_picture(place / "alpha.png").pixels
    pc.inpaint(place / "alpha.png", mask=str(place / "mask.png"), n=1).save(place / "back.png", "restored")
    after = read_picture(place / "back.png").pixels
    hole = np.asarray(Image.open(place / "mask.png")) > 0
    assert after.dtype == before.dtype == (np.uint16 if deep else np.uint8)
    assert (after[~hole] == before[~hole]).all()
    assert (after[hole][:, 3] > 0.9 * before.max()).all()


def test_a_photograph_of_odd_size_is_enlarged_and_keeps_its_blocks(place, capsys):
    Image.fromarray(stripes(13, 17)).save(place / "small.png")
    large = place / "large.png"
    assert command(capsys, "upscale", place / "small.png", "--factor", 3, "-n", 1, "--out", large)[0] == 0
    found = np.asarray(Image.open(large)).astype(float)
    assert found.shape == (39, 51, 3)
    assert (found.reshape(13, 3, 17, 3, 3).mean((1, 3)) == stripes(13, 17)).all()


def test_restored_is_mean_draw_or_median(place):
    how = {"mask": str(place / "mask.png"), "n": 5, "seed": 3}
    three = {kind: pc.inpaint(place / "one.png", restored_as=kind, **how) for kind in ("mean", "draw", "median")}
    one = three["mean"].done[0].drawn
    assert torch.equal(one.draws, three["draw"].done[0].drawn.draws)
    for kind, wanted in (("mean", one.mean), ("draw", one.draws[0]), ("median", one.draws.median(0).values)):
        pixels = read_picture(three[kind].save(place / f"{kind}.png", "restored").saved["restored"]).pixels
        assert torch.equal(torch.from_numpy(pixels.copy()).permute(2, 0, 1).float(), wanted.round())


def test_what_needs_a_run_says_so(place, capsys):
    with pytest.raises(UsageError, match="data needs a run"):
        pc.inpaint(place / "one.png", mask="top", data="digits")
    code, _, said = command(capsys, "inpaint", place / "gone.png", "--mask", "top", "--restored", place / "r.png")
    assert (code, "no such file" in said) == (3, True)
    code, _, said = command(capsys, "inpaint", place / "one.png", "--mask", "botom", "--restored", place / "r.png")
    assert (code, "did you mean 'bottom'" in said) == (2, True)


def test_draws_are_obeyed_and_made_when_they_are_asked_for(place, capsys):
    answer = pc.inpaint(place / "one.png", mask=str(place / "mask.png"), n=1, draws=3)
    one = answer.done[0]
    answer.save(place / "mean.png", "restored")
    assert "draws" not in vars(one.drawn)
    assert one.drawn.draws.shape[0] == 3
    alone = pc.inpaint(place / "one.png", mask=str(place / "mask.png"), n=1)
    assert alone.done[0].spread is None
    alone.save(place / "numbers.npz")
    assert {"one/mean", "one/draws", "one/mask"} == set(np.load(place / "numbers.npz").files)
    assert torch.equal(alone.done[0].drawn.mean, one.drawn.mean)
    words = ("--mask", "centre", "-n", 1, "--restored", place / "r.png")
    _, _, said = command(capsys, "inpaint", place / "one.png", place / "two.png", *words)
    assert "1 of 2" in said
    assert "s left" in said


def test_fine_stripes_are_not_enlarged_into_others():
    """A smaller copy of stripes shows other stripes: what it teaches is not believed, and bicubic pixels stay."""
    large = torch.from_numpy(60 + 140 * ((np.mgrid[:40, :40][0] // 5) % 2)).float()[None]
    small = torch.nn.functional.avg_pool2d(large, 2).round()
    bicubic = torch.nn.functional.interpolate(small[None], scale_factor=2, mode="bicubic", antialias=True)[0]
    ours = enlarge(small, 2, peak=255, n=1, generator=keyed(0)).mean
    assert (ours - large).square().mean() <= (bicubic - large).square().mean()


def test_twelve_bits_in_sixteen_are_told_and_can_be_stated(place, capsys):
    deep = stripes(30, 26, 1).astype(np.uint16) * 15
    Image.fromarray(deep[..., 0]).save(place / "deep.tif")
    how = {"mask": str(place / "mask.png"), "n": 1}
    told = pc.inpaint(place / "deep.tif", **how)
    assert any("12 of 16 bits are used: 4095 is taken as white" in note for note in told.notes)
    stated = pc.inpaint(place / "deep.tif", top=4095, **how)
    assert not any("bits" in note for note in stated.notes)
    back = read_picture(stated.save(place / "back.tif", "restored").saved["restored"], top=4095)
    hole = np.asarray(Image.open(place / "mask.png")) > 0
    assert (back.pixels[~hole] == deep[~hole]).all()
    assert np.abs(back.pixels.astype(int) - deep)[hole].mean() < 40 * 15
    enlarged = pc.upscale(place / "deep.tif", n=1, top=4095).done[0]
    assert 0 < enlarged.best("mean").pixels.max() <= 4095
    with pytest.raises(DataError, match="more than top = 100"):
        pc.inpaint(place / "deep.tif", top=100, **how)


def test_an_array_is_fitted_as_a_file_is():
    assert pc.fit(np.tile([0, 1, 2, 1], (40, 3)), "naive-bayes", steps=1).family == "exact"


def test_a_photograph_of_one_line_is_refused(tmp_path):
    line = np.arange(30, dtype=np.uint8)[None]
    Image.fromarray(line).save(tmp_path / "line.png")
    Image.fromarray(np.where(line > 25, 255, 0).astype(np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match="the photograph is 30 x 1; it needs two pixels each way"):
        pc.inpaint(tmp_path / "line.png", mask=tmp_path / "mask.png")
    with pytest.raises(UsageError, match="run must be a run, an image or a folder of images, not list"):
        pc.inpaint([tmp_path / "line.png"], mask=tmp_path / "mask.png")
