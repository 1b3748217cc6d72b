"""The address, the token, and the end."""

import asyncio
import os
import secrets
import socket
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path

import uvicorn

from priorcraft.errors import UsageError
from priorcraft.studio.app import create

HOST, PORT = "127.0.0.1", 8421
TRIES = 20  # ports after the first, if it is taken
GRACE = 2  # seconds that open requests get at the end


def serve(folder: Path, *, data: str = "digits", run: str | None = None, port: int = 0, browser: bool = True) -> None:
    """Serves the studio until it is interrupted; prints its address as the first line.

    Args:
        folder: of the workspace.
        data: with which it was opened.
        run: name of the run in `folder` with which it was opened.
        port: where to listen; 0 takes 8421 or the next that is free.
        browser: whether to open the page.

    Raises:
        UsageError: the port is taken.
    """
    with suppress(KeyboardInterrupt), bound(port) as listening:
        number, token = listening.getsockname()[1], secrets.token_urlsafe(24)
        address = f"http://{HOST}:{number}/?token={token}"
        print(address, flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        config = uvicorn.Config(
            create(folder, token, number, data=data, run=run),
            log_level="critical",  # faults are told by the API; what is cut off at the end is none,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=GRACE,
            h11_max_incomplete_event_size=2**16,
        )
        asyncio.run(uvicorn.Server(config).serve([listening]))


def bound(port: int) -> socket.socket:
    """A socket on this machine's own address."""
    ports = [port] if port else range(PORT, PORT + TRIES)
    for number in ports:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name != "nt":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, number))
            listening.listen()
        except OSError:
            listening.close()
        else:
            return listening
    raise UsageError(f"port {port or PORT} is taken or not yours; choose another with --port.")
