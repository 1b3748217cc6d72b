"""Every command that writes, on runs and files so small that each takes a fraction of a second."""

import errno
import io
import shutil
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

import priorcraft as pc
from faults.injected import Starving, failing
from priorcraft import disk
from priorcraft.cli import main

PETS = "kind,weight,legs\n" + "".join(
    f"{('cat', 'dog', 'hen')[i % 3]},{3 + i % 7 + i % 3 * 4}.5,{(4, 4, 2)[i % 3]}\n" for i in range(60)
)

# name -> the words; {} is a folder of `prepared`, and what is written is called out, with an ending or without one
COMMANDS = {
    "sample": "sample {}/nb -n 3 --out {}/out.npz",
    "sample picture": "sample {}/nb -n 3 --out {}/out.png",
    "sample table": "sample {}/pets -n 4 --out {}/out.csv",
    "sample parquet": "sample {}/pets -n 4 --out {}/out.parquet",
    "score": "score {}/nb --out {}/out.npz",
    "score table": "score {}/pets --out {}/out.csv",
    "classify": "classify {}/nb --out {}/out.npz",
    "classify table": "classify {}/pets --out {}/out.csv",
    "classify plot": "classify {}/nb --plot {}/out.png",
    "unusual": "unusual {}/nb --out {}/out.npz",
    "unusual table": "unusual {}/pets --out {}/out.parquet",
    "inpaint": "inpaint {}/nb {}/image.png --mask left -n 2 --draws 4 --out {}/out.npz",
    "inpaint sheet": "inpaint {}/nb {}/image.png --mask left -n 2 --draws 4 --out {}/out.png",
    "inpaint restored": "inpaint {}/nb {}/image.png {}/other.png --mask left -n 2 --draws 4 --restored {}/out",
    "upscale": "upscale {}/nb {}/small.png -n 2 --draws 4 --out {}/out.npz",
    "impute": "impute {}/nb {}/holes.npz -n 1 --draws 4 --out {}/out.npz",
    "impute table": "impute {}/pets {}/holes.csv -n 1 --draws 4 --out {}/out.csv",
    "translate": "translate {}/pairs {}/pairs.npz -n 2 --out {}/out.npz",
    "translate sheet": "translate {}/pairs {}/pairs.npz -n 2 --out {}/out.png",
    "augment": "augment {}/x.npz {}/nb --per-class 2 --repeats 1 --classifier logistic --out {}/out.npz",
    "augment folder": "augment {}/x.npz {}/nb --per-class 2 --repeats 1 --classifier logistic --out {}/out",
    "encode": "encode {}/vae --limit 5 --out {}/out.npz",
    "decode": "decode {}/vae {}/z.npz --out {}/out.npz",
    "interpolate": "interpolate {}/vae 0 7 --out {}/out.png",
    "traverse": "traverse {}/vae 3 --latents 0,1 --out {}/out.png",
    "analogy": "analogy {}/vae 1 2 3 --out {}/out.npz",
    "latent-map": "latent-map {}/vae --limit 9 --tiles 2 --out {}/out.png",
    "calibrate": "calibrate {}/nb --sets 20 --draws 9 --out {}/out.png",
    "bayes": "bayes {}/p.csv --query x --given y=1 --plot {}/out.png",
    "data": "data {}/x.npz --out {}/out",
    "data prepared": "data {}/x.npz --prepare --out {}/out",
    "bulk": "bulk {}/nb sample -n 20 --out {}/out",
    "bulk score": "bulk {}/pets score {}/pets.parquet --out {}/out",
    "compare": "compare {}/x.npz --models naive-bayes --steps 2 --quiet --out {}/out",
    "fit": "fit {}/x.npz masked-mlp --set width=4 --set orders=1 --steps 3 --quiet --out {}/out",
}
RESUMED = {"fit": "fit --resume --quiet --out {}/out"}
GOES_ON = {"fit", "compare", "bulk", "bulk score"}  # leave what is finished, and go on or begin anew


def words(command: str, place: Path) -> list[str]:
    """What is typed in a folder."""
    return [word.format(place) for word in command.split()]


def prepared(place: Path) -> Path:
    """The runs and files that the commands ask about."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (60, 1, 4, 4))
    np.savez(place / "x.npz", x=x, y=np.arange(60) % 2, levels=3)
    np.savez(place / "pairs.npz", a=x, b=2 - x, levels=3)
    np.savez(place / "holes.npz", x=np.where(np.arange(16).reshape(1, 4, 4) < 8, np.nan, x[:2]))
    (place / "pets.csv").write_text(PETS)
    (place / "holes.csv").write_text("kind,weight,legs\ncat,,4\n,9.5,\n")
    (place / "p.csv").write_text("x,y,p\n0,0,.1\n0,1,.2\n1,0,.3\n1,1,.4\n")
    for name, side in (("image", 4), ("other", 4), ("small", 2)):
        Image.fromarray(rng.integers(0, 256, (side, side)).astype("uint8")).save(place / f"{name}.png")
    import pyarrow.csv
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.csv.read_csv(place / "pets.csv"), place / "pets.parquet")
    pc.fit(place / "x.npz", "naive-bayes", out=place / "nb", steps=2)
    vae = {"width": 4, "latent": 2}
    pc.fit(place / "x.npz", "flat-vae", out=place / "vae", steps=2, settings=vae)
    pc.fit(place / "pets.csv", "chow-liu", out=place / "pets", steps=2, reading={"label": "kind"})
    pc.fit(place / "pairs.npz", "masked-mlp", out=place / "pairs", steps=2, pairs=True, settings={"width": 4})
    pc.encode(place / "vae", limit=5).save(place / "z.npz")
    return place


def kept(place: Path) -> dict[str, bytes]:
    """Every file, hidden ones too, by its name."""
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


def cleared(place: Path) -> None:
    """Takes away what a command wrote."""
    for path in (*place.glob("out*"), *place.glob(".*.tmp")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def typed(*typed_words: object) -> tuple[int, str]:
    """Runs a command in this process, in a terminal of ASCII alone: its exit code, and what it says on stderr."""
    code, _, said = told(*typed_words)
    return code, said


def told(*typed_words: object) -> tuple[int, str, str]:
    """The same, and what it prints."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True) for _ in range(2))
    code = 0
    with redirect_stderr(errors), redirect_stdout(output):
        try:
            main([str(word) for word in typed_words])
        except SystemExit as left:
            code = int(left.code or 0)
    return (code, *(stream.buffer.getvalue().decode() for stream in (output, errors)))


def essence(place: Path) -> dict[str, bytes]:
    """What a command wrote, without what tells the time."""
    own = {name: data for name, data in kept(place).items() if name.startswith("out")}
    if not (place / "out" / "config.json").exists() and not (place / "out" / "comparison.json").exists():
        return own
    newest = {name: data for name, data in own.items() if name.endswith(("model.safetensors", "comparison.json"))}
    return newest | {name: b"" for name in own if name.endswith("report.html")}


def again(name: str, place: Path) -> list[str]:
    """What is typed after a fault: the same, or what goes on or begins anew where something is there."""
    same = words(COMMANDS[name], place)
    if name in RESUMED and (place / "out" / "config.json").exists():
        return words(RESUMED[name], place)
    return [*same, "--overwrite"] if name == "compare" and (place / "out" / "comparison.json").exists() else same


@dataclass(frozen=True)
class Command:
    """A command that writes, and what it leaves when nothing disturbs it.

    Args:
        name: in `COMMANDS`.
        place: a folder of `prepared`.
        whole: what it writes.
        rest: every other file there.
        said: what it prints.
        operations: how many operations it takes.
        seconds: and how long.
    """

    name: str
    place: Path
    whole: dict[str, bytes]
    rest: dict[str, bytes]
    said: str
    operations: int
    seconds: float

    @classmethod
    @cache
    def run(cls, name: str, place: Path) -> "Command":
        """Runs it undisturbed."""
        cleared(place)
        rest = kept(place)
        began = time.monotonic()
        with failing(None) as done:
            code, printed, said = told(*words(COMMANDS[name], place))
        seconds = time.monotonic() - began
        assert code == 0, (name, said)
        whole = essence(place)
        assert whole, name
        cleared(place)
        return cls(name, place, whole, rest, printed, len(done), seconds)

    def disturbed(self, k: int, code: int) -> list[str]:
        """What goes otherwise than it must when the k-th operation fails, with an old answer there, too."""
        one_file = len(self.whole) == 1 and "/" not in next(iter(self.whole))
        return self._new(k, code) + (self._replaced(k, code) if one_file else [])

    def _new(self, k: int, code: int) -> list[str]:
        cleared(self.place)
        with failing(k, code) as done:
            exit_code, said = typed(*words(COMMANDS[self.name], self.place))
        wrong = self._sentence(exit_code, said, code)
        left = {} if self.name in GOES_ON else essence(self.place)
        wrong += [] if left in ({}, self.whole) else [f"left {[*left]}"]
        wrong += [] if done[k : k + 1] == ["unlink"] or done[k : k + 1] == ["rmdir"] else self.temporaries()
        return [f"{self.name}, {done[k] if k < len(done) else k} {k}: {each}" for each in wrong + self.repeated()]

    def _replaced(self, k: int, code: int) -> list[str]:
        cleared(self.place)
        (name,) = self.whole
        (self.place / name).write_bytes(b"OLD")
        with failing(k, code) as done:
            exit_code, said = typed(*words(COMMANDS[self.name], self.place), "--overwrite")
        wrong = self._sentence(exit_code, said, code)
        left = (self.place / name).read_bytes() if (self.place / name).exists() else None
        wrong += [] if left in (b"OLD", self.whole[name]) else ["the old answer is lost"]
        wrong += [] if exit_code or left == self.whole[name] else ["no answer, and exit 0"]
        wrong += [] if done[k : k + 1] == ["unlink"] else self.temporaries()
        return [f"{self.name} over an old one, {k}: {each}" for each in wrong]

    def _sentence(self, exit_code: int, said: str, code: int) -> list[str]:
        if exit_code == 0:
            return []
        lines = [line for line in said.splitlines() if line.startswith("priorcraft: ")]
        wrong = [] if exit_code == 1 and len(lines) == 1 and "Traceback" not in said else [f"exit {exit_code}: {said}"]
        if "could not be written" not in said:
            wrong.append(f"no sentence: {said}")
        free = code != errno.ENOSPC or "free" in said
        return wrong if free else [*wrong, f"no bytes: {said}"]

    def killed(self, kill: Callable[[Callable[[], object]], object]) -> list[str]:
        """What goes otherwise than it must when it is killed by `kill`, which is given what to run."""
        cleared(self.place)
        kill(lambda: typed(*words(COMMANDS[self.name], self.place)))
        left = {} if self.name in GOES_ON else essence(self.place)
        wrong = [] if left in ({}, self.whole) else [f"left {[*left]}"]
        wrong += self.repeated()
        disk.sweep(self.place)  # as the next answer in this folder does
        return [f"{self.name} killed: {each}" for each in wrong + self.temporaries()]

    def starved(self, share: float) -> list[str]:
        """What goes otherwise than it must when there is no memory for an operation of torch, at a share of them."""
        cleared(self.place)
        with Starving(None) as count:
            typed(*words(COMMANDS[self.name], self.place))
        cleared(self.place)
        k = int(share * count.done)
        with Starving(k):
            exit_code, said = typed(*words(COMMANDS[self.name], self.place))
        told = exit_code == 0 or (exit_code == 1 and "not enough memory" in said and "Traceback" not in said)
        wrong = [] if told or not count.done else [f"exit {exit_code}: {said}"]
        left = {} if self.name in GOES_ON else essence(self.place)
        wrong += [] if left in ({}, self.whole) else [f"left {[*left]}"]
        again = self.repeated() if exit_code or self.name not in GOES_ON else []  # in pieces it ends at other bits
        return [f"{self.name} starved, {k}: {each}" for each in wrong + again + self.temporaries()]

    def temporaries(self) -> list[str]:
        found = [str(p) for p in self.place.rglob("*") if p.name.endswith(".tmp")]
        other = {n: d for n, d in kept(self.place).items() if not n.startswith("out") and not n.endswith(".tmp")}
        return [f"left behind: {found}"] * bool(found) + ["another file changed"] * (other != self.rest)

    def repeated(self) -> list[str]:
        """What goes otherwise than it must when the command is typed again after a fault."""
        if self.name in GOES_ON or not essence(self.place):
            code, said = typed(*again(self.name, self.place))
            if code:
                return [f"typed again, exit {code}: {said}"]
        same = essence(self.place) == self.whole
        return [] if same else ["typed again, other bytes"]
