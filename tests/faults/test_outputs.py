"""An answer is on the disk whole, or not at all; nothing is replaced unasked, and nothing is left beside it."""

import errno
import io
import os
import stat
import zipfile

import numpy as np
import pytest

from awaited import awaited
from crash import operations, run_until_operation
from faults.injected import failing
from priorcraft import disk
from priorcraft.disk import WriteFailed
from priorcraft.errors import PriorcraftError, UsageError
from priorcraft.outputs import write_arrays, write_bytes
from priorcraft.studio.uploads import Unwelcome, Uploads

OLD, NEW = b"old", b"new and longer"


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("there", [False, True])
def test_an_error_at_any_operation_keeps_what_was_there_and_leaves_nothing_else(tmp_path, there, code):
    path = tmp_path / "answer.npz"
    with failing(None) as all_operations:
        write_bytes(path, NEW, overwrite=there)
    changing = [k for k, name in enumerate(all_operations) if name != "unlink"]  # of the temporary: the answer is there
    assert len(changing) >= 3
    for k in changing:
        path.write_bytes(OLD) if there else path.unlink(missing_ok=True)
        with failing(k, code), pytest.raises(WriteFailed, match=r"answer.npz could not be written"):
            write_bytes(path, NEW, overwrite=there)
        assert os.listdir(tmp_path) == ["answer.npz"] * there, k
        assert not there or path.read_bytes() == OLD


def test_a_full_disk_names_the_file_the_bytes_needed_and_free(tmp_path):
    with failing(1, errno.ENOSPC), pytest.raises(WriteFailed, match=r"a.npz .* needs [\d,]+ bytes; [\d,]+ are free"):
        write_arrays(tmp_path / "a.npz", {"x": np.zeros(3)})


def test_killed_at_any_operation_the_old_answer_or_the_new_one_is_there(tmp_path):
    path = tmp_path / "answer.npz"

    def script():
        write_bytes(path, NEW)

    for k in range(len(operations(script, tmp_path / "log"))):
        path.write_bytes(OLD)
        assert run_until_operation(script, k)
        assert path.read_bytes() in (OLD, NEW)


def test_what_appears_during_the_work_is_kept_and_the_answer_is_beside_it(tmp_path):
    path = tmp_path / "answer.npz"
    path.write_bytes(OLD)
    for n in (2, 3):
        with pytest.raises(UsageError, match=rf"answer.npz appeared .* the answer is in .*answer-{n}.npz"):
            write_bytes(path, NEW, overwrite=False)
        assert (tmp_path / f"answer-{n}.npz").read_bytes() == NEW
    assert path.read_bytes() == OLD
    write_bytes(path, NEW, overwrite=True)
    assert path.read_bytes() == NEW


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
@pytest.mark.parametrize("overwrite", [False, True])
def test_the_umask_decides_who_may_read_an_answer(tmp_path, mask, overwrite):
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "a.npz", NEW, overwrite=overwrite)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.npz").stat().st_mode) == 0o666 & ~mask


def test_a_file_system_without_second_names_is_written_without_clobbering(tmp_path, monkeypatch):
    def link(*names):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    write_bytes(tmp_path / "a.npz", NEW, overwrite=False)
    assert os.listdir(tmp_path) == ["a.npz"]
    with pytest.raises(UsageError, match="appeared"):
        write_bytes(tmp_path / "a.npz", OLD, overwrite=False)
    assert (tmp_path / "a.npz").read_bytes() == NEW


def test_what_a_killed_process_left_is_taken_away_and_what_a_living_one_writes_is_not(tmp_path):
    def killed():
        disk.write_synced(disk._temporary(tmp_path / "a.npz"), b"1")
        with disk.tree(tmp_path / "b") as tree:
            disk.write(tree / "one", b"1")
            os._exit(0)

    if (pid := os.fork()) == 0:
        killed()
    os.waitpid(pid, 0)
    living = disk._temporary(tmp_path / "c.npz")
    living.write_bytes(b"1")
    foreign = tmp_path / ".1-00000000-00000000.tmp"
    foreign.write_bytes(b"1")
    assert len(os.listdir(tmp_path)) == 4
    write_bytes(tmp_path / "d.npz", NEW)
    assert sorted(os.listdir(tmp_path)) == sorted([living.name, foreign.name, "d.npz"])


def grow(path, error):
    """Half a tree, and an error."""
    with disk.tree(path) as folder:
        (folder / "one").write_bytes(b"1")
        raise error


def test_a_tree_is_complete_or_absent(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(WriteFailed, match=r"out could not .*needs more than 1 bytes; [\d,]+ are free"):
        grow(tmp_path / "out", full)
    assert os.listdir(tmp_path) == []
    with disk.tree(tmp_path / "out") as folder:
        (folder / "one").write_bytes(b"1")
    assert os.listdir(tmp_path / "out") == ["one"]
    with pytest.raises(WriteFailed, match="not empty"), disk.tree(tmp_path / "out") as folder:
        (folder / "two").write_bytes(b"2")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["one"]


def upload(uploads: Uploads, folder: str, name: str, *chunks: bytes) -> int:
    """One file from a page."""

    async def body():
        for chunk in chunks:
            yield chunk

    return awaited(uploads.receive(folder, name, body()))


def packed(*names: str) -> bytes:
    """An archive of files that hold their own names."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), name)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kept"),
    [("p/a.png", b"ab", {"a.png"}), ("p.zip", packed("p/a.png", "b.png"), {"a.png", "b.png"})],
)
def test_an_error_at_any_operation_of_an_upload_leaves_nothing(tmp_path, name, content, kept):
    uploads = Uploads(tmp_path)

    def received(k: int | None) -> tuple[list[str], set[str], str]:
        folder, said = uploads.begin(), ""
        with failing(k, errno.ENOSPC) as done:
            try:
                assert upload(uploads, folder, name, content[:1], content[1:]) == len(content)
            except PriorcraftError as error:
                said = str(error)
        return done, {p.name for p in (tmp_path / "uploads" / folder).rglob("*.*")}, said

    operations, whole, _ = received(None)
    assert whole == kept
    for k in (k for k, operation in enumerate(operations) if operation not in ("unlink", "rmdir")):
        done, found, said = received(k)
        assert (found, "could not be written" in said) in [(set(), True), (kept, False)], (k, done)
        assert found != kept or operations[k] == "mkdir", "of a folder that is there already"


def test_an_archive_gives_all_of_its_files_or_none(tmp_path):
    uploads = Uploads(tmp_path)
    upload(uploads, folder := uploads.begin(), "b.png", b"own")
    with pytest.raises(Unwelcome, match="of this name"):
        upload(uploads, folder, "p.zip", packed("a.png", "b.png"))
    with pytest.raises(Unwelcome, match="rename it"):
        upload(uploads, folder, "p.zip", packed("a.png", "b.png/c.png"))
    with pytest.warns(UserWarning, match="Duplicate"), pytest.raises(Unwelcome, match="once"):
        upload(uploads, folder, "p.zip", packed("a.png", "a.png"))
    assert [(p.name, p.read_bytes()) for p in (tmp_path / "uploads" / folder).iterdir()] == [("b.png", b"own")]
