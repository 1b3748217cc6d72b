"""Picture files keep their depth, alpha, palette and profile; masks are read as people paint them."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from priorcraft.datasets import open_data
from priorcraft.errors import DataError, UsageError
from priorcraft.photo.painted import erased, read_mask
from priorcraft.photo.picture import Picture, png16, read_picture

RNG = np.random.default_rng(0)
RGBA = Image.fromarray(RNG.integers(0, 256, (20, 30, 4), dtype=np.uint8))
HOLE = torch.zeros(20, 30, dtype=torch.bool)
HOLE[3:11, 4:12] = True
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def kinds() -> dict[str, Image.Image]:
    palette = RGBA.convert("RGB").quantize(17)
    clear = palette.copy()
    clear.info["transparency"] = 3
    plain = {mode: RGBA.convert(mode) for mode in ("1", "L", "LA", "RGB", "RGBA")}
    return plain | {"P": palette, "P clear": clear, "P alpha": RGBA.quantize(20)}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", list(kinds()))
def test_seen_pixels_are_kept_in_the_files_own_mode(tmp_path, kind, suffix):
    image = kinds()[kind]
    image.save(tmp_path / "in.png", icc_profile=PROFILE)
    picture = read_picture(tmp_path / "in.png")
    other = picture.with_channels(255 - picture.to_channels(), HOLE)
    (tmp_path / f"out{suffix}").write_bytes(other.to_bytes(suffix))
    found, before = Image.open(tmp_path / f"out{suffix}"), Image.open(tmp_path / "in.png")
    assert found.mode == ("RGBA" if suffix == ".tif" and kind.startswith("P ") else before.mode)
    assert found.info["icc_profile"] == PROFILE
    old, new = np.asarray(before.convert("RGBA")), np.asarray(found.convert("RGBA"))
    assert (old[~HOLE.numpy()] == new[~HOLE.numpy()]).all()
    assert (old[HOLE.numpy()] != new[HOLE.numpy()]).any()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_stay_sixteen(tmp_path, channels):
    pixels = RNG.integers(0, 65536, (9, 7, channels), dtype=np.uint16)
    (tmp_path / "deep.png").write_bytes(png16(pixels, PROFILE))
    assert Image.open(tmp_path / "deep.png").info["icc_profile"] == PROFILE
    if channels != 2:  # Pillow reads grey and alpha of 16 bits in 8
        picture = read_picture(tmp_path / "deep.png")
        assert picture.pixels.dtype == np.uint16
        assert (picture.pixels == pixels).all()
        assert picture.to_bytes(".png") == png16(pixels, PROFILE)


def test_twelve_bits_are_noted_and_can_be_stated(tmp_path):
    pixels = RNG.integers(0, 4096, (30, 8, 8, 3), dtype=np.uint16)
    pixels[0, 0, 0] = 4095
    for i, image in enumerate(pixels):
        (tmp_path / f"{i:02}.png").write_bytes(png16(image))
    dark = open_data(tmp_path)
    assert any("up to 4095 of 65535" in note and "--top 4095" in note for note in dark.notes)
    assert int(dark.train.x.max()) < 17
    right = open_data(tmp_path, top=4095)
    assert not any("65535" in note for note in right.notes)
    everything = np.concatenate([rows.x.numpy() for rows in (right.train, right.valid, right.test)])
    wanted = np.rint(pixels / 4095 * 255).transpose(0, 3, 1, 2)
    assert np.sort(everything.reshape(30, -1), 0).tolist() == np.sort(wanted.reshape(30, -1), 0).tolist()
    with pytest.raises(DataError, match="more than top = 100"):
        open_data(tmp_path, top=100)


def test_a_turned_photograph_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    RGBA.convert("RGB").save(tmp_path / "phone.jpg", exif=exif)
    picture = read_picture(tmp_path / "phone.jpg")
    assert picture.pixels.shape == (30, 20, 3)
    assert Image.open(io.BytesIO(picture.to_bytes(".png"))).size == (20, 30)


def painted(kind: str, photo: Image.Image) -> Image.Image:
    """A mask file of HOLE, of that kind."""
    hole = HOLE.numpy()
    if kind in ("white", "zero and one", "soft"):
        grey = np.where(hole, 1 if kind == "zero and one" else 255, 0).astype(np.uint8)
        if kind == "soft":
            grey[2, 4:12], grey[11, 4:12], grey[3, 4:12] = 40, 90, 200
        return Image.fromarray(grey)
    if kind == "red on a copy":
        return Image.fromarray(np.where(hole[..., None], [255, 0, 0], np.asarray(photo)).astype(np.uint8))
    if kind == "erased":
        return Image.fromarray(np.dstack([np.asarray(photo), np.where(hole, 0, 255).astype(np.uint8)]))
    if kind == "red on white":
        return Image.fromarray(np.where(hole[..., None], [255, 0, 0], 255).astype(np.uint8))
    colour = {"white on clear": 255, "black on clear": 0}[kind]
    return Image.fromarray(np.where(hole[..., None], [colour, colour, colour, 255], 0).astype(np.uint8))


KINDS = ["white", "zero and one", "soft", "red on a copy", "erased", "red on white", "white on clear", "black on clear"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_masks_of_every_kind_hide_what_was_painted(tmp_path, kind, suffix):
    photo = RGBA.convert("RGB")
    photo.save(tmp_path / "photo.png")
    how: dict[str, Any] = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    painted(kind, photo).save(tmp_path / f"mask{suffix}", **how)
    mask = read_mask(tmp_path / f"mask{suffix}", read_picture(tmp_path / "photo.png"))
    assert torch.equal(mask.hidden, HOLE), mask.rule


def test_a_colour_can_be_said(tmp_path):
    RGBA.convert("RGB").save(tmp_path / "photo.png")
    Image.fromarray(np.where(HOLE.numpy(), 0, 255).astype(np.uint8)).save(tmp_path / "mask.png")
    photo = read_picture(tmp_path / "photo.png")
    assert torch.equal(read_mask(tmp_path / "mask.png", photo, "black").hidden, HOLE)
    drawn = read_mask(tmp_path / "mask.png", photo)
    assert torch.equal(drawn.hidden, HOLE)
    assert "black on white hides" in drawn.rule
    assert torch.equal(read_mask(tmp_path / "mask.png", photo, "white").hidden, ~HOLE)
    with pytest.raises(UsageError, match="a name or #rrggbb"):
        read_mask(tmp_path / "mask.png", photo, "purplish")
    with pytest.raises(DataError, match="nothing is painted"):
        read_mask(tmp_path / "photo.png", photo)


def test_sizes_of_both_are_told(tmp_path):
    RGBA.convert("RGB").save(tmp_path / "photo.png")
    Image.new("L", (15, 10)).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"15 x 10, the image 30 x 20"):
        read_mask(tmp_path / "mask.png", read_picture(tmp_path / "photo.png"))


def test_an_alpha_can_be_the_mask():
    pixels = np.asarray(RGBA).copy()
    pixels[..., 3] = np.where(HOLE.numpy(), 0, 255)
    assert torch.equal(erased(Picture(pixels)).hidden, HOLE)
    with pytest.raises(DataError, match="no pixel"):
        erased(Picture(pixels[..., :3]))
