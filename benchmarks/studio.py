"""How fast the studio answers, in a real browser, beside the idle round trip of the same machine.

    python benchmarks/studio.py [--minutes 1] [--chromium /usr/bin/chromium]

Fits small models to the digits of 8 x 8 pixels and to the same enlarged to 28 x 28, opens the page, and prints for each
figure its value, and the value over the 95th percentile of an idle request. The trainings are short: how fast a model
answers depends on its form, and not on how well it was fitted. `--minutes` is how long the game is played while the
page's memory is watched.
"""

import argparse
import http.client
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from priorcraft.datasets import open_data

SMALL = {"flat-vae": ("60", "latent=8"), "masked-mlp": ("60", "orders=8"), "mixture": ("20", "components=20")}
LARGE = {"mixture": ("5", "components=20"), "masked-mlp": ("5", "orders=8"), "masked-conv": ("2", "channels=64")}
LARGE |= {"flat-vae": ("20", "latent=8")}
ROOMS = ("data", "bayes", "classifiers", "latent", "order", "vae", "game", "evidence", "compare", "ask")

DRAG = """async (n) => {
  const map = document.querySelector('canvas[role=application]'), image = document.querySelector('[data-shown]');
  const box = map.getBoundingClientRect(), times = [];
  for (let i = 0; i < n; i++) {
    const x = box.left + box.width * (0.3 + 0.4 * Math.abs(Math.sin(i)));
    const y = box.top + box.height * (0.3 + 0.4 * Math.abs(Math.cos(i)));
    const began = performance.now(), how = { attributes: true, attributeFilter: ['data-shown'] };
    const shown = new Promise((done) => new MutationObserver((_, o) => {
      o.disconnect(); done(); }).observe(image, how));
    map.dispatchEvent(new PointerEvent('pointermove', { clientX: x, clientY: y, buttons: 1 }));
    await shown;
    times.push(performance.now() - began);
  }
  return times; }"""
STROKE = """async (n) => {
  const pad = document.querySelector('canvas[role=application]'), times = [];
  pad.focus();
  for (let i = 0; i < n; i++) {
    delete pad.dataset.draws;
    const began = performance.now(), how = { attributes: true, attributeFilter: ['data-draws'] };
    const drawn = new Promise((done) => new MutationObserver((_, o) => {
      if (pad.dataset.draws) { o.disconnect(); done(); } }).observe(pad, how));
    for (const key of [['ArrowLeft', 'ArrowUp', 'ArrowRight', 'ArrowDown'][i % 4], ' '])
      pad.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    await drawn;
    times.push(performance.now() - began);
    await new Promise((done) => setTimeout(done, 250));
  }
  return times; }"""
PRIOR = """async (n) => {
  const slider = document.querySelector('input[type=range]'), times = [];
  for (let i = 0; i < n; i++) {
    const began = performance.now();
    slider.value = String(Math.abs(Math.sin(i)));
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    document.body.offsetHeight;
    times.push(performance.now() - began);
  }
  return times; }"""


def p95(times: list[float]) -> float:
    """The 95th percentile."""
    return float(np.percentile(times, 95))


def idle(url: str, n: int = 100) -> list[float]:
    """Milliseconds of requests for the smallest answer."""
    at, times = urlparse(url), []
    token = parse_qs(at.query)["token"][0]
    for _ in range(n):
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", at.port or 0)
        connection.request("GET", "/api/game/0", headers={"Authorization": f"Bearer {token}"})
        connection.getresponse().read()
        connection.close()
        times.append(1000 * (time.perf_counter() - began))
    return times


def enlarged(path: Path) -> Path:
    """Three hundred digits as images of 28 x 28 pixels and 256 levels, in an .npz."""
    rows = open_data("digits").train.first(300)
    images = [Image.fromarray((255 / 16 * x[0]).numpy().astype(np.uint8)).resize((28, 28)) for x in rows.x]
    np.savez(path, x=np.stack([np.asarray(image) for image in images])[:, None], y=rows.labels.numpy(), levels=256)
    return path


def fit(folder: Path, data: str, models: dict[str, tuple[str, str]], suffix: str = "") -> None:
    """Fits the models, each for so many steps and with one setting."""
    for model, (steps, setting) in models.items():
        words = ["fit", data, model, "--out", f"{folder}/runs/{model}{suffix}", "--steps", steps, "--set", setting]
        subprocess.run([sys.executable, "-m", "priorcraft", *words, "--quiet"], check=True, stdout=subprocess.DEVNULL)


def enter(page: Page, room: str, model: str = "") -> None:
    """Opens a room, with a run."""
    page.evaluate("room => { location.hash = `#/${room}`; }", room)
    page.wait_for_selector(f"#room-{room} .sheet")
    if model:
        page.get_by_label("Model").select_option(model)
        page.wait_for_timeout(1500)


def game(page: Page, minutes: float) -> tuple[float, float, list[float]]:
    """Frames a second, share of the time that pictures take, and megabytes of the page's heap as it goes."""
    enter(page, "game")
    page.click("#game-play")
    page.wait_for_selector("[data-cost]")
    memory, began = [], time.perf_counter()
    first = int(page.get_attribute("[data-frames]", "data-frames") or 0)
    while time.perf_counter() - began < 60 * minutes:
        page.wait_for_timeout(min(60_000 * minutes / 6, 60_000))
        page.evaluate("window.gc && window.gc()")
        memory.append(page.evaluate("performance.memory.usedJSHeapSize") / 2**20)
    frames = int(page.get_attribute("[data-frames]", "data-frames") or 0) - first
    return frames / (time.perf_counter() - began), float(page.get_attribute("[data-cost]", "data-cost") or 0), memory


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        fit(Path(folder), "digits", SMALL)
        fit(Path(folder), str(enlarged(Path(folder) / "enlarged.npz")), LARGE, "-28")
        flags = ["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"]
        browser = playwright.chromium.launch(executable_path=given.chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
        page.set_default_timeout(120_000)  # a machine may be busy; the figures say how long it took
        elsewhere: list[str] = []
        page.on("request", lambda request: elsewhere.append(request.url))
        began = time.perf_counter()
        command = [sys.executable, "-m", "priorcraft", "studio", f"{folder}/runs/flat-vae", "--no-browser"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            page.goto(url + "#/bayes")
            page.wait_for_selector(".bars")
            bayes = time.perf_counter() - began
            enter(page, "latent")
            page.wait_for_selector("[data-shown]")
            latent = time.perf_counter() - began
            trips = idle(url)
            report(page, trips, bayes, latent, given.minutes, elsewhere)
        finally:
            server.terminate()
            server.wait(10)
            assert Path(folder).exists()


def report(page: Page, trips: list[float], bayes: float, latent: float, minutes: float, elsewhere: list[str]) -> None:
    """Measures what is left, and prints a line a figure."""
    base = p95(trips)
    print(f"{'figure':<52}{'value':>12}{'x idle p95':>12}")
    print(f"{'idle request, p50 / p95':<52}{np.median(trips):>6.1f}/{base:.1f} ms{1.0:>12.1f}")
    print(f"{'start of the command to a usable page (Bayes)':<52}{bayes:>10.2f} s")
    print(f"{'start of the command to a picture of the run':<52}{latent:>10.2f} s")
    for size, suffix in ((8, ""), (28, "-28")):
        enter(page, "latent", f"flat-vae{suffix}")
        page.wait_for_selector("[data-shown]")
        line(f"drag in the latent map to new image, {size} x {size}, p95", p95(page.evaluate(DRAG, 60)), base)
    for size, suffix, models in ((8, "", list(SMALL)[1:]), (28, "-28", list(LARGE))):
        for model in models:
            enter(page, "evidence", model + suffix)
            times = page.evaluate(STROKE, 2 if model == "flat-vae" else 20)  # a chain in z takes seconds
            line(f"stroke to first of 8 draws, {size} x {size}, {model}, p95", p95(times), base)
    enter(page, "bayes")
    line("prior slider to belief bars, in the page, p95", p95(page.evaluate(PRIOR, 100)), base)
    frames, cost, memory = game(page, minutes)
    print(f"{'live game: frames a second':<52}{frames:>10.1f}")
    print(f"{'live game: share of the time for pictures':<52}{100 * cost:>10.1f} %")
    print(f"{f'heap of the page after 1/6 and after {minutes:g} min':<52}{memory[0]:>7.1f} {memory[-1]:.1f} MB")
    violations = 0
    for room in ROOMS:
        enter(page, room)
        page.wait_for_timeout(1000)
        violations += len(Axe().run(page).response["violations"])
    print(f"{'axe violations in ten rooms':<52}{violations:>10}")
    foreign = [url for url in elsewhere if not url.startswith(("http://127.0.0.1:", "blob:", "data:"))]
    print(f"{'requests to the outside':<52}{len(foreign):>10}")


def line(name: str, value: float, base: float) -> None:
    """One figure in milliseconds."""
    print(f"{name:<52}{value:>9.1f} ms{value / base:>12.1f}", flush=True)


if __name__ == "__main__":
    main()
