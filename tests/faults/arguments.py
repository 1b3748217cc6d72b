"""Hostile command lines without end: those of `writing`, with words that people, scripts and foes type."""

import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from faults.corpus import files
from faults.writing import COMMANDS, words
from priorcraft import declared, zoo

NUMBERS = ("nan", "inf", "-inf", "1e400", "-1e400", "-1", "0", "-0.0", "1.5", "0.0000001", "1" + "0" * 30, "9" * 5000)
NUMBERS += ("²", "٣", "1_0", "0x10", "1e3", " 7 ", "+3", "True", "2**70")
TEXTS = ("", " ", "\0", "a\0b", "\ud800", "a\nb", "é" * 300, "x" * 5000, "-", "--", "--json", "*", "../..", "a=b", "=")
TEXTS += ("label=", "=3", "label=nan", "x=1,y=2", ",", ",,,", "0,1", "null", "None", "{}", "[]", "'", '"', "%s", "{0}")
PATHS = (
    ".",
    "/",
    "..",
    "nb",
    "nb/config.json",
    "x.npz",
    "x.npz/y",
    "loop",
    "fifo",
    "empty",
    "empty.npz",
    "line\nbreak",
)
PATHS += ("gone.npz", "pets.csv", "image.png", "nb/checkpoints", "/dev/null", "/dev/zero", "z" * 300 + ".npz", "é.npz")
PATHS += ("pairs", "vae", "holes.npz", "z.npz", "images", "mixed")
LONG = {"--minutes", "--seconds", "--steps", "--sets", "--draws", "--repeats", "-n", "--n", "--per-class", "--depth"}
READERS = (  # commands that read a file
    "data {}", "data {} --label label", "fit {} naive-bayes --steps 2 --quiet --out out", "score nb --data {}",
    "classify nb --data {}", "unusual nb --data {}", "score pets --data {}", "classify pets --data {}",
    "inpaint nb {} --mask left -n 1 --draws 2 --out out.npz", "upscale nb {} -n 1 --draws 2 --out out.npz",
    "inpaint nb image.png --mask {} -n 1 --draws 2 --out out.npz", "impute nb {} -n 1 --draws 2 --out out.npz",
    "impute pets {} -n 1 --draws 2 --out out.csv", "translate pairs {} -n 1 --out out.npz", "decode vae {} --out o.npz",
    "encode vae --data {} --out out.npz", "bayes {} --query x", "evaluate nb --samples {}", "verify {}",
    "augment {} nb --per-class 2 --repeats 1 --classifier logistic --out out.npz", "sample {} --out out.npz",
    "bulk nb score {} --out out", "data {} --prepare --out out", "translate pairs {} -n 1 --out out.png",
    "inpaint {} --mask left --out out.png", "upscale {} --factor 2 --out out.png",
)  # fmt: skip


def furnish(place: Path) -> None:
    """Puts things into a folder that are no files, or not the ones that were meant."""
    (place / "loop").symlink_to("loop")
    os.mkfifo(place / "fifo")
    (place / "empty").mkdir()
    (place / "empty.npz").write_bytes(b"")
    (place / "line\nbreak").mkdir()
    for name in ("images", "mixed"):
        (place / name / "a").mkdir(parents=True)
        for i in range(3):
            (place / name / "a" / f"{i}.png").write_bytes((place / "image.png").read_bytes())
    (place / "mixed" / "a" / "t.csv").write_text("a,b\n1,2\n")
    (place / "mixed" / "metadata.parquet").write_bytes(b"PAR1")


@cache
def options(verb: str) -> tuple[str, ...]:
    """Every option of a command."""
    found = declared.verb(verb.replace("-", "_"))
    own = tuple(each.option for each in (*found.arguments, *declared.reading()))
    return (*own, *(f"--{each.name}" for each in found.writes), "--device", "--workers", "--on")


def value(option: str, rng: random.Random) -> str:
    """Something that may not be what an option takes; nothing that could be a wish for hours of work."""
    if option == "--set":
        model = rng.choice(list(zoo.ZOO))
        name = rng.choice([each.name for each in zoo.settings_of(model)])
        return f"{name}={value('', rng)}"
    kinds = [NUMBERS, TEXTS, PATHS]
    found = rng.choice(rng.choice(kinds))
    return "-3" if option in LONG and found in ("1" + "0" * 30, "1e3") else found


def lines(seeds: range) -> Iterator[tuple[int, list[str]]]:
    """One hostile command line a seed, to be typed in a folder of `prepared` and `furnish`."""
    for seed in seeds:
        rng = random.Random(seed)
        line = words(rng.choice(list(COMMANDS.values())), Path("."))
        for _ in range(rng.choice([1, 1, 2])):
            if rng.random() < 0.5:
                at = rng.randrange(1, len(line))
                line[at] = value(line[at - 1], rng)
            else:
                option = rng.choice(options(line[0]))
                line += [option, value(option, rng)]
        yield seed, line


def readings(place: Path, seeds: range) -> Iterator[tuple[str, list[str]]]:
    """One hostile file a seed, and a command that shall read it; the file stays."""
    for done, path in files(place, seeds):
        yield done, words(random.Random(f"{done}").choice(READERS), Path(path.name))
