"""Data: what is here, what was dropped, and what it was read as."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from priorcraft import __version__, zoo
from priorcraft.datasets import Splits
from priorcraft.datasets.source import names
from priorcraft.studio.rooms.floor import Floor
from priorcraft.studio.wire import answer, pictures
from priorcraft.studio.workspace import RunInfo

SHOWN = 40  # thumbnails
MOST_ROWS = 400


class About(BaseModel):
    """What the page opens with.

    Args:
        version: of priorcraft.
        data: with which the studio was opened.
        run: with which it was opened; None without.
        data_sets: names that are available here.
        models: name to family, of all that `fit` takes.
    """

    version: str
    data: str
    run: str | None
    data_sets: list[str]
    models: dict[str, str]


class Opening(BaseModel):
    """Data to be opened.

    Args:
        source: a name, or the id of an upload.
        label: of a table, the column that is the class.
    """

    source: Annotated[str, Field(max_length=400)]
    label: Annotated[str | None, Field(max_length=200)] = None


class Received(BaseModel):
    """What was received.

    Args:
        id: of the upload.
        bytes: of the file; 0 for a new upload.
    """

    id: str
    bytes: int = 0


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router, workspace, uploads = APIRouter(tags=["data"]), floor.workspace, floor.uploads

    @router.get("/about")
    async def about() -> About:
        """What the page opens with."""
        named = [row["name"] for row in names() if row["available"] and row["name"].islower()]
        models = {row["name"]: row["family"] for row in zoo.rows()}
        return About(version=__version__, data=workspace.data, run=workspace.first, data_sets=named, models=models)

    @router.get("/runs")
    async def runs() -> list[RunInfo]:
        """Every run of the workspace, the newest first."""
        return await floor.ask("", "", workspace.runs)

    @router.post("/uploads", status_code=201)
    async def begin(name: Annotated[str, Query(max_length=300)] = "") -> Received:
        """A new upload, and what its folder or file is called."""
        return Received(id=uploads.begin(name))

    @router.post("/uploads/{upload}", status_code=201)
    async def receive(upload: str, name: str, request: Request) -> Received:
        """One file of an upload, its bytes as the body; a zip is unpacked."""
        return Received(id=upload, bytes=await uploads.receive(upload, name, request.stream()))

    @router.delete("/uploads/{upload}", status_code=204)
    async def forget(upload: str) -> None:
        """Removes an upload."""
        uploads.forget(upload)

    @router.post("/data")
    async def open_(asked: Opening) -> Response:
        """What data turn out to be: counts, classes, notes, and the first rows."""
        reading = {"label": asked.label} if asked.label else {}
        return await floor.ask("", "", lambda: told(workspace.open(asked.source, **reading)), long=True)

    @router.get("/runs/{run}/rows")
    async def rows(run: str, n: int = SHOWN, split: str = "test") -> Response:
        """The first rows of a run's data: x, y, and pictures of them."""
        return await floor.ask("", "", lambda: shown(workspace.data_of(floor.run(run)), min(n, MOST_ROWS), split))

    return router


def told(splits: Splits) -> Response:
    """What data are, in numbers and sentences."""
    space = splits.space
    rows = splits.train.x[:SHOWN]
    values = {
        "name": splits.name.rsplit("/", 1)[-1],
        "shape": space.event_shape,
        "levels": space.levels,
        "classes": splits.classes,
        "rows": {part: len(splits.rows(part)) for part in ("train", "valid", "test")},
        "notes": splits.notes,
        "columns": [] if splits.columns is None else splits.columns.header,
        "label": None if splits.columns is None else splits.columns.label,
    }
    arrays = {"pictures": pictures(rows, space)} if space.is_image else {"x": rows.float()}
    return answer(values, **arrays)


def shown(splits: Splits, n: int, split: str) -> Response:
    """Rows as numbers, as labels, and as pictures where they are images."""
    part = splits.rows(split if split in ("train", "valid", "test") else "test")
    x, arrays = part.x[:n], {}
    if part.y is not None:
        arrays["y"] = part.y[:n]
    if splits.space.is_image:
        arrays["pictures"] = pictures(x, splits.space)
    return answer({"classes": splits.classes}, x=x.int() if splits.space.levels else x, **arrays)
