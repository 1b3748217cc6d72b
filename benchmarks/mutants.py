"""Mistakes put into the source, one at a time and drawn by a seed, and whether the suite sees them.

    pip install --target COV coverage                                        # needed for the map alone
    PYTHONPATH=COV python benchmarks/mutants.py map --out MAP                # which test runs which line: once
    PYTHONPATH=COV python benchmarks/mutants.py run --map MAP --n 100 --seed 1

A mistake is a comparison, a connective, an arithmetic sign, a small whole number, a truth, min and max, a condition or
a returned value that is another one; it is written into a copy of the tree, so that processes of the tests see it too.
The tests are those of the README's command and the doctests: whichever run the line, the quick ones first, then the
files that name most of what its module defines. A mistake counts as seen when a test fails, or does not end.

Left alone, as choices whose other value is as right: constants in capitals, defaults of arguments and fields, ranges in
annotations, whole numbers above 16 other than 255 and 256 (sizes of blocks, rounds, widths in pixels), the digits to
which a number is rounded, `strict` of zip, numbers of the layout of pages and pictures (`report/`, `cli/show.py`).
"""

import argparse
import ast
import importlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "priorcraft"
AWAY = ("tests/test_house.py", "tests/test_speed.py", "benchmarks")  # linters and clocks
DOCTESTS = ("--doctest-modules", "--doctest-glob=docs/*.md")
LIBRARIES = ("torch", "sklearn.datasets", "scipy.stats", "pyarrow.parquet", "PIL.Image", "pandas", "hypothesis")
TUNED, LIMITS = 16, (255, 256)
ASSERTIONS = ("strict",)  # of zip: lengths that are equal by construction
LAYOUT = ("report/", "cli/show.py")
FLIPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip
COLLECTED = {0: "", 1: "a test", 2: "the import of a test"}  # exit codes of pytest that no test stands for
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}


# ---------------------------------------------------------------------------------------------------- the mistakes


@dataclass(frozen=True)
class Mutant:
    """A mistake: in which file, at which node of its tree (by its number in `ast.walk`), in which of its ways."""

    file: str
    node: int
    way: int
    lines: tuple[int, int]
    said: str

    def text(self) -> str:
        """The file with the mistake in it."""
        tree = ast.parse((SOURCE / self.file).read_text("utf-8"))
        node = list(ast.walk(tree))[self.node]
        list(ways(node))[self.way][1](node)
        return ast.unparse(ast.fix_missing_locations(tree))


def ways(node: ast.AST) -> Iterator[tuple[str, Callable[[Any], object]]]:
    """What a node may be instead: in words, and a function that makes it so."""
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            if type(op) in FLIPPED:
                new = FLIPPED[type(op)]
                yield f"{type(op).__name__} -> {new.__name__}", lambda n, i=i, new=new: n.ops.__setitem__(i, new())
    elif isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in FLIPPED:
        new = FLIPPED[type(node.op)]
        yield f"{type(node.op).__name__} -> {new.__name__}", lambda n, new=new: setattr(n, "op", new())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} -> {not node.value}", lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        if node.value <= TUNED or node.value in LIMITS:
            for step in (1, -1):
                yield f"{node.value} -> {node.value + step}", lambda n, step=step: setattr(n, "value", n.value + step)
    elif isinstance(node, ast.Name) and node.id in SWAPPED:
        yield f"{node.id} -> {SWAPPED[node.id]}", lambda n: setattr(n, "id", SWAPPED[n.id])
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare):
        yield "condition negated", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    elif isinstance(node, ast.Return) and not (node.value is None or isinstance(node.value, ast.Constant)):
        yield "returns None", lambda n: setattr(n, "value", ast.Constant(None))


def choices(file: str, tree: ast.Module) -> set[int]:
    """The nodes (by id) that are choices and no logic."""
    roots: list[ast.AST | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            roots += [*node.args.defaults, *node.args.kw_defaults, getattr(node, "returns", None)]
            roots += getattr(node, "decorator_list", [])
        elif isinstance(node, ast.ClassDef):
            roots += node.decorator_list
            roots += [each.value for each in node.body if isinstance(each, ast.AnnAssign | ast.Assign)]
        elif isinstance(node, ast.arg):
            roots.append(node.annotation)
        elif isinstance(node, ast.AnnAssign):
            roots += [node.annotation, node.value if node in tree.body else None]
        elif isinstance(node, ast.Assign) and node in tree.body:
            roots.append(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "round":
            roots += node.args[1:]
        elif isinstance(node, ast.keyword) and node.arg in ASSERTIONS:
            roots.append(node.value)
    found = {id(each) for root in roots if root is not None for each in ast.walk(root)}
    if file.startswith(LAYOUT):
        found |= {id(each) for each in ast.walk(tree) if isinstance(each, ast.Constant)}
    return found


def mutants(file: str) -> Iterator[Mutant]:
    """Every mistake that can be made in a file."""
    tree = ast.parse((SOURCE / file).read_text("utf-8"))
    chosen = choices(file, tree)
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in chosen:
            for way, (said, _) in enumerate(ways(node)):
                head = getattr(node, "test", node)  # of a branch, its condition alone
                yield Mutant(file, number, way, (head.lineno, head.end_lineno), said)


def drawn(n: int, seed: int) -> list[Mutant]:
    """So many of all mistakes, each as likely as any other."""
    files = sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))
    every = [mutant for file in files for mutant in mutants(file)]
    return random.Random(seed).sample(every, n)


# ---------------------------------------------------------------------------------------------------- their tests


class Recorder:
    """A plugin of pytest that notes which lines each test that passes runs, with its wider fixtures, and how long."""

    def __init__(self, out: Path) -> None:
        from coverage import Coverage

        self.out, self.began, self.now = out, 0.0, ""
        self.seconds, self.uses, self.failed = dict[str, float](), dict[str, list[str]](), set[str]()
        self.coverage = Coverage(data_file=str(out), source=[str(SOURCE)], config_file=False, messages=False)
        self.coverage.start()

    def pytest_runtest_protocol(self, item: Any) -> None:
        """A test begins."""
        self.now, self.began = item.nodeid, time.process_time()
        known = getattr(item, "_fixtureinfo", None)
        wide = [d[-1] for d in known.name2fixturedefs.values() if d[-1].scope != "function"] if known else []
        self.uses[item.nodeid] = [f"{each.baseid} {each.argname}" for each in wide]
        self.coverage.switch_context(item.nodeid)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """What a fixture runs belongs to every test that uses it."""
        if fixturedef.scope != "function":
            self.coverage.switch_context(f"{fixturedef.baseid} {fixturedef.argname}")
        yield
        self.coverage.switch_context(self.now)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test that does not pass by itself sees nothing."""
        if not report.passed:
            self.failed.add(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """It has ended."""
        self.seconds[nodeid] = round(time.process_time() - self.began, 2)
        self.coverage.switch_context("")

    def pytest_sessionfinish(self) -> None:
        """All have."""
        self.coverage.stop()
        self.coverage.save()
        kept = {test: [spent, self.uses[test]] for test, spent in self.seconds.items() if test not in self.failed}
        self.out.with_suffix(".json").write_text(
            json.dumps({"commit": git("rev-parse", "HEAD").strip(), "tests": kept})
        )


def recorded(out: Path, files: list[str]) -> None:
    """Runs tests and writes which lines each of them meets."""
    out.mkdir(parents=True, exist_ok=True)
    name = f"lines-{os.getpid()}"
    away = [f"--ignore={each}" for each in AWAY]
    plain = [
        *(files or ["tests", "src", "docs"]),
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        "-m",
        "not slow",
    ]
    pytest.main([*plain, "-q", *DOCTESTS, *away], plugins=[Recorder(out / name)])


# ------------------------------------------------------------------------------------------------------ the trials


@dataclass(frozen=True)
class Map:
    """Which tests run which lines, and the seconds of each."""

    seconds: dict[str, float]
    uses: dict[str, list[str]]
    lines: list[Any]
    commits: list[str]

    @classmethod
    def read(cls, folder: Path) -> "Map":
        """What `map` has written."""
        from coverage import CoverageData

        found = cls({}, {}, [], [])
        for path in sorted(folder.glob("*.json")):
            data = CoverageData(str(path.with_suffix("")))
            data.read()
            found.lines.append(data)
            said = json.loads(path.read_text())
            found.commits.append(said["commit"])
            for test, (spent, wide) in said["tests"].items():
                found.seconds[test], found.uses[test] = spent, wide
        return found

    def meeting(self, mutant: Mutant) -> list[str]:
        """The tests that run a line of a mistake, quick ones first; of what the import runs, any of the file."""
        contexts = dict[int, set[str]]()
        for data, commit in zip(self.lines, self.commits, strict=True):
            ending = f"/priorcraft/{mutant.file}"
            measured = next((each for each in data.measured_files() if each.endswith(ending)), None)
            now = moved(mutant.file, commit) if measured else {}
            for line, names in data.contexts_by_lineno(measured).items() if measured else ():
                contexts.setdefault(now.get(line, 0), set()).update(names)
        own = set().union(*(contexts.get(line, set()) for line in range(mutant.lines[0], mutant.lines[1] + 1)))
        if "" in own or not own:  # the module's import
            own = set().union(*contexts.values())
        tests = [test for test, wide in self.uses.items() if test in own or own & {*wide}]
        if not mutant.file.startswith("studio"):  # whose tests make a workspace first
            tests = [test for test in tests if not test.startswith("tests/studio")] or tests
        named = naming(mutant.file)
        return sorted(tests, key=lambda test: self.seconds[test] * (1 if test.split("::")[0] in named else 3))

    def chosen(self, mutant: Mutant, budget: float) -> list[str]:
        """The tests of a mistake, for so many seconds."""
        tests, total = list[str](), 0.0
        meeting = self.meeting(mutant)
        rest = [test for file in naming(mutant.file) for test in self.seconds if test.split("::")[0] == file]
        for test in dict.fromkeys([*meeting, *sorted(rest, key=lambda test: self.seconds[test])]):
            if total + self.seconds[test] <= budget or not tests:
                tests.append(test)
                total += self.seconds[test]
        return tests


def naming(file: str, most: int = 3) -> list[str]:
    """The test files that name most of what a module defines, rare names counting more."""
    module = "priorcraft." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    tree = ast.parse((SOURCE / file).read_text("utf-8"))
    defined = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    names = {name for name in defined if not name.startswith("__")}
    texts = {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in (ROOT / "tests").rglob("test_*.py")}
    words = {path: {*re.findall(r"\w+", text)} for path, text in texts.items() if not path.startswith(AWAY)}
    rare = {name: 1 / max(1, sum(name in found for found in words.values())) for name in names}
    score = {p: sum(rare[name] for name in names & found) + 3 * (module in texts[p]) for p, found in words.items()}
    return [path for path in sorted(score, key=lambda path: -score[path])[:most] if score[path] > 0]


def still_there(seconds: dict[str, float]) -> set[str]:
    """The tests of a map that are there by now."""
    words = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-o",
        "addopts=",
        *DOCTESTS,
        *{t.split("::")[0] for t in seconds},
    ]
    found = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    )
    return {*found.stdout.splitlines()} & seconds.keys()


def git(*words: str) -> str:
    """What git says."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@cache
def moved(file: str, commit: str) -> dict[int, int]:
    """Where the lines of a file of an earlier commit stand by now."""
    before = git("show", f"{commit}:src/priorcraft/{file}").splitlines()
    after = (SOURCE / file).read_text("utf-8").splitlines()
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return {block.a + i + 1: block.b + i + 1 for block in blocks for i in range(block.size)}


def copied(place: Path) -> Path:
    """The tree as git knows it, elsewhere."""
    for name in filter(None, git("ls-files").split("\n")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name, follow_symlinks=False)
    return place


def tried(mutant: Mutant | None, tests: list[str], place: Path, limit: float) -> str:
    """The test that sees a mistake (None: no mistake) in a copy of the tree, or "" for none."""
    file = place / "src" / "priorcraft" / (mutant.file if mutant else "errors.py")
    whole, said = file.read_text("utf-8"), place / "said"
    said.unlink(missing_ok=True)
    if mutant:
        file.write_text(mutant.text(), "utf-8")
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
        _run(tests, place, said)
    status = os.waitpid(pid, 0)[1]
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what it began and left
    file.write_text(whole, "utf-8")
    if os.WIFSIGNALED(status):
        return f"no end within {limit:.0f} s"
    return said.read_text() if said.exists() else COLLECTED[os.waitstatus_to_exitcode(status)]


class Teller:
    """A plugin of pytest that says which test has failed."""

    def __init__(self, said: Path) -> None:
        self.said = said

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Writes its name."""
        if report.failed:
            self.said.write_text(report.nodeid)


def _run(tests: list[str], place: Path, said: Path) -> None:
    """Runs tests over a copy of the tree; does not return."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.chdir(place)
    sys.path[:0] = [str(place / "src")]
    os.environ["PYTHONPATH"], os.environ["PYTHONDONTWRITEBYTECODE"] = str(place / "src"), "1"
    plain = ["-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "--timeout=120"]
    try:
        status = pytest.main([*tests, *plain, *DOCTESTS], plugins=[Teller(said)])
    except BaseException:
        status = 1
    os._exit(int(status))


def main() -> None:
    """Maps, or counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["map", "run"])
    parser.add_argument("files", nargs="*", help="of tests, to be mapped")
    parser.add_argument("--map", type=Path, default=Path("map"))
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="*", help="these numbers of the n")
    parser.add_argument("--seconds", type=float, default=60.0, help="of tests for one mistake")
    asked = parser.parse_args()
    os.chdir(ROOT)
    if asked.what == "map":
        sys.path.insert(0, str(SOURCE.parent))
        recorded(asked.map.absolute(), asked.files)
        return
    found, seen = Map.read(asked.map), 0
    for name in LIBRARIES:
        importlib.import_module(name)  # once, before the processes part
    there = still_there(found.seconds)
    found = replace(found, seconds={t: s for t, s in found.seconds.items() if t in there})
    found = replace(found, uses={t: wide for t, wide in found.uses.items() if t in there})
    numbers = asked.only or range(asked.n)
    with tempfile.TemporaryDirectory() as folder:
        place = copied(Path(folder))
        for number in numbers:
            mutant = drawn(asked.n, asked.seed)[number]
            tests = found.chosen(mutant, asked.seconds)
            by = tried(mutant, tests, place, 30 + 4 * asked.seconds) if tests else ""
            seen += bool(by)
            at = f"{mutant.file}:{mutant.lines[0]}"
            print(
                f"{number:3} {'seen' if by else 'SURVIVED'} {at}: {mutant.said} ({len(tests)} tests) {by}", flush=True
            )
    print(f"seen {seen} of {len(numbers)} (seed {asked.seed})")


if __name__ == "__main__":
    main()
