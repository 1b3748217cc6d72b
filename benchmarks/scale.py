"""Scale: memory, bits and speed, each beside a limit or a peer in the same run.

    python benchmarks/scale.py --small          # minutes; sizes are divided by ten and more
    python benchmarks/scale.py memory tables    # some parts at full size

Parts: tables (memory of a fit to a text file and to parquet), prepared (more data than memory may hold), processes (two
against two threads), bits (equal for 1, 2 and 4, also after kills), sampling, imputing, images (reading by two).
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from PIL import Image

import priorcraft as pc
from priorcraft.scale.answering import answer, question_job

WORDS = ("red", "green", "blue", "black", "white", "grey", "pink")
STEP = 250_000
LIMIT = 2 * 2**30  # bytes of memory for the prepared set


@dataclass(frozen=True)
class Spent:
    """What a command took."""

    code: int
    wall: float
    cpu: float
    peak: int  # bytes: the largest process, mapped pages that were touched among them
    anon: int  # bytes: of these, what is no page of a file; looked at twenty times a second


def priorcraft(*words: object, cgroup: Path | None = None, threads: int = 1, log: Path | None = None) -> Spent:
    """Runs a command in a process of its own, in a control group of limited memory if one is given."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}

    def enter() -> None:
        if cgroup is not None:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()))

    command = [sys.executable, "-c", WRAP, *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, preexec_fn=enter)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
    peaks = next((line.split()[1:] for line in done.stderr.splitlines() if line.startswith("PEAK ")), (0, 0))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(done.returncode, time.monotonic() - began, cpu, *map(int, peaks))


WRAP = """
import resource, subprocess, sys, time
from pathlib import Path

def family(pid):
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(p for task in tasks for child in task.read_text().split() for p in family(child))]

def anonymous(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return max([int(line.split()[1]) for line in lines if line.startswith("RssAnon")], default=0)

process, anon = subprocess.Popen([sys.executable, "-m", "priorcraft", *sys.argv[1:]]), 0
while process.poll() is None:
    try:
        anon = max([anon, *map(anonymous, family(process.pid))])
    except OSError:  # one of them has just ended
        pass
    time.sleep(0.05)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print("PEAK", peak * 1024, anon * 1024, file=sys.stderr)
sys.exit(process.returncode)
"""


def rows(n: int, seed: int) -> pa.Table:
    """A table of twelve columns that depend on one another."""
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 4, n)
    columns = {f"number{i}": np.round(rng.normal(z * 1.5, 1 + i), 3) for i in range(5)}
    columns |= {f"count{i}": rng.poisson(3 + z) for i in range(3)}
    columns |= {f"word{i}": np.array(WORDS)[(z + rng.integers(0, 4, n)) % 7] for i in range(3)}
    return pa.table(columns | {"day": np.datetime64("2020-01-01") + rng.integers(0, 1500, n)})


def write(path: Path, n: int, seed: int = 0) -> Path:
    """So many rows as text or parquet."""
    schema = rows(1, 0).schema
    text = path.suffix == ".csv"
    with (pyarrow.csv.CSVWriter if text else pyarrow.parquet.ParquetWriter)(path, schema) as writer:
        for start in range(0, n, STEP):
            writer.write_table(rows(min(STEP, n - start), seed * 10**8 + start))
    return path


def say(figure: str, found: str, floor: str) -> None:
    """A line of the table."""
    print(f"| {figure} | {found} | {floor} |", flush=True)


def gb(size: float) -> str:
    """Bytes as GB."""
    return f"{size / 1e9:.2f} GB"


def tables(place: Path, small: bool) -> None:
    """Peak memory of a fit to a text file and to parquet."""
    nothing = priorcraft("--version")
    sizes = [("a.csv", 10**6, "0.6 GB"), ("b", 25 * 10**5, "1 GB"), ("c", 10**7, "1 GB, flat in rows")]
    for name, n, floor in sizes:
        n //= 4 if small else 1
        source = write(place / name, n) if name.endswith(".csv") else folder_of_parquet(place / name, n)
        ways = {"reading and fitting": place / f"{name}.run", "from the copy": place / f"{name}.again"}
        found = list[str]()
        for way, run in ways.items():
            took = priorcraft("fit", source, "chow-liu", "--steps", 1, "--quiet", "--out", run)
            found.append(f"{gb(took.peak)} ({gb(took.anon)} without pages of files) {way}, {took.cpu:.0f} CPU s")
        kind = ".csv" if source.is_file() else "a folder of .parquet"
        say(f"fit chow-liu, {n:,} rows, {kind}", "; ".join(found), f"≤ {floor}")
    say("the program alone (--version)", gb(nothing.peak), "-")


def folder_of_parquet(folder: Path, n: int) -> Path:
    """So many rows as four files."""
    folder.mkdir()
    for part in range(4):
        write(folder / f"{part}.parquet", n // 4, seed=part)
    return folder


def prepared(place: Path, small: bool) -> None:
    """A prepared set that is larger than the memory that the kernel allows."""
    size, limit = (3 if small else 10) * 10**9, LIMIT
    n = size // 784
    x = np.lib.format.open_memmap(place / "big.npy", "w+", np.uint8, (n, 28, 28))
    for start in range(0, n, 10**5):
        stop = min(start + 10**5, n)
        x[start:stop] = np.random.default_rng(start).integers(0, 256, (stop - start, 28, 28), np.uint8)
    del x
    group = limited(limit)
    how = "of the kernel's control group" if group else "none: no control group can be made here"
    ready = place / "big.ready"
    done = priorcraft("data", place / "big.npy", "--prepare", "--quiet", "--out", ready, cgroup=group)
    say(f"prepare {gb(size)} under {gb(limit)} ({how})", f"rc {done.code}, {done.wall:.0f} s", "works")
    for name, words in (
        ("fit", ["fit", ready, "vae", "--steps", 300, "--quiet", "--overwrite", "--out", place / "big.run"]),
        ("score", ["score", place / "big.run", ready, "--samples", 1, "--limit", 20_000]),
        ("sample", ["sample", place / "big.run", "-n", 1000, "--overwrite", "--out", place / "big.npz"]),
    ):
        free, held = priorcraft(*words), priorcraft(*words, cgroup=group)
        say(
            f"{name} under the limit",
            f"rc {held.code}, {held.wall / free.wall:.2f} × the time without",
            "works, ± 10 %",
        )


def limited(size: int) -> Path | None:
    """A control group whose processes may hold so much memory, file pages among it; None where none can be made."""
    old = Path("/sys/fs/cgroup/memory")
    group = (old if old.is_dir() else old.parent) / f"priorcraft-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if old.is_dir() else "memory.max")).write_text(str(size))
    except OSError:
        return None
    return group


def processes(place: Path, small: bool) -> None:
    """Two processes, two threads and one thread in turn: seconds of a training step, the quickest of the rounds."""
    images = np.random.default_rng(0).integers(0, 256, (750, 28, 28), np.uint8)  # speed does not depend on them
    np.save(place / "images.npy", images)
    ways: dict[str, tuple[tuple[object, ...], int]] = {
        "two processes": (("--workers", 2), 1), "two threads": ((), 2), "one": ((), 1)
    }  # fmt: skip
    for model, steps in (("vae", 60), ("gan", 40), ("masked-conv", 18)):
        each: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(1 if small else 3):
            for way, (words, threads) in ways.items():
                run = place / f"{model}.{way.replace(' ', '-')}.{turn}"
                priorcraft(
                    "fit", place / "images.npy", model, "--steps", steps, "--quiet", "--out", run, *words,
                    threads=threads,
                )  # fmt: skip
                each[way].append(step_seconds(run))
        two, threaded, alone = (min(seconds) for seconds in each.values())
        found = f"{two:.3f} s a step, {threaded / two:.2f} × two threads, {alone / two:.2f} × one process"
        say(f"{model}, 28 x 28, two processes", found, "≥ .8, aim 1.3 × two threads")


def step_seconds(run: Path) -> float:
    """Median seconds from one step to the next, where no look at validation rows lies between them."""
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    pairs = pairwise(events)
    return median(b["elapsed"] - a["elapsed"] for a, b in pairs if a["kind"] == b["kind"] == "step")


def bits(place: Path, small: bool) -> None:
    """Weights, samples and imputations of 1, 2 and 4 processes, also after kills."""
    for model in ("masked-mlp", "vae", "gan", "mixture", "ppca"):
        marks = {weights(trained(place / f"{model}.{n}", model, n)) for n in (1, 2, 4)}
        say(f"weights of {model}, 1, 2, 4 processes", told([len(marks) == 1]), "equal")
    table = write(place / "bits.parquet", 5000)
    priorcraft("fit", table, "chow-liu", "--steps", 1, "--quiet", "--out", place / "bits.run")
    n = 150_000 if small else 500_000
    marks = [mark(sampled(place / f"bits.{k}", place / "bits.run", n, k)) for k in (1, 2, 4)]
    say(f"{n:,} samples of 1, 2, 4 processes", told([each == marks[0] for each in marks]), "equal")
    marks = [mark(imputed(place / f"imputed.{k}", place / "bits.run", place, k)) for k in (1, 2, 4)]
    say("imputations of 1, 2, 4 processes", told([each == marks[0] for each in marks]), "equal")
    kills = 2 if small else 20
    wanted = mark(sampled(place / "whole", place / "bits.run", 150_000, 1))
    after = [mark(sampled(place / f"k.{i}", place / "bits.run", 150_000, 2, kill=i)) for i in range(kills)]
    say(f"samples after {kills} kills", told([each == wanted for each in after]), "equal")
    kills = 1 if small else 5
    wanted = weights(trained(place / "whole.gan", "gan", 1, steps=1200))
    after = [weights(trained(place / f"k.gan.{i}", "gan", 2, steps=1200, kill=i)) for i in range(kills)]
    say(f"weights of gan after {kills} kills", told([each == wanted for each in after]), "equal")


def told(equal: list[bool]) -> str:
    """How many of them are equal."""
    return "equal" if all(equal) else f"DIFFERENT: {equal.count(False)} of {len(equal)}"


def trained(out: Path, model: str, workers: int, steps: int = 12, kill: int | None = None) -> Path:
    """A short training to digits; killed once with all its processes at a random time, and gone on with."""
    words = ["fit", "digits", model, "--steps", steps, "--quiet", "--workers", workers, "--out", out]
    if kill is not None:
        killed(words, out / "checkpoints", kill)
        words = ["fit", "--resume", "--quiet", "--workers", workers, "--out", out]
    assert priorcraft(*words).code == 0
    return out


def weights(run: Path) -> str:
    """A digest of the weights of a run."""
    return hashlib.sha256(sorted(run.glob("checkpoints/step-*/model.safetensors"))[-1].read_bytes()).hexdigest()


def sampled(out: Path, run: Path, n: int, workers: int, kill: int | None = None) -> Path:
    """Samples in chunks; killed as above."""
    words = ["sample", run, "-n", n, "--workers", workers, "--out", out]
    if kill is not None:
        killed(words, out, kill)
    assert priorcraft(*words).code == 0
    return out


def killed(words: Sequence[object], folder: Path, kill: int) -> None:
    """Begins a command, and kills all its processes at a random time after a first entry stands in a folder."""
    command = [sys.executable, "-m", "priorcraft", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and not any(folder.glob("part-*")) and not any(folder.glob("step-*")):
        time.sleep(0.01)
    time.sleep(random.Random(kill).random() * 1.5)
    os.killpg(process.pid, signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        print(f"kill {kill} came too late", file=sys.stderr)


def imputed(out: Path, run: Path, place: Path, workers: int) -> Path:
    """The empty cells of 2,000 rows, 256 in a chunk."""
    frame = rows(2000, 1).to_pandas()
    frame.mask(np.random.default_rng(1).random(frame.shape) < 0.1).to_parquet(place / "empty.parquet")
    asked = pc.asked(run, "impute", seed=3, n=2)
    answer(replace(question_job(pc.load(run), asked, place / "empty.parquet"), size=256), out, workers=workers)
    return out


def mark(folder: Path) -> str:
    """A digest of all parts."""
    digest = hashlib.sha256()
    for part in sorted(folder.glob("part-*")):
        digest.update(part.name.encode() + part.read_bytes())
    return digest.hexdigest()


def sampling(place: Path, small: bool) -> None:
    """Rows a second and memory of a long sample."""
    table = write(place / "sampled.parquet", 20_000)
    priorcraft("fit", table, "chow-liu", "--steps", 1, "--quiet", "--out", place / "sampled.run")
    sizes = (10**5, 10**6) if small else (10**6, 10**7)
    for n in sizes:
        took = priorcraft("sample", place / "sampled.run", "-n", n, "--workers", 2, "--out", place / f"drawn.{n}")
        found = f"{n / took.wall:,.0f} rows a second, {took.cpu:.0f} CPU s, {gb(took.peak)} a worker"
        say(f"sample -n {n:,}, 2 workers", found, "linear, ≤ 1 GB a worker")
    drawn = pyarrow.parquet.read_table(place / f"drawn.{sizes[-1]}" / "part-000000.parquet")
    began = time.process_time()
    pyarrow.parquet.write_table(drawn, place / "limit.parquet")
    limit = (time.process_time() - began) / len(drawn)
    say("parquet's own writing", f"{limit * sizes[-1]:.1f} CPU s for as many rows", "the limit")


def imputing(place: Path, small: bool) -> None:
    """The empty cells of a table, a tenth of all."""
    n = 10**4 if small else 10**5
    table = write(place / "whole.parquet", n)
    frame = pyarrow.parquet.read_table(table).to_pandas()
    frame.mask(np.random.default_rng(1).random(frame.shape) < 0.1).to_parquet(place / "holes.parquet")
    priorcraft("fit", table, "chow-liu", "--steps", 1, "--quiet", "--out", place / "holes.run")
    for words in (("--out", place / "filled.parquet"), ("--workers", 1, "--out", place / "filled")):
        took = priorcraft("impute", place / "holes.run", place / "holes.parquet", "-n", 1, *words)
        way = "in chunks" if len(words) > 2 else "at once"
        say(f"impute {n:,} x 12, {way}", f"{took.cpu:.1f} CPU s, {gb(took.peak)}", "≤ 30 CPU s, ≤ 0.6 GB")


def images(place: Path, small: bool) -> None:
    """Reading a folder of PNG files by one process and by two, beside Pillow's decode alone."""
    for n, side in ((20_000 // (5 if small else 1), 32), (2000 // (10 if small else 1), 256)):
        folder = pictures(place / f"png{side}", n, side)
        began = time.monotonic()
        for path in sorted(folder.iterdir()):
            np.asarray(Image.open(path).convert("RGB"))
        decode = time.monotonic() - began
        one, two = (reading(folder, count) for count in (1, 2))
        found = f"{one:.1f} s by one, {two:.1f} s by two ({one / two:.2f} ×); Pillow alone {decode:.1f} s"
        say(f"{n:,} PNG of {side} x {side}", found, "once; two ≥ 1.6 ×")


def pictures(folder: Path, n: int, side: int) -> Path:
    """So many smooth pictures in colour, with a little noise."""
    folder.mkdir()
    across, down = np.meshgrid(*[np.linspace(0, 3, side)] * 2)
    for i in range(n):
        rng = np.random.default_rng(i)
        waves = [np.sin(across * rng.uniform(1, 3) + down * rng.uniform(1, 3) + i) for _ in range(3)]
        noisy = 128 + 90 * np.stack(waves, -1) + rng.integers(-4, 5, (side, side, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{i:05}.png")
    return folder


def reading(folder: Path, count: int) -> float:
    """Seconds in which so many processes read a folder."""
    code = (
        "import sys, time; from pathlib import Path; from priorcraft.datasets import folder\n"
        "folder.processors = lambda: int(sys.argv[2]); began = time.monotonic()\n"
        "folder.open_folder(Path(sys.argv[1])); print(time.monotonic() - began)"
    )
    done = subprocess.run([sys.executable, "-c", code, folder, str(count)], capture_output=True, text=True, check=True)
    return float(done.stdout)


PARTS = {each.__name__: each for each in (tables, prepared, processes, bits, sampling, imputing, images)}


def main() -> None:
    """Runs the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--small", action="store_true", help="a tenth of the sizes, or less")
    asked_for = parser.parse_args()
    print("| figure | found | floor |\n|---|---|---|")
    for name in asked_for.parts or PARTS:
        place = Path(tempfile.mkdtemp(prefix="priorcraft-scale-"))
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        try:
            PARTS[name](place, asked_for.small)
        finally:
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
