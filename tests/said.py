"""What commands say and write, as words and numbers: a golden file holds it whatever the clock and the last digits."""

import io
import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from priorcraft import runtime

GOLDEN = Path(__file__).parent / "goldens"
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")
TIMED = ("sampling", "minutes", "seconds", "evaluation", "speed")  # keys of answers that tell the time
TIMES = re.compile(r"seconds\S*\s+\S+|\d+(\.\d+)? (?:m?s\b|GFLOP/s)")


@contextmanager
def in_float32() -> Iterator[None]:
    """Products in full on every kind of CPU: those in bfloat16 train to other numbers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "multiplies_in_bfloat16", lambda device: False)
        yield


@pytest.fixture(scope="module", autouse=True)
def full() -> Iterator[None]:
    """A module that imports this trains in full."""
    with in_float32():
        yield


def essence(text: str, place: Path) -> list[Any]:
    """A text without its numbers and times, and the numbers."""
    text = TIMES.sub("TIME", text.replace(str(place), "PLACE"))
    words = " ".join(NUMBER.sub("#", text).split())
    return [words, [float(found.replace(",", "")) for found in NUMBER.findall(text)]]


def answer(found: Any, place: Path) -> Any:
    """A JSON value without what tells the time, its texts as `essence`."""
    if isinstance(found, dict):
        return {key: answer(value, place) for key, value in found.items() if key not in TIMED}
    if isinstance(found, list):
        return [answer(each, place) for each in found]
    return essence(found, place) if isinstance(found, str) else found


def content(name: str, data: bytes, place: Path) -> Any:
    """What is in a file: words and numbers, or of each array its shape, its mean and a mean that knows the order."""
    suffix = Path(name).suffix
    if suffix == ".npz":
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {each: measured(arrays[each]) for each in arrays.files}
    if suffix in (".png", ".npy"):
        return measured(np.asarray(Image.open(io.BytesIO(data))) if suffix == ".png" else np.load(io.BytesIO(data)))
    if suffix == ".parquet":
        table = pyarrow.parquet.read_table(io.BytesIO(data))
        return essence(f"{table.schema.remove_metadata()} {table.to_pylist()}", place)
    return essence(data.decode("utf-8", "replace"), place) if suffix in (".csv", ".txt") else suffix


def measured(array: np.ndarray) -> list[Any]:
    """The shape of an array and two means of its numbers; its words as they are."""
    if array.dtype.kind not in "biuf":
        return [*array.shape, *array.ravel()[:20].tolist()]
    flat = np.nan_to_num(array.astype(np.float64).ravel())
    return [*array.shape, float(flat.mean()), float((flat * np.sin(np.arange(flat.size))).mean())] if flat.size else [0]


def alike(a: Any, b: Any, tolerance: float = 1e-3) -> bool:
    """Whether b says what a says, numbers up to a small part of themselves; b may have more keys."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() <= b.keys() and all(alike(a[key], b[key], tolerance) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * 1e-1) or (a != a and b != b)
    return bool(a == b)


def golden(file: str, name: str, found: Any) -> Any:
    """What a golden file holds under a name; written anew where PRIORCRAFT_GOLDENS=write says so."""
    path = GOLDEN / file
    if os.environ.get("PRIORCRAFT_GOLDENS") == "write":
        kept = json.loads(path.read_text()) if path.exists() else {}
        kept[name] = json.loads(json.dumps(found))
        lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in sorted(kept.items())]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return json.loads(path.read_text())[name]
