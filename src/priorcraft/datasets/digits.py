"""The handwritten digits that come with scikit-learn."""

import gzip
from importlib.resources import files
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np

from priorcraft.datasets.raw import Raw
from priorcraft.errors import DataError

PARTS = {"train": slice(0, 1000), "valid": slice(1000, 1347), "test": slice(1347, 1797)}  # of `digits_rows.npy`


def open_digits() -> Raw:
    """1,797 digits, 1 x 8 x 8, 17 levels; 1000 train, 347 valid and 450 test rows, always the same ones.

    UCI ML hand-written digits (Alpaydin & Kaynak 1998), test half. Their file is read from scikit-learn's folder,
    which takes a hundredth of the time of importing scikit-learn; the division, even in the classes, is kept here.
    """
    table = np.loadtxt(BytesIO(gzip.decompress(_file().read_bytes())), delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    order = np.load(BytesIO((files("priorcraft.datasets") / "digits_rows.npy").read_bytes()), allow_pickle=False)
    rows = {part: order[where] for part, where in PARTS.items()}
    return Raw("digits", {p: images[i] for p, i in rows.items()}, {p: labels[i] for p, i in rows.items()}, levels=17)


def _file() -> Path:
    """The digits in scikit-learn's folder.

    Raises:
        DataError: there is none.
    """
    found = find_spec("sklearn")
    path = Path((found.submodule_search_locations or [""])[0] if found else "") / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise DataError("the digits come with scikit-learn, which is not there; pip install scikit-learn.")
    return path
