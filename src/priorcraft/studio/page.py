"""The page's own files: read once, served from memory, so that no request can name another file."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}


@cache
def contents() -> dict[str, bytes]:
    """Every file of the page by its address below "/"."""
    found = dict(_walk(files("priorcraft.studio") / "page", ""))
    return {**found, "index.html": found["index.html"].replace(b"</head>", preloads(found) + b"</head>")}


def preloads(found: Iterable[str]) -> bytes:
    """Names every module, so that the browser fetches all at once and not one layer of imports after another."""
    modules = sorted(name for name in found if name.endswith(".js") and name != "frozen.js")
    return "".join(f'<link rel="modulepreload" href="{name}">\n' for name in modules).encode()


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in KINDS:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


async def serve_page(request: Request) -> Response:
    """One file of the page."""
    name = request.url.path.removeprefix("/") or "index.html"
    found = contents().get(name)
    if found is None:
        return JSONResponse({"error": "There is no such page."}, 404)
    return Response(found, media_type=KINDS[name.rpartition(".")[2]], headers={"cache-control": "no-cache"})
