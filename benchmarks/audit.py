"""The numbers of README and docs, measured again: each run of `benchmarks/audit.toml`, beside what the pages say.

    python benchmarks/audit.py [--draw N] [--seed S] [WORD ...]

All figures whose page or anchor holds one of the words, or all, or N of them drawn at random. A run at reduced size has
to come within the stated distance of the printed figure. Those that are not run again are listed with the reason.
"""

import argparse
import random
import re
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Check:
    """One printed number and how it is found again.

    Args:
        says: a pattern that holds the number on the page, as its group; a share has two, how many and of how many.
        finds: a pattern that holds it in what the run prints, likewise.
        within: how far it may lie from the printed one; what chance, size and machine make of it.
    """

    says: str
    finds: str
    within: float


@dataclass(frozen=True)
class Figure:
    """A table, a block or a sentence of numbers on a page.

    Args:
        page: the file, from the root.
        anchor: words that stand in it and nowhere else on the page.
        kind: exact, lower bound, share, ratio, seconds ...
        n: rows, draws or seeds behind each number.
        interval: of what size chance is, or the control beside it.
        seed: of the run.
        script: what printed it.
        run: the same at reduced size; "" where there is none.
        why: then, why not.
        checks: numbers that `run` prints again.
    """

    page: str
    anchor: str
    kind: str
    n: str
    interval: str
    seed: int
    script: str
    run: str = ""
    why: str = ""
    checks: tuple[Check, ...] = ()

    @property
    def text(self) -> str:
        """Its page."""
        return (ROOT / self.page).read_text("utf-8")

    def printed(self, check: Check) -> float:
        """The number on the page."""
        found = re.search(check.says, self.text, re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.page} does not say {check.says!r}")
        return number(found)


def number(found: re.Match[str]) -> float:
    """What a pattern found: its group, or the first over the second."""
    first, *rest = map(float, found.groups())
    return first / rest[0] if rest else first


def figures() -> list[Figure]:
    """All of `audit.toml`."""
    table = tomllib.loads((ROOT / "benchmarks" / "audit.toml").read_text("utf-8"))
    return [
        Figure(**{**entry, "checks": tuple(Check(**check) for check in entry.get("checks", ()))})
        for entry in table["figure"]
    ]


@cache
def output(command: str) -> str:
    """What a command prints, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        words = command.replace("benchmarks/", f"{ROOT}/benchmarks/")
        done = subprocess.run(["sh", "-c", words], cwd=folder, capture_output=True, text=True)
    return done.stdout + (f"\n{done.stderr}" if done.returncode else "")


def measured(figure: Figure) -> list[tuple[str, bool]]:
    """A line a number, and whether it is as the page says."""
    lines = list[tuple[str, bool]]()
    for check in figure.checks:
        said, found = figure.printed(check), re.search(check.finds, output(figure.run), re.MULTILINE)
        if found is None:
            lines.append((f"{said:g} said, none found: {output(figure.run).strip()[-300:]}", False))
            continue
        right = abs(number(found) - said) <= check.within
        lines.append((f"{said:g} said, {number(found):g} found, {check.within:g} allowed", right))
    return lines


def main() -> None:
    """Prints each number beside what it was measured as now."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--draw", type=int)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chosen = [f for f in figures() if not asked.words or any(w in f"{f.page} {f.anchor}" for w in asked.words)]
    again = [f for f in chosen if f.run]
    if asked.draw is not None:
        again = random.Random(asked.seed).sample(again, min(asked.draw, len(again)))
    right = wrong = 0
    for figure in again:
        print(f"{figure.page}: {figure.anchor} ({figure.kind}; {figure.run})", flush=True)
        for line, fine in measured(figure):
            print(f"  {'right' if fine else 'WRONG'}: {line}", flush=True)
            right, wrong = right + fine, wrong + (not fine)
    left = [f for f in chosen if not f.run]
    print(f"{right} numbers as said, {wrong} not; {len(left)} of {len(chosen)} figures are not run again:")
    for figure in left:
        print(f"  {figure.page}: {figure.anchor}: {figure.why}")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
