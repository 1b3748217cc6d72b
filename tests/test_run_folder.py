"""A run folder keeps what it was given, has one writer, and is only ever replaced when it is a run folder."""

import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
import warnings

import pytest
import torch

import priorcraft as pc
from crash import operations, run_until_operation
from priorcraft import disk
from priorcraft.disk import WriteFailed
from priorcraft.errors import CheckpointError, DataError, RunBusy, UsageError
from priorcraft.train import lock as lock_module
from priorcraft.train.checkpoint import CheckpointWarning
from priorcraft.train.formats import NewerFormat
from priorcraft.train.run_folder import RunFolder
from priorcraft.train.signals import StopRequest

CONFIG = {"model": "vae", "seed": 3, "data": {"fingerprint": "f00", "counts": {"train": 1000, "test": 450}}}
WEIGHTS = {"model": {"w": torch.ones(3)}, "state": {"step": torch.tensor(1)}}


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "run", CONFIG)


def in_child(script) -> int:
    """Exit code of `script` in a forked process; its exception, if any, is printed there."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        script()
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
    os._exit(1)


def as_a_stranger(folder) -> None:
    """Makes `folder` read-only, and this process one that must heed it."""
    if folder:
        for parent in folder.parents[:3]:
            os.chmod(parent, 0o755)
        os.chmod(folder, 0o555)
    if os.getuid() == 0:
        os.seteuid(65534)


# ---- create and open


def test_a_run_comes_back_as_it_was(run):
    run.save(7, WEIGHTS, {"a": 1})
    run.append(at(1, loss=0.5))
    back = RunFolder.open(run.path)
    assert back.config == CONFIG
    assert (found := back.newest()) is not None
    assert found.step == 7
    assert back.events() == [at(1, loss=0.5)]
    (back.path / "config.json").write_bytes(b"\xef\xbb\xbf" + (back.path / "config.json").read_bytes() + b"\r\n")
    assert RunFolder.open(run.path).config == CONFIG


def test_nothing_is_overwritten_unless_asked(run):
    run.save(7, WEIGHTS, {})
    before = sorted(run.path.rglob("*"))
    with pytest.raises(UsageError, match=r"exists; use --overwrite or --resume"):
        RunFolder.create(run.path, {})
    assert sorted(run.path.rglob("*")) == before
    new = RunFolder.create(run.path, {"seed": 4}, overwrite=True)
    assert new.newest() is None
    assert RunFolder.open(run.path).config == {"seed": 4}


@pytest.mark.parametrize("content", ["notes.txt", "config.json"])
def test_only_a_run_folder_is_ever_overwritten(tmp_path, content):
    (tmp_path / content).write_text('{"format": 1}')
    with pytest.raises(UsageError, match="is not a run folder"):
        RunFolder.create(tmp_path, {}, overwrite=True)
    with pytest.raises(UsageError, match="exists and is a file"):
        RunFolder.create(tmp_path / content, {}, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [content]


def test_overwriting_does_not_follow_links(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    (run.path / "link").symlink_to(tmp_path / "mine")
    RunFolder.create(run.path, {}, overwrite=True)
    assert (tmp_path / "mine" / "thesis").exists()


def test_create_killed_at_any_file_operation_can_be_repeated(tmp_path):
    def script():
        RunFolder.create(tmp_path / "run", CONFIG)

    for k in range(len(operations(script, tmp_path / "log"))):
        shutil.rmtree(tmp_path / "run")
        assert run_until_operation(script, k)
        config = tmp_path / "run" / "config.json"
        assert RunFolder.create(config.parent, CONFIG, overwrite=config.exists()).config == CONFIG


def test_overwriting_killed_at_any_file_operation_can_be_repeated(run, tmp_path):
    run.write_json("score.json", {})
    run.append({"step": 1})
    shutil.copytree(run.path, tmp_path / "spare")

    def script():
        RunFolder.create(run.path, {"seed": 4}, overwrite=True)

    for k in range(len(operations(script, tmp_path / "log"))):
        shutil.rmtree(run.path)
        shutil.copytree(tmp_path / "spare", run.path)
        assert run_until_operation(script, k)
        assert RunFolder.open(run.path).config in (CONFIG, {"seed": 4})
        script()
        assert sorted(p.name for p in run.path.iterdir()) == ["config.json", "lock"]


def test_config_must_be_json(tmp_path):
    with pytest.raises(UsageError, match="config must be JSON"):
        RunFolder.create(tmp_path / "run", {"model": torch.ones(1)})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "does not hold JSON"),
        (b"", "does not hold JSON"),
        (b"\xff", "does not hold JSON"),
        (b"3", "one JSON object, not int"),
        (b"{}", "does not describe a priorcraft run"),
        (b'{"kind": "run", "format": "1"}', "does not describe a priorcraft run"),
        (b'{"kind": "run", "format": 1, "config": []}', "must hold an object 'config'"),
    ],
)
def test_a_broken_config_is_a_sentence(run, content, sentence):
    (run.path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=sentence):
        RunFolder.open(run.path)


def test_newer_and_missing_runs(run, tmp_path):
    (run.path / "config.json").write_text('{"kind": "run", "format": 9, "priorcraft": "9.0", "needs": "8.0"}')
    with pytest.raises(NewerFormat, match=r"made by priorcraft 9.0, needs >= 8.0"):
        RunFolder.open(run.path)
    with pytest.raises(CheckpointError, match="there is no run folder"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"config.json is missing"):
        RunFolder.open(tmp_path)


# ---- places that cannot be written (FAULTS 6)


def test_a_read_only_place_is_found_out_at_the_start(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailed, match=r"run folder could not be written .*Not a directory"):
        RunFolder.create(tmp_path / "file" / "run", {})

    def script():
        as_a_stranger(tmp_path)
        with pytest.raises(WriteFailed, match="Permission denied"):
            RunFolder.create(tmp_path / "run", {})
        os.seteuid(os.getuid())
        os.chmod(tmp_path, 0o000)
        as_a_stranger(None)
        with pytest.raises(WriteFailed, match="Permission denied"):
            RunFolder.create(tmp_path / "run", {})
        with pytest.raises(CheckpointError, match="not yours to read"):
            RunFolder.open(tmp_path / "run")

    assert in_child(script) == 0


def test_a_run_that_becomes_read_only_still_reads(run):
    run.save(7, WEIGHTS, {})

    def script():
        as_a_stranger(run.path)
        back = RunFolder.open(run.path)
        assert (found := back.newest()) is not None
        assert found.step == 7
        with pytest.raises(WriteFailed, match=r"lock of this run .*Permission denied"), back.lock():
            pass

    assert in_child(script) == 0


def test_a_run_that_vanishes_is_a_sentence_and_is_not_half_made_again(run, monkeypatch):
    monkeypatch.setattr(disk, "_PAUSES", (0.0,))
    shutil.rmtree(run.path)
    for act in (lambda: run.save(1, WEIGHTS, {}), lambda: run.append({}), lambda: run.write_bytes("samples/a", b"")):
        with pytest.raises(WriteFailed, match=r"could not be written .*No such file"):
            act()
    assert not run.path.exists()


def test_a_run_that_comes_back_in_time_loses_nothing(run, tmp_path):
    run.path.rename(tmp_path / "away")
    back = threading.Timer(0.2, lambda: (tmp_path / "away").rename(run.path))
    back.start()
    run.save(1, WEIGHTS, {})
    back.join()
    assert (found := RunFolder.open(run.path).newest()) is not None
    assert found.step == 1


# ---- events


def at(step, **values):
    """An event of a step."""
    return {"kind": "step", "step": step, "progress": 0.5, "elapsed": 1.0, **values}


def test_a_torn_last_line_is_not_an_event_and_harms_no_other(run):
    run.append(at(1))
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b'{"step": 2, "lo')
    assert run.events() == [at(1)]
    run.append(at(3, text="é\n"))
    assert run.events() == [at(1), at(3, text="é\n")]
    assert len((run.path / "events.jsonl").read_bytes().splitlines()) == 2


def test_append_killed_at_any_file_operation_loses_at_most_that_line(run, tmp_path):
    run.append(at(1))

    def script():
        run.append(at(2))

    for k in range(len(operations(script, tmp_path / "log"))):
        run.truncate_events(1)
        assert run_until_operation(script, k)
        run.append(at(3))
        assert run.events() == [at(1), at(3)]


def test_events_after_a_step_are_forgotten_on_resume(run, tmp_path):
    for event in (at(0), at(1), at(2), at(3)):
        run.append(event)

    def script():
        run.truncate_events(2)

    kept = [at(0), at(1), at(2)]
    for k in range(len(operations(script, tmp_path / "log"))):
        run.write_bytes("events.jsonl", b"".join(json.dumps(e).encode() + b"\n" for e in [*kept, at(3)]))
        assert run_until_operation(script, k)
        assert run.events() in ([*kept, at(3)], kept)
    script()
    assert run.events() == kept


def test_events_are_json_for_every_reader(run):
    run.append(at(1, loss=float("nan"), list=[float("inf"), 1.5], n={"a": None}))
    assert run.events() == [at(1, loss=None, list=[None, 1.5], n={"a": None})]
    with pytest.raises(UsageError, match="event must be JSON"):
        run.append({"x": torch.ones(1)})


def test_a_full_disk_tears_no_event(run):
    run.append(at(1))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(WriteFailed, match=r"needs [\d,]+ bytes; [\d,]+ are free"):
            run.append(at(2, text="x" * 100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert run.events() == [at(1)]
    run.append(at(3))
    assert run.events() == [at(1), at(3)]


def test_files_are_written_whole_and_inside(run, tmp_path):
    assert run.write_bytes("samples/00000001.png", b"png").read_bytes() == b"png"
    assert (run.samples / "00000001.png").exists()
    assert json.loads(run.write_json("score.json", {"nats": 1.5}).read_bytes()) == {"nats": 1.5}
    for name in ("../x", "/x", "samples/../../x"):
        with pytest.raises(UsageError, match="name must lie in the run folder"):
            run.write_bytes(name, b"")
    assert not (tmp_path / "x").exists()


# ---- data that changed (FAULTS 25)


def test_other_data_are_refused_with_both_counts_unless_allowed(run):
    run.check_data("f00", {"train": 1000, "test": 450})
    with pytest.raises(
        DataError, match=r"train 1,000, test 450 rows then, train 999, test 450 now.*--allow-data-change"
    ):
        run.check_data("f01", {"train": 999, "test": 450})
    assert RunFolder.open(run.path).config == CONFIG
    run.check_data("f01", {"train": 999, "test": 450}, allow=True)
    marked = RunFolder.open(run.path)
    assert marked.config["data"] == {
        "fingerprint": "f01",
        "counts": {"train": 999, "test": 450},
        "changed_from": ["f00"],
    }
    marked.check_data("f01", {"train": 999, "test": 450})


QUESTIONS = {
    "score": lambda run, data: pc.score(run, data),
    "classify": lambda run, data: pc.classify(run, data),
    "unusual": lambda run, data: pc.unusual(run, data),
    "calibrate": lambda run, data: pc.calibrate(run, question="classify", on_test_rows=True),
}


@pytest.fixture(scope="module")
def told_apart(tmp_path_factory):
    """A table, a run fitted to it, and one row more in the table since."""
    table = tmp_path_factory.mktemp("changed") / "t.csv"
    table.write_text("\n".join(["size,kind", *(f"{i % 7},{'ab'[i % 2]}" for i in range(120))]))
    run = pc.fit(table, "naive-bayes", out=table.parent / "run", steps=2, reading={"label": "kind"})
    table.write_text(table.read_text() + "\n3,a\n")
    return table, run


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("spelling", ["no name", "its name", "another spelling"])
def test_no_question_divides_changed_data_anew(told_apart, question, spelling, monkeypatch):
    """However their path is written: rows of training would be among those of test."""
    table, run = told_apart
    monkeypatch.chdir(table.parent)
    data = {"no name": None, "its name": str(table), "another spelling": "./t.csv"}[spelling]
    with pytest.raises(DataError, match=r"then, .* now, with other content"):
        QUESTIONS[question](run, data)


# ---- one writer (FAULTS 26)


def test_a_second_writer_is_refused_by_name(run):
    read_end, write_end = os.pipe()

    def holder():
        with run.lock():
            os.write(write_end, b"x")
            time.sleep(60)

    if not (pid := os.fork()):
        holder()
        os._exit(1)
    os.read(read_end, 1)
    try:
        with pytest.raises(RunBusy, match=rf"is being written by process {pid} on {os.uname().nodename} since 2"):
            run.lock().__enter__()
        with pytest.raises(RunBusy):
            RunFolder.create(run.path, {}, overwrite=True)
        assert RunFolder.open(run.path).config == CONFIG
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    with RunFolder.open(run.path).lock() as again:  # a lock whose holder was killed is no lock
        assert again.held
    assert not again.held


def test_the_same_process_is_a_second_writer_too(run):
    with run.lock(), pytest.raises(RunBusy, match=str(os.getpid())), RunFolder.open(run.path).lock():
        pass
    with run.lock():
        pass


def test_a_worker_that_outlives_its_parent_does_not_keep_the_lock(run):
    read_end, write_end = os.pipe()

    def parent():
        with run.lock():
            if not os.fork():
                os.write(write_end, str(os.getpid()).encode())
                time.sleep(60)
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(parent) == -signal.SIGKILL
    worker = int(os.read(read_end, 20))
    try:
        with run.lock() as lock:
            assert lock.held
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_lock_file_that_was_deleted_is_made_again(run, monkeypatch):
    real, deleted = lock_module._flock, []

    def flock(fd, path):
        if not deleted:
            deleted.append(path.unlink())
        real(fd, path)

    monkeypatch.setattr(lock_module, "_flock", flock)
    with run.lock(), pytest.raises(RunBusy), RunFolder.open(run.path).lock():
        pass


def test_a_file_system_without_locks_is_said(run, monkeypatch):
    def flock(fd, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock_module.fcntl, "flock", flock)
    with pytest.warns(UserWarning, match=r"cannot be locked \(Operation not supported\)"), run.lock() as lock:
        assert lock.held


def test_bad_checkpoints_are_renamed_by_the_writer_alone(run):
    path = run.save(2, WEIGHTS, {})
    (path / "manifest.json").unlink()
    with pytest.warns(CheckpointWarning, match="passed over"):
        assert run.newest() is None
    with run.lock(), pytest.warns(CheckpointWarning, match="kept as"):
        assert run.newest() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run.newest() is None
    assert (run.checkpoints / "step-00000002.corrupt").exists()


# ---- signals (FAULTS 3, 4)


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_leaves_a_note_and_handlers_come_back(asked):
    before = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)}
    with StopRequest() as stop:
        assert not stop
        signal.raise_signal(asked)
        assert stop
        assert stop.signal is asked
    assert before == {s: signal.getsignal(s) for s in before}


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGUSR1])
def test_a_second_signal_of_a_kind_stops_at_once(asked):
    def script():
        with StopRequest():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(asked)
            signal.raise_signal(asked)
            time.sleep(60)

    assert in_child(script) == -asked


def test_a_second_interrupt_is_a_keyboard_interrupt():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.signal is signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_worker_dies_when_it_is_told_to():
    def worker():
        signal.raise_signal(signal.SIGTERM)
        time.sleep(60)

    with StopRequest() as stop:
        assert in_child(worker) == -signal.SIGTERM
    assert not stop


def test_other_threads_are_left_alone():
    seen = []

    def work():
        with StopRequest() as stop:
            seen.append((bool(stop), signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
