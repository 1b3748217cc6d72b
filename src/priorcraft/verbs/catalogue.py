"""`models` and `data`: what there is to choose from, and what data turn out to be."""

from pathlib import Path
from typing import Any

from PIL import Image

from priorcraft import zoo
from priorcraft.datasets import Reading, Splits, names, open_data
from priorcraft.datasets.columns import Columns
from priorcraft.errors import UsageError
from priorcraft.report.grid import pixels

PARTS = ("train", "valid", "test")


def models() -> list[dict[str, str]]:
    """Every model: "name", "family", "density", "summary".

    >>> [row["density"] for row in models() if row["name"] == "gan"]
    ['none']
    """
    return zoo.rows()


def data(
    source: str | Path | Splits | None = None,
    *,
    out: str | Path | None = None,
    seed: int = 0,
    reading: Reading | None = None,
) -> Any:
    """The built-in data sets and forms of data; or what some data turn out to be, and with `out` their images as files.

    Args:
        source: what `open_data` takes; None lists what there is.
        out: a new folder for FOLDER/part/class/number.png, which `open_data` reads in its turn (with 256 levels).
        seed: of the division into parts.
        reading: size, mode, levels, limit, on_bad_image or label of `open_data`.

    Returns:
        Without a source a list of {"name", "summary", "available"}; else a mapping of "name", "shape", "levels",
        "n_train", "n_valid", "n_test", "columns" (of a table), "classes", "notes", and with `out` "out" and "files".

    Raises:
        UsageError: a folder that is there, or rows that are no images.
        DataError: data that cannot be read.

    >>> data("digits")["shape"], data()[0]["name"]
    ([1, 8, 8], 'digits')
    """
    if source is None:
        return names()
    splits = source if isinstance(source, Splits) else open_data(source, seed=seed, **(reading or {}))
    found = about(splits) | {"classes": list(splits.classes)}
    return found if out is None else found | {"out": str(out), "files": export(splits, Path(out))}


def about(splits: Splits) -> dict[str, Any]:
    """Data in an answer: name, levels, shape, numbers of rows, notes."""
    return {
        "name": splits.name,
        "levels": splits.space.levels,
        "shape": list(splits.space.event_shape),
        **{f"n_{part}": len(splits.rows(part)) for part in PARTS},
        **({} if splits.columns is None else {"columns": described(splits.columns)}),
        "notes": list(splits.notes),
    }


def described(columns: Columns) -> list[str]:
    """What each column holds, in words."""
    return [f"{column.name}: {column.codec.described()} ({column.reason})" for column in columns.all]


def export(splits: Splits, folder: Path) -> int:
    """Writes the images as FOLDER/part/class/number.png; returns how many there are."""
    if not splits.space.is_image or splits.space.levels is None:
        raise UsageError("these rows are no images of integers, and cannot be written as pictures; leave out --out.")
    if folder.exists():
        raise UsageError(f"{folder} exists; give --out a new folder.")
    count = 0
    for part in PARTS:
        rows = splits.rows(part)
        for i, image in enumerate(pixels(rows.x, splits.space)):
            label = "" if rows.y is None or rows.y[i] < 0 else splits.classes[int(rows.y[i])]
            name = label.replace("/", "_").lstrip(".")  # hidden folders are passed over when they are read
            path = folder / part / name / f"{i:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
            count += 1
    return count
