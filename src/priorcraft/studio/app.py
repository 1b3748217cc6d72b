"""Page and API as one application; what needs torch is imported while the page opens."""

import asyncio
import logging
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from priorcraft import __version__
from priorcraft.errors import DataError, PriorcraftError
from priorcraft.studio.desk import Desk, Stale
from priorcraft.studio.guard import API, Guard
from priorcraft.studio.page import serve_page

log = logging.getLogger("priorcraft.studio")


class Deferred:
    """An application that is made in another thread while requests wait for it.

    Args:
        make: makes it; imports what takes long.
        desk: whose thread does.
    """

    def __init__(self, make: Callable[[], ASGIApp], desk: Desk) -> None:
        self.make, self.desk = make, desk
        self.made: asyncio.Task[ASGIApp] | None = None

    def begin(self) -> None:
        """Begins to make it."""
        self.made = asyncio.ensure_future(self.desk.ask("", self.make))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as soon as there is somebody to answer."""
        if self.made is None:
            self.begin()
        assert self.made is not None
        await (await asyncio.shield(self.made))(scope, receive, send)


class Studio:
    """The page at "/", and the API at "/api/".

    Args:
        api: the application behind "/api/".
    """

    def __init__(self, api: Deferred) -> None:
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or the server's beginning and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"].startswith(API):
            await self.api(scope, receive, send)
        else:
            await (await serve_page(Request(scope)))(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.api.begin()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


def create(folder: Path, token: str, port: int, *, data: str = "digits", run: str | None = None) -> Guard:
    """The guarded application.

    Args:
        folder: of the workspace.
        token: that every request to the API must carry.
        port: at which it listens.
        data: what the studio was opened with.
        run: name of the run in `folder` that it was opened with.
    """
    desk = Desk()

    def make() -> FastAPI:
        rooms = import_module("priorcraft.studio.rooms")  # and torch, which takes longer than the page to open
        return with_errors(rooms.include(api(), folder, data, run, desk))

    return Guard(Studio(Deferred(make, desk)), token, port)


def api() -> FastAPI:
    """An application without routes; its OpenAPI description is at /api/openapi.json."""
    return FastAPI(
        title="priorcraft studio",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        description="Every request carries the token that the studio printed: `Authorization: Bearer TOKEN`. Arrays "
        "come as application/octet-stream: uint32 length, uint32 length of a JSON header, the header, the numbers.",
    )


def with_errors(app: FastAPI) -> FastAPI:
    """The application, whose every refusal is a sentence and never a trace."""
    app.add_exception_handler(Stale, lambda request, error: said(409, "A newer request took its place."))
    app.add_exception_handler(PriorcraftError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(MemoryError, lambda request, error: said(413, "There is not enough memory for this."))
    app.add_exception_handler(Exception, unexpected)
    return app


def said(status: int, sentence: str) -> JSONResponse:
    """A sentence with its status."""
    return JSONResponse({"error": sentence}, status)


def refused(request: Request, error: Exception) -> Response:
    """What priorcraft says no to: 422 for data, 400 for everything else."""
    return said(422 if isinstance(error, DataError) else 400, str(error))


def of_http(request: Request, error: Exception) -> Response:
    """What the protocol says no to: an unknown address, another method, too long a body."""
    assert isinstance(error, HTTPException)
    known = {404: "There is no such address.", 405: "This address takes another method."}
    return said(error.status_code, known.get(error.status_code, f"{error.detail}"))


def invalid(request: Request, error: Exception) -> Response:
    """A body or query that is not what the address takes; names the place, repeats nothing."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    return said(422, f"{where}: {first['msg']}.")


def unexpected(request: Request, error: Exception) -> Response:
    """A fault of our own: a line in the terminal, a sentence for the page."""
    log.error("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, error)
    return said(500, "Something went wrong here; the terminal says what.")
