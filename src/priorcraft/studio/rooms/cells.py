"""Evidence in a table: some cells of a row are seen, the others follow, each with its probabilities."""

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import torch
from fastapi import APIRouter
from pydantic import BaseModel, Field
from torch import Tensor

from priorcraft import runtime
from priorcraft.cells import read_cells
from priorcraft.condition import filled, posterior
from priorcraft.condition.evidence import ExactPosterior
from priorcraft.condition.restoration import Restoration
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.columns.column import Decoded
from priorcraft.datasets.columns.date import Date
from priorcraft.datasets.columns.table import as_number
from priorcraft.datasets.holes import Holes
from priorcraft.errors import UsageError
from priorcraft.observe import Mask
from priorcraft.run import Run
from priorcraft.studio.rooms.floor import Asked, Floor, Page

FIRST = 24  # rows of the table that the page begins with
DRAWS = 200  # of p(hidden | seen), from which probabilities are counted
STATES = 12  # of a column that are told apart; numbers of more values are told by ranges
RANGES = 6
MOST_CLASSES = 30
Cell = Annotated[str | None, Field(max_length=1000)]


class Row(Asked):
    """A row with holes.

    Args:
        cells: what is seen, by the names of the columns; a column that is empty or left out is hidden.
        n: draws that are shown.
        seed: of the draws.
    """

    cells: Annotated[dict[str, Cell], Field(max_length=10_000)]
    n: Annotated[int, Field(ge=1, le=16)] = 8
    seed: int = 0


class Belief(BaseModel):
    """What follows for one hidden column.

    Args:
        column: its name.
        states, p: values or ranges of values, and p(state | seen).
        kind: of `p`: "exact", or "estimate" where it was counted.
        draws: values drawn together with those of the other columns.
    """

    column: str
    states: list[str]
    p: list[float]
    kind: str
    draws: list[str]


class Answered(BaseModel):
    """What follows from what is seen.

    Args:
        kind: "exact" if the draws are the model's own p(hidden | seen), else "approximate".
        method: the engine that made them.
        beliefs: one a hidden column, in the table's order.
    """

    kind: str
    method: str
    beliefs: list[Belief]


class Table(BaseModel):
    """A run's table.

    Args:
        columns: that the model knows, the label among them.
        label: the column that is the class; None without.
        classes: its values.
        rows: the first rows of the file, as they stand there.
    """

    columns: list[str]
    label: str | None
    classes: list[str]
    rows: list[list[str]]


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["evidence"])

    @router.get("/runs/{run}/table")
    async def table(run: str) -> Table:
        """The first rows of the table that a run was fitted to."""
        return await floor.ask("", "", lambda: first_rows(floor, floor.run(run)))

    @router.post("/cells")
    async def cells(asked: Row, page: Page = "") -> Answered:
        """Draws from p(hidden cells | seen cells), and the probabilities of each hidden column."""
        return await floor.ask("cells", page, answered, floor, asked)

    return router


def columns_of(run: Run) -> Columns:
    """The columns that a run knows.

    Raises:
        UsageError: it was fitted to no table.
    """
    if run.columns is None:
        raise UsageError("this room shows rows of a table; choose a run that was fitted to one.")
    return run.columns


def names_of(columns: Columns) -> list[str]:
    """The columns that can be seen or hidden, in the table's order."""
    known = {column.name for column in columns.columns}
    return [name for name in columns.header if name in known or name == columns.label]


def first_rows(floor: Floor, run: Run) -> Table:
    """The rows that a page begins with."""
    columns, names = columns_of(run), names_of(columns_of(run))
    cells = floor.kept(run, "cells", lambda: read_cells(run.data["source"]))
    there = [cells[name] if name in cells.names else None for name in names]
    rows = [["" if c is None else c.cell(i) for c in there] for i in range(min(FIRST, cells.rows))]
    return Table(columns=names, label=columns.label, classes=list(run.classes), rows=rows)


def answered(floor: Floor, asked: Row) -> Answered:
    """Draws, and what they say of each hidden column."""
    run = floor.run(asked.run)
    columns, names = columns_of(run), names_of(columns_of(run))
    frame = pa.table({name: pa.array([asked.cells.get(name) or None], pa.string()) for name in names})
    holes = Holes.read(frame, columns, run.classes)
    log_p = None if columns.label is None or asked.cells.get(columns.label) else log_classes(run, holes)
    done, labels = drawn(run, holes, log_p, asked.seed)
    written = columns.decoded(done.x.flatten(0, 1).numpy(), runtime.keyed(asked.seed, "studio written"))
    hidden = {column.name for column, empty in zip(columns.columns, holes.empty[0], strict=True) if empty}
    beliefs = {each.column.name: counted(each, asked.n) for each in written if each.column.name in hidden}
    if log_p is not None and columns.label is not None:
        beliefs[columns.label] = of_class(columns.label, run.classes, log_p, labels[: asked.n])
    return Answered(kind=done.kind, method=done.method, beliefs=[beliefs[name] for name in names if name in beliefs])


def drawn(run: Run, holes: Holes, log_p: Tensor | None, seed: int) -> tuple[Restoration, list[int]]:
    """Draws of the hidden cells, and of the class first where p(c | seen) is known."""
    generator = runtime.keyed(seed, "studio cells")
    if log_p is None:
        given = holes.labels
        return filled.impute(run.model, holes.x, holes.seen, DRAWS, draws=DRAWS, given=given, generator=generator), []
    labels = runtime.categorical(log_p.expand(DRAWS, -1), generator=generator)
    x, seen = holes.x.expand(DRAWS, -1), holes.seen.expand(DRAWS, -1)
    return filled.impute(run.model, x, seen, 1, draws=1, given=labels, generator=generator), labels.tolist()


def log_classes(run: Run, holes: Holes) -> Tensor | None:
    """log p(c | seen), from log p(c) + log p(seen | c); None where the engine knows no p(seen)."""
    model: Any = run.model
    if not 1 < model.classes <= MOST_CLASSES:
        return None
    observation, each = Mask(holes.seen[0]), list[Tensor]()
    for c in range(model.classes):
        engine = posterior(model, observation, holes.x, given=torch.tensor([c]))
        if not isinstance(engine, ExactPosterior):
            return None
        each.append(engine.log_evidence)
    return (torch.cat(each) + model.log_prior).log_softmax(0)


def counted(drawn: Decoded, n: int) -> Belief:
    """Shares of the draws: of each value, or of ranges where a number or a date has many."""
    texts = drawn.texts
    kinds, counts = np.unique(texts, return_counts=True)
    numbers = [as_number(text) for text in texts]
    if len(kinds) > STATES and isinstance(drawn.column.codec, Date) and not drawn.empty.any():
        states, counts = ranges(drawn.values, drawn.column.codec.write)
    elif len(kinds) > STATES and None not in numbers:
        states, counts = ranges(np.array(numbers, dtype=float), lambda edges: [f"{edge:.4g}" for edge in edges])
    else:
        order = np.argsort(-counts, kind="stable")[:STATES]
        states, counts = [str(kinds[i]) for i in order], counts[order]
    p = (counts / len(texts)).tolist()
    return Belief(column=drawn.column.name, states=states, p=p, kind="estimate", draws=texts[:n])


def ranges(numbers: np.ndarray, write: Callable[[np.ndarray], list[str]]) -> tuple[list[str], np.ndarray]:
    """Ranges of equal width as they are written, and how many numbers lie in each."""
    counts, edges = np.histogram(numbers, bins=RANGES)
    return [f"{low} … {high}" for low, high in pairwise(write(edges))], counts


def of_class(label: str, classes: tuple[str, ...], log_p: Tensor, draws: list[int]) -> Belief:
    """p(c | seen), the most probable class first."""
    order = log_p.argsort(descending=True)[:STATES].tolist()
    p = [float(log_p[c].exp()) for c in order]
    return Belief(
        column=label, states=[classes[c] for c in order], p=p, kind="exact", draws=[classes[c] for c in draws]
    )
