"""One folder with runs and uploads, and the fitted models in it."""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from priorcraft import zoo
from priorcraft.contents import tail
from priorcraft.core import Approximate, ClosedForm, Encoder, Exact, Generative, LatentVariable, Space
from priorcraft.datasets import Splits, open_data
from priorcraft.errors import DataError, PriorcraftError, UsageError
from priorcraft.explicit.exact.autoregressive import Autoregressive
from priorcraft.explicit.exact.mixture import FiniteMixture
from priorcraft.run import Run, load
from priorcraft.run.forms import ROWS, open_as
from priorcraft.train.config import read_config
from priorcraft.train.lock import writer_of
from priorcraft.train.run_folder import CONFIG, EVENTS, LOCK, RunFolder

KEPT = 6  # models, and data sets, in memory
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # of a run or an upload
UPLOADS = "uploads"
Kept = TypeVar("Kept")

ABILITIES: dict[str, type] = {
    "exact": Exact,
    "approximate": Approximate,
    "latent": LatentVariable,
    "encoder": Encoder,
    "order": Autoregressive,
    "mixture": FiniteMixture,
}
SAID = ("note", "warning")  # events that are sentences, and no steps


@dataclass(frozen=True)
class RunInfo:
    """What the page knows of a run before its model is loaded.

    Args:
        id: name of its folder.
        model, member: the name by which it was asked for, and the zoo's member that this was.
        family: exact, approximate or implicit.
        can: what its type says that it can be asked, keys of `ABILITIES`; "table" and "translate" (pairs) by its data.
        shape, levels: of one x.
        classes: names of the classes.
        data: the source that it was fitted to.
        state: running, stopped (it can go on), done, or empty (without a checkpoint).
        step, progress, elapsed: of the last record.
        nats: the best validation score so far; None before the first, and without a density.
        settings: of the model and its training.
    """

    id: str
    model: str
    member: str
    family: str
    can: tuple[str, ...]
    shape: tuple[int, ...]
    levels: int | None
    classes: tuple[str, ...]
    data: str
    state: str
    step: int
    progress: float
    elapsed: float
    nats: float | None
    settings: dict[str, Any] = field(default_factory=dict)


class Cache:
    """A few things by key, the least recently used forgotten first; one thread makes each, the others go on.

    Args:
        size: how many.
    """

    def __init__(self, size: int) -> None:
        self.size, self.kept, self.lock = size, OrderedDict[Any, Any](), threading.Lock()
        self.making: dict[Any, threading.RLock] = {}

    def get(self, key: Any, make: Callable[[], Kept]) -> Kept:
        """What is kept under the key, made if it is not there."""
        with self.lock:
            mine = self.making.setdefault(key, threading.RLock())
        with mine:
            with self.lock:
                found = self.kept.get(key)
            made = make() if found is None else found
            with self.lock:
                self.kept[key] = made
                self.kept.move_to_end(key)
                self.making.pop(key, None)
                while len(self.kept) > self.size:
                    self.kept.popitem(last=False)
            return made


class Workspace:
    """A folder whose subfolders are runs, beside `uploads/`.

    Args:
        folder: made when something is first written.
        data: what the studio was opened with, or "digits".
        first: the run that the studio was opened with.
    """

    def __init__(self, folder: Path, data: str = "digits", first: str | None = None) -> None:
        self.folder, self.data, self.first = folder, data, first
        self.models, self.splits, self.made = Cache(KEPT), Cache(KEPT), Cache(4 * KEPT)

    def path(self, run: str) -> Path:
        """The folder of a run.

        Raises:
            UsageError: a name that no run has.
        """
        if not NAME.fullmatch(run) or not (self.folder / run / CONFIG).is_file():
            raise UsageError("there is no such run; see the list on the page Data.")
        return self.folder / run

    def runs(self) -> list[RunInfo]:
        """Every run that this version understands, the newest first."""
        found = sorted(self._folders(), key=lambda path: (path / CONFIG).stat().st_mtime, reverse=True)
        return [info for path in found if (info := described(path)) is not None]

    def _folders(self) -> Iterator[Path]:
        if self.folder.is_dir():
            yield from (
                path for path in self.folder.iterdir() if (path / CONFIG).is_file() and NAME.fullmatch(path.name)
            )

    def pictured(self, run: str) -> Path | None:
        """The newest picture of a training's samples; None before the first, and of a table, which is grey cells."""
        path = self.path(run)
        if read_config(RunFolder.open(path).config).data.columns is not None:
            return None
        return max((path / "samples").glob("step-*.png"), default=None)

    def load(self, run: str) -> Run:
        """A run's model with its newest weights.

        Raises:
            UsageError: no such run.
            CheckpointError: one without weights, or with damaged ones.
        """
        path = self.path(run)
        steps = max((entry.name for entry in (path / "checkpoints").glob("step-*")), default="")
        return self.models.get((run, steps), lambda: loaded(path))

    def data_of(self, run: Run, *, paired: bool = False) -> Splits:
        """The data that a run was fitted to, divided as they were.

        Args:
            run: of this workspace.
            paired: whether rows may hold an image in the place of their label.

        Raises:
            UsageError: pairs or domains that were not asked for.
        """
        kept = run.data
        if kept.get("form", ROWS) != ROWS and not paired:
            raise UsageError("this run translates images; its pairs are not rows that this room can show.")
        how = json.dumps(
            [kept.get("form", ROWS), kept["source"], kept["seed"], kept.get("reading", {})], sort_keys=True
        )
        return self.splits.get(how, lambda: opened(kept, run))

    def open(self, source: str, **reading: Any) -> Splits:
        """Data by a name, by the id of an upload, or by the path with which the studio was opened."""
        how = json.dumps([source, reading], sort_keys=True)
        return self.splits.get(how, lambda: open_data(self.source(source), **reading))

    def uploads(self) -> list[str]:
        """What was dropped on the page, the newest first."""
        found = [path for path in (self.folder / UPLOADS).glob("*/") if NAME.fullmatch(path.name)]
        return [path.name for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]

    def source(self, name: str) -> str:
        """What `fit` is given for data that the page names.

        Raises:
            UsageError: neither an upload nor what the studio was opened with nor a data set with a name.
        """
        if name in (self.data, "digits", "mnist", "fashion-mnist"):
            return name
        if not NAME.fullmatch(name) or not (self.folder / UPLOADS / name).is_dir():
            raise UsageError("there are no such data here; drop them on the page Data.")
        return str(source_in(self.folder / UPLOADS / name))


def source_in(folder: Path) -> Path:
    """The data in an upload: its one table or array file, else the folder itself, or the one folder in it."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    if len(entries) == 1 and (entries[0].is_dir() or entries[0].suffix.lower() not in PICTURES):
        return source_in(entries[0]) if entries[0].is_dir() and not is_data(entries[0]) else entries[0]
    return folder


PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})


def is_data(folder: Path) -> bool:
    """Whether a folder is to be opened as it is: images in it or in folders of its own."""
    return sum(1 for _ in folder.iterdir()) != 1 or any(entry.is_file() for entry in folder.iterdir())


def loaded(path: Path) -> Run:
    """A run whose model is only asked."""
    run = load(path)
    run.model.requires_grad_(False)
    return run


def opened(kept: dict[str, Any], run: Run) -> Splits:
    """The data that a run's config names."""
    try:
        form, seed = kept.get("form", ROWS), int(kept["seed"])
        return open_as(form, kept["source"], seed=seed, columns=run.columns, **kept.get("reading", {}))
    except PriorcraftError as error:
        raise DataError(f"the data of this run cannot be opened: {error}") from None


def described(path: Path) -> RunInfo | None:
    """A run from its files; None where they are none that this version understands."""
    try:
        config = read_config(RunFolder.open(path).config)
        member = zoo.ZOO[config.member].model
        events = last_events(path)
    except (PriorcraftError, KeyError, OSError):
        return None
    last = next((event for event in reversed(events) if event.get("kind") not in SAID), {})
    noted = bool(events) and events[-1].get("kind") == "note"
    scores = [event["valid_nats"] for event in events if event.get("valid_nats") is not None]
    return RunInfo(
        id=path.name,
        model=config.model,
        member=config.member,
        family=zoo.family(member),
        can=(
            *(name for name, kind in ABILITIES.items() if issubclass(member, kind)),
            *(["table"] if config.data.columns is not None else []),
            *(["translate"] if config.data.form != ROWS else []),
        ),
        shape=config.space.event_shape,
        levels=config.space.levels,
        classes=config.classes,
        data=config.data.source,
        state=state_of(path, last, noted=noted, converges=issubclass(member, ClosedForm)),
        step=int(last.get("step", 0)),
        progress=float(last.get("progress", 0.0)),
        elapsed=float(last.get("elapsed", 0.0)),
        nats=min(scores, default=None),
        settings=config.settings,
    )


def last_events(path: Path, most: int = 2**17) -> list[dict[str, Any]]:
    """The events in the last bytes of a run's events.jsonl."""
    start, read = tail(path / EVENTS, -most)
    whole = read.split(b"\n")[min(start, 1) : -1]
    return [event for line in whole if (event := parsed(line)) is not None]


def parsed(line: bytes) -> dict[str, Any] | None:
    """One event; None for a line that is none."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def state_of(path: Path, last: dict[str, Any], *, noted: bool = False, converges: bool = False) -> str:
    """Whether somebody trains it, it is done (because its budget is spent, or it converged), or it can go on."""
    if writer_of(path / LOCK) is not None:
        return "running"
    if not any((path / "checkpoints").glob("step-*")):
        return "empty"
    settled = converges and last.get("kind") == "validation"
    return "done" if settled or last.get("progress", 0) >= 1 or noted else "stopped"


def has(model: Generative, ability: str) -> bool:
    """Whether a model can be asked what this room asks."""
    return isinstance(model, ABILITIES[ability])


def image_space(space: Space) -> Space:
    """The space itself, if it holds images of integers.

    Raises:
        UsageError: something else.
    """
    if not space.is_image or space.levels is None:
        raise UsageError("this room shows images; choose a run that was fitted to images.")
    return space
