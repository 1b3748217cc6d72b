"""A long answer in chunks of fixed size, each with a key of its own: the same bytes whoever computes them, and when."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from priorcraft import disk
from priorcraft.errors import DataError, UsageError

JOB, KIND, FORMAT = "_job.json", "priorcraft answers", 1
LOCK = "_lock"  # of who is writing
ROWS, ENTRIES = 65_536, 2**22  # of one chunk at most


@dataclass(frozen=True)
class Job:
    """What is asked, of which rows, and into which folder.

    Args:
        question: its name, e.g. "sample".
        run: the run folder.
        checkpoint: what identifies its weights.
        rows: how many there are in all.
        size: rows of a chunk; the last one may have fewer.
        seed: of every draw; a chunk's are functions of it and the chunk's number.
        source: where the rows come from; None where they are drawn.
        options: of the question.
        suffix: of the files.
    """

    question: str
    run: str
    checkpoint: str
    rows: int
    size: int
    seed: int
    source: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ".parquet"

    @property
    def count(self) -> int:
        """Number of chunks."""
        return -(-self.rows // self.size)

    def span(self, chunk: int) -> tuple[int, int]:
        """The first row of a chunk, and the one after its last."""
        return chunk * self.size, min((chunk + 1) * self.size, self.rows)

    def file(self, folder: Path, chunk: int) -> Path:
        """Where a chunk's answer stands; the names sort in the order of the rows."""
        return folder / f"part-{chunk:06d}{self.suffix}"


def chunk_rows(entries: int) -> int:
    """Rows of a chunk of points with so many entries: at most 65,536, a power of two.

    >>> chunk_rows(12), chunk_rows(3 * 64 * 64)
    (65536, 256)
    """
    return 1 << min(ROWS, max(1, ENTRIES // entries)).bit_length() - 1


def made(folder: Path) -> Path:
    """The folder of an answer, which is there now, and nothing of another kind in it.

    Raises:
        UsageError: it is a file, or holds other files.
        WriteFailed: the disk refuses.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; an answer in chunks is written into a folder.")
    with disk.explained(folder.name, folder.parent):
        folder.mkdir(parents=True, exist_ok=True)
    there = _there(folder)
    if there and JOB not in there:
        raise UsageError(f"{folder} holds other files ({there[0]}); choose another --out, or empty it yourself.")
    return folder


def _there(folder: Path) -> list[str]:
    """The files of an answer, or of whatever else the folder holds."""
    names = sorted(entry.name for entry in folder.iterdir())
    return [name for name in names if name != LOCK and not name.endswith(disk.TEMPORARY)]


def begin(job: Job, folder: Path, *, overwrite: bool = False) -> list[int]:
    """The chunks that are still to be done; a folder of the same job is gone on with.

    Raises:
        UsageError: a folder that holds something else, or the answer to another question.
        WriteFailed: the disk refuses.
    """
    with disk.explained(folder.name, folder.parent):
        disk.sweep(folder)
        there = _there(folder)
    own = {"kind": KIND, "format": FORMAT, **json.loads(json.dumps(asdict(job)))}
    if there and _read(folder / JOB) != own:
        if not overwrite:
            raise UsageError(f"{folder} holds the answer to another question; choose another --out, or --overwrite.")
        with disk.explained(folder.name, folder.parent):
            for name in sorted(
                there, key=JOB.__eq__
            ):  # that it is an answer is known as long as anything of it is there
                (folder / name).unlink()
    if not (folder / JOB).exists():
        disk.publish(folder / JOB, json.dumps(own, indent=1).encode(), overwrite=True)
    return [chunk for chunk in range(job.count) if not job.file(folder, chunk).exists()]


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
