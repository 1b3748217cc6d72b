"""Whatever a user calls data, opened."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeGuard, cast, get_args

import numpy as np
from torch import Tensor

from priorcraft.cells import SUFFIXES as TABLES
from priorcraft.cells import is_frame
from priorcraft.cells.reading import is_folder_of_tables
from priorcraft.contents import printable
from priorcraft.datasets.arrays import Array, open_file, open_named
from priorcraft.datasets.build import build
from priorcraft.datasets.cached import large, through_cache
from priorcraft.datasets.columns import Columns, Types
from priorcraft.datasets.digits import open_digits
from priorcraft.datasets.folder import Mode, OnBadImage, open_folder
from priorcraft.datasets.idx import find, open_idx
from priorcraft.datasets.image import SUFFIXES
from priorcraft.datasets.points import MOST_LEVELS
from priorcraft.datasets.prepared import is_prepared, open_prepared
from priorcraft.datasets.raw import Raw
from priorcraft.datasets.shelf import MEMORY, Shelf
from priorcraft.datasets.splits import Splits
from priorcraft.datasets.tables import Missing, open_table
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.settings import Range, whole

SIZE, LEVELS, LIMIT = Range(1, 65_536), Range(2, MOST_LEVELS), Range(1, 2**53)
Source = str | Path | Array | tuple[Array, Array] | Mapping[str, Array] | Any
NAMES = {
    "digits": "1,797 handwritten digits, 8 x 8, 17 levels, in 1000/347/450 rows; comes with scikit-learn",
    "mnist": "70,000 handwritten digits, 28 x 28, 256 levels, in 50,000/10,000/10,000 rows",
    "fashion-mnist": "70,000 articles of clothing, 28 x 28, 256 levels, in 50,000/10,000/10,000 rows",
}
FORMS = {
    "FOLDER": "images in folder/class/*.png, folder/*.png, or either below train/, valid/ and test/",
    "FILE.npz": "arrays x_train, x_valid, x_test, y_train, y_valid, y_test, levels; or one x, y, levels",
    "FILE.npy": "one array of rows",
    "FILE.csv": "a table: a line of names, then a row an observation; numbers or words; --label NAME is the class",
}


class Reading(TypedDict, total=False):
    """How a source is read, as `open_data` takes it; a run folder remembers it.

    Args:
        size: side of the square that the images of a folder are brought to; at most 64 without it.
        levels: values of an entry: states it where the data do not, rescales images where they do; bins of a table.
        mode: of a folder: auto reads grey where every image is grey.
        on_bad_image: of a folder: skip all that cannot be read, or stop at any; up to 5 % are skipped without it.
        top: of images of 16 bits: the value that is white, 4095 of a camera with 12 bits; 65535 without it.
        limit: at most so many rows of each part.
        label: of a table: the column that is the class.
        types: of a table: kinds of columns, as zip=word,day=date, or a .json file of them.
        empty: of a table: words that are taken as empty cells, separated by commas, in place of the rule.
        missing: of a table: fill learns around empty cells, keep makes them a state that is drawn, too.
    """

    size: int
    levels: int
    mode: Literal["auto", "grey", "rgb"]
    on_bad_image: Literal["skip", "error"]
    top: int
    limit: int
    label: str
    types: str
    empty: str
    missing: Literal["fill", "keep"]


def open_data(
    source: Source,
    *,
    seed: int = 0,
    size: int | None = None,
    levels: int | None = None,
    mode: Mode = "auto",
    on_bad_image: OnBadImage | None = None,
    top: int | None = None,
    limit: int | None = None,
    label: str | None = None,
    types: str | Path | Types | None = None,
    empty: str | None = None,
    missing: Missing = "fill",
    known: str | None = None,
    columns: Columns | None = None,
    classes: tuple[str, ...] | None = None,
    partial: bool = False,
) -> Splits:
    """Reads data, checks them, and divides them into training, validation and test rows.

    Parts that the source does not give take 15 % of the training rows each, by seed, in proportion to the classes.
    A name goes before a path of the same name: the folder is then ./digits.

    Args:
        source: "digits", "mnist", "fashion-mnist", a folder of images, an .npz, .npy or .csv file; or an array of rows
            x, a pair (x, y), a mapping with the keys of an .npz, or a data frame of pandas, polars or Arrow.
        seed: of the division, and of the choice that `limit` makes.
        size: side of the square that the images of a folder are brought to.
        levels: number of values of an entry: states it where the source does not, rescales images where it does; of a
            table, the bins of a column of numbers.
        mode: "grey" or "rgb" for a folder; "auto" reads grey if every image is grey.
        on_bad_image: "skip" or "error"; None skips up to 5 % of a folder's images and stops beyond.
        top: of images of 16 bits, the value that is white.
        limit: at most this many rows a part.
        label: of a table, the column that is the class.
        types: of a table, the kinds of columns that are known better: "zip=word,day=date", or a .json file of them.
        empty: of a table, the words that are taken as empty cells, separated by commas, in place of the rule.
        missing: of a table, "fill" to learn around empty cells, "keep" to make them a state that is drawn, too.
        known: the fingerprint of data that are divided by seed; others that come in one part are then left whole, in
            their order.
        columns: of a table, what was found of an earlier one: this one has the same states; with `known`, every cell.
        classes: names of the classes in the order of their numbers; None takes those that occur.
        partial: of a table, whether some of `columns` may be lacking, as if all their cells were empty.

    Raises:
        UsageError: an unknown name, or an argument that does not apply.
        DataError: data that cannot be read or are not what they must be; the sentence says what to do.

    >>> digits = open_data("digits")
    >>> digits.space, len(digits.train), len(digits.valid), len(digits.test)
    (Space(event_shape=(1, 8, 8), levels=17), 1000, 347, 450)
    """
    _check(size, levels, mode, on_bad_image, limit, top)
    if is_prepared(source) and str(source) not in NAMES:
        asked = {"size": size, "levels": levels, "limit": limit, "label": label, "types": types, "empty": empty}
        asked |= {"top": top}
        if wrong := [name for name, value in asked.items() if value is not None]:
            raise UsageError(
                f"{wrong[0]} was settled when these data were prepared; leave it out, or prepare them anew."
            )
        return open_prepared(Path(cast(str, source)))
    a_folder = isinstance(source, (str, Path)) and os.path.isdir(source) and str(source) not in NAMES
    a_table = _is_table(source)
    images = {"size": size, "mode": mode, "on_bad_image": on_bad_image, "top": top}
    table = {"types": types, "empty": empty, "missing": missing}
    if (a_table or not a_folder) and images != {"size": None, "mode": "auto", "on_bad_image": None, "top": None}:
        raise UsageError("size, mode, on_bad_image and top apply to a folder of images alone; leave them out here.")
    if not a_table and label is not None:
        raise UsageError("label names a column of a table (.csv); other data bring their labels with them.")
    if not a_table and table != {"types": None, "empty": None, "missing": "fill"}:
        raise UsageError("types, empty and missing apply to a table (.csv) alone; leave them out here.")

    def read(shelf: Shelf) -> Splits:
        if a_table:
            more = {"label": label, "bins": levels, "known": columns, "whole": known is not None, "partial": partial}
            raw = open_table(source, **table, **more, shelf=shelf)
        elif isinstance(source, (str, Path)):
            raw = open_folder(Path(source), **images, shelf=shelf) if a_folder else _open_path(source)
        else:
            raw = _open_arrays(cast(Any, source))
        raw = raw if classes is None else replace(raw, classes=classes)
        return build(raw, seed=seed, levels=None if a_table else levels, limit=limit, known=known, shelf=shelf)

    if not isinstance(source, (str, Path)):
        return replace(read(MEMORY), in_memory=True)
    if str(source) in NAMES or not os.path.exists(source) or not large(Path(source)):
        return read(MEMORY)
    how: dict[str, Any] = {**images, **table, "seed": seed, "levels": levels, "limit": limit, "label": label}
    how |= {"known": known, "partial": partial}
    how |= {"columns": None if columns is None else columns.as_json(), "classes": classes}
    return through_cache(Path(source), how, read)


def names() -> list[dict[str, Any]]:
    """What `open_data` takes, as rows {"name", "summary", "available"}."""
    here = {name: name == "digits" or find(name) is not None for name in NAMES}
    rows = [{"name": name, "summary": summary, "available": here[name]} for name, summary in NAMES.items()]
    return rows + [{"name": form, "summary": summary, "available": True} for form, summary in FORMS.items()]


def _check(
    size: int | None, levels: int | None, mode: str, on_bad_image: str | None, limit: int | None, top: int | None
) -> None:
    for name, value, reach in (("size", size, SIZE), ("levels", levels, LEVELS), ("limit", limit, LIMIT)):
        if value is not None:
            whole(name, value, reach)
    if top is not None and not 1 <= top <= 65_535:
        raise UsageError(f"top must be a whole number from 1 to 65535, not {top!r}.")
    if mode not in get_args(Mode):
        raise UsageError(f"mode must be auto, grey or rgb, not {mode!r}.")
    if on_bad_image not in (None, *get_args(OnBadImage)):
        raise UsageError(f"on_bad_image must be skip or error, not {on_bad_image!r}.")


def _is_table(source: object) -> TypeGuard[Any]:
    """Whether this is a data frame, or names a file of comma-separated text, or a folder that holds but such files."""
    if is_frame(source) or _is_file(source, TABLES):
        return True
    return isinstance(source, (str, Path)) and str(source) not in NAMES and is_folder_of_tables(Path(source))


def _is_file(source: object, suffixes: tuple[str, ...]) -> bool:
    """Whether this names a file that ends so."""
    return isinstance(source, (str, Path)) and os.path.isfile(source) and Path(source).suffix.lower() in suffixes


def _open_arrays(source: Array | tuple[Array, Array] | Mapping[str, Array]) -> Raw:
    if isinstance(source, Mapping):
        return open_named("arrays", source)
    if isinstance(source, tuple) and len(source) == 2:
        return open_named("arrays", {"x": source[0], "y": source[1]})
    if isinstance(source, (np.ndarray, Tensor)):
        return open_named("arrays", {"x": source})
    raise UsageError(
        f"source must be a name, a path, an array, a pair (x, y) or a mapping, not {type(source).__name__}."
    )


def _open_path(source: str | Path) -> Raw:
    name = str(source)
    if name == "digits":
        return open_digits()
    if name in NAMES:
        return open_idx(name)
    if _is_file(source, (".npz", ".npy")):
        return open_file(Path(source))
    raise _refusal(source)


OTHER_TABLES = (
    *(".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers", ".feather", ".arrow", ".orc", ".avro", ".json", ".jsonl"),
    *(".ndjson", ".arff", ".sav", ".dta", ".sas7bdat", ".rds", ".rdata", ".pkl", ".pickle", ".h5", ".hdf5", ".db"),
    *(".sqlite", ".md", ".html", ".xml"),
)


def _refusal(source: str | Path) -> DataError | UsageError:
    """Why a source that is neither a known name, nor a folder, nor an array file cannot be opened."""
    path, name = Path(source), printable(source)
    forms = "an .npz, .npy or .csv file, or a folder of images"
    if os.path.isfile(source) and path.suffix.lower() in SUFFIXES:
        return DataError(f"{name} is a single image; a data set is a folder of them.")
    if _is_file(source, (".gz", ".zip", ".xz", ".bz2", ".zst", ".7z", ".rar", ".tar", ".tgz")):
        return DataError(f"{name} is packed; unpack it first.")
    if _is_file(source, OTHER_TABLES):
        return DataError(
            f"{name} is a table of another kind; save it as .csv, in UTF-8 with a line of names, or .parquet first."
        )
    if os.path.isfile(source):
        return DataError(f"{name} is not a file that can be read as data; expected {forms}.")
    if isinstance(source, str) and len(path.parts) < 2 and not path.suffix:
        return UsageError(f"There is no data set and no path '{name}'; {did_you_mean(name, NAMES)} Or {forms}.")
    return DataError(f"There is no {name}; expected {forms}.")
