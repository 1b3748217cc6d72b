"""A run folder: everything one training run leaves behind.

config.json     what was asked for
events.jsonl    what happened, a JSON object a line
checkpoints/    weights and optimiser state
samples/        pictures from fixed noise
lock            who is writing
"""

import json
import math
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any

from torch import Tensor

from priorcraft import disk, typed
from priorcraft.contents import read_bytes, read_json
from priorcraft.errors import CheckpointError, DataError, UsageError, did_you_mean
from priorcraft.settings import Range
from priorcraft.train import checkpoint, formats
from priorcraft.train.checkpoint import Checkpoint
from priorcraft.train.lock import RunLock

CONFIG, EVENTS, LOCK = "config.json", "events.jsonl", "lock"
HEAD = ("kind", "step", "progress", "elapsed")  # of an event
SENTENCES = ("note", "warning")  # kinds of events with a message


class RunFolder:
    """One run on disk; make one with `create`, come back to it with `open`.

    Args:
        path: the folder.
        config: what was asked for, as JSON.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.config = config
        self._lock = RunLock(path / LOCK)

    @classmethod
    def create(cls, path: Path, config: dict[str, Any], *, overwrite: bool = False) -> "RunFolder":
        """As `created`, and gives the lock back."""
        with cls.created(path, config, overwrite=overwrite) as run:
            return run

    @classmethod
    @contextmanager
    def created(cls, path: Path, config: dict[str, Any], *, overwrite: bool = False) -> Iterator["RunFolder"]:
        """Makes a new run folder, shows thereby that it can be written, and locks it while the block runs.

        Args:
            path: a new or empty folder; parents are made.
            config: what was asked for, as JSON.
            overwrite: whether a run folder that is there may be emptied; nothing else ever is.

        Raises:
            UsageError: there is something at `path`, or `config` is not JSON.
            RunBusy: another process is writing there.
            WriteFailed: the folder cannot be made or written.
        """
        record = _json({**formats.stamp("run"), "config": config}, "config")
        run = cls(path, json.loads(record)["config"])
        with disk.explained("The run folder", path):
            _check_vacant(path, overwrite)
            path.mkdir(parents=True, exist_ok=True)
        with run.lock():
            with disk.explained("The run folder", path):
                _check_vacant(path, overwrite)  # again: now nobody can come in between
                _clear(path)
                disk.replace(path / CONFIG, record)
            yield run

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Comes back to a run, to read it or to resume it.

        Raises:
            CheckpointError: no run folder, or its config.json is broken or newer than this version.
        """
        if not os.path.isdir(path):
            if os.path.exists(path):
                raise CheckpointError(f"{path} is not a run folder: it is a file.")
            beside = [other.parent.name for other in path.parent.glob(f"*/{CONFIG}")] if path.parent.is_dir() else []
            hint = f"beside it: {did_you_mean(path.name, beside)}" if beside else "priorcraft fit makes one."
            raise CheckpointError(f"there is no run folder {path}, or it is not yours to read; {hint}")
        record = read_json(path / CONFIG)
        formats.check(record, "run", path / CONFIG)
        if not isinstance(record.get("config"), dict):
            raise CheckpointError(f"{path / CONFIG} must hold an object 'config'.")
        return cls(path, record["config"])

    def lock(self) -> RunLock:
        """A context in which this process is the run's only writer.

        Raises:
            RunBusy: on entry, if another process is; names the process and its host.
        """
        return self._lock

    @property
    def samples(self) -> Path:
        """Folder of pictures."""
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.path / "checkpoints"

    def save(self, step: int, files: dict[str, dict[str, Tensor]], info: dict[str, Any]) -> Path:
        """As `checkpoint.save`, trying again for a moment if the disk refuses."""
        return disk.retried(lambda: checkpoint.save(self.checkpoints, step, files, info))

    def newest(self, *, fall_back: bool = True) -> Checkpoint | None:
        """As `checkpoint.newest`; within `lock()`, bad checkpoints are renamed `*.corrupt`."""
        return checkpoint.newest(self.checkpoints, owner=self._lock.held, fall_back=fall_back)

    def append(self, event: Mapping[str, Any]) -> None:
        """Adds one line to events.jsonl; numbers that are not finite become null, since JSON has none.

        Raises:
            UsageError: the event is not JSON.
            WriteFailed: the disk refuses, also after a moment.
        """
        line = _json(_finite(event), "event") + b"\n"
        disk.retried(lambda: self._append(line))

    def _append(self, line: bytes) -> None:
        with disk.explained(EVENTS, self.path, len(line)):
            fd = os.open(self.path / EVENTS, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                _drop_torn_line(fd)
                disk.write_all(fd, line)
            finally:
                os.close(fd)

    def events(self) -> list[dict[str, Any]]:
        """Every event so far; a line that was torn while being written, or says no event, is passed over.

        Raises:
            CheckpointError: the file cannot be read.
        """
        path = self.path / EVENTS
        lines = read_bytes(path).split(b"\n")[:-1] if path.exists() else []
        events = [_parsed(line) for line in lines]
        if lost := [i for i, event in enumerate(events, 1) if event is None]:
            said = f"line {lost[0]} of {path} is no event" + (f", nor are {len(lost) - 1} others" * (len(lost) > 1))
            warnings.warn(f"{said}; passed over.", checkpoint.CheckpointWarning, stacklevel=2)
        return [event for event in events if event is not None]

    def truncate_events(self, step: int) -> None:
        """Forgets the events after `step`, before a resumed run lives through them again."""
        kept = [_json(event, "event") + b"\n" for event in self.events() if event["step"] <= step]
        self.write_bytes(EVENTS, b"".join(kept))

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Writes a file of the run, e.g. "samples/00000100.png", in one instant.

        Raises:
            UsageError: `name` leads out of the folder.
            WriteFailed: the disk refuses, also after a moment.
        """
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise UsageError(f"name must lie in the run folder, not '{name}'.")
        path = self.path / name
        disk.retried(lambda: self._replace(path, data))
        return path

    def _replace(self, path: Path, data: bytes) -> None:
        with disk.explained(path.name, self.path, len(data)):
            if path.parent != self.path:
                path.parent.mkdir(exist_ok=True)
            disk.replace(path, data)

    def write_json(self, name: str, value: Any) -> Path:
        """Writes a JSON file of the run in one instant."""
        return self.write_bytes(name, _json(value, name))

    def check_data(self, fingerprint: str, counts: dict[str, int], *, allow: bool = False) -> None:
        """Compares the data of a resumed run with those it began with, `config["data"]` = {"fingerprint", "counts"}.

        Args:
            fingerprint, counts: of the data as they are now.
            allow: go on with other data, and mark the run by `config["data"]["changed_from"]`.

        Raises:
            DataError: the data changed.
        """
        before = self.config["data"]
        if before["fingerprint"] == fingerprint:
            return
        if not allow:
            raise DataError(
                f"The data of {self.path} changed: {in_words(before['counts'])} rows then, {in_words(counts)} now, "
                f"with other content. Restore them, or go on with --allow-data-change."
            )
        earlier = [*before.get("changed_from", []), before["fingerprint"]]
        data = {**before, "fingerprint": fingerprint, "counts": counts, "changed_from": earlier}
        self.config = {**self.config, "data": data}
        self.write_json(CONFIG, {**formats.stamp("run"), "config": self.config})


def in_words(counts: Mapping[str, int]) -> str:
    """Counts of rows and the like, for people."""
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _check_vacant(path: Path, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} exists and is a file; choose another --out.")
    if not path.exists() or not _contents(path):
        return
    if not is_run(path):
        raise UsageError(f"{path} exists and is not a run folder; empty it yourself or choose another --out.")
    if not overwrite:
        raise UsageError(f"{path} exists; use --overwrite or --resume, or choose another --out.")


def is_run(path: str | Path) -> bool:
    """Whether a folder says that it is a run."""
    try:
        return read_json(Path(path) / CONFIG).get("kind") == "run"
    except CheckpointError:
        return False


def _contents(path: Path) -> list[Path]:
    """What is there, but for what a killed `create` leaves behind."""
    leftovers = (LOCK, CONFIG + disk.TEMPORARY)
    return [entry for entry in path.iterdir() if entry.name not in leftovers]


def _clear(path: Path) -> None:
    """Empties a run folder; its config goes last, by being replaced, so that it stays one until then."""
    for entry in _contents(path):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != CONFIG:
            entry.unlink()


def _json(value: Any, what: str) -> bytes:
    try:
        return json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} must be JSON with finite numbers: {error}.") from error


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Head:
    """What every event says: what happened, and when."""

    kind: str
    step: Annotated[int, Range(0, 2**63)]
    progress: Annotated[float, Range(0, 1)]
    elapsed: Annotated[float, Range(0, 1e12)]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The event in a line, if it is one: its head, and numbers or texts by name."""
    try:
        event = typed.read(dict[str, object], json.loads(line), "event")
        head = typed.read(Head, {key: event[key] for key in HEAD if key in event}, "event")
    except (ValueError, RecursionError, CheckpointError):
        return None
    sentence = isinstance(event.get("message"), str) or head.kind not in SENTENCES
    return event if sentence else None


def _drop_torn_line(fd: int) -> None:
    """Cuts off what a killed writer left of its last line, which the next one would run into."""
    size = os.lseek(fd, 0, os.SEEK_END)
    if size and os.pread(fd, 1, size - 1) != b"\n":
        os.ftruncate(fd, os.pread(fd, size, 0).rfind(b"\n") + 1)
