"""Who may ask: this page, on this machine, with the token."""

import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/api/"
UPLOADS = "/api/uploads/"
METHODS = ("GET", "HEAD", "POST", "DELETE")
MOST_BODY, MOST_UPLOAD, MOST_ADDRESS = 4 * 2**20, 512 * 2**20, 4096  # bytes
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered.

    Args:
        status: of HTTP.
        sentence: what was wrong; it repeats nothing of the request.
    """

    status: int
    sentence: str


class TooLarge(HTTPException):
    """A body that went on beyond its limit."""

    def __init__(self, most: int) -> None:
        super().__init__(413, too_large(most).sentence)


class Guard:
    """Lets through what comes from the studio's own page; everything else is refused before it is read.

    A page of another site can send requests to this machine, and can make a name of its own point here (DNS rebinding).
    The first has a foreign Origin, the second a foreign Host; neither knows the token.

    Args:
        app: what answers.
        token: of this server's life.
        port: at which it listens.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token = app, token
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers or refuses one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self.refusal(scope)
        if refusal is not None:
            await refused(refusal)(scope, receive, with_headers(send))
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        most = limit_of(scope)
        try:
            await self.app(scope, counted(receive, most), with_headers(watched))
        except TooLarge:
            if not begun:
                await refused(too_large(most))(scope, receive, with_headers(send))
        except Exception:  # which the application has answered with a sentence, and told the terminal
            if not begun:
                await refused(Refusal(500, "Something went wrong here."))(scope, receive, with_headers(send))

    def refusal(self, scope: Scope) -> Refusal | None:
        """The first thing that is wrong with a request; None if nothing is."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        if headers.get("host", "") not in self.hosts or sum(name == b"host" for name, _ in scope["headers"]) != 1:
            return Refusal(421, "This server answers to 127.0.0.1 alone.")
        if scope["method"] not in METHODS:
            return Refusal(405, f"The method must be one of {', '.join(METHODS)}.")
        if len(path) + len(query) > MOST_ADDRESS or not is_plain(path):
            return Refusal(400, "The address is not one of this page.")
        if "range" in headers:
            return Refusal(400, "Parts of files are not served.")
        if headers.get("origin") not in (None, *self.origins):
            return Refusal(403, "Requests from other pages are refused.")
        if not path.startswith(API):
            return None if scope["method"] in ("GET", "HEAD") else Refusal(405, "The page's files are only read.")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return Refusal(403, "Requests from other pages are refused.")
        if not self.knows(headers, query):
            return Refusal(403, "The token is missing or wrong; open the address that the studio printed.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit_of(scope):
            return too_large(limit_of(scope))
        return None

    def knows(self, headers: dict[str, str], query: str) -> bool:
        """Whether the request carries the token, as `Authorization: Bearer` or as `?token=`."""
        given = headers.get("authorization", "").removeprefix("Bearer ") or parse_qs(query).get("token", [""])[0]
        return hmac.compare_digest(given.encode(), self.token.encode())


def is_plain(path: str) -> bool:
    """Whether an address, decoded until nothing changes, has no way up, no backslash and no control character.

    >>> is_plain("/rooms/bayes.js"), is_plain("/%252e%252e/secret")
    (True, False)
    """
    for _ in range(4):
        decoded = unquote(path)
        if decoded == path:
            break
        path = decoded
    return ".." not in path and "\\" not in path and "//" not in path and path.isprintable()


def limit_of(scope: Scope) -> int:
    """The most bytes that the body of a request may have."""
    return MOST_UPLOAD if scope["path"].startswith(UPLOADS) else MOST_BODY


def too_large(most: int) -> Refusal:
    """The refusal of a body that is too long."""
    return Refusal(413, f"A request may hold at most {most // 2**20} MB; send less.")


def refused(refusal: Refusal) -> JSONResponse:
    """The answer to a request that is refused; the connection ends, so that nobody reads the rest of a long body."""
    return JSONResponse({"error": refusal.sentence}, refusal.status, headers={"connection": "close"})


def counted(receive: Receive, most: int) -> Receive:
    """`receive` that raises `TooLarge` once a body, whatever its headers say, is longer than `most` bytes."""
    total = 0

    async def counting() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > most:
            raise TooLarge(most)
        return message

    return counting


def with_headers(send: Send) -> Send:
    """`send` that adds the headers which keep a browser from doing more than it must."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            extra = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return sending
