"""Data come in as they are: every fault is made for real, and every conversion is compared pixel by pixel."""

import gzip
import os
import struct
import subprocess
import sys
import zlib
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import csv, parquet

from priorcraft.core import UNLABELLED, Space
from priorcraft.datasets import explain_change, idx, image, names, open_data, read_image
from priorcraft.datasets.divide import choose
from priorcraft.datasets.points import over_white, rescale
from priorcraft.datasets.splits import Rows
from priorcraft.errors import DataError, UsageError
from priorcraft.runtime import keyed

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (8, 8, 3), np.uint8)
GREY = BYTES[..., 0]
RGB8, GREY8 = Space((3, 8, 8), 256), Space((1, 8, 8), 256)


def noise(n, *shape, top=256):
    return np.random.default_rng(n).integers(0, top, (n, *shape), np.uint8)


def picture(path, array=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (8, 8), np.uint8) if array is None else array).save(path, **options)
    return path


def album(root, n=20, labels=("cat", "dog")):
    for i in range(n):
        picture(root / labels[i % len(labels)] / f"{i:03}.png")
    return root


def noted(data, text):
    return any(text in note for note in data.notes)


# Digits


def test_digits_are_always_the_same_stratified_rows():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    rest, test = train_test_split(np.arange(1797), test_size=450, stratify=y, random_state=0)
    train, valid = train_test_split(rest, test_size=347, stratify=y[rest], random_state=0)
    data = open_data("digits", seed=7)
    for rows, index in ((data.train, train), (data.valid, valid), (data.test, test)):
        assert (rows.x.numpy().reshape(-1, 64) == x[index]).all()
        assert (rows.y.numpy() == y[index]).all()
    assert data.space == Space((1, 8, 8), 17)
    assert data.classes == tuple("0123456789")
    assert data.fingerprint == open_data("digits").fingerprint


# Division


def test_missing_parts_are_disjoint_stratified_and_drawn_by_seed():
    x, y = np.arange(200)[:, None], np.arange(200) % 4
    one, same, other = (open_data((x, y), seed=s) for s in (0, 0, 1))
    parts = [one.rows(p) for p in ("train", "valid", "test")]
    assert [len(p) for p in parts] == [140, 30, 30]
    assert sorted(torch.cat([p.x for p in parts])[:, 0].tolist()) == list(range(200))
    for part in parts:
        counts = torch.bincount(part.y)
        assert counts.max() - counts.min() <= 2
        assert (part.x[:, 0] % 4 == part.y).all()
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert noted(one, "valid and test: 15% of the rows each, drawn by seed 0")


@pytest.mark.parametrize("count", [1, 17, 50, 99, 100])
def test_choose_takes_exactly_so_many_and_each_class_its_share(count):
    y = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)
    mask = choose(Rows(torch.zeros(100, 1), y), count, generator=keyed(0))
    taken = torch.bincount(y[mask], minlength=3)
    assert taken.sum() == count
    assert ((taken - count * torch.tensor([0.5, 0.3, 0.2])).abs() < 1).all()


def test_given_parts_stay_and_only_missing_ones_are_drawn():
    data = open_data({"x_train": noise(100, 4), "x_test": noise(9, 4)})
    assert (len(data.train), len(data.valid), len(data.test)) == (85, 15, 9)
    assert (data.test.x.numpy() == noise(9, 4)).all()


def test_limit_keeps_at_most_so_many_of_each_part():
    data = open_data("digits", limit=100)
    assert (len(data.train), len(data.valid), len(data.test)) == (100, 100, 100)
    assert torch.bincount(data.train.y).min() >= 9
    assert noted(data, "at most 100 rows a part")


def test_the_global_generators_are_untouched():
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()
    open_data(noise(30, 4))
    assert (torch.get_rng_state() == before).all()
    assert (np.random.get_state()[1] == numpys).all()


def test_data_do_not_change_with_the_array_they_were_read_from():
    x = noise(30, 4)
    data = open_data({"x_train": x, "x_valid": x[:3], "x_test": x[:3]})
    x[:] = 0
    assert data.train.x.any()


# Arrays


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((9,), (9,)),
        ((5, 6), (1, 5, 6)),
        ((5, 6, 1), (1, 5, 6)),
        ((5, 6, 3), (3, 5, 6)),
        ((3, 5, 6), (3, 5, 6)),
        ((3, 4, 4), (3, 4, 4)),
        ((4, 4, 3), (3, 4, 4)),
        ((1, 3, 3), (1, 3, 3)),
        ((3, 5, 3), (3, 5, 3)),
        ((5, 6, 4), (3, 5, 6)),
    ],
)
def test_layouts(shape, expected):
    assert open_data(noise(10, *shape)).space == Space(expected, 256)


def test_channels_last_are_moved_not_reshaped():
    x = noise(3, 5, 6, 3)
    data = open_data({"x_train": x, "x_valid": x, "x_test": x})
    assert (data.train.x.numpy() == x.transpose(0, 3, 1, 2)).all()


def test_alpha_is_laid_on_white():
    x = noise(3, 5, 6, 4)
    data = open_data({"x_train": x, "x_valid": x, "x_test": x})
    a = x[..., 3:] / 255
    expected = np.floor(x[..., :3] * a + 255 * (1 - a) + 0.5).transpose(0, 3, 1, 2)
    assert np.abs(data.train.x.numpy() - expected).max() == 0
    assert over_white(np.array([7]), np.array([0]), 255) == 255
    assert over_white(np.array([7]), np.array([255]), 255) == 7


@pytest.mark.parametrize(
    ("x", "levels"),
    [
        (noise(10, 4, 4, top=2), 2),
        (np.zeros((10, 4), np.uint8), 2),
        (noise(10, 8, 8, top=17), 17),
        (np.full((10, 8, 8), 17), 256),
        (np.full((10, 8), 17), 18),
        (np.full((10, 8), 128), 256),
        (np.full((10, 8), 300), 301),
        (np.full((10, 8, 8), 300), 65_536),
        (noise(10, 4).astype(bool), 2),
    ],
)
def test_levels_that_are_not_stated_are_read_off(x, levels):
    assert open_data(x).space.levels == levels


def test_stated_levels_and_floats():
    x = noise(10, 4, top=3)
    assert open_data({"x": x, "levels": np.array(5)}).space.levels == 5
    assert open_data(x, levels=4).space.levels == 4
    assert open_data(x.astype(float), levels=4).train.x.dtype == torch.uint8
    real = open_data(x.astype(float))
    assert real.space == Space((4,))
    assert real.train.x.dtype == torch.float32


def test_images_are_rescaled_to_the_levels_asked_for():
    x = noise(40, 5, 5)
    parts = {"x_train": x, "x_valid": x, "x_test": x, "levels": np.array(256)}
    for levels in (2, 4, 16):
        data = open_data(parts, levels=levels)
        assert (data.train.x[:, 0].numpy() == np.rint(x * ((levels - 1) / 255))).all()
    with pytest.raises(UsageError, match="only images are rescaled"):
        open_data({"x": noise(9, 4), "levels": np.array(256)}, levels=16)


def test_rescale_keeps_both_ends_and_round_trips_upwards():
    v = np.arange(17)
    assert (rescale(rescale(v, 16, 255), 255, 16) == v).all()
    assert rescale(np.array([0, 16]), 16, 255).tolist() == [0, 255]


@pytest.mark.parametrize(
    ("x", "options", "sentence"),
    [
        (np.array([[1.0], [np.nan], [2], [np.inf]]), {}, r"nan or infinity in 2 of 4 rows \(rows 1, 3\)"),
        (np.full((4, 2), 1e300), {}, "32-bit floats"),
        (np.full((4, 2), 0.5), {"levels": 2}, "holds fractions"),
        (np.full((4, 2), -1), {}, "integers start at 0"),
        (np.full((4, 2), 5), {"levels": 3}, "only images are rescaled"),
        (np.full((4, 2), 10**9), {}, "Save them as floats"),
        (np.zeros((0, 4)), {}, "holds nothing"),
        (np.zeros((4, 0)), {}, "holds nothing"),
        (np.array(3), {}, "holds nothing|expected"),
        (np.zeros(4), {}, r"expected \(N, D\)"),
        (np.zeros((4, 5, 5, 2), np.uint8), {}, "C = 1, 3 or 4"),
        (np.zeros((4, 5, 5, 4)), {}, "alpha"),
        (np.array([["a"], ["b"], ["c"]]), {}, "must hold numbers"),
        (np.zeros((4, 2), complex), {}, "must hold numbers"),
        (noise(1, 4), {}, "1 row cannot be divided; at least 3"),
        (noise(2, 4), {}, "2 rows cannot be divided"),
        ({"y": np.zeros(3)}, {}, "either x or x_train"),
        ({"x": noise(4, 2), "x_train": noise(4, 2)}, {}, "either x or x_train"),
        ({"x": noise(4, 2), "x_test": noise(4, 2)}, {}, "call the training rows x_train"),
        ({"x_train": noise(9, 2), "y_test": np.zeros(9)}, {}, "y_test without x_test"),
        ({"x_train": noise(9, 2), "x_test": noise(9, 3)}, {}, "must agree"),
        ({"x": noise(9, 2), "levels": np.array(1)}, {}, "whole number of 2 ... 65536"),
        ({"x": noise(9, 2), "levels": np.array(17)}, {}, "larger than every entry"),
        ((noise(9, 2), np.zeros(8)), {}, r"expected \(9,\)"),
        ((noise(9, 2), np.zeros((9, 2))), {}, r"expected \(9,\)"),
        ((noise(9, 2), np.full(9, 0.5)), {}, "whole numbers or strings"),
        ((noise(9, 2), np.full(9, np.inf)), {}, "whole numbers or strings"),
    ],
)
def test_bad_arrays_are_refused_in_a_sentence(x, options, sentence):
    with pytest.raises((DataError, UsageError), match=sentence):
        open_data(x, **options)


def test_three_rows_are_enough():
    data = open_data(noise(3, 4))
    assert [len(data.rows(p)) for p in ("train", "valid", "test")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([10, 9, -1] * 4), ("9", "10")),
        (np.array([1.0, 2.0, np.nan] * 4), ("1", "2")),
        (np.array(["dog", "cat", ""] * 4), ("cat", "dog")),
    ],
)
def test_labels_are_named_and_may_be_unknown(y, classes):
    x = np.arange(12)[:, None]
    data = open_data({"x_train": x, "y_train": y, "x_valid": x, "x_test": x, "y_test": y})
    assert data.classes == classes
    assert data.context == Space((), 2)
    assert data.train.y.tolist() == [classes.index(str(int(v)) if y.dtype.kind != "U" else v) if known else UNLABELLED
                                     for v, known in zip(y, [True, True, False] * 4, strict=True)]  # fmt: skip
    assert (data.valid.y == UNLABELLED).all()


def test_a_single_class_says_nothing_and_absent_ones_are_told():
    alone = open_data((noise(9, 2), np.zeros(9, int)))
    assert alone.classes == ()
    assert alone.train.y is None
    assert noted(alone, "the only one")
    x = noise(9, 2)
    data = open_data({"x_train": x, "y_train": np.arange(9) % 2, "x_test": x, "y_test": np.arange(9) % 3})
    assert noted(data, "no training row has the label 2")


def test_files_equal_arrays(tmp_path):
    x, y = noise(20, 4, 4), np.arange(20) % 3
    np.savez(tmp_path / "a.npz", x=x, y=y, levels=256, extra=np.zeros(3))
    np.save(tmp_path / "a.npy", x)
    zipped, plain = open_data(tmp_path / "a.npz"), open_data(str(tmp_path / "a.npy"))
    assert zipped.fingerprint == open_data((x, y), levels=256).fingerprint
    assert plain.fingerprint == open_data(torch.from_numpy(x)).fingerprint
    assert noted(zipped, "keys passed over: extra")


def test_pickles_are_never_opened(tmp_path):
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self):
            return open, (str(canary), "w")

    np.save(tmp_path / "evil.npy", np.array([Evil()]), allow_pickle=True)
    np.savez(tmp_path / "evil.npz", x=np.array([Evil()]))
    for name in ("evil.npy", "evil.npz"):
        with pytest.raises(DataError, match="never loaded"):
            open_data(tmp_path / name)
    assert not canary.exists()


def test_damaged_array_files(tmp_path):
    np.savez(tmp_path / "whole.npz", x=noise(99, 9))
    whole = (tmp_path / "whole.npz").read_bytes()
    for i, content in enumerate([b"", b"<html>", whole[:300], whole[:400] + b"\xff" * 9 + whole[409:]]):
        (tmp_path / f"{i}.npz").write_bytes(content)
        with pytest.raises(DataError, match="cannot be read as an array file"):
            open_data(tmp_path / f"{i}.npz")


def test_a_header_that_lies_about_its_size_allocates_nothing(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 64), }\n"
    (tmp_path / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(DataError, match="cannot be read"):
        open_data(tmp_path / "huge.npy")


# Names


@pytest.mark.parametrize(
    ("source", "error", "sentence"),
    [
        ("digit", UsageError, "did you mean 'digits'"),
        ("fashion", UsageError, "did you mean 'fashion-mnist'"),
        ("", UsageError, "Known: digits"),
        ("q" * 5000, UsageError, "no data set"),
        ("a\0b", UsageError, "no data set"),
        ("nowhere/pictures", DataError, "There is no nowhere/pictures"),
        ("nowhere.npz", DataError, "There is no nowhere.npz"),
        (3, UsageError, "source must be"),
    ],
)
def test_unknown_sources(source, error, sentence):
    with pytest.raises(error, match=sentence) as caught:
        open_data(source)
    assert caught.value.exit_code == {UsageError: 2, DataError: 3}[error]


def test_paths_that_are_not_data(tmp_path):
    (tmp_path / "table.xyz").write_text("1,2")
    picture(tmp_path / "a.png")
    with pytest.raises(DataError, match="not a file that can be read"):
        open_data(tmp_path / "table.xyz")
    with pytest.raises(DataError, match="single image"):
        open_data(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image files"):
        open_data(tmp_path / "empty")


@pytest.mark.parametrize(
    "options", [{"size": 0}, {"levels": 1}, {"limit": 0}, {"mode": "gray"}, {"on_bad_image": "x"}, {"size": 8}]
)
def test_arguments_that_cannot_be_used(options):
    with pytest.raises(UsageError):
        open_data("digits", **options)


def test_names_list_what_can_be_opened():
    rows = {row["name"]: row for row in names()}
    assert {"digits", "mnist", "fashion-mnist", "FOLDER", "FILE.npz", "FILE.npy", "FILE.csv"} == rows.keys()
    assert rows["digits"]["available"]


# IDX


def idx_bytes(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def fake_mnist(folder, spelling="-"):
    folder.mkdir(parents=True)
    for part, n in (("train", 60), ("t10k", 12)):
        (folder / f"{part}-images{spelling}idx3-ubyte").write_bytes(idx_bytes(noise(n, 28, 28)))
        content = gzip.compress(idx_bytes(np.arange(n, dtype=np.uint8) % 10))
        (folder / f"{part}-labels{spelling}idx1-ubyte.gz").write_bytes(content)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIORCRAFT_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(idx, "SYSTEM", tmp_path / "system")
    return tmp_path


@pytest.mark.parametrize("place", ["own/mnist", "system/mnist", "cache/priorcraft/mnist"])
@pytest.mark.parametrize("spelling", ["-", "."])
def test_idx_files_are_found_in_each_place(nowhere, place, spelling):
    fake_mnist(nowhere / place, spelling)
    data = open_data("mnist")
    assert [len(data.rows(p)) for p in ("train", "valid", "test")] == [50, 10, 12]
    assert (data.train.x[:, 0].numpy() == noise(60, 28, 28)[:50]).all()
    assert (data.valid.x[:, 0].numpy() == noise(60, 28, 28)[50:]).all()
    assert data.test.y.tolist() == [i % 10 for i in range(12)]


def test_an_absent_data_set_says_where_it_was_looked_for(nowhere):
    with pytest.raises(DataError, match="dataset-fashion-mnist") as caught:
        open_data("fashion-mnist")
    for place in ("own/fashion-mnist", "system/fashion-mnist", "cache/priorcraft/fashion-mnist"):
        assert str(nowhere / place) in str(caught.value)


def test_damaged_idx_files(nowhere):
    fake_mnist(nowhere / "own/mnist")
    labels = nowhere / "own/mnist/train-labels-idx1-ubyte.gz"
    whole = labels.read_bytes()
    huge = gzip.compress(struct.pack(">HBBI", 0, 8, 1, 2**32 - 1))
    for content in (b"", b"<html>", whole[:-12], gzip.compress(b"\0\0\x08"), gzip.compress(b"\0" * 99), huge):
        labels.write_bytes(content)
        with pytest.raises(DataError, match="IDX file"):
            open_data("mnist")


def test_fashion_mnist_where_it_is_installed():
    if idx.find("fashion-mnist") is None:
        pytest.skip("Fashion-MNIST is not installed")
    data = open_data("fashion-mnist", limit=100)
    assert data.classes[1] == "Trouser"
    assert data.space == Space((1, 28, 28), 256)


# Folders


def test_folder_of_classes(tmp_path):
    data = open_data(album(tmp_path))
    assert data.classes == ("cat", "dog")
    assert data.space == Space((1, 8, 8), 256)
    assert (len(data.train), len(data.valid), len(data.test)) == (14, 3, 3)


@pytest.mark.parametrize("name", ["list.csv", "metadata.parquet"])
def test_a_list_beside_folders_of_images_tells_of_the_images(tmp_path, name):
    write = csv.write_csv if name.endswith("csv") else parquet.write_table
    write(pa.table({"animal": ["a cat", "a dog"] * 10}), album(tmp_path) / name)
    assert open_data(tmp_path).classes == ("cat", "dog")


def test_tables_in_folders_below_are_read_too(tmp_path):
    (tmp_path / "more").mkdir()
    for place in (tmp_path, tmp_path / "more"):
        csv.write_csv(pa.table({"animal": ["a cat", "a dog"] * 10, "legs": [4, 3] * 10}), place / "t.csv")
    data = open_data(tmp_path)
    assert len(data.train) + len(data.valid) + len(data.test) == 40


def test_flat_folder_has_no_labels(tmp_path):
    for i in range(5):
        picture(tmp_path / f"{i}.png")
    data = open_data(tmp_path)
    assert data.classes == ()
    assert data.context is None


def test_split_folders(tmp_path):
    for split, n in (("train", 6), ("val", 4), ("test", 2)):
        album(tmp_path / split, n)
    picture(tmp_path / "stray.png")
    data = open_data(tmp_path)
    assert [len(data.rows(p)) for p in ("train", "valid", "test")] == [6, 4, 2]
    assert data.classes == ("cat", "dog")
    assert noted(data, "1 images outside train")


def test_a_class_may_be_called_train(tmp_path):
    assert open_data(album(tmp_path, labels=("train", "bus"))).classes == ("bus", "train")


def test_other_files_are_counted_and_bad_images_named(tmp_path):
    album(tmp_path, 60)
    for name in ("notes.txt", ".DS_Store", "Thumbs.db", ".hidden.png", "cat/x.fits", "cat/x.psd", "cat/x.eps"):
        (tmp_path / name).write_bytes(b"anything")
    (tmp_path / "cat/empty.png").write_bytes(b"")
    picture(tmp_path / "whole.jpg", noise(64, 64))
    (tmp_path / "cat/cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:900])
    (tmp_path / "whole.jpg").unlink()
    (tmp_path / "dog/page.jpg").write_bytes(b"<!doctype html><html></html>")
    data = open_data(tmp_path)
    assert sum(len(data.rows(p)) for p in ("train", "valid", "test")) == 60
    assert noted(data, "7 other files passed over")
    note = next(note for note in data.notes if "3 of 63 images skipped" in note)
    assert "cat/empty.png (empty file)" in note
    assert "cat/cut.jpg (cannot be decoded: image file is truncated" in note
    assert "dog/page.jpg (not PNG" in note
    with pytest.raises(DataError, match="any is refused"):
        open_data(tmp_path, on_bad_image="error")


def test_more_than_five_percent_bad_images_stop(tmp_path):
    album(tmp_path, 19)
    (tmp_path / "cat/0.png").write_bytes(b"")
    assert len(open_data(tmp_path).train) == 13
    (tmp_path / "cat/1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 21 images cannot be read \(more than 5%\).*on_bad_image='skip'"):
        open_data(tmp_path)
    assert noted(open_data(tmp_path, on_bad_image="skip"), "2 of 21 images skipped")


def test_nothing_but_bad_images(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="None of the 1 image files can be read"):
        open_data(tmp_path, on_bad_image="skip")


def png_header(width, height):
    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999))


@pytest.mark.parametrize("side", [7072, 12_000, 20_000])
def test_bombs_are_refused_before_any_pixel_is_decoded(tmp_path, monkeypatch, side):
    (tmp_path / "bomb.png").write_bytes(png_header(side, side))
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("a pixel was decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("a pixel was decoded"))
    with pytest.raises(DataError, match="cannot be read as an image"):
        read_image(tmp_path / "bomb.png", Space((1, 8, 8), 256))


def black_png(side):
    """A valid grey PNG of black pixels, made without compressing each: one deflate block, repeated."""
    chunk, left = bytes(2**20), side * (side + 1)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    body, checksum = b"\x78\x01", 1
    while left >= len(chunk):
        body, checksum, left = body + block, zlib.adler32(chunk, checksum), left - len(chunk)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body += packer.compress(bytes(left)) + packer.flush() + struct.pack(">I", zlib.adler32(bytes(left), checksum))
    crc = struct.pack(">I", zlib.crc32(b"IDAT" + body))
    data = struct.pack(">I", len(body)) + b"IDAT" + body + crc
    return png_header(side, side)[:33] + data + b"\0\0\0\0IEND\xaeB`\x82"


def test_memory_stays_small_beside_bombs(tmp_path):
    album(tmp_path, 60)
    (tmp_path / "bomb.png").write_bytes(black_png(12_000))
    (tmp_path / "control.png").write_bytes(black_png(1100))
    code = (
        "import sys, resource; from pathlib import Path; from priorcraft.datasets.folder import open_folder;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = peak();"
        "raw = open_folder(Path(sys.argv[1])); print(peak() - before, len(raw.x['train']), raw.notes)"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    grown, rows, notes = out.stdout.split(" ", 2)
    assert int(rows) == 61
    assert "1 of 62 images skipped" in notes
    assert int(grown) < 50_000  # KiB


def test_a_long_animation_is_read_to_its_first_frame(tmp_path):
    frames = [Image.fromarray(a) for a in noise(300, 8, 8)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "a.gif", Space((1, 8, 8), 256)).numpy()[0] == noise(300, 8, 8)[0]).all()


# Conversions, each against its rule


def read(path, space=GREY8, **options):
    pixels = read_image(path, space, **options)
    assert pixels.dtype == torch.int64
    return pixels.numpy()


def channels(array):
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "ppm"])
def test_lossless_formats_are_read_to_the_bit(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    path = picture(tmp_path / f"a.{suffix}", BYTES, **options)
    assert (read(path, RGB8) == channels(BYTES)).all()


def test_palette(tmp_path):
    indices = Image.frombytes("P", (8, 8), (GREY % 4).tobytes())
    palette = BYTES[0, :4]
    indices.putpalette(palette.tobytes())
    indices.save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png", RGB8) == channels(palette[GREY % 4])).all()
    indices.save(tmp_path / "b.png", transparency=2)
    palette = palette.copy()
    palette[2] = 255
    assert (read(tmp_path / "b.png", RGB8) == channels(palette[GREY % 4])).all()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_laid_on_white_in_files(tmp_path, mode):
    colour = BYTES if mode == "RGBA" else GREY[..., None]
    alpha = noise(5, 8, 8)[0][..., None]
    picture(tmp_path / "a.png", np.concatenate([colour, alpha], -1))
    expected = np.floor((colour.astype(float) * alpha + 255.0 * (255 - alpha)) / 255 + 0.5)
    assert (read(tmp_path / "a.png", RGB8 if mode == "RGBA" else GREY8) == channels(expected)).all()


def test_cmyk_is_multiplied_out(tmp_path):
    cmyk = noise(4, 8, 8)
    Image.merge("CMYK", [Image.fromarray(c) for c in cmyk]).save(tmp_path / "a.tiff")
    light = 255.0 - cmyk
    assert np.abs(read(tmp_path / "a.tiff", RGB8) - light[:3] * light[3] / 255).max() <= 1


def test_bits(tmp_path):
    Image.fromarray(GREY > 127).save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "1"
    assert (read(tmp_path / "a.png") == 255 * (GREY > 127)).all()


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, suffix):
    deep = np.random.default_rng(1).integers(0, 65_536, (8, 8)).astype(np.uint16)
    path = picture(tmp_path / f"a.{suffix}", deep)
    assert (read(path) == np.rint(deep / 257)).all()


def test_floats_and_wide_integers_are_stretched_from_their_smallest_to_their_largest(tmp_path):
    wide = np.random.default_rng(1).normal(0, 9, (8, 8)).astype(np.float32)
    stretched = np.rint((wide - wide.min()) / (wide.max() - wide.min()) * 255)
    assert np.abs(read(picture(tmp_path / "a.tiff", wide)) - stretched).max() <= 1
    whole = (wide * 1e6).astype(np.int32)
    stretched = np.rint((whole - whole.min()) / (whole.max() - float(whole.min())) * 255)
    assert (read(picture(tmp_path / "b.tiff", whole)) == stretched).all()
    assert (read(picture(tmp_path / "c.tiff", np.full((8, 8), 0.5, np.float32))) == 0).all()
    wide[0, 0] = np.nan
    with pytest.raises(DataError, match="nan"):
        read(picture(tmp_path / "d.tiff", wide))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_image_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a),
    }
    tall = noise(1, 8, 5)[0]
    Image.fromarray(tall).save(tmp_path / "a.png", exif=exif)
    expected = turn[orientation](tall)
    assert (read(tmp_path / "a.png", Space((1, *expected.shape), 256)) == expected).all()


def test_rgb_to_grey_is_luma_and_grey_to_rgb_repeats(tmp_path):
    path = picture(tmp_path / "a.png", BYTES)
    assert np.abs(read(path)[0] - BYTES @ np.array([0.299, 0.587, 0.114])).max() <= 1
    path = picture(tmp_path / "b.png", GREY)
    assert (read(path, RGB8) == GREY).all()


@pytest.mark.parametrize("levels", [2, 16, 17, 256, 1024])
def test_read_image_brings_bytes_to_the_levels_of_the_space(tmp_path, levels):
    path = picture(tmp_path / "a.png", GREY)
    assert (read(path, Space((1, 8, 8), levels))[0] == np.rint(GREY * ((levels - 1) / 255))).all()


def test_read_image_refuses_another_size_unless_asked_to_resize(tmp_path):
    path = picture(tmp_path / "a.png", noise(1, 4, 6)[0])
    with pytest.raises(DataError, match=r"6 x 4 \(width x height\), but 8 x 8 is needed"):
        read_image(path, GREY8)
    assert read(path, resize=True).shape == (1, 8, 8)
    with pytest.raises(UsageError, match="space"):
        read_image(path, Space((64,), 17))
    with pytest.raises(DataError, match=r"cannot be read as an image: no such file"):
        read_image(tmp_path / "absent.png", GREY8)


def test_shrinking_crops_about_the_centre_and_averages_boxes(tmp_path):
    wide = noise(1, 8, 16)[0]
    square = wide[:, 4:12].reshape(4, 2, 4, 2).mean((1, 3))
    got = read(picture(tmp_path / "a.png", wide), Space((1, 4, 4), 256), resize=True)
    assert np.abs(got[0] - square).max() <= 1


def test_modes_of_a_folder(tmp_path):
    for i in range(4):
        picture(tmp_path / f"{i}.png", np.repeat(noise(4, 8, 8)[i][..., None], 3, -1))
    assert open_data(tmp_path).space == GREY8
    assert open_data(tmp_path, mode="rgb").space == RGB8
    picture(tmp_path / "colour.png", BYTES)
    assert open_data(tmp_path).space == RGB8
    assert open_data(tmp_path, mode="grey").space == GREY8
    assert open_data(tmp_path, levels=4).space.levels == 4


# Sizes, names, links


def test_mixed_sizes_become_a_square_by_the_stated_rule(tmp_path):
    for i, shape in enumerate([(1, 1), (3, 10_000), (20, 30), (40, 25), (100, 100), (20, 20)]):
        picture(tmp_path / f"{i}.png", noise(1, *shape)[0])
    data = open_data(tmp_path)
    assert data.space.event_shape == (1, 20, 20)
    assert noted(data, "images of 6 sizes cropped about the centre and resized to 20 x 20")
    assert open_data(tmp_path, size=5).space.event_shape == (1, 5, 5)


def test_one_size_is_kept_and_mixed_large_ones_are_capped(tmp_path):
    for i in range(3):
        picture(tmp_path / f"{i}.png", noise(1, 70, 90)[0])
    assert open_data(tmp_path).space.event_shape == (1, 70, 90)
    picture(tmp_path / "3.png", noise(1, 90, 90)[0])
    assert open_data(tmp_path).space.event_shape == (1, 64, 64)


def test_more_than_fits_into_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("priorcraft.datasets.folder.MOST_BYTES", 1000)
    with pytest.raises(DataError, match="pass a smaller size"):
        open_data(album(tmp_path))


def test_links_that_loop_are_cut_and_names_of_any_kind_are_read(tmp_path):
    album(tmp_path, 6, labels=("고양이", "é" * 100))
    (tmp_path / "고양이/loop").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "고양이")
    picture(tmp_path / "고양이" / f"{'x' * 250}.png")
    data = open_data(tmp_path)
    assert sum(len(data.rows(p)) for p in ("train", "valid", "test")) == 7
    assert len(data.classes) == 2
    assert noted(data, "2 links to folders")


def test_names_that_are_not_text_broken_links_and_pipes(tmp_path):
    album(tmp_path, 60)
    os.rename(os.fsencode(tmp_path / "cat/000.png"), os.fsencode(tmp_path) + b"/cat/\xff.png")
    (tmp_path / "cat/gone.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "cat/pipe.png")
    (tmp_path / "cat/folder.png").mkdir()
    data = open_data(tmp_path)
    note = next(note for note in data.notes if "2 of 62 images skipped" in note)
    assert "pipe.png (not a file)" in note
    assert "gone.png (no such file" in note
    note.encode()


def test_damage_anywhere_in_a_file_is_a_bad_image_and_never_a_crash(tmp_path):
    rng = np.random.default_rng(3)
    for suffix in ("png", "jpg", "gif", "tiff", "webp", "bmp", "ppm"):
        whole = bytearray(picture(tmp_path / f"a.{suffix}", BYTES).read_bytes())
        for i in range(40):
            broken = whole.copy()
            for at in rng.integers(0, len(whole), 4):
                broken[at] = rng.integers(256)
            path = tmp_path / f"{i}.{suffix}"
            path.write_bytes(broken[: rng.integers(1, len(whole) + 1)] if i % 2 else broken)
            with suppress(image.BadImage):
                assert image.decode(path).mode in ("L", "RGB")


# Leaks, variance, fingerprint


def test_copies_across_parts_are_counted_after_conversion(tmp_path):
    for split, n in (("train", 6), ("valid", 3), ("test", 3)):
        for i in range(n):
            picture(tmp_path / split / f"{i}.png")
    copied = np.array(Image.open(tmp_path / "train/0.png"))
    picture(tmp_path / "valid/copy.bmp", np.repeat(copied[..., None], 3, -1))
    picture(tmp_path / "test/copy.png", copied)
    data = open_data(tmp_path)
    assert noted(data, "leak: 1 of 4 valid rows are exact copies of train rows")
    assert noted(data, "leak: 1 of 4 test rows are exact copies of train or valid rows")
    assert not noted(open_data("digits"), "leak")


def test_data_without_variance_proceed_with_a_note():
    data = open_data(np.full((9, 4, 4), 7, np.uint8))
    assert noted(data, "no variance")
    assert len(data.train) == 7
    assert not noted(open_data("digits"), "no variance")


def test_every_change_changes_the_fingerprint():
    x, y = noise(20, 4, top=9), np.arange(20) % 2
    given = {"x_train": x, "y_train": y, "x_valid": x[:3], "x_test": x[:3], "levels": np.array(10)}
    edited, relabelled = x.copy(), y.copy()
    edited[3, 1] ^= 1
    relabelled[3] ^= 1
    changes = [
        {},
        {"x_train": edited},
        {"y_train": relabelled},
        {"y_train": np.array(["no", "yes"])[y]},
        {"x_valid": x[:4]},
        {"x_test": x[1:4]},
        {"levels": np.array(11)},
        {"x_train": x[:19], "y_train": y[:19], "x_valid": np.concatenate([x[19:], x[:3]])},
        {k: given[k].reshape(-1, 2, 2) for k in ("x_train", "x_valid", "x_test")},
    ]
    assert len({open_data(given | change).fingerprint for change in changes}) == len(changes)
    assert open_data(given).fingerprint == open_data(dict(reversed(given.items()))).fingerprint


def test_a_row_that_moves_to_another_part_changes_the_fingerprint():
    x = noise(20, 4)
    splits = [open_data({"x_train": x[:n], "x_valid": x[n:18], "x_test": x[18:]}) for n in (10, 11)]
    assert splits[0].fingerprint != splits[1].fingerprint


def test_a_change_is_explained_with_its_counts(tmp_path):
    before = open_data(album(tmp_path))
    saved = {"fingerprint": before.fingerprint, "counts": before.counts}
    assert explain_change(saved, open_data(tmp_path)) is None
    picture(tmp_path / "cat/000.png")
    assert "the counts agree" in explain_change(saved, open_data(tmp_path))
    for i in range(20):
        picture(tmp_path / f"cow/{i}.png")
    sentence = explain_change(saved, open_data(tmp_path))
    assert "train was 14, is 28" in sentence
    assert "classes was 2, is 3" in sentence
    assert explain_change({}, before) is not None
