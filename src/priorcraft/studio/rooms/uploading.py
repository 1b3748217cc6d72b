"""Uploads: what is dropped on the page, one file a request."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from priorcraft.studio.rooms.floor import Floor


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
    router, uploads = APIRouter(tags=["data"]), floor.uploads

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

    return router
