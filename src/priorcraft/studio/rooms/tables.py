"""Bayes: the joint table of a file of the user's own; everything else is worked out in the page."""

import math
from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
from fastapi import APIRouter
from pydantic import BaseModel, Field

from priorcraft.datasets.columns.table import as_number
from priorcraft.errors import DataError, UsageError
from priorcraft.probability import reading
from priorcraft.probability.reading import Rows
from priorcraft.studio.rooms.floor import Floor

MOST_CELLS = 20_000  # that a page turns over in a frame
STATES, RANGES = 12, 4  # of a variable: with more states, numbers are told by ranges that hold equally many rows


class Source(BaseModel):
    """A table to be counted.

    Args:
        source: id of an upload with one file of comma-separated values.
        variables: the columns to keep; all if None.
    """

    source: Annotated[str, Field(max_length=100)]
    variables: Annotated[list[str] | None, Field(max_length=60)] = None


class Joint(BaseModel):
    """A joint probability table p(a, b, ...), exact counts divided by their sum.

    Args:
        axes: the states of each variable, in the order of `p`.
        p: probabilities, the last variable fastest.
        ranged: columns of numbers that are told by ranges.
        dropped: columns that have too many states.
        holes: rows that were left out, for an empty cell.
    """

    axes: dict[str, list[str]]
    p: list[float]
    ranged: list[str]
    dropped: list[str]
    holes: int


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["bayes"])

    @router.post("/bayes")
    async def joint(asked: Source) -> Joint:
        """The joint table of a file: a column a variable, a row an observation."""
        return await floor.ask("bayes", "", lambda: counted(floor, asked))

    return router


def counted(floor: Floor, asked: Source) -> Joint:
    """The table of an upload's file.

    Raises:
        UsageError: not one file of comma-separated values.
        DataError: rows that cannot be counted.
    """
    files = list(floor.uploads.path(asked.source).rglob("*.[ct]sv"))
    if len(files) != 1:
        raise UsageError(f"one table as .csv is needed, not {len(files)} of them.")
    return joint_of(reading.from_csv(files[0]), files[0].name, asked.variables)


def joint_of(rows: Rows, called: str, variables: list[str] | None) -> Joint:
    """The joint table of the rows without an empty cell, of as many variables as a page can turn over.

    Rows with a weight are states, and are not changed; of observations, many numbers are told by ranges.
    """
    names = [name for name in rows.variables if variables is None or name in variables]
    columns = {name: cells_of(rows, name) for name in rows.names}
    ranged = {} if rows.weight else {name: cut for name in names if (cut := ranges_of(columns[name])) is not None}
    columns |= {name: [cut.get(text, "") for text in columns[name]] for name, cut in ranged.items()}
    most = math.inf if rows.weight else STATES
    kept = fitting({name: len({*columns[name]} - {""}) for name in names}, most)
    used = [*kept, *([rows.weight] if rows.weight else [])]
    lines = zip(*(columns[name] for name in used), strict=True)
    whole = [(place, [*line]) for (place, _), line in zip(rows.rows, lines, strict=True) if all(line)]
    axes, counts = reading.counted(Rows(called, used, whole), None)
    for d, name in enumerate(axes):
        if name in ranged:  # from the lowest to the highest, and not as they first appear
            sorted_states = [state for state in dict.fromkeys(ranged[name].values()) if state in axes[name]]
            counts = counts.index_select(d, torch.tensor([axes[name].index(state) for state in sorted_states]))
            axes[name] = tuple(sorted_states)
    return Joint(
        axes={name: list(states) for name, states in axes.items()},
        p=(counts / counts.sum()).flatten().tolist(),
        ranged=[name for name in kept if name in ranged],
        dropped=[name for name in names if name not in kept],
        holes=len(rows.rows) - len(whole),
    )


def cells_of(rows: Rows, name: str) -> list[str]:
    """A column; "" where a cell is empty."""
    place, empty = rows.names.index(name), rows.empty.get(name, ())
    return ["" if row[place] in empty else row[place] for _, row in rows.rows]


def ranges_of(texts: list[str]) -> dict[str, str] | None:
    """The range of each number of a column with many, the lowest first; None for another column.

    >>> set(ranges_of([str(i) for i in range(16)]).values()) == {"0 … 3.75", "3.75 … 7.5", "7.5 … 11.25", "11.25 … 15"}
    True
    """
    there = {*texts} - {""}
    numbers = {text: number for text in there if (number := as_number(text)) is not None}
    if len(there) <= STATES or len(numbers) < len(there):
        return None
    edges = np.unique(np.quantile([numbers[text] for text in texts if text], np.linspace(0, 1, RANGES + 1)))
    names = [f"{low:.4g} … {high:.4g}" for low, high in pairwise(edges)]
    place = np.searchsorted(edges[1:-1], list(numbers.values()), "right")
    ordered = sorted(zip(place, numbers, strict=True))
    return {text: names[i] for i, text in ordered}


def fitting(states: dict[str, int], most: float) -> list[str]:
    """The variables of at most so many states that make a table which a page can turn over; large ones go first.

    Raises:
        DataError: none is left.

    >>> fitting({"a": 2, "b": 300, "c": 100, "d": 2}, 1000), fitting({"a": 2, "id": 50}, 12)
    (['a', 'c', 'd'], ['a'])
    """
    kept = {name: n for name, n in states.items() if n <= most}
    while math.prod(kept.values()) > MOST_CELLS:
        kept.pop(max(kept, key=lambda name: kept[name]))
    if not kept:
        raise DataError(f"no column has at most {STATES} different words, or numbers; a table of states needs one.")
    return list(kept)
