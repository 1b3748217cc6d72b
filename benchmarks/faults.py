"""The long version of tests/faults: hostile files, command lines and run folders, failing disks and kills, counted.

    python benchmarks/faults.py --files 10000 --lines 10000 --folders 1000 --errors 1000 --memory 20 --kills 200

Prints what went otherwise than it must (floor: 0 of each). Files, lines and folders are put to commands that have 2 GB
and a minute each; `--errors` is how many operations of each of the writing commands fail at most, once for a broken and
once for a full disk; `--memory` for how many of torch's operations in each there is none; kills fall half on a drawn
operation and half on a chance instant. 0 leaves a kind out.
"""

import argparse
import errno
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

# pyright: reportMissingImports=false
from crash import run_for, run_until_operation
from faults.arguments import furnish, lines, readings
from faults.limits import command, load_libraries
from faults.test_run_folders import spoil
from faults.writing import COMMANDS, Command, kept, prepared

RUNS = ("nb", "vae", "pets", "pairs")
ASKED = ("verify {}", "score {}", "sample {} -n 2 --out out.npz", "fit --resume --quiet --out {}")


def restored(place: Path, whole: Path, before: dict[str, bytes]) -> bool:
    """Takes away what was written; whether what was there is as it was, else it is made so again."""
    for path in place.iterdir():
        if not (whole / path.name).is_symlink() and not (whole / path.name).exists():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    same = kept(place) == before
    if not same:
        shutil.rmtree(place)
        shutil.copytree(whole, place, symlinks=True, copy_function=_copied)
    return same


def _copied(source: str, target: str) -> None:
    os.mkfifo(target) if Path(source).is_fifo() else shutil.copy2(source, target)


def furnished(place: Path) -> tuple[Path, Path]:
    """A folder to be harmed, and one to make it whole again."""
    whole, harmed = place / "whole", place / "harmed"
    whole.mkdir()
    furnish(prepared(whole))
    shutil.copytree(whole, harmed, symlinks=True, copy_function=_copied)
    return whole, harmed


def hostile_files(place: Path, seeds: range) -> Iterator[str]:
    """What is wrong with the answers to hostile files."""
    whole, harmed = furnished(place)
    before = kept(whole)
    for done, words in readings(harmed, seeds):
        yield from _asked(done, words, harmed)
        if not restored(harmed, whole, before):
            yield f"{done}: {words}: another file changed"


def hostile_lines(place: Path, seeds: range) -> Iterator[str]:
    """What is wrong with the answers to hostile command lines."""
    whole, harmed = furnished(place)
    before = kept(whole)
    for seed, words in lines(seeds):
        yield from _asked(str(seed), words, harmed)
        if not restored(harmed, whole, before):
            yield f"{seed}: {words}: another file changed"


def spoilt_folders(place: Path, seeds: range) -> Iterator[str]:
    """What is wrong with the answers to run folders that were tampered with."""
    whole, harmed = furnished(place)
    before = kept(whole)
    for seed in seeds:
        run, rng = RUNS[seed % len(RUNS)], random.Random(seed)
        done = "; ".join(spoil(harmed / run, rng) for _ in range(rng.choice([1, 1, 2])))
        for each in ASKED:
            yield from _asked(f"{seed} {run} {done}", each.format(run).split(), harmed)
        restored(harmed, whole, before)


def _asked(done: str, words: Sequence[str], place: Path) -> Iterator[str]:
    began = time.perf_counter()
    if wrong := command(words, place):
        yield f"{done}: {[word[:60] for word in words]}: {wrong}"
    if (seconds := time.perf_counter() - began) > 10:
        print(f"  {seconds:.0f} s: {done}: {[word[:60] for word in words]}", flush=True)


def failing_disks(place: Path, most: int, rng: random.Random) -> Iterator[str]:
    """What is wrong where an operation of a command fails."""
    prepared(place)
    for name in COMMANDS:
        written, began = Command.run(name, place), time.monotonic()
        tried = range(written.operations)
        for k in tried if len(tried) <= most else sorted(rng.sample(tried, most)):
            for code in (errno.EIO, errno.ENOSPC):
                yield from written.disturbed(k, code)
        print(f"  {name}: {min(most, len(tried))} of {len(tried)}, {time.monotonic() - began:.0f} s", flush=True)


def without_memory(place: Path, count: int, rng: random.Random) -> Iterator[str]:
    """What is wrong where there is no memory for an operation of a command."""
    prepared(place)
    for name in COMMANDS:
        written = Command.run(name, place)
        for _ in range(count):
            yield from written.starved(rng.random())


def killed(place: Path, count: int, rng: random.Random) -> Iterator[str]:
    """What is wrong after a kill."""
    prepared(place)
    known = dict[str, Command]()
    for i in range(count):
        name = [*COMMANDS][i // 2 % len(COMMANDS)]
        written = known[name] if name in known else known.setdefault(name, Command.run(name, place))
        if i % 2:
            operation = rng.randrange(written.operations)
            yield from written.killed(lambda script, k=operation: run_until_operation(script, k))
        else:
            instant = rng.uniform(0, 1.1) * written.seconds
            yield from written.killed(lambda script, s=instant: run_for(script, s))


def main() -> None:
    """Counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (
        ("files", 300),
        ("lines", 300),
        ("folders", 100),
        ("errors", 5),
        ("memory", 2),
        ("kills", 50),
        ("seed", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked, counts = parser.parse_args(), list[str]()
    load_libraries()
    first = asked.seed * 1_000_000
    kinds = {
        "files": lambda place, n: hostile_files(place, range(first, first + n)),
        "lines": lambda place, n: hostile_lines(place, range(first, first + n)),
        "folders": lambda place, n: spoilt_folders(place, range(first, first + n)),
        "errors": lambda place, n: failing_disks(place, n, random.Random(asked.seed)),
        "memory": lambda place, n: without_memory(place, n, random.Random(asked.seed)),
        "kills": lambda place, n: killed(place, n, random.Random(asked.seed)),
    }
    for name, kind in kinds.items():
        if n := getattr(asked, name):
            with tempfile.TemporaryDirectory() as folder:
                wrong = 0
                for each in kind(Path(folder), n):
                    wrong += 1
                    print(f"  {each}"[:600], flush=True)
                counts.append(f"{name} {n:,}: {wrong} wrong")
                print(counts[-1], flush=True)


if __name__ == "__main__":
    main()
