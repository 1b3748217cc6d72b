"""Files that a verb writes: refused before the work if they are there, whole or not at all."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from priorcraft.errors import PriorcraftError, UsageError


def check_out(path: str | Path, suffixes: Sequence[str], *, overwrite: bool) -> Path:
    """The path to write, if it may be written.

    Raises:
        UsageError: another suffix, no such folder, or a file that is there and may not be replaced.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"the output must end in {' or '.join(suffixes)}, not '{path.name}'.")
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}.")
    if path.is_dir() or (path.exists() and not overwrite):
        raise UsageError(f"{path} exists; choose another name, or replace it with --overwrite.")
    return path


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file by renaming a complete one over it.

    Raises:
        PriorcraftError: the disk refuses.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise PriorcraftError(f"{path} could not be written: {error.strerror}.") from None


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz of plain arrays."""
    with tempfile.SpooledTemporaryFile() as buffer:
        np.savez_compressed(buffer, allow_pickle=False, **arrays)  # pyright: ignore[reportArgumentType]
        buffer.seek(0)
        write_bytes(path, buffer.read())
