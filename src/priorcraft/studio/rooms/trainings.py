"""Trainings: begun, watched, stopped and resumed."""

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from priorcraft import zoo
from priorcraft.contents import read_bytes
from priorcraft.errors import UsageError
from priorcraft.studio.rooms.floor import Floor, Reading
from priorcraft.studio.trainings import Trainings

MOST_MINUTES = 24 * 60
Setting = str | int | float | bool  # a whole number stays one: latent=16 is no 16.0


class Fitting(Reading):
    """A training to begin.

    Args:
        data: a name, or the id of an upload.
        model: a name of the zoo.
        minutes, steps: the budget, one of them.
        settings: keywords of the model or its training.
    """

    data: Annotated[str, Field(max_length=400)]
    model: Annotated[str, Field(max_length=60)]
    minutes: Annotated[float | None, Field(gt=0, le=MOST_MINUTES)] = None
    steps: Annotated[int | None, Field(gt=0, le=10**7)] = None
    settings: Annotated[dict[str, Setting], Field(max_length=40, default_factory=dict)]

    def options(self) -> list[str]:
        """Of `priorcraft fit`: how the data are read, the budget and the settings.

        Raises:
            UsageError: no such model, two budgets or none, or what could be no setting of any model.
        """
        if self.model not in zoo.names():
            raise UsageError("there is no such model.")
        if (self.minutes is None) == (self.steps is None):
            raise UsageError("give either minutes or steps as the budget.")
        budget = f"--minutes={self.minutes:g}" if self.minutes else f"--steps={self.steps}"
        reading = [f"--{name}={value}" for name, value in self.reading().items()]
        return [budget, *reading, *(word for pair in self.settings.items() for word in ("--set", setting(*pair)))]


class Begun(BaseModel):
    """A run.

    Args:
        run: its id.
    """

    run: str


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router, trainings = APIRouter(tags=["trainings"]), Trainings(floor.workspace)

    @router.post("/fit", status_code=202)
    async def fit(asked: Fitting) -> Begun:
        """Begins a training in a process of its own, which outlives the page and this server."""
        return Begun(run=trainings.begin(asked.data, asked.model, asked.options()))

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
        """The newest picture of samples that the training made from fixed noise; 204 if there is none."""
        found = floor.workspace.pictured(run)
        return Response(status_code=204) if found is None else Response(read_bytes(found), media_type="image/png")

    return router


def setting(name: str, value: Setting) -> str:
    """A setting as the command line takes it.

    Raises:
        UsageError: what could be no setting of any model.

    >>> setting("diverse", True), setting("latent", 16), setting("beta", 0.5)
    ('diverse=true', 'latent=16', 'beta=0.5')
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not name.isidentifier() or len(text) > 100 or not text.isprintable():
        raise UsageError("a setting must be a name and a short value.")
    return f"{name}={text}"
