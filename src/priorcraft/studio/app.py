"""Page and API as one application; the page opens while what the API needs is imported."""

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from priorcraft.studio.desk import Desk
from priorcraft.studio.guard import API, Guard
from priorcraft.studio.page import serve_page


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

    def make() -> ASGIApp:
        # FastAPI and torch, which take longer to import than the page to open
        return import_module("priorcraft.studio.api").create(folder, data, run, desk)

    return Guard(Studio(Deferred(make, desk)), token, port)
