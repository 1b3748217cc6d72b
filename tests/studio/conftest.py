"""One workspace with small runs, one server and one browser for all tests of the studio."""

import http.client
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest

from priorcraft.cli import main
from said import in_float32

RUNS = {"mixture": 3, "flat-vae": 40, "masked-mlp": 25, "gan": 20, "ppca": 3}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START = "import sys; from pathlib import Path; from priorcraft.studio.server import serve; "
START += "serve(Path(sys.argv[1]), browser=False, port=int(sys.argv[2]))"


@dataclass
class Server:
    """A studio in a process of its own."""

    folder: Path
    port: int = 0
    process: Any = field(default=None)
    url: str = ""

    def start(self) -> "Server":
        command = [sys.executable, "-c", START, str(self.folder), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=self.folder.parent)
        self.url = self.process.stdout.readline().strip()
        self.port = int(urlparse(self.url).port or 0)
        return self

    @property
    def token(self) -> str:
        return parse_qs(urlparse(self.url).query)["token"][0]

    def request(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, token: bool = True
    ) -> tuple[int, bytes]:
        """Status and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        given = {"Authorization": f"Bearer {self.token}"} if token else {}
        try:
            connection.request(method, path, body, {**given, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small run of each kind on the digits."""
    folder = tmp_path_factory.mktemp("studio") / "runs"
    with in_float32():
        for model, steps in RUNS.items():
            settings = ["--set", "latent=4"] if model == "flat-vae" else []
            main(["fit", "digits", model, "--out", str(folder / model), "--steps", str(steps), "--quiet", *settings])
        pairs = folder.parent / "pairs.npz"
        a = np.random.default_rng(0).integers(0, 2, (40, 4, 4))
        np.savez(pairs, a=a, b=1 - a, levels_a=2, levels_b=2)
        main(["fit", str(pairs), "flat-vae", "--pairs", "--out", str(folder / "pairs"), "--steps", "3", "--quiet"])
        table = folder.parent / "weather.csv"
        table.write_text(weather())
        options = ["--label", "play", "--out", str(folder / "weather"), "--steps", "1", "--quiet"]
        main(["fit", str(table), "chow-liu", *options])
    return folder


def weather(rows: int = 80) -> str:
    """A small table: words, numbers and a class that depend on one another; the first row is known."""
    rng = np.random.default_rng(0)
    sun = rng.integers(0, 2, rows)
    play = sun ^ (rng.random(rows) < 0.1)
    heat = np.round(10 + 8 * sun + rng.normal(0, 2, rows), 1)
    lines = [f"{('rain', 'sun')[s]},{t},{('in', 'out')[p]}" for s, t, p in zip(sun, heat, play, strict=True)]
    return "\n".join(["sky,heat,play", "sun,18.5,out", *lines]) + "\n"


@pytest.fixture(scope="session")
def server(workspace: Path) -> Iterator[Server]:
    running = Server(workspace).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ["--no-sandbox"]}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "locale": "en-GB", "viewport": {"width": 1280, "height": 900}}
