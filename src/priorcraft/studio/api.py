"""The API: the routes of all rooms, described by OpenAPI, and its refusals, each a sentence."""

import logging
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from priorcraft import __version__
from priorcraft.errors import DataError, PriorcraftError
from priorcraft.studio import rooms
from priorcraft.studio.desk import Desk, Stale

log = logging.getLogger("priorcraft.studio")


def create(folder: Path, data: str, run: str | None, desk: Desk) -> FastAPI:
    """What answers below "/api/"; arguments as in `app.create`."""
    return with_errors(rooms.include(api(), folder, data, run, desk))


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
