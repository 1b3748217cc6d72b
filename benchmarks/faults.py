"""The long version of tests/faults: hostile files, spoilt run folders and kills at chance instants, counted.

    python benchmarks/faults.py --files 10000 --folders 1000 --kills 50 --seed 1

Prints what went otherwise than it must (floor: 0 of each), and how long the slowest file took.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np

import priorcraft as pc
from faults.corpus import files  # pyright: ignore[reportMissingImports]
from faults.test_hostile import READERS  # pyright: ignore[reportMissingImports]
from faults.test_run_folders import attack  # pyright: ignore[reportMissingImports]
from priorcraft.datasets import open_data
from priorcraft.errors import PriorcraftError


def hostile(place: Path, seeds: range) -> tuple[int, float]:
    """Files that end in a trace, and the seconds of the slowest one."""
    traces, slowest = 0, 0.0
    for done, path in files(place, seeds):
        began = time.perf_counter()
        try:
            READERS.get(path.suffix, open_data)(path)
        except PriorcraftError:
            pass
        except Exception as error:
            traces += 1
            print(f"  {done}: {type(error).__name__}: {error}"[:160])
        slowest = max(slowest, time.perf_counter() - began)
        path.unlink()
    return traces, slowest


def killed(place: Path, count: int, rng: random.Random) -> int:
    """Trainings that were killed and did not end at the bits of one that was not."""
    command = [sys.executable, "-m", "priorcraft", "fit", str(place / "x.npz"), "masked-mlp", "--steps", "60"]
    command += ["--set", "width=8", "--quiet", "--out"]
    began = time.perf_counter()
    subprocess.run([*command, str(place / "whole")], check=True, stdout=subprocess.DEVNULL)
    seconds, wrong = time.perf_counter() - began, 0
    whole = pc.load(place / "whole").model.state_dict()
    for i in range(count):
        out = place / f"killed-{i}"
        process = subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.0) * seconds)
        process.kill()
        process.wait()
        pc.fit(out=out, resume=True) if (out / "config.json").exists() else subprocess.run(
            [*command, str(out)], check=True, stdout=subprocess.DEVNULL
        )
        wrong += not all((v == whole[k]).all() for k, v in pc.load(out).model.state_dict().items())
    return wrong


MODELS = {"masked-mlp": {"width": 4, "orders": 1}, "mixture": {"components": 2}, "gan": {"latent": 2, "hidden": 4}}


def spoilt(place: Path, first: int, count: int) -> int:
    """Answers to spoilt run folders that are neither answers nor sentences."""
    raw, names = list[str](), [*MODELS]
    for i, model in enumerate(names):
        pc.fit(str(place / "x.npz"), model, out=place / model, steps=2, settings=MODELS[model])
        raw += attack(
            place / model, place, range(first + i * count // len(names), first + (i + 1) * count // len(names))
        )
    for error in raw[:10]:
        print(f"  {error}")
    return len(raw)


def main() -> None:
    """Counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("files", 10_000), ("folders", 1000), ("kills", 50), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place, first = Path(folder), asked.seed * 1_000_000
        traces, slowest = hostile(place, range(first, first + asked.files))
        print(f"hostile files: {traces} traces of {asked.files:,}; the slowest took {slowest:.1f} s (limit 60)")
        np.savez(place / "x.npz", x=np.random.default_rng(0).integers(0, 3, (60, 4)), y=np.arange(60) % 2, levels=3)
        print(f"spoilt run folders: {spoilt(place, first, asked.folders)} raw errors of {asked.folders:,}")
        wrong = killed(place, asked.kills, random.Random(asked.seed))
        print(f"killed trainings: {wrong} of {asked.kills} did not end at the same bits")


if __name__ == "__main__":
    main()
