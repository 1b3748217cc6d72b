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
from typing import Any, TypeVar

from torch import Tensor

from priorcraft.errors import CheckpointError, UsageError
from priorcraft.train import disk, formats
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
        return _verified(path)[0] == manifest
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


def newest(folder: Path, *, owner: bool = False) -> Checkpoint | None:
    """The checkpoint of the highest step that verifies; torn and altered ones are named in a `CheckpointWarning`.

    Args:
        folder: where checkpoints live; it need not exist.
        owner: whether the caller holds the run's lock; bad checkpoints are then renamed `*.corrupt`.

    Raises:
        NewerFormat: a newer version of priorcraft made it.
    """
    return next(_sound(_checkpoints(folder), read, owner=owner), None)


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
    return Checkpoint(manifest["step"], files, manifest["info"], path)


def _verified(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the bytes of its files, each of the size and SHA-256 that the manifest says."""
    if not os.path.isdir(path):
        raise CheckpointError(f"{path} is not a checkpoint: a folder with {MANIFEST} was expected.")
    manifest = disk.read_json(path / MANIFEST)
    formats.check(manifest, "checkpoint", path / MANIFEST)
    seal = manifest.pop("sha256", None)
    if seal != _sha256(json.dumps(manifest).encode()):
        raise CheckpointError(f"{path / MANIFEST} does not match its SHA-256.")
    _check_fields(manifest, path / MANIFEST)
    contents = {name: _content(path / name, **entry) for name, entry in manifest["files"].items()}
    return {**manifest, "sha256": seal}, contents


def _check_fields(manifest: dict[str, Any], path: Path) -> None:
    """Whoever can write a file can also seal it: names must stay inside the folder."""
    files = manifest.get("files")
    if not (
        isinstance(manifest.get("step"), int) and isinstance(manifest.get("info"), dict) and isinstance(files, dict)
    ):
        raise CheckpointError(f"{path} must hold a step, info and files.")
    for name, entry in files.items():
        if not (_FILE.fullmatch(name) and isinstance(entry, dict) and set(entry) == {"size", "sha256"}):
            raise CheckpointError(f"{path} must give size and sha256 of files of this folder, not of {name!r:.80}.")


def _content(path: Path, size: int, sha256: str) -> bytes:
    found = path.stat().st_size if os.path.isfile(path) else None
    if found is not None and found != size:
        raise CheckpointError(f"{path.name} has {found:,} bytes, {size:,} were expected ({path}).")
    data = disk.read_bytes(path)
    if _sha256(data) != sha256:
        raise CheckpointError(f"{path.name} does not match its SHA-256 ({path}).")
    return data
