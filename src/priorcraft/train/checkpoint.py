"""Checkpoints that exist whole or not at all.

A checkpoint is a folder `step-00000100` of safetensors files and `manifest.json`. It is written beside its place,
synced, manifest last, and renamed; it exists if the manifest verifies every file by size and SHA-256.
"""

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

from torch import Tensor

from priorcraft import disk, typed
from priorcraft.contents import read_bytes, read_json
from priorcraft.errors import CheckpointError, UsageError
from priorcraft.settings import Range
from priorcraft.train import formats
from priorcraft.train.tensors import check_finite, decode, encode, load_into

__all__ = ["Checkpoint", "CheckpointWarning", "load_into", "newest", "read", "save"]

T = TypeVar("T")

MANIFEST = "manifest.json"
MODEL = "model"  # the file whose tensors must be finite
OLD = ".old"  # the step's previous checkpoint, while a new one takes its name
_FOLDER = re.compile(r"step-(\d{8,18})(\.old)?")
_FILE = re.compile(r"[a-z][a-z0-9_-]*\.safetensors")


class CheckpointWarning(UserWarning):
    """A torn or altered checkpoint was passed over."""


@dataclass(frozen=True)
class Checkpoint:
    """What was saved at one step.

    Args:
        step: optimiser steps done.
        files: named tensors of each file, e.g. {"model": {...}, "state": {...}}, on the CPU.
        info: anything else, as JSON.
        path: the folder it was read from.
    """

    step: int
    files: dict[str, dict[str, Tensor]]
    info: dict[str, Any]
    path: Path

    def file(self, name: str) -> dict[str, Tensor]:
        """The named tensors of one file.

        Raises:
            CheckpointError: the checkpoint has none of that name.
        """
        if name not in self.files:
            raise CheckpointError(
                f"{self.path} holds no {name}.safetensors, only {', '.join(self.files) or 'nothing'}."
            )
        return self.files[name]


@dataclass(frozen=True)
class FileOf:
    """A file of a checkpoint, by its manifest."""

    size: Annotated[int, Range(0, 2**63)]
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A manifest.json."""

    kind: str
    format: int
    priorcraft: str
    needs: str
    step: Annotated[int, Range(0, 10**17)]
    info: dict[str, Any]
    files: dict[str, FileOf]
    sha256: str


def save(folder: Path, step: int, files: dict[str, dict[str, Tensor]], info: dict[str, Any], *, keep: int = 2) -> Path:
    """Writes the checkpoint of `step` and then deletes all but the `keep` newest ones that verify.

    Args:
        folder: where checkpoints live; made if its parent exists.
        step: optimiser steps done.
        files: named tensors of each file; those of "model" must be finite.
        info: anything that JSON can hold.
        keep: how many checkpoints stay, at least 1.

    Raises:
        CheckpointError: weights that are not finite.
        WriteFailed: the disk is full or refuses; earlier checkpoints are intact.
        UsageError: `info` is not JSON.
    """
    check_finite(files.get(MODEL, {}), MODEL)
    contents = {f"{name}.safetensors": encode(tensors) for name, tensors in files.items()}
    manifest = _manifest(step, contents, info)
    path = folder / f"step-{step:08d}"
    with disk.explained(f"The checkpoint of step {step}", folder, sum(map(len, contents.values()))):
        folder.mkdir(exist_ok=True)
        _sweep(folder)
        if not _holds(path, manifest):
            _put(path, {**contents, MANIFEST: json.dumps(manifest, indent=1).encode()})
        _prune(path, keep)
    return path


def _manifest(step: int, contents: dict[str, bytes], info: dict[str, Any]) -> dict[str, Any]:
    files = {name: {"size": len(data), "sha256": _sha256(data)} for name, data in contents.items()}
    try:
        body = json.dumps({**formats.stamp("checkpoint"), "step": step, "info": info, "files": files}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"info must be JSON with finite numbers: {error}.") from error
    return {**json.loads(body), "sha256": _sha256(body.encode())}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _holds(path: Path, manifest: dict[str, Any]) -> bool:
    """Whether this very checkpoint is there already: a resumed run saves the same bytes again."""
    try:
        return _verified(path)[0] == typed.read(Manifest, manifest, MANIFEST)
    except CheckpointError:
        return False


def _put(path: Path, contents: dict[str, bytes]) -> None:
    """Writes beside the place, then renames; the manifest is the last of `contents`."""
    temporary = path.with_name(path.name + disk.TEMPORARY)
    try:
        temporary.mkdir()
        for name, data in contents.items():
            disk.write_synced(temporary / name, data)
        disk.sync_folder(temporary)
        _take_place(temporary, path)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _take_place(temporary: Path, path: Path) -> None:
    """Renames over an existing folder, which no single call can do; in between, the old one goes by `.old`."""
    old = path.with_name(path.name + OLD)
    if path.exists():
        if old.exists():
            disk.discard(old)
        os.rename(path, old)
    os.rename(temporary, path)
    disk.sync_folder(path.parent)


def _sweep(folder: Path) -> None:
    for leftover in folder.glob(f"*{disk.TEMPORARY}"):
        shutil.rmtree(leftover, ignore_errors=True)


def _prune(newest: Path, keep: int) -> None:
    replaced = newest.with_name(newest.name + OLD)
    if replaced.exists():
        disk.discard(replaced)
    older = iter([path for path in _checkpoints(newest.parent) if _order(path) < _order(newest)])
    for _ in islice(_sound(older, _verified, owner=True), keep - 1):
        pass
    for path in older:
        disk.discard(path)


def _checkpoints(folder: Path) -> list[Path]:
    """Folders that are named like a checkpoint, newest first."""
    return sorted((p for p in folder.glob("step-*") if _FOLDER.fullmatch(p.name)), key=_order, reverse=True)


def _order(path: Path) -> tuple[int, bool]:
    """By step, whatever the clock said; a step's replacement comes after what it replaces."""
    return int(path.name.removesuffix(OLD).removeprefix("step-")), not path.name.endswith(OLD)


def newest(folder: Path, *, owner: bool = False, fall_back: bool = True) -> Checkpoint | None:
    """The checkpoint of the highest step that verifies; torn and altered ones are named in a `CheckpointWarning`.

    Args:
        folder: where checkpoints live; it need not exist.
        owner: whether the caller holds the run's lock; bad checkpoints are then renamed `*.corrupt`.
        fall_back: whether an earlier one will do where the last one is damaged.

    Raises:
        NewerFormat: a newer version of priorcraft made it.
        CheckpointError: the last one is damaged, and no other will do.
    """
    found = _checkpoints(folder)
    if not fall_back:
        return read(found[0]) if found else None
    return next(_sound(found, read, owner=owner), None)


def every(folder: Path) -> list[Path]:
    """The checkpoints in a folder, newest first, whether they verify or not."""
    return _checkpoints(folder)


def _sound(paths: Iterable[Path], reader: Callable[[Path], T], *, owner: bool) -> Iterator[T]:
    for path in paths:
        try:
            result = reader(path)
        except formats.NewerFormat:
            raise
        except CheckpointError as error:
            action = f"kept as {_quarantine(path).name}" if owner else "passed over"
            warnings.warn(f"Checkpoint {path} was {action}: {error}", CheckpointWarning, stacklevel=3)
        else:
            yield result


def _quarantine(path: Path) -> Path:
    """Renames what cannot be used; nothing that may be somebody's last copy is deleted."""
    target, n = path.with_name(path.name + ".corrupt"), 1
    while target.exists():
        n += 1
        target = path.with_name(f"{path.name}.corrupt-{n}")
    with disk.explained(f"The new name {target.name}", path.parent):
        os.rename(path, target)
    return target


def read(path: Path) -> Checkpoint:
    """Reads one checkpoint onto the CPU.

    Raises:
        CheckpointError: torn, altered, foreign, or weights that are not finite; the sentence names the file.
        NewerFormat: a newer version of priorcraft made it.
    """
    manifest, contents = _verified(path)
    files = {name.removesuffix(".safetensors"): decode(data, name) for name, data in contents.items()}
    check_finite(files.get(MODEL, {}), f"{MODEL}.safetensors")
    return Checkpoint(manifest.step, files, manifest.info, path)


def _verified(path: Path) -> tuple["Manifest", dict[str, bytes]]:
    """The manifest and the bytes of its files, each of the size and SHA-256 that the manifest says."""
    if not os.path.isdir(path):
        raise CheckpointError(f"{path} is not a checkpoint: a folder with {MANIFEST} was expected.")
    found = read_json(path / MANIFEST)
    formats.check(found, "checkpoint", path / MANIFEST)
    unsealed = {key: value for key, value in found.items() if key != "sha256"}
    if found.get("sha256") != _sha256(json.dumps(unsealed).encode()):
        raise CheckpointError(f"{path / MANIFEST} does not match its SHA-256.")
    manifest = typed.read(Manifest, found, str(path / MANIFEST))
    named = _FOLDER.fullmatch(path.name)
    if named and int(named[1]) != manifest.step:
        raise CheckpointError(f"{path / MANIFEST} is of step {manifest.step}, not {int(named[1])}.")
    for name in manifest.files:  # whoever can write a file can also seal it: names must stay inside the folder
        if not _FILE.fullmatch(name):
            raise CheckpointError(f"{path / MANIFEST} must name files of this folder, not {name!r:.80}.")
    return manifest, {name: _content(path / name, entry) for name, entry in manifest.files.items()}


def _content(path: Path, entry: "FileOf") -> bytes:
    found = path.stat().st_size if os.path.isfile(path) else None
    if found is not None and found != entry.size:
        raise CheckpointError(f"{path.name} has {found:,} bytes, {entry.size:,} were expected ({path}).")
    data = read_bytes(path)
    if _sha256(data) != entry.sha256:
        raise CheckpointError(f"{path.name} does not match its SHA-256 ({path}).")
    return data
