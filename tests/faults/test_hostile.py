"""Whatever a file holds, it is answered or refused in a sentence, soon and in little memory."""

import resource
import time

import numpy as np
import pytest

from faults.corpus import files, npz
from priorcraft.datasets import open_data
from priorcraft.datasets.idx import read_idx
from priorcraft.datasets.image import decode
from priorcraft.datasets.plain import read_arrays
from priorcraft.errors import DataError, PriorcraftError

READERS = {".idx": read_idx, **dict.fromkeys((".png", ".gif", ".tif", ".jpg", ".bmp", ".ppm", ".webp"), decode)}


def test_a_corpus_of_hostile_files_is_answered_or_refused(tmp_path):
    began, refused = time.process_time(), 0
    for done, path in files(tmp_path, range(300)):
        try:
            READERS.get(path.suffix, open_data)(path)
        except PriorcraftError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"{done}: {type(error).__name__}: {error}") from error
    assert 100 < refused < 300, "most files are spoilt, and not all of them"
    assert time.process_time() - began < 60


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    path.write_bytes(npz(x=np.zeros((2**29, 1), np.uint8)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match="unpacks to 536,871,040 bytes"):
        read_arrays(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("kind", [">i2", ">f8", "g", "u8", "f2", "?"])
def test_numbers_of_any_type_are_read_as_what_they_are(tmp_path, kind):
    x = np.arange(24).reshape(12, 2) % 3
    np.savez(tmp_path / "a.npz", x=(x % 2 if kind == "?" else x).astype(kind), levels=3)
    assert open_data(tmp_path / "a.npz").space.levels == 3


def test_masked_entries_are_not_taken_for_numbers():
    x = np.ma.masked_array(np.zeros((20, 3), int), mask=np.eye(20, 3, dtype=bool))
    with pytest.raises(DataError, match="x of arrays holds 3 masked entries"):
        open_data(x)
    assert open_data(np.ma.masked_array(np.zeros((20, 3), int), mask=False)).space.levels == 2


@pytest.mark.parametrize("y", [[2**63 + 1, 2**63] * 6, [1e300, 1e301] * 6, ["\ud800", "a"] * 6])
def test_labels_that_would_merge_are_refused(y):
    with pytest.raises(DataError, match=r"y of (train|arrays)"):
        open_data((np.zeros((12, 2), int), np.array(y)))


def test_a_label_of_any_length_is_a_label(tmp_path):
    (tmp_path / "t.csv").write_text("a,label\n" + f"1,{'9' * 5000}\n2,{'8' * 5000}\n" * 9)
    assert len(open_data(tmp_path / "t.csv", label="label").classes) == 2
