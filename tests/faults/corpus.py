"""Hostile files without end: whole ones of every form, spoilt by a seed as disks, mailers and foes do."""

import gzip
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

FORMS = ("npz", "npy", "csv", "tsv", "parquet", "idx", "png", "gif", "tif", "jpg", "bmp", "ppm", "webp")


def npy(array: np.ndarray) -> bytes:
    """An array in NumPy's format."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    """Arrays as a compressed archive."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


def picture(kind: str, rng: random.Random) -> bytes:
    """A small image file."""
    mode = rng.choice(["L", "RGB", "RGBA", "P", "1", "I;16"] if kind in ("png", "tif") else ["L", "RGB"])
    size = (rng.randint(1, 9), rng.randint(1, 9))
    buffer = io.BytesIO()
    Image.effect_noise(size, 50).convert("I;16" if mode == "I;16" else mode).save(
        buffer, {"tif": "TIFF", "jpg": "JPEG", "ppm": "PPM"}.get(kind, kind.upper())
    )
    return buffer.getvalue()


def arrays(rng: random.Random) -> dict[str, np.ndarray]:
    """Arrays of any type and shape under keys that are known or nearly so."""
    draw = np.random.default_rng(rng.getrandbits(32))
    kinds = ["i1", "u1", ">i4", "u8", "f2", "f4", ">f8", "g", "c8", "?", "U3", "S2", "M8[D]", "O", "i4,f4", "U0"]
    shapes = [(12, 4), (12, 4), (12, 3, 3), (12, 1, 4, 4), (12,), (), (0, 3), (12, 0), (1, 1, 1, 1, 1), (12, 3, 5, 2)]
    made = dict[str, np.ndarray]()
    for key in rng.sample(
        ["x", "x", "y", "levels", "x_train", "x_valid", "x_test", "y_train", "extra", "mask", "z"], 3
    ):
        kind = rng.choice(["i1", "u1", rng.choice(kinds)])
        values = (
            draw.integers(0, 3, rng.choice(shapes)) if key != "levels" else np.array(rng.choice([3, 256, -1, 2**40]))
        )
        values = rng.choice([values, values, values * -1, values * 10**6, values / 2])
        with np.errstate(all="ignore"):
            made[key] = (
                np.asarray(values).astype(kind) if kind not in ("U0",) else np.zeros(len(np.atleast_1d(values)), "U0")
            )
    return made


def table(rng: random.Random, comma: str) -> bytes:
    """Text in rows and columns, with the cells that people and programs write."""
    cells = [
        "1",
        "2.5",
        "",
        "NA",
        "a",
        "b",
        "-1e308",
        "1e309",
        "9" * 5000,
        "nan",
        '"a,b"',
        "é",
        "1,5",
        "0x10",
        "\0",
        "'",
        '"',
        "+inf",
    ]
    names = rng.sample(["a", "b", "label", "count", "a", "", "p", "é", '"q"', "x" * 300], rng.randint(1, 5))
    lines = [
        comma.join(rng.choice(cells) for _ in range(len(names) + (rng.random() < 0.02)))
        for _ in range(rng.randint(0, 30))
    ]
    text = rng.choice(["\n", "\r\n", "\r"]).join([comma.join(names), *lines])
    return text.encode(rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]), "replace")


def parquet(rng: random.Random) -> bytes:
    """A table in columns."""
    import pandas as pd

    values = [
        [1, 2, 3] * 5,
        ["a", None, "é"] * 5,
        [1.5, float("nan"), 2] * 5,
        [b"\xff", b"", b"x"] * 5,
        [{"a": 1}] * 15,
    ]
    buffer = io.BytesIO()
    pd.DataFrame({f"c{i}": rng.choice(values) for i in range(rng.randint(1, 4))}).to_parquet(buffer)
    return buffer.getvalue()


def idx(rng: random.Random) -> bytes:
    """An IDX file, whose axes may promise anything."""
    shape = [rng.choice([2, 3, 28, 2**31, 0]) for _ in range(rng.randint(0, 4))]
    head = struct.pack(">HBB", 0, rng.choice([8, 8, 8, 13, 255]), len(shape)) + b"".join(
        struct.pack(">I", s) for s in shape
    )
    return gzip.compress(head + bytes(rng.randint(0, 200)))


def whole(form: str, rng: random.Random) -> bytes:
    """A file of a form before it is spoilt."""
    if form == "npz":
        return npz(**arrays(rng))
    if form == "npy":
        return npy(next(iter(arrays(rng).values())))
    if form in ("csv", "tsv"):
        return table(rng, rng.choice([",", ";", "\t", "|"]))
    return {"parquet": parquet, "idx": idx}.get(form, lambda r: picture(form, r))(rng)


def flipped(data: bytes, rng: random.Random) -> bytes:
    """Some bits are others."""
    spoilt = bytearray(data)
    for _ in range(rng.choice([1, 1, 3, 30]) if spoilt else 0):
        spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def cut(data: bytes, rng: random.Random) -> bytes:
    """The end, or a piece of the middle, is missing."""
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice([data[:a], data[:a] + data[b:], b""])


def grown(data: bytes, rng: random.Random) -> bytes:
    """Something was added or repeated."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice([rng.randbytes(20), data[:at], b"\0" * 1000, b"9" * 5000, b"(" * 3000]) + data[at:]


def numbered(data: bytes, rng: random.Random) -> bytes:
    """A four-byte number somewhere is an extreme one."""
    at = rng.randrange(max(len(data) - 4, 1))
    return data[:at] + rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"]) + data[at + 4 :]


def retold(data: bytes, rng: random.Random) -> bytes:
    """The header of an array promises something else."""
    told = rng.choice(
        [b"'shape': (99999999999999,), ", b"'shape': (-1,), ", b"'shape': (2**70,), ", b"'descr': '<f99', "]
    )
    start = data.find(b"'shape'")
    return data if start < 0 else data[:start] + told + data[start + len(told) :]


def archived(data: bytes, rng: random.Random) -> bytes:
    """The file is a member of an archive that is packed in another way, encrypted by its flags, or a bomb."""
    buffer = io.BytesIO()
    how = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(buffer, "w", how) as archive:
        archive.writestr(rng.choice(["x.npy", "x", "../x.npy", "x_train.npy", "y.npy"]), data)
    spoilt = bytearray(buffer.getvalue())
    if rng.random() < 0.5:
        spoilt[6] |= 1
        spoilt[8] = rng.choice([spoilt[8], 99])
    return bytes(spoilt)


SPOILERS: tuple[Callable[[bytes, random.Random], bytes], ...] = (flipped, cut, grown, numbered, retold, archived)


def files(folder: Path, seeds: range) -> Iterator[tuple[str, Path]]:
    """One hostile file a seed, and what was done to it in words."""
    for seed in seeds:
        rng = random.Random(seed)
        form = FORMS[seed % len(FORMS)]
        data, done = whole(form, rng), [form]
        for spoil in rng.sample(SPOILERS, rng.choice([0, 1, 1, 1, 2])):
            data = spoil(data, rng)
            done.append(spoil.__name__)
        path = folder / f"{seed}.{rng.choice([form] * 9 + ['npz', 'csv', 'png'])}"
        path.write_bytes(data)
        yield f"{seed}: {' '.join(done)}", path


def mutated(found: object, rng: random.Random) -> object:
    """A JSON value with one part of it replaced, removed, renamed or added."""
    others = [
        None,
        -1,
        0,
        1.5,
        float("inf"),
        float("nan"),
        2**70,
        "",
        "x",
        "\ud800",
        "9" * 5000,
        [],
        ["a"],
        {},
        {"a": 1},
        True,
    ]
    if isinstance(found, dict) and found and rng.random() < 0.9:
        key = rng.choice(list(found))
        how = rng.random()
        if how < 0.6:
            return {**found, key: mutated(found[key], rng)}
        if how < 0.75:
            return {k: v for k, v in found.items() if k != key}
        if how < 0.85:
            return {(k + "x" if k == key else k): v for k, v in found.items()}
        return {**found, rng.choice(["callbacks", "os.system", ""]): rng.choice(others)}
    if isinstance(found, list) and found and rng.random() < 0.7:
        at = rng.randrange(len(found))
        return [*found[:at], mutated(found[at], rng), *found[at + rng.choice([0, 1, 1]) :]]
    return rng.choice(others)


def text(value: object) -> str:
    """As JSON, with what JSON does not have."""
    return json.dumps(value)
