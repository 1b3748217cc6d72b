"""What a user types loses nothing, changes nothing unasked, and ends in an answer or a sentence."""

import errno
import io
import json
import os
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import priorcraft as pc
from faults.injected import failing
from faults.test_process import state
from priorcraft.cli import main
from priorcraft.datasets import open_data
from priorcraft.errors import DataError, RunBusy
from priorcraft.outputs import folder_name
from priorcraft.scale import trained as fitting


def typed(*words: object) -> tuple[int, str]:
    """Runs a command in this process: its exit code, and what it says on stderr."""
    before, sys.stderr = sys.stderr, io.StringIO()
    try:
        main([str(word) for word in words])
    except SystemExit as left:
        return int(left.code or 0), sys.stderr.getvalue()
    else:
        return 0, sys.stderr.getvalue()
    finally:
        sys.stderr = before


def write_rows(path: Path, extra: int = 0) -> Path:
    """A file of 60 rows and some more."""
    x = np.random.default_rng(0).integers(0, 3, (60, 4))
    np.savez(path, x=np.concatenate([x, x[:extra]]), y=np.arange(60 + extra) % 2, levels=3)
    return path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> Path:
    """A run beside its data."""
    place = tmp_path_factory.mktemp("commands")
    pc.fit(str(write_rows(place / "own.npz")), "naive-bayes", out=place / "run", steps=2)
    return place


@pytest.fixture
def place(fitted, tmp_path, monkeypatch) -> Path:
    """A copy that may be spoilt; the run names its data by this place."""
    shutil.copytree(fitted, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["config"]["data"]["source"] = str(tmp_path / "own.npz")
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    return tmp_path


@pytest.mark.parametrize("question", ["score", "classify", "unusual"])
def test_data_that_changed_since_the_fit_are_refused_with_both_counts(place, question):
    assert typed(question, place / "run")[0] == 0
    write_rows(place / "own.npz", extra=1)
    for words in ((question, place / "run"), (question, place / "run", "--data", place / "own.npz")):
        code, said = typed(*words)
        assert code == 3
        assert "train 42" in said
        assert "train 43" in said
    other = Path(shutil.copy(place / "own.npz", place / "copy.npz"))
    code, _ = typed(question, place / "run", "--data", other)
    assert code == (3 if question == "unusual" else 0), "left whole; a background is fitted to the run's own"


def test_a_run_has_one_writer_from_its_creation_to_its_end(place, monkeypatch):
    real, met = fitting.rebuild, []

    def slow(*args, **kwargs):
        if not met:
            met.append(True)
            with pytest.raises(RunBusy, match="is being written by process"):
                pc.fit(str(place / "own.npz"), "naive-bayes", out=place / "new", steps=2, overwrite=True)
        return real(*args, **kwargs)

    monkeypatch.setattr(fitting, "rebuild", slow)
    run = pc.fit(str(place / "own.npz"), "mixture", out=place / "new", steps=2, settings={"components": 2})
    assert met
    assert run.name == "mixture"
    pc.fit(out=place / "new", resume=True)


def test_what_appears_at_out_meanwhile_is_kept_and_the_answer_is_beside_it(place, monkeypatch):
    from priorcraft.verbs import sample as sampling

    real = sampling.sample

    def slow(*args, **kwargs):
        (place / "a.npz").write_bytes(b"PRECIOUS")
        return real(*args, **kwargs)

    slow.__annotations__ = real.__annotations__
    monkeypatch.setattr(sampling, "sample", slow)
    code, said = typed("sample", place / "run", "-n", 3, "--out", place / "a.npz")
    assert (code, (place / "a.npz").read_bytes()) == (2, b"PRECIOUS")
    assert "is in" in said
    assert len(np.load(place / "a-2.npz")["x"]) == 3


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_an_error_at_any_operation_of_a_command_loses_nothing_and_leaves_nothing(place, code):
    target = place / "a.npz"
    with failing(None) as done:
        assert typed("sample", place / "run", "-n", 3, "--out", target)[0] == 0
    whole = target.read_bytes()
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file() and path != target}
    for k in range(len(done)):
        target.write_bytes(b"OLD")
        with failing(k, code):
            exit_code, said = typed("sample", place / "run", "-n", 3, "--out", target, "--overwrite")
        assert target.read_bytes() in (b"OLD", whole)
        assert exit_code == 0 or (exit_code == 1 and said.count("\n") == 1), said
        assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file() and path != target} == before


@pytest.mark.slow
def test_an_error_at_any_operation_of_a_training_leaves_a_run_that_goes_on_to_the_same_bits(place):
    def words(out):
        return ("fit", place / "own.npz", "naive-bayes", "--steps", 2, "--quiet", "--out", out)

    with failing(None) as done:
        assert typed(*words(place / "whole"))[0] == 0
    said = pc.load(place / "whole").model.state_dict()
    for k in range(0, len(done), 5):
        out = place / f"torn-{k}"
        with failing(k, errno.ENOSPC):
            code, sentence = typed(*words(out))
        assert code in (0, 1), sentence
        resumed = ("fit", "--resume", "--quiet", "--out", out)
        again = resumed if (out / "config.json").exists() else words(out)
        assert typed(*again)[0] == 0, (k, done[k])
        assert all((value == said[name]).all() for name, value in pc.load(out).model.state_dict().items())
        assert not list(out.rglob("*.tmp"))


def test_classes_whose_names_are_alike_are_kept_apart_on_the_disk(tmp_path):
    names = ["a/b", "a_b", ".x", "x", "\0", "%", "con.", "é", "x" * 300, "x" * 299 + "y"]
    assert len({folder_name(name) for name in names}) == len(names)
    assert all(len(folder_name(name).encode()) <= 255 and "/" not in folder_name(name) for name in names)
    x = np.random.default_rng(0).integers(0, 9, (60, 3, 3))
    np.savez(tmp_path / "a.npz", x=x, y=np.array(names[:4] * 15), levels=9)
    assert typed("data", tmp_path / "a.npz", "--out", tmp_path / "images")[0] == 0
    assert len(open_data(tmp_path / "images").classes) == 4


def test_a_folder_that_cannot_be_entered_is_named_and_counted(tmp_path, monkeypatch):
    from PIL import Image

    for name in "abz":
        (tmp_path / name).mkdir()
        for i in range(9):
            Image.fromarray(np.full((4, 4), 9 * i, np.uint8)).save(tmp_path / name / f"{i}.png")
    real = os.scandir

    def closed(path):
        if str(path).endswith("/z"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(DataError, match=r"1 of 19 images cannot be read .* the folder .*/z \(Permission denied\)"):
        open_data(tmp_path)


def test_a_terminal_without_letters_is_no_fault(place, monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert typed("sample", place / "run", "-n", 2, "--out", place / "ü.npz")[0] == 0
    assert (place / "ü.npz").exists()


def test_a_fault_of_ours_is_called_one_and_shows_no_trace(place, monkeypatch):
    from priorcraft.verbs import score as scoring

    def broken(run: object, **kwargs: object) -> pc.Answer:
        raise RuntimeError("Unsupported memory format option Preserve")

    monkeypatch.setattr(scoring, "score", broken)
    code, said = typed("score", place / "run")
    assert code == 1
    assert "a fault of this program" in said
    assert "not enough memory" not in said


def test_verify_says_what_can_be_saved(place):
    assert pc.verify(place / "run").ok
    newest = sorted((place / "run" / "checkpoints").iterdir())[-1]
    data = bytearray((newest / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (newest / "model.safetensors").write_bytes(data)
    found = pc.verify(place / "run")
    assert not found.ok
    assert "SHA-256" in found.checkpoints[0].found
    assert "fit --resume" in found.advice
    assert typed("score", place / "run")[0] == 1
    assert typed("fit", "--resume", "--quiet", "--out", place / "run")[0] == 0
    assert pc.verify(place / "run").ok


def test_the_process_of_a_python_user_is_as_it_was(place):
    before = state()
    pc.score(place / "run")
    pc.fit(str(place / "own.npz"), "masked-mlp", out=place / "mlp", steps=1, settings={"width": 4})
    assert state() == before


def test_a_default_type_of_float64_changes_no_answer(place):
    import torch

    said = pc.score(place / "run").bits_per_dim
    torch.set_default_dtype(torch.float64)
    try:
        assert pc.score(place / "run").bits_per_dim == pytest.approx(said, abs=1e-6)
        assert pc.sample(place / "run", 2).x.dtype == torch.int64
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("n", [1.5, 0, -1, 10**12])
def test_a_number_of_draws_is_not_rounded(place, n):
    with pytest.raises(pc.errors.UsageError, match="n must"):
        pc.sample(place / "run", n)


def test_threads_of_one_process_do_not_share_a_run(place):
    """The lock is the process', and two threads of it are two writers."""
    busy = []

    def second():
        try:
            pc.fit(out=place / "run", resume=True)
        except RunBusy as error:
            busy.append(error)

    from priorcraft.train.run_folder import RunFolder

    with RunFolder.open(place / "run").lock():
        other = threading.Thread(target=second)
        other.start()
        other.join()
    assert busy
