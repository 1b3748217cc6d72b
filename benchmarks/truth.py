"""What the two-sample tests see and what they do not: a missing class, planted defects, false alarms, published checks.

    python benchmarks/truth.py [--draws 200] [PART ...]

Parts: missing, tables, alarms, checks, engines, time. The peer is the same figure for samples without a fault, in the
same run.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import test_calibration as calibrated
import test_sanity as planted
from priorcraft.cells import read_cells
from priorcraft.condition.dispatch import ENGINES, INTEGERS
from priorcraft.datasets import Splits, open_data
from priorcraft.datasets.splits import Rows
from priorcraft.metrics.calibration import wilson
from priorcraft.metrics.family import ERROR
from priorcraft.metrics.two_sample import TwoSampleTest, Verdict
from priorcraft.runtime import keyed
from priorcraft.verbs.evaluate import halved
from sanity import checks


def divided(digits: Splits, seed: int, n: int = 450) -> tuple[Splits, Rows]:
    """All digits in other hands: n for the test, 747 to learn from, and the others as fresh real rows."""
    parts = (digits.train, digits.valid, digits.test)
    x = torch.cat([p.x for p in parts])
    y = torch.cat([p.y for p in parts if p.y is not None])
    i = torch.randperm(len(x), generator=keyed(seed, "divided"))
    cuts = (slice(0, n), slice(n, n + 600), slice(n + 600, n + 747), slice(n + 747, None))
    test, train, valid, fresh = (Rows(x[i[cut]], y[i[cut]]) for cut in cuts)
    return dataclasses.replace(digits, train=train, valid=valid, test=test), fresh


def missing(draws: int) -> None:
    """A class without samples, and one with half of its own, n = 450 of each."""
    digits = open_data("digits")
    for share in (1.0, 0.5, 0.0):
        seen = 0
        for seed in range(draws):
            splits, fresh = divided(digits, seed)
            assert fresh.y is not None
            c = seed % 10
            lot = torch.rand(len(fresh), generator=keyed(seed, "lot"))
            left = fresh.where((fresh.y != c) | (lot >= share))
            seen += TwoSampleTest(splits, seed=seed).test(left.x[:450], power=False).verdict is Verdict.DIFFERENT
        low, high = wilson(seen, draws)
        print(f"class missing by {share:.0%}: seen in {seen} of {draws} draws ({low:.2f} to {high:.2f}), n = 450")


def tables(draws: int) -> None:
    """Planted defects of a table, judged by its cells."""
    for n in (400, 200):
        planted.N = n
        found = dict.fromkeys(planted.FAULTS, 0)
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(draws):
                rng = np.random.default_rng(seed)
                real = open_data(planted.written(planted.people(6 * n, rng), Path(folder) / "real.csv"))
                test = TwoSampleTest(halved(real, seed))  # as `evaluate` does
                for fault, (_, plant) in planted.FAULTS.items():
                    file = planted.written(plant(planted.people(n, rng), rng), Path(folder) / "drawn.csv")
                    told = test.test(read_cells(file), power=False).verdict
                    found[fault] += told in (Verdict.DIFFERENT, Verdict.REPEATS)
        print(f"n = {n}: " + ", ".join(f"{fault} {k}/{draws}" for fault, k in found.items()))


def alarms(draws: int) -> None:
    """Real against real."""
    digits, told = open_data("digits"), 0
    for seed in range(draws):
        splits, fresh = divided(digits, seed)
        told += TwoSampleTest(splits, seed=seed).test(fresh.x, fresh.y, power=False).verdict in (
            Verdict.DIFFERENT,
            Verdict.REPEATS,
        )
    low, high = wilson(told, draws)
    print(f"false alarms on digits: {told} of {draws} ({low:.3f} to {high:.3f}), stated {ERROR}")
    told = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(draws):
            rng = np.random.default_rng([seed, 1])
            real = planted.written(planted.people(1200, rng), Path(folder) / "real.csv")
            drawn = planted.written(planted.people(300, rng), Path(folder) / "drawn.csv")
            found = TwoSampleTest(open_data(real), seed=seed).test(read_cells(drawn), power=False)
            told += found.verdict in (Verdict.DIFFERENT, Verdict.REPEATS)
    low, high = wilson(told, draws)
    print(f"false alarms on tables: {told} of {draws} ({low:.3f} to {high:.3f}), stated {ERROR}")


def published(seeds: int = 1) -> None:
    """The checks of arXiv 2505.22450."""
    right, cannot, wrong = 0, 0, list[str]()
    for check in checks():
        for seed in range(seeds):
            answer = check.right(check.verdict(seed).verdict)
            right += answer is True
            cannot += answer is None
            wrong += [f"{check.name} ({'a false alarm' if check.same else 'not seen'})"] * (answer is False)
    print(f"published checks: {right} right, {cannot} 'cannot tell', {len(wrong)} wrong: {'; '.join(wrong) or 'none'}")


def engines() -> None:
    """Coverage of 90 % sets of every row of the table of engines, truths drawn from the model itself."""
    for row, (kind, seen, values, engine) in enumerate(ENGINES):
        space = calibrated.LEVELS if values[0] in INTEGERS else calibrated.REALS
        model, observation = calibrated.model_for(kind, space), calibrated.observation_for(seen, space)
        told, complaints = calibrated.checked(model, observation, 60 if kind in calibrated.SLOW else calibrated.SETS)
        at, said = told.covered[-1], "; ".join(complaints) or "no complaint"
        name = getattr(engine, "__name__", "")
        print(
            f"{row:2} {kind.__name__} {seen.__name__} {name}: {told.verdict.value}, 90 % sets cover {at.entries:.3f} "
            f"({at.low:.3f} to {at.high:.3f}); {said}",
            flush=True,
        )


def timed() -> None:
    """10,000 samples and 10,000 real rows of 12 columns."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        both = [planted.people(10_000, rng) for _ in range(4)]
        wide = [a | {f"{k}_": v for k, v in b.items()} for a, b in zip(both[::2], both[1::2], strict=True)]
        real, drawn = (planted.written(t, Path(folder) / f"{i}.csv") for i, t in enumerate(wide))
        wall, cpu = time.perf_counter(), time.process_time()
        found = TwoSampleTest(open_data(real)).test(read_cells(drawn))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"10,000 rows x 12, with what would have been seen: {wall:.1f} s, {cpu:.1f} s of CPU. {found.told}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=["missing", "tables", "alarms", "checks", "engines", "time"])
    parser.add_argument("--draws", type=int, default=200)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    runs = {
        "missing": lambda: missing(min(asked.draws, 20)),
        "tables": lambda: tables(min(asked.draws, 10)),
        "alarms": lambda: alarms(asked.draws),
        "checks": published,
        "engines": engines,
        "time": timed,
    }
    for part in asked.parts:
        runs[part]()
