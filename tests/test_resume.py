"""A training that is killed at any instant and resumed ends bit for bit where it would have ended."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import priorcraft as pc
from crash import operations, run_until_operation
from priorcraft.datasets import Rows, Splits
from priorcraft.datasets.fingerprint import fingerprint
from priorcraft.errors import DataError, Diverged, RunBusy, Stopped, UsageError
from priorcraft.train.run_folder import RunFolder

SMALL = {
    "vae": {"latent": 2, "hidden": 16, "depth": 1, "batch_size": 64},
    "gan": {"latent": 2, "hidden": 16, "layers": 1, "batch_size": 64},
    "masked-mlp": {"width": 16, "depth": 1, "orders": 2, "batch_size": 64},
    "mixture": {"components": 5},
}
STEPS = 12
PARTS = {"train": 100, "valid": 20, "test": 20}


def weights(run: Path) -> dict[str, bytes]:
    """The bytes of every file of the newest checkpoint."""
    folder = max(p for p in (run / "checkpoints").iterdir() if p.suffix == "")
    return {p.name: p.read_bytes() for p in folder.glob("*.safetensors")}


@pytest.fixture(scope="module")
def few(digits: Splits) -> Splits:
    """A hundred digits."""
    parts = {name: Rows(digits.rows(name).x[:n], digits.rows(name).y[:n]) for name, n in PARTS.items()}
    return replace(digits, **parts, fingerprint=fingerprint(parts, digits.space, digits.classes), counts=PARTS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, few: Splits) -> dict[str, Path]:
    """Runs that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    for name, settings in SMALL.items():
        pc.fit(few, name, out=folder / name, steps=STEPS, settings=settings)
    return {name: folder / name for name in SMALL}


SOME = [pytest.param(name, marks=pytest.mark.slow) if name in ("vae", "masked-mlp", "gan") else name for name in SMALL]


@pytest.mark.parametrize("name", SOME)
def test_killed_between_any_two_file_operations_and_resumed(name, whole, few, tmp_path, monkeypatch):
    """Six instants drawn over the operations of the whole training."""
    monkeypatch.setattr("priorcraft.scale.trained.PICTURES", 1e9)  # the same operations however fast the machine is
    run = tmp_path / "run"

    def start() -> None:
        pc.fit(few, name, out=run, steps=STEPS, settings=SMALL[name])

    count = len(operations(start, tmp_path / "log"))
    for k in sorted(random.Random(name).sample(range(count), 6)):
        shutil.rmtree(run, ignore_errors=True)
        assert run_until_operation(start, k)
        if (run / "config.json").exists():
            pc.fit(out=run, data=few, resume=True)
        else:
            pc.fit(few, name, out=run, steps=STEPS, settings=SMALL[name])
        assert weights(run) == weights(whole[name]), f"killed before operation {k} of {count}"
        steps = [e["step"] for e in RunFolder.open(run).events() if e["kind"] == "step"]
        assert steps == sorted(set(steps))


COMMAND = [sys.executable, "-m", "priorcraft", "fit", "digits", "gan", "--steps", "300", "--quiet", "--seed", "3"]
SETTINGS = ["--set", "hidden=16", "--set", "latent=4"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def launch(run: Path, *more: str) -> subprocess.Popen:
    return subprocess.Popen([*COMMAND, *SETTINGS, "--out", str(run), *more], stderr=subprocess.PIPE, env=ENVIRONMENT)


def wait_for_steps(run: Path, count: int) -> None:
    """Until the run has recorded so many steps."""
    while True:
        events = run / "events.jsonl"
        if events.exists() and events.read_bytes().count(b'"kind": "step"') >= count:
            return
        time.sleep(0.02)


@pytest.mark.slow
def test_a_real_process_killed_terminated_and_resumed(tmp_path):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    first = launch(straight)
    second = launch(broken)
    wait_for_steps(broken, 40)
    second.kill()
    second.wait()
    third = subprocess.Popen(
        [sys.executable, "-m", "priorcraft", "fit", "--resume", "--out", str(broken), "--quiet"],
        stderr=subprocess.PIPE, env=ENVIRONMENT,
    )  # fmt: skip
    wait_for_steps(broken, 120)
    third.send_signal(signal.SIGTERM)
    _, said = third.communicate()
    assert third.returncode == 75, said
    assert b"fit --resume --out" in said
    assert b"Traceback" not in said
    last = [sys.executable, "-m", "priorcraft", "fit", "--resume", "--out", str(broken), "--quiet", "--json"]
    done = subprocess.run(last, capture_output=True, env=ENVIRONMENT, check=True)
    assert b'"steps": 300' in done.stdout
    assert first.wait() == 0
    assert weights(straight) == weights(broken)


def test_data_that_changed_are_refused_with_counts(whole, few, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole["vae"], run)
    x = few.train.x.clone()
    x[0, 0, 0, 0] = 16 - x[0, 0, 0, 0]
    changed = altered(few, Rows(x, few.train.y))
    with pytest.raises(DataError, match="--allow-data-change"):
        pc.fit(changed, out=run, resume=True)
    assert pc.fit(changed, out=run, resume=True, allow_data_change=True).steps == STEPS


def altered(splits: Splits, train: Rows) -> Splits:
    """The same splits with other training rows."""
    parts = {"train": train, "valid": splits.valid, "test": splits.test}
    return replace(splits, train=train, fingerprint=fingerprint(parts, splits.space, splits.classes))


def test_nothing_is_overwritten_unless_asked(whole, few):
    before = weights(whole["gan"])
    with pytest.raises(UsageError, match="--overwrite"):
        pc.fit(few, "gan", out=whole["gan"], steps=2)
    assert weights(whole["gan"]) == before


def test_a_second_writer_is_refused(whole, few, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole["vae"], run)
    with RunFolder.open(run).lock(), pytest.raises(RunBusy):
        pc.fit(few, out=run, resume=True)


@pytest.mark.parametrize("name", ["vae", "gan", "masked-mlp"])
def test_divergence_stops_before_the_update_and_keeps_the_last_good_checkpoint(name, few, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(Diverged, match=r"not finite|loss is (nan|inf)") as caught:
        pc.fit(few, name, out=run, steps=60, settings=SMALL[name] | {"lr": 1e9})
    assert caught.value.exit_code == 4
    assert "training rows" in str(caught.value)
    saved = RunFolder.open(run).newest()
    assert saved is None or all(bool(torch.isfinite(t).all()) for t in saved.files["model"].values())


def test_a_signal_saves_and_ends_with_its_code(few, tmp_path):
    def stopped(name: str) -> object:
        return stop_at_step_five

    def stop_at_step_five(record: object) -> None:
        if getattr(record, "step", 0) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped) as caught:
        pc.fit(few, "vae", out=tmp_path / "run", steps=STEPS, settings=SMALL["vae"], listen=stopped)
    assert caught.value.exit_code == 130
    saved = RunFolder.open(tmp_path / "run").newest()
    assert saved is not None
    assert saved.step == 5


def test_an_interrupt_in_a_notebook_returns_the_model_so_far(few, tmp_path, monkeypatch):
    def stopped(name: str) -> object:
        return stop_at_step_five

    def stop_at_step_five(record: object) -> None:
        if getattr(record, "step", 0) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    run = tmp_path / "run"
    answer = pc.fit(few, "vae", out=run, steps=STEPS, settings=SMALL["vae"], listen=stopped)
    assert answer.interrupted
    assert answer.steps == 5
    assert pc.fit(out=run, data=few, resume=True).steps == STEPS
