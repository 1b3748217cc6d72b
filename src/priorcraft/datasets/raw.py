"""What a source hands over before it is checked, brought to one layout and divided."""

from dataclasses import dataclass, field

import numpy as np

from priorcraft.cells import Cells
from priorcraft.cells.stored import StoredCells
from priorcraft.datasets.columns import Columns

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Raw:
    """Arrays as they were found; `build` turns them into `Splits`.

    Args:
        name: what the user called it.
        x: split to points, (N, ...); the parts that are missing are drawn from "train".
        y: split to labels, (N,), integers, whole floats or strings; -1 or nan = not known.
        numbered: whether y are numbers of `classes` already, int64, -1 where not known.
        levels: number of values of an entry, where the source states it.
        classes: names of the classes in the order of their indices; None sorts those that occur in y.
        notes: what the user should know so far.
        columns: what the integers of a table stand for.
        seen: of a table, which entries are there, (N, D); None where all are.
        rest: of a table, log p(row | its integers), nats, (N,).
        strange: of a table, what is stranger in a row than its integers say, nats, (N,).
        table: its cells.
        place: the number of each point's row there, (N,); None where each row is a point.
        files: split to the names of the files that its points were read from, if they were files.
    """

    name: str
    x: dict[str, np.ndarray]
    y: dict[str, np.ndarray] = field(default_factory=dict)
    levels: int | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    columns: Columns | None = None
    seen: np.ndarray | None = None
    rest: np.ndarray | None = None
    strange: np.ndarray | None = None
    table: Cells | StoredCells | None = None
    numbered: bool = False
    place: np.ndarray | None = None
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
