"""Compare: runs on the same data side by side, every number with its kind, and a sentence for the question."""

import time
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from priorcraft import runtime
from priorcraft.datasets.splits import Rows
from priorcraft.metrics.likelihood import Score, score
from priorcraft.run import Run
from priorcraft.studio.rooms.floor import Floor
from priorcraft.studio.workspace import ABILITIES

ROWS, DRAWS, SAMPLES = 150, 8, 16


class Chosen(BaseModel):
    """Runs to be compared.

    Args:
        runs: their ids.
    """

    runs: Annotated[list[Annotated[str, Field(max_length=100)]], Field(min_length=1, max_length=20)]


class Line(BaseModel):
    """What is known of one run.

    Args:
        run, model, family: as in the list of runs.
        sign: of -log p(x) on test rows: "=" exact, "≤" an upper bound, "" none.
        nats, error: its mean and standard error; None without a density.
        bits: per dimension; None for real numbers.
        sampling: seconds for `SAMPLES` samples.
        minutes: of training.
        can: what it can be asked, keys of `ABILITIES`.
    """

    run: str
    model: str
    family: str
    sign: str
    nats: float | None
    error: float | None
    bits: float | None
    sampling: float
    minutes: float
    can: list[str]


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["compare"])

    @router.post("/compare")
    async def compare(asked: Chosen) -> list[Line]:
        """Runs side by side on the first test rows of their data."""
        return [await floor.ask("", "", lambda name=name: measured(floor, floor.run(name))) for name in asked.runs]

    return router


def measured(floor: Floor, run: Run) -> Line:
    """One run, measured once."""
    return floor.kept(run, "line", lambda: line(floor, run))


def line(floor: Floor, run: Run) -> Line:
    """Score and speed of one run."""
    rows = floor.workspace.data_of(run).test
    first = Rows(rows.x[:ROWS], None if rows.y is None else rows.y[:ROWS])
    found: Score = score(run.model, first, samples=DRAWS, generator=runtime.keyed("studio compare"))
    began = time.perf_counter()
    run.model.sample(SAMPLES, generator=runtime.keyed("studio compare"))
    seconds = time.perf_counter() - began
    error = found.standard_error
    if error is not None and found.bits_per_dim is not None and found.nats:
        error = error * found.nats / found.bits_per_dim
    return Line(
        run=run.path.name,
        model=run.name,
        family=run.family,
        sign=found.kind.sign,
        nats=found.nats,
        error=error,
        bits=found.bits_per_dim,
        sampling=seconds,
        minutes=run.seconds / 60,
        can=[name for name, kind in ABILITIES.items() if isinstance(run.model, kind)],
    )
