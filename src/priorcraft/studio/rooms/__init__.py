"""What each room of the page asks: one file a room."""

from pathlib import Path

from fastapi import FastAPI

from priorcraft import runtime
from priorcraft.studio.desk import Desk
from priorcraft.studio.rooms import (
    augmentation,
    cells,
    classifiers,
    compare,
    data,
    evidence,
    game,
    latent,
    order,
    questions,
    samples,
    tables,
    trainings,
    translation,
    uploading,
    vae,
)
from priorcraft.studio.rooms.floor import Floor
from priorcraft.studio.workspace import Workspace

ROOMS = (
    data,
    uploading,
    trainings,
    samples,
    tables,
    classifiers,
    latent,
    order,
    vae,
    game,
    evidence,
    cells,
    translation,
    augmentation,
    compare,
    questions,
)


def include(app: FastAPI, folder: Path, data: str, run: str | None, desk: Desk) -> FastAPI:
    """The application with the routes of all rooms, on a workspace; arguments as in `app.create`."""
    runtime.tune()
    floor = Floor(Workspace(folder, data, run), desk)
    for room in ROOMS:
        app.include_router(room.routes(floor), prefix="/api")
    return app
