"""Which version of priorcraft wrote a file, and which versions can read it."""

from pathlib import Path
from typing import Any

from priorcraft import __version__
from priorcraft.errors import CheckpointError

FORMAT = 1
NEEDS = "0.1.0"  # the first version that reads FORMAT


class NewerFormat(CheckpointError):
    """Written by a version of priorcraft that this one knows nothing of."""


def stamp(kind: str) -> dict[str, Any]:
    """What every JSON file of a run begins with; `kind` is "run" or "checkpoint"."""
    return {"kind": kind, "format": FORMAT, "priorcraft": __version__, "needs": NEEDS}


def check(record: dict[str, Any], kind: str, path: Path) -> None:
    """Reads a stamp.

    Raises:
        NewerFormat: a newer version wrote the record.
        CheckpointError: priorcraft did not write it, or wrote something else.
    """
    written = record.get("format")
    if record.get("kind") != kind or not isinstance(written, int):
        raise CheckpointError(f"{path} does not describe a priorcraft {kind}.")
    if written > FORMAT:
        raise NewerFormat(
            f"{path} was made by priorcraft {record.get('priorcraft')}, needs >= {record.get('needs')}; "
            f"this is {__version__}."
        )
