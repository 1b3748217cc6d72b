"""Files that a verb writes: refused before the work if they are there, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from priorcraft import disk
from priorcraft.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

LONGEST = 200  # bytes in the name of a folder


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


def write_bytes(path: Path, content: bytes, *, overwrite: bool = True) -> None:
    """Writes a file, whole or not at all.

    Args:
        overwrite: whether what is there by now may be replaced; else the answer goes to a free name beside it.

    Raises:
        WriteFailed: the disk refuses; nothing is left.
        UsageError: something appeared at `path` during the work; the sentence says where the answer is.
    """
    try:
        disk.publish(path, content, overwrite=overwrite)
    except FileExistsError:
        other = free_name(path)
        disk.publish(other, content, overwrite=False)
        raise UsageError(f"{path} appeared during the work and is kept as it is; the answer is in {other}.") from None


def free_name(path: Path) -> Path:
    """The first name of the kind answer-2.npz that nothing has."""
    return next(other for number in count(2) if not (other := path.with_stem(f"{path.stem}-{number}")).exists())


def folder_name(name: str) -> str:
    """A name of anything as the name of a folder: different ones stay different, on every system.

    >>> folder_name("a/b"), folder_name("a_b"), folder_name(".x"), folder_name("50 %")
    ('a%2Fb', 'a_b', '%2Ex', '50 %25')
    """
    kept = "".join(c if c.isalnum() or c in "-_. " else quote(c, safe="") for c in name)
    kept = "%2E" + kept[1:] if kept.startswith(".") else kept  # hidden folders are passed over when they are read
    kept = kept[:-1] + quote(kept[-1]).replace(".", "%2E") if kept.endswith((".", " ")) else kept
    if len(kept.encode()) <= LONGEST:
        return kept
    return (
        kept.encode()[: LONGEST - 17].decode(errors="ignore") + "%" + blake2b(name.encode(), digest_size=8).hexdigest()
    )


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, overwrite: bool = True) -> None:
    """Writes an .npz of plain arrays, as `write_bytes`."""
    write_bytes(path, packed(arrays), overwrite=overwrite)


def packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An .npz of plain arrays."""
    import numpy as np  # here, so that --help does without it

    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()
