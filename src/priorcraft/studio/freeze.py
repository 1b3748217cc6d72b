"""One offline page of a small model: its latent map, its samples and a classifier to draw for, without a server."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import LatentVariable, Space
from priorcraft.datasets import Splits
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.mixture import FiniteMixture, Mixture
from priorcraft.outputs import check_out, write_bytes
from priorcraft.run import Run
from priorcraft.studio.desk import Desk
from priorcraft.studio.page import contents
from priorcraft.studio.rooms.floor import Floor
from priorcraft.studio.rooms.latent import Map, map_of
from priorcraft.studio.wire import packed, pictures
from priorcraft.studio.workspace import Workspace, image_space

SIDE = 24  # places a side of the map, each decoded once; what lies between is blended
SAMPLES, POINTS = 40, 400
MOST_ENTRIES = 32 * 32 * 3  # of an image that fits a page
COMPONENTS, ROUNDS = 20, 15  # of the classifier's mixture, and of EM
LIBRARIES = ("lib/dom.js", "lib/images.js", "lib/charts.js", "lib/pad.js", "lib/probability.js", "frozen.js")
HEAD = """<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
 style-src 'unsafe-inline'; img-src data:"><title>priorcraft</title><style>%s</style></head>
<body><main id="room"></main><div id="said" class="unseen" role="status" aria-live="polite"></div>
<script type="application/json" id="frozen">%s</script><script type="module">%s</script></body></html>
"""


def freeze(run: Path, out: Path, *, overwrite: bool = False) -> Path:
    """Writes one offline page of a run; returns its path.

    Args:
        run: a run folder; its model has a latent variable and small images.
        out: an .html file.
        overwrite: whether it may be there already.

    Raises:
        UsageError: a model without a latent variable, or images that are too large for a page.
    """
    target = check_out(out, (".html",), overwrite=overwrite)
    floor = Floor(Workspace(run.resolve().parent), Desk(workers=0))
    with torch.no_grad():
        page = frozen(floor, floor.run(run.resolve().name, "latent"))
    write_bytes(target, page.encode(), overwrite=overwrite)
    return target


def frozen(floor: Floor, run: Run) -> str:
    """The page of a run."""
    space, splits = image_space(run.model.space), floor.workspace.data_of(run)
    if space.dims > MOST_ENTRIES:
        raise UsageError(f"images of {space.dims:,} entries are too large for one page; {MOST_ENTRIES:,} are the most.")
    values: dict[str, Any] = {"model": run.name, "classes": run.classes, "shape": space.event_shape}
    arrays = {"samples": samples(run), **walkable(floor, run), **classifier(splits)}
    message = packed({**values, "levels": space.levels}, **arrays)
    words = {code: json.loads(contents()[f"text/{code}.json"]) for code in ("en", "ko")}
    data = json.dumps({"message": base64.b64encode(message).decode(), "words": words}).replace("<", "\\u003c")
    return HEAD % (contents()["style.css"].decode(), data, bundle())


def bundle() -> str:
    """The page's modules as one script: their imports are each other."""
    whole = "\n".join(contents()[name].decode() for name in LIBRARIES)
    return re.sub(r"^import .*\n", "", whole, flags=re.MULTILINE).replace("\nexport ", "\n")


def samples(run: Run) -> np.ndarray:
    """Samples in the order of the classes."""
    n = SAMPLES
    given = torch.arange(n) % run.model.classes if run.model.classes else None
    return pictures(run.model.sample(n, given=given, generator=runtime.keyed("frozen")), run.model.space)


def walkable(floor: Floor, run: Run) -> dict[str, Tensor | np.ndarray]:
    """The pictures of all components of a mixture; else the map, with what is decoded on a grid over it."""
    model: Any = run.model
    if isinstance(model, FiniteMixture):
        return {"components": pictures(model.decode(torch.arange(model.used)), model.space)}
    place = map_of(floor, run)
    low, high = place.points.amin(0), place.points.amax(0)
    found = {"points": place.points[:POINTS], "frame": torch.stack([low, high])}
    labels = {} if place.y is None else {"y": place.y[:POINTS]}
    return found | labels | {"grid": decoded(model, place, low, high)}


def decoded(model: Any, place: Map, low: Tensor, high: Tensor) -> np.ndarray:
    """The means of p(x | z) on a grid over the map, the lowest row first, each of the class of its nearest row."""
    shares = torch.linspace(0, 1, SIDE)
    at = low + torch.cartesian_prod(shares, shares).flip(1) * (high - low)
    z = torch.cat([place.code(point) for point in at.tolist()])
    given = torch.tensor([max(place.label_near(point), 0) for point in at.tolist()]) if model.classes else None
    moved: LatentVariable = model
    space: Space = model.space
    return pictures(moved.decode(z, given), space)


def classifier(splits: Splits) -> dict[str, Tensor]:
    """log p(c), log p(z | c) and log p(x_i | z) of a mixture of the same data, which the page sums by itself."""
    y, space = splits.train.y, splits.space
    if y is None or splits.context is None or not space.levels:
        return {}
    model = Mixture(space, splits.context, components=COMPONENTS)
    x = space.check(splits.train.x)
    model.initialise(x, y, generator=runtime.keyed("frozen mixture"))
    for _ in range(ROUNDS):
        model.update(x, y)
    table = model.components.log_table
    assert isinstance(table, Tensor)
    return {"log_prior": model.log_prior, "log_weights": model.log_weights, "log_table": table}
