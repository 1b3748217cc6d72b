"""Data: what is here, what was dropped, and what it was read as."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from priorcraft import __version__, zoo
from priorcraft.cells import read_cells
from priorcraft.datasets import Splits
from priorcraft.datasets.source import names
from priorcraft.studio.rooms.floor import Floor, Reading
from priorcraft.studio.uploads import TABLES
from priorcraft.studio.wire import answer, pictures
from priorcraft.studio.workspace import RunInfo
from priorcraft.verbs.data import described

SHOWN, LINES = 40, 6  # thumbnails; rows of a table
MOST_ROWS = 400


class About(BaseModel):
    """What the page opens with.

    Args:
        version: of priorcraft.
        data: with which the studio was opened.
        run: with which it was opened; None without.
        data_sets: names that are available here.
        uploads: ids of what was dropped on the page, the newest first.
        tables: those of them that are tables.
        models: name to family, of all that `fit` takes.
    """

    version: str
    data: str
    run: str | None
    data_sets: list[str]
    uploads: list[str]
    tables: list[str]
    models: dict[str, str]


class Opening(Reading):
    """Data to be opened.

    Args:
        source: a name, or the id of an upload.
    """

    source: Annotated[str, Field(max_length=400)]


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router, workspace = APIRouter(tags=["data"]), floor.workspace

    @router.get("/about")
    def about() -> About:
        """What the page opens with."""
        named = [row["name"] for row in names() if row["available"] and row["name"].islower()]
        uploaded = workspace.uploads()
        models = {row["name"]: row["family"] for row in zoo.rows()}
        return About(
            version=__version__,
            data=workspace.data,
            run=workspace.first,
            data_sets=named,
            uploads=uploaded,
            tables=[name for name in uploaded if Path(workspace.source(name)).suffix.lower() in TABLES],
            models=models,
        )

    @router.get("/runs")
    def runs() -> list[RunInfo]:  # in a thread of its own: a list waits for no question
        """Every run of the workspace, the newest first."""
        return workspace.runs()

    @router.post("/data")
    async def open_(asked: Opening) -> Response:
        """What data turn out to be: counts, classes, notes, and the first rows."""
        return await floor.ask("", "", lambda: told(floor, asked), long=True)

    @router.get("/runs/{run}/rows")
    async def rows(run: str, n: int = SHOWN, split: str = "test") -> Response:
        """The first rows of a run's data: x, y, and pictures of them."""
        return await floor.ask("", "", lambda: shown(workspace.data_of(floor.run(run)), min(n, MOST_ROWS), split))

    return router


def told(floor: Floor, asked: Opening) -> Response:
    """What data are, in numbers and sentences."""
    splits = floor.workspace.open(asked.source, **asked.reading())
    space, rows = splits.space, splits.train.x[:SHOWN]
    values: dict[str, Any] = {
        "name": splits.name.rsplit("/", 1)[-1],
        "shape": space.event_shape,
        "levels": space.levels,
        "classes": splits.classes,
        "rows": {part: len(splits.rows(part)) for part in ("train", "valid", "test")},
        "notes": splits.notes,
        "columns": [],
        "label": None,
        "folder": splits.columns is None and Path(floor.workspace.source(asked.source)).is_dir(),
    }
    if splits.columns is not None:
        cells = read_cells(Path(floor.workspace.source(asked.source)))
        first = [[cells[name].cell(i) for name in cells.names] for i in range(min(LINES, cells.rows))]
        values |= {"columns": cells.names, "label": splits.columns.label, "first": first}
        values["read"] = described(splits.columns)
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
