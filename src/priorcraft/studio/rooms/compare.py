"""Compare: runs on the same data side by side, every number with its kind, and a sentence for the question."""

import time
from importlib import import_module
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from priorcraft import runtime
from priorcraft.datasets import Splits
from priorcraft.datasets.splits import Rows
from priorcraft.errors import UsageError
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


class Report(BaseModel):
    """What `compare` measures of the same runs.

    Args:
        lines: of its table of models, as the command prints them.
        html: its page, whole in itself.
    """

    lines: list[dict[str, Any]]
    html: str


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["compare"])

    @router.post("/compare")
    async def compare(asked: Chosen) -> list[Line]:
        """Runs side by side on the first test rows of their data."""
        return [
            await floor.ask("", "", lambda name=name: measured(floor, floor.run(name)), long=True)
            for name in asked.runs
        ]

    @router.post("/report")
    async def report(asked: Chosen) -> Report:
        """The report of `compare` on runs that are there: samples, two-sample tests, copies, classifiers."""
        return await floor.ask("", "", lambda: reported(floor, [floor.run(name) for name in asked.runs]), long=True)

    return router


def reported(floor: Floor, runs: list[Run]) -> Report:
    """The page of `compare`, without training anything."""
    made = import_module("priorcraft.studio.reported")  # with scikit-learn, a third of all imports
    models, page = made.reported(floor.workspace, runs, data_of_all(floor, runs))
    return Report(lines=[model.line() for model in models], html=page)


def data_of_all(floor: Floor, runs: list[Run]) -> Splits:
    """The data that all runs were fitted to.

    Raises:
        UsageError: they were fitted to different ones.
    """
    found = [floor.workspace.data_of(run) for run in runs]
    if len({splits.fingerprint for splits in found}) > 1:
        raise UsageError("these runs were fitted to different data; a comparison needs the same rows for all.")
    return found[0]


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
