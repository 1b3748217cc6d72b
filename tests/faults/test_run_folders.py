"""A run folder of an earlier day loads for ever, and one that was tampered with is refused in a sentence."""

import hashlib
import json
import random
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import priorcraft as pc
from faults.corpus import flipped, mutated
from priorcraft.errors import PriorcraftError
from priorcraft.runtime import keyed

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_a_run_folder_of_an_earlier_day_says_what_it_said(name):
    said = json.loads((GOLDEN / name / "said.json").read_text())
    run = pc.load(GOLDEN / name)
    x = torch.tensor(said["x"])
    if "log_prob" in said:
        torch.testing.assert_close(run.model.log_prob(x), torch.tensor(said["log_prob"]), rtol=1e-4, atol=1e-4)
    drawn = run.model.sample(4, generator=keyed(0)).flatten(1)
    assert (drawn == torch.tensor(said["drawn"])).float().mean() > 0.8, "rounding may move a draw, not most of them"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A small run of a network: its checkpoints hold weights, moments and an average."""
    x = np.random.default_rng(0).integers(0, 3, (60, 4))
    path = tmp_path_factory.mktemp("faults") / "run"
    np.savez(path.parent / "x.npz", x=x, y=np.arange(60) % 2, levels=3)
    pc.fit(str(path.parent / "x.npz"), "masked-mlp", out=path, steps=2, settings={"width": 4, "orders": 1})
    return path


def sealed(manifest: dict) -> dict:
    """A manifest as someone would write it who knows how it is sealed."""
    unsealed = {key: value for key, value in manifest.items() if key != "sha256"}
    return {**unsealed, "sha256": hashlib.sha256(json.dumps(unsealed).encode()).hexdigest()}


def spoil(folder: Path, rng: random.Random) -> str:
    """Changes one file of a run folder; says which and how."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in (".json", ".jsonl", ".safetensors"))
    path = rng.choice(files)
    how = rng.choice(["json"] * 6 + ["bits", "cut", "gone", "folder"])
    if how == "json" and path.suffix == ".json":
        found = mutated(json.loads(path.read_text()), rng)
        found = sealed(found) if path.name == "manifest.json" and isinstance(found, dict) else found
        path.write_text(json.dumps(found))
    elif how == "json" and path.suffix == ".jsonl":
        lines = path.read_text().splitlines()
        at = rng.randrange(len(lines))
        lines[at] = json.dumps(mutated(json.loads(lines[at]), rng))
        path.write_text("\n".join(lines) + "\n")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[: rng.randrange(1 + path.stat().st_size)])
    elif how in ("gone", "folder"):
        path.unlink()
        if how == "folder":
            path.mkdir()
    else:
        path.write_bytes(flipped(path.read_bytes(), rng))
        if path.suffix == ".safetensors" and rng.random() < 0.7:  # by one who knows how files are sealed
            manifest = json.loads((path.parent / "manifest.json").read_text())
            manifest["files"][path.name]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            (path.parent / "manifest.json").write_text(json.dumps(sealed(manifest)))
    return f"{path.relative_to(folder)}: {how}"


def ask(folder: Path) -> list[str]:
    """Loads and resumes; the errors that are no sentences."""
    raw = []
    for what, ask in (("load", lambda: pc.load(folder)), ("resume", lambda: pc.fit(out=folder, resume=True))):
        try:
            with warnings.catch_warnings(action="ignore"):
                ask()
        except PriorcraftError:
            pass
        except Exception as error:
            raw.append(f"{what}: {type(error).__name__}: {error}"[:300])
    return raw


def attack(run: Path, place: Path, seeds: range) -> list[str]:
    """Run folders, each spoilt by a seed; what was answered otherwise than in a sentence."""
    raw = []
    for seed in seeds:
        folder = Path(shutil.copytree(run, place / str(seed)))
        done = spoil(folder, random.Random(seed))
        raw += [f"{seed}: {done}: {error}" for error in ask(folder)]
        shutil.rmtree(folder)
    return raw


def test_a_run_folder_that_was_tampered_with_is_refused_in_a_sentence(run, tmp_path):
    assert attack(run, tmp_path, range(30)) == []
