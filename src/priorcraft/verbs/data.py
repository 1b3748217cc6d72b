"""`data`: what there is to choose from, and what data turn out to be."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from priorcraft import disk
from priorcraft.answer import ARRAY, Answer, Facts, Listing, Piece, Sentence
from priorcraft.datasets import Reading, Splits, names, open_data
from priorcraft.datasets.columns import Columns, types_file
from priorcraft.datasets.prepared import save as prepare_into
from priorcraft.datasets.progress import telling
from priorcraft.datasets.raw import SPLITS
from priorcraft.errors import UsageError
from priorcraft.outputs import check_out, folder_name, write_bytes
from priorcraft.report.grid import pixels, png
from priorcraft.train.loop import Listener, heard, silent


@dataclass(frozen=True)
class SourceRow(Answer):
    """What may stand where data are named: a built-in set, or a form of files.

    Args:
        name: of the set, or how the files are called.
        summary: in a few words.
        available: whether it is on this machine.
    """

    name: str
    summary: str
    available: bool


@dataclass(frozen=True)
class About(Answer):
    """What some data turn out to be.

    Args:
        name: of the source.
        levels: values that an entry can take; None for real numbers.
        shape: of a point.
        n_train, n_valid, n_test: numbers of rows.
        columns: of a table: what each holds, in words; None else.
        notes: what was noticed while they were read.
        classes: their names.
        splits: the data.
        prepare: whether they are written as arrays to be mapped, and not as pictures.
    """

    writes: ClassVar = {"out": ("",)}

    name: str
    levels: int | None
    shape: tuple[int, ...]
    n_train: int
    n_valid: int
    n_test: int
    columns: tuple[str, ...] | None
    notes: tuple[str, ...]
    classes: tuple[str, ...]
    splits: Splits = field(repr=False, compare=False, metadata=ARRAY)
    prepare: bool = field(default=False, repr=False, compare=False, metadata=ARRAY)

    @classmethod
    def of(cls, splits: Splits, prepare: bool = False) -> "About":
        """What can be said of data that are open."""
        return cls(
            name=splits.name,
            levels=splits.space.levels,
            shape=splits.space.event_shape,
            n_train=len(splits.train),
            n_valid=len(splits.valid),
            n_test=len(splits.test),
            columns=None if splits.columns is None else tuple(described(splits.columns)),
            notes=tuple(splits.notes),
            classes=tuple(splits.classes),
            splits=splits,
            prepare=prepare,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields, and how many files were written."""
        rows = 1 if _of_types(self.saved.get("out", "")) else self.n_train + self.n_valid + self.n_test
        return super().to_dict() | ({"files": rows} if self.saved else {})

    @property
    def remarks(self) -> list[str]:
        """None: the notes are part of what is asked."""
        return []

    def shown(self) -> list[Piece]:
        """The facts, and a line for every note."""
        told = {k: v for k, v in self.to_dict().items() if k not in ("notes", "columns", "out")}
        columns = [Sentence(f"column {column}") for column in self.columns or ()]
        return [Facts(told), *columns, *(Sentence(f"note: {note}") for note in self.notes)]

    @classmethod
    def writable(cls, path: str | Path, what: str = "out", *, overwrite: bool = False) -> Path:
        """A folder that is not there yet, or the .json file of a table's types."""
        if _of_types(path):
            return check_out(path, (".json",), overwrite=overwrite)
        if Path(path).exists():
            raise UsageError(f"{path} exists; give --out a new folder.")
        return Path(path)

    def save(self, path: str | Path, what: str = "out", *, overwrite: bool = False) -> "About":
        """Writes the images as PATH/part/class/number.png, which `open_data` reads in its turn (with 256 levels).

        A path that ends in .json becomes the types of a table's columns, which `types` reads.
        Prepared data are written as memory-mapped arrays, which `open_data` maps and does not read.

        Raises:
            UsageError: a folder that is there, rows that are no images, or types of what is no table.
        """
        target = self.writable(path, what, overwrite=overwrite)
        if _of_types(path):
            if self.splits.columns is None:
                raise UsageError("a .json file holds the types of a table's columns, and these data are no table.")
            write_bytes(target, types_file(self.splits.columns, Path(self.name).name), overwrite=overwrite)
        elif self.prepare:
            with disk.tree(target) as tree:
                prepare_into(self.splits, tree)
        else:
            export(self.splits, target)
        self.saved[what] = str(path)
        return self


def data(
    source: str | Path | Splits | Any | None = None,
    *,
    seed: int = 0,
    prepare: bool = False,
    reading: Reading | None = None,
    listen: Listener = silent,
) -> About | Listing:
    """The built-in data sets, the forms that your own may have, and what some data turn out to be.

    Args:
        source: look at these data: what is found in them, and how they are divided; without it, what there is. It may
            be a data frame in Python.
        seed: of the division into parts.
        prepare: out is a folder of memory-mapped arrays, which is data wherever data are named and is never read whole.
        reading: how the data are read.
        listen: gives a consumer of records of the progress for a name.

    Writes:
        out: the types of a table's columns in this .json file, which --types reads, and which is found beside the
            table; else their images as files in this new folder, below train, valid and test; with prepare, arrays.

    Raises:
        DataError: data that cannot be read.

    >>> data("digits").shape, data().rows[0].name
    ((1, 8, 8), 'digits')
    """
    if source is None:
        return Listing(tuple(SourceRow(**row) for row in names()))
    if isinstance(source, Splits):
        return About.of(source, prepare)
    name = Path(source).name if isinstance(source, str | Path) else "the data"
    with telling(heard(listen(name))):
        found = open_data(source, seed=seed, **(reading or {}))
    return About.of(found, prepare)


def _of_types(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".json"


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
    with disk.tree(folder) as tree:
        for part in SPLITS:
            rows = splits.rows(part)
            for i, image in enumerate(pixels(rows.x, splits.space)):
                label = "" if rows.y is None or rows.y[i] < 0 else splits.classes[int(rows.y[i])]
                disk.write(tree / part / folder_name(label) / f"{i:05d}.png", png(Image.fromarray(image)))
                count += 1
    return count
