"""Array files: plain arrays alone, and one sentence for all that is wrong with a file."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from priorcraft.datasets.image import printable
from priorcraft.errors import DataError

MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY")  # of .npz, of an empty one, of .npy


def read_arrays(path: str | Path, wanted: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz, or the one of an .npy as "x"; nothing is ever unpickled.

    Args:
        path: the file.
        wanted: read these alone, and give an empty array for every other name; None reads all.

    Raises:
        DataError: no such file, another kind of file, a damaged one, or arrays of Python objects.
    """
    try:
        return _loaded(Path(path), wanted)
    except (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        objects = "allow_pickle" in str(error)  # numpy's own remedy would run whatever the file says
        reason = getattr(error, "strerror", None) or str(error)
        reason = "arrays of Python objects are never loaded" if objects else reason.rstrip(".")
        raise DataError(
            f"{printable(path)} cannot be read as an array file: {reason}. Save plain arrays of numbers with "
            "numpy.savez or numpy.save."
        ) from None


def _loaded(path: Path, wanted: tuple[str, ...] | None) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        if not file.read(6).startswith(MAGIC):
            raise ValueError("by its content it is neither .npz nor .npy")
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return {"x": loaded}
    with loaded:
        return {key: loaded[key] if wanted is None or key in wanted else np.empty(0) for key in loaded}
