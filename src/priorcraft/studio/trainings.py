"""Trainings as child processes, which outlive the page and the server."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from priorcraft import disk
from priorcraft.contents import read_bytes, tail
from priorcraft.errors import UsageError
from priorcraft.studio.workspace import Workspace, described, parsed
from priorcraft.train.lock import writer_of
from priorcraft.train.run_folder import EVENTS, LOCK

MOST = 4  # side by side
LOGS = ".studio"  # folder of what the children say
LOOK, BEAT = 0.2, 10.0  # seconds between looks at the events, and between signs of life


@dataclass(frozen=True)
class Child:
    """A training that this server began.

    Args:
        process: of `priorcraft fit`.
        log: what it says.
    """

    process: "subprocess.Popen[bytes]"
    log: Path


class Trainings:
    """Begins, stops and resumes trainings, and follows them by their run folders.

    Args:
        workspace: where they live.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.children: dict[str, Child] = {}

    def begin(self, data: str, model: str, options: Sequence[str]) -> str:
        """Begins a training; returns the run's id.

        Args:
            data: as in `Workspace.source`.
            model: a name of the zoo.
            options: of `priorcraft fit`, as ["--steps=100"].

        Raises:
            UsageError: no such data, or too many trainings side by side.
        """
        source, run = self.workspace.source(data), self._new_name(model)
        self._spawn(run, ["fit", source, model, *options])
        return run

    def resume(self, run: str) -> None:
        """Goes on with a run that was stopped."""
        self.workspace.path(run)
        self._spawn(run, ["fit", "--resume"])

    def stop(self, run: str) -> bool:
        """Asks a training to finish its step, save and end; whether there was one."""
        child = self.children.get(run)
        pid = writer_of(self.workspace.folder / run / LOCK)
        if pid is None and child is not None and child.process.poll() is None:
            pid = child.process.pid
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        return True

    def _new_name(self, model: str) -> str:
        """The model's name and the first number that is free."""
        stem = re.sub(r"[^A-Za-z0-9.-]+", "-", model).strip(".-") or "run"
        taken = {entry.name for entry in self.workspace.folder.iterdir()} if self.workspace.folder.is_dir() else set()
        taken |= set(self.children)
        return next(name for i in range(1, 10**6) if (name := f"{stem}-{i}") not in taken)

    def _spawn(self, run: str, words: list[str]) -> None:
        busy = sum(child.process.poll() is None for child in self.children.values())
        if busy >= MOST:
            raise UsageError(f"{MOST} trainings run already; wait for one, or stop it.")
        logs = self.workspace.folder / LOGS
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"{run}.log"
        command = [sys.executable, "-m", "priorcraft", *words, "--out", str(self.workspace.folder / run), "--quiet"]
        with disk.stream(log) as said:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said.fd, stderr=said.fd, start_new_session=True
            )
        self.children[run] = Child(process, log)

    def failure(self, run: str) -> str | None:
        """The sentence with which a child of this server ended, if it failed."""
        child = self.children.get(run)
        if child is None or child.process.poll() in (None, 0, 75, 130):
            return None
        said = read_bytes(child.log).decode(errors="replace").strip().splitlines()
        return said[-1].removeprefix("priorcraft: ")[:500] if said else "The training ended without a word."

    def alive(self, run: str) -> bool:
        """Whether a process works on the run: a child of this server, or whoever holds its lock."""
        child = self.children.get(run)
        return (child is not None and child.process.poll() is None) or writer_of(
            self.workspace.folder / run / LOCK
        ) is not None

    async def events(self, run: str, after: int = 0) -> AsyncIterator[str]:
        """Server-sent events: a run's records as they are written, then its state.

        Args:
            run: of this workspace, or one that a child is about to make.
            after: bytes of events.jsonl that are known already; each event's id says where it ends.
        """
        path, place, beat = self.workspace.folder / run / EVENTS, after, time.monotonic()
        while True:
            alive = self.alive(run)
            lines = new_lines(path, place)
            place = lines[-1][1] if lines else place
            fresh = [sent(event, id=end) for line, end in lines if (event := parsed(line)) is not None]
            if fresh:  # in one piece, so that a page that is gone is noticed between two
                yield "".join(fresh)
                beat = time.monotonic()
            if not alive:
                break
            if time.monotonic() - beat > BEAT:
                beat = time.monotonic()
                yield ": here\n\n"
            await anyio.sleep(LOOK)
        error = self.failure(run)
        info = described(path.parent)
        state = info.state if info is not None and not error else "failed"
        yield sent({"state": state, "error": error}, event="state")


def new_lines(path: Path, place: int) -> list[tuple[bytes, int]]:
    """The whole lines of a file from a place on, each with the place where it ends."""
    place, read = tail(path, place)  # from its beginning where a resumed run forgot what came after its checkpoint
    lines = []
    for line in read.split(b"\n")[:-1]:
        place += len(line) + 1
        lines.append((line, place))
    return lines


def sent(value: Mapping[str, Any], *, id: int | None = None, event: str | None = None) -> str:
    """One server-sent event.

    >>> sent({"step": 1}, id=9)
    'id: 9\\ndata: {"step": 1}\\n\\n'
    """
    head = (f"event: {event}\n" if event else "") + (f"id: {id}\n" if id is not None else "")
    return f"{head}data: {json.dumps(value)}\n\n"
