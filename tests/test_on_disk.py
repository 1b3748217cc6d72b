"""Large data: read once and in blocks, kept on disk, and the same as if they had been read whole."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import priorcraft as pc
from priorcraft import mapped, runtime
from priorcraft.cells import stored as cells_stored
from priorcraft.datasets import Rows, blocks, cached, divide, folder, open_data, plain
from priorcraft.datasets.prepared import open_prepared, save

ROWS = 900


@pytest.fixture
def small(monkeypatch, tmp_path) -> Path:
    """Whatever is larger than a kilobyte is large, and blocks have a hundred rows; the cache that is used."""
    monkeypatch.setattr(cached, "LARGE_BYTES", 1000)
    monkeypatch.setattr(blocks, "SAMPLE", 300)
    monkeypatch.setattr(cells_stored, "ROWS", 100)
    monkeypatch.setattr(plain, "MAPPED_BYTES", 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "priorcraft"


@pytest.fixture
def frame() -> pd.DataFrame:
    """A table of numbers, words with holes, a rare class and numbers of rows."""
    rng = np.random.default_rng(0)
    z = rng.integers(0, 3, ROWS)
    table = pd.DataFrame({"id": np.arange(1, ROWS + 1), "size": np.round(rng.normal(z * 2.0), 1), "count": z})
    table["colour"] = np.array(["red", "green", "blue"])[(z + rng.integers(0, 2, ROWS)) % 3]
    table.loc[rng.random(ROWS) < 0.1, "colour"] = None
    table["kind"] = np.where(np.arange(ROWS) == 7, "rare", np.where(z > 1, "high", "low"))  # 7 is not in the sample
    return table


@pytest.mark.parametrize("form", ["csv", "parquet", "folder"])
def test_a_long_table_is_read_in_blocks_and_kept(form, frame, small, tmp_path):
    source = tmp_path / f"table.{form}"
    if form == "csv":
        frame.to_csv(source, index=False)
    elif form == "parquet":
        frame.to_parquet(source)
    else:
        source.mkdir()
        frame[:500].to_parquet(source / "a.parquet")
        frame[500:].to_parquet(source / "b.parquet")
    found = open_data(str(source), label="kind")
    assert found.classes == ("high", "low", "rare")
    assert (len(found.train), len(found.valid), len(found.test)) == (630, 135, 135)
    assert found.folder is not None
    assert found.folder.parent == small
    assert any("columns were recognised on 300 of 900 rows" in note for note in found.notes)
    assert found.columns is not None
    whole = {name: [] for name in ("id", "colour")}
    for part in ("train", "valid", "test"):  # each row's integers are those that its cells say
        rows = found.rows(part)
        cells = found.cells(rows)
        coded = found.columns.encode(found.columns.read(cells))
        assert (np.maximum(coded.x, 0) == rows.x.numpy()).all()
        assert rows.seen is not None
        assert coded.labels is not None
        assert ((coded.x >= 0) == rows.seen.numpy()).all()
        assert [found.classes[c] for c in rows.labels.tolist()] == coded.labels.tolist()
        whole["id"] += [cells["id"].cell(i) for i in range(cells.rows)]
        whole["colour"] += [cells["colour"].cell(i) for i in range(cells.rows)]
    back = pd.DataFrame(whole).astype({"id": int}).sort_values("id")
    assert back["id"].tolist() == frame["id"].tolist()
    assert back["colour"].tolist() == frame["colour"].fillna("").tolist()


def test_the_copy_is_used_again_until_the_source_changes(frame, small, tmp_path, monkeypatch):
    source = tmp_path / "table.csv"
    frame.to_csv(source, index=False)
    first = open_data(str(source))
    monkeypatch.setattr(cells_stored, "stored", None)  # nothing is read again
    again = open_data(str(source))
    assert again.fingerprint == first.fingerprint
    assert any("read from" in note for note in again.notes)
    monkeypatch.undo()
    monkeypatch.setattr(cached, "LARGE_BYTES", 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(small.parent))
    frame[:-1].to_csv(source, index=False)
    assert open_data(str(source)).fingerprint != first.fingerprint
    assert len(list(small.iterdir())) == 2


def test_a_fit_and_questions_about_a_long_table(frame, small, tmp_path):
    frame.drop(columns="kind").to_csv(tmp_path / "table.csv", index=False)
    run = pc.fit(str(tmp_path / "table.csv"), "chow-liu", out=tmp_path / "run", steps=2)
    assert pc.score(run).n == 135
    numbers = [row[0] for row in pc.sample(run, 5).cells]
    assert numbers == ["1", "2", "3", "4", "5"]  # they are consecutive in the whole table, not in the sample


def test_a_parquet_file_is_as_large_as_its_cells(small, tmp_path):
    pd.DataFrame(dict.fromkeys("abcd", np.zeros(ROWS, int))).to_parquet(tmp_path / "packed.parquet")
    size = (tmp_path / "packed.parquet").stat().st_size
    cached.LARGE_BYTES = 4 * ROWS * 8 - 1
    assert size < cached.LARGE_BYTES
    assert cached.large(tmp_path / "packed.parquet")
    assert cached.large(tmp_path)


def test_arrays_are_mapped_and_not_read(small, tmp_path):
    x = np.random.default_rng(0).integers(0, 17, (60, 8, 8)).astype(np.uint8)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x_train=x[:40], x_valid=x[40:50], x_test=x[50:])
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        assert archive.getinfo("x_train.npy").compress_type == zipfile.ZIP_STORED
    for file, key in (("x.npy", "x"), ("x.npz", "x_train")):
        found = plain.read_arrays(tmp_path / file)[key]
        assert isinstance(found, np.memmap)
        assert (found == x[: len(found)]).all()
    parts = open_data(str(tmp_path / "x.npz"))
    assert (parts.train.x.numpy() == x[:40, None]).all()
    assert parts.folder is not None
    one = open_data(str(tmp_path / "x.npy"))
    both = torch.cat([one.train.x, one.valid.x, one.test.x])
    assert sorted(map(bytes, both.numpy())) == sorted(map(bytes, x))


@pytest.mark.parametrize("processes", [1, 2])
def test_images_are_decoded_once_by_any_number_of_processes(processes, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 6, 6, 3)).astype(np.uint8)
    for i, image in enumerate(pixels):
        (tmp_path / "images" / f"{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "images" / f"{i % 2}" / f"{i:02}.png")
    (tmp_path / "images" / "1" / "13.png").write_bytes(b"no image")
    monkeypatch.setattr(folder, "PIECE", 7)
    monkeypatch.setattr(folder, "MANY", 1 if processes > 1 else 10**6)
    monkeypatch.setattr(folder, "processors", lambda: processes)
    times = list[Path]()
    decoded = folder.decoded
    monkeypatch.setattr(folder, "decoded", lambda path, top: (times.append(path), decoded(path, top))[1])
    found = open_data(str(tmp_path / "images"))
    if processes == 1:
        assert len(times) == len(set(times)) == 40
    rows = torch.cat([found.train.x, found.valid.x, found.test.x]).numpy().transpose(0, 2, 3, 1)
    expected = [image for i, image in enumerate(pixels) if i != 13]
    assert sorted(row.tobytes() for row in rows) == sorted(image.tobytes() for image in expected)
    assert any("1 of 40 images skipped" in note for note in found.notes)


def test_a_late_colour_and_a_late_size_are_noticed(tmp_path, monkeypatch):
    for i in range(12):
        colour = (10, 200, 30) if i == 7 else (i, i, i)
        Image.new("RGB" if i == 7 else "L", (9, 9) if i == 5 else (6, 6), colour if i == 7 else i).save(
            tmp_path / f"{i:02}.png"
        )
    monkeypatch.setattr(folder, "LOOKED_AT", 3)
    found = open_data(str(tmp_path))
    assert found.space.event_shape == (3, 6, 6)


def test_prepared_data_share_their_files_with_the_copy_and_keep_their_cells(frame, small, tmp_path):
    frame.to_csv(tmp_path / "table.csv", index=False)
    found = open_data(str(tmp_path / "table.csv"))
    there = open_prepared(save(found, tmp_path / "ready"))
    assert there.fingerprint == found.fingerprint
    assert there.cells(there.test.first(3))["id"].cell(0) == found.cells(found.test.first(3))["id"].cell(0)
    assert found.folder is not None
    assert (tmp_path / "ready" / "train.x.npy").samefile(found.folder / "train.x.npy")


def test_long_tables_are_asked_about_as_short_ones_are(tmp_path, monkeypatch):
    """A column that is not there is summed out, and a row that says nothing has its answer in its place."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"n": rng.integers(0, 9, ROWS), "w": rng.choice(list("uvw"), ROWS)})
    run = pc.fit(table, "chow-liu", out=tmp_path / "run", steps=2)
    table.loc[7] = None
    table.to_csv(tmp_path / "holes.csv", index=False)
    table.drop(columns="n").to_csv(tmp_path / "lacking.csv", index=False)
    names = ("holes.csv", "lacking.csv")
    short = [pc.score(run, tmp_path / name) for name in names]
    monkeypatch.setattr(cached, "LARGE_BYTES", 1000)
    monkeypatch.setattr(blocks, "SAMPLE", 300)
    monkeypatch.setattr(cells_stored, "ROWS", 100)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, expected in zip(names, short, strict=True):
        found = pc.score(run, tmp_path / name)
        assert found.n == expected.n == ROWS
        assert found.log_p == pytest.approx(expected.log_p)
        assert set(expected.notes) <= set(found.notes)


@pytest.mark.parametrize("labels", [None, torch.arange(1000) % 7 % 3 - 1, torch.full((1000,), -1)])
def test_rows_are_divided_a_stretch_at_a_time_as_if_they_were_sorted_by_class(labels, monkeypatch):
    monkeypatch.setattr(divide, "AT_ONCE", 64)
    found = divide.choose(Rows(torch.zeros(1000, 1), labels), 150, generator=runtime.keyed(1))
    order = torch.randperm(1000, generator=runtime.keyed(1))
    order = order if labels is None else order[labels[order].argsort(stable=True)]
    place = torch.arange(1000)
    assert torch.equal(found[order], (place + 1) * 150 // 1000 > place * 150 // 1000)


def test_rows_of_a_mapped_array_are_gathered_a_few_at_a_time_and_their_pages_let_go(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.arange(30_000).reshape(10_000, 3))
    source, let_go = mapped.tensor_of(np.load(tmp_path / "x.npy", mmap_mode="r")), []
    monkeypatch.setattr(mapped, "GATHERED", 100)
    monkeypatch.setattr(mapped, "let_go", let_go.append)
    number = torch.randint(10_000, (450,), generator=runtime.keyed(0))
    assert torch.equal(Rows(source).where(number).x, source[number])
    assert len(let_go) == 5
    mask = torch.zeros(10_000, dtype=torch.bool).index_fill(0, number, True)
    assert torch.equal(Rows(source).where(mask).x, source[mask])
