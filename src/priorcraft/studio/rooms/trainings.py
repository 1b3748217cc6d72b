"""Trainings: begun, watched, stopped and resumed."""

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from priorcraft import runtime, zoo
from priorcraft.errors import UsageError
from priorcraft.studio.rooms.floor import Asked, Floor, known_label
from priorcraft.studio.trainings import Trainings
from priorcraft.studio.wire import answer, pictures

MOST_MINUTES = 24 * 60


class Fitting(BaseModel):
    """A training to begin.

    Args:
        data: a name, or the id of an upload.
        model: a name of the zoo.
        minutes, steps: the budget, one of them.
        settings: keywords of the model or its training.
        label: of a table, the column that is the class.
    """

    data: Annotated[str, Field(max_length=400)]
    model: Annotated[str, Field(max_length=60)]
    minutes: Annotated[float | None, Field(gt=0, le=MOST_MINUTES)] = None
    steps: Annotated[int | None, Field(gt=0, le=10**7)] = None
    settings: Annotated[dict[str, str | float | bool], Field(max_length=40)] = {}
    label: Annotated[str | None, Field(max_length=200, pattern=r"^[^\x00-\x1f]+$")] = None


class Begun(BaseModel):
    """A run.

    Args:
        run: its id.
    """

    run: str


class Drawing(Asked):
    """Samples to draw.

    Args:
        n: how many.
        seed: of the draws.
    """

    n: Annotated[int, Field(ge=1, le=400)] = 20
    seed: int = 0


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router, trainings = APIRouter(tags=["trainings"]), Trainings(floor.workspace)

    @router.post("/fit", status_code=202)
    async def fit(asked: Fitting) -> Begun:
        """Begins a training in a process of its own, which outlives the page and this server."""
        if asked.model not in zoo.names():
            raise UsageError("there is no such model.")
        if (asked.minutes is None) == (asked.steps is None):
            raise UsageError("give either minutes or steps as the budget.")
        budget = {"minutes": asked.minutes} if asked.minutes else {"steps": float(asked.steps or 0)}
        settings = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in asked.settings.items()
        }
        check_settings(settings)
        return Begun(run=trainings.begin(asked.data, asked.model, budget, settings, asked.label))

    @router.post("/runs/{run}/stop", status_code=202)
    async def stop(run: str) -> Begun:
        """Asks a training to finish its step, save, and end."""
        if not trainings.stop(run):
            raise UsageError("nothing trains this run.")
        return Begun(run=run)

    @router.post("/runs/{run}/resume", status_code=202)
    async def resume(run: str) -> Begun:
        """Goes on with a training that was stopped."""
        trainings.resume(run)
        return Begun(run=run)

    @router.get("/runs/{run}/events", response_class=StreamingResponse)
    async def events(run: str, after: int = 0) -> StreamingResponse:
        """Server-sent events: the records of events.jsonl as they are written, and the state at the end."""
        if not trainings.alive(run):
            floor.workspace.path(run)
        return StreamingResponse(trainings.events(run, max(after, 0)), media_type="text/event-stream")

    @router.get("/runs/{run}/picture", responses={200: {"content": {"image/png": {}}}})
    async def picture(run: str) -> Response:
        """The newest picture of samples that the training made from fixed noise."""
        found = sorted((floor.workspace.path(run) / "samples").glob("step-*.png"))
        return Response(found[-1].read_bytes(), media_type="image/png") if found else Response(status_code=204)

    @router.post("/sample")
    async def sample(asked: Drawing) -> Response:
        """Samples of a run, of all classes or of one."""
        return await floor.ask("", "", lambda: drawn(floor, asked))

    return router


def check_settings(settings: dict[str, str]) -> None:
    """Raises a UsageError for names or values that could not be settings of any model."""
    for name, value in settings.items():
        if not name.isidentifier() or len(value) > 100 or not value.isprintable():
            raise UsageError("a setting must be a name and a short value.")


def drawn(floor: Floor, asked: Drawing) -> Response:
    """Samples as pictures, or as numbers."""
    run = floor.run(asked.run)
    generator = runtime.keyed(asked.seed, "studio sample")
    given = None if asked.label < 0 else known_label(run, asked.label, "sample")
    x = run.model.sample(asked.n, given=None if given is None else given[0], generator=generator)
    space = run.model.space
    return answer({}, pictures=pictures(x, space)) if space.is_image else answer({}, x=x.float())
