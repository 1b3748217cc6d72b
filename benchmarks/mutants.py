"""Mistakes put into the source, one at a time and drawn by a seed, and whether the suite sees them.

    python benchmarks/mutants.py run --n 100 --seed 1                # draws mistakes, runs the tests that name each
    python benchmarks/mutants.py map --out map.json                  # which test runs which function: once
    python benchmarks/mutants.py run --map map.json --n 100 --seed 1 # and first those that meet it

A mistake is a comparison, a connective, an arithmetic sign, a whole number, a truth, min and max, a condition or a
returned value that is another one. The tests that name it are the files that name most of what its module defines, and
of modules that import it. Declared numbers (constants in capitals, defaults, ranges in annotations) are choices and no
logic, and are left alone. A mistake counts as seen when a test fails, or does not end that ends in a hundredth of the
time without it; "cut off" are those whose tests were not through in time, and are not counted as seen.
"""

import argparse
import ast
import importlib
import importlib.machinery
import json
import os
import random
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "priorcraft"
ALONE = (
    "tests/test_workers.py",
    "tests/studio",
    "tests/test_house.py",
)  # processes, browsers and the linters of their own
AWAY = (
    *ALONE,
    "tests/test_speed.py",
    "tests/test_sanity.py",
    "tests/test_resume.py",
    "tests/test_chunks.py",
)  # slow ones
FLIPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Seen:
    """A plugin of pytest that notes which functions of the source each test runs, and for how long."""

    def __init__(self, out: Path) -> None:
        self.out, self.found, self.now, self.began = out, dict[str, tuple[float, list[str]]](), set[CodeType](), 0.0

    def trace(self, frame: FrameType, event: str, arg: object) -> None:
        """Notes a call."""
        self.now.add(frame.f_code)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self.now, self.began = set(), time.process_time()
        sys.settrace(self.trace)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """It has ended."""
        sys.settrace(None)
        own = (code for code in self.now if code.co_filename.startswith(str(SOURCE)))
        places = sorted({f"{Path(c.co_filename).relative_to(SOURCE)}:{c.co_firstlineno}" for c in own})
        self.found[nodeid] = (round(time.process_time() - self.began, 2), places)

    def pytest_sessionfinish(self) -> None:
        """All have."""
        self.out.write_text(json.dumps(self.found))


def mapped(out: Path, files: list[str]) -> None:
    """Runs tests and writes which functions each of them meets."""
    import pytest

    away = [f"--ignore={name}" for name in ALONE]
    pytest.main([*(files or ["tests"]), "-q", "-p", "no:cacheprovider", *away], plugins=[Seen(out)])


@dataclass(frozen=True)
class Mutant:
    """A mistake: in which file, at which node of its tree (by its number in `ast.walk`), in which of its ways."""

    file: str
    node: int
    way: int
    line: int
    said: str

    def tree(self) -> ast.Module:
        """The file with the mistake in it."""
        tree = ast.parse((SOURCE / self.file).read_text("utf-8"))
        node = list(ast.walk(tree))[self.node]
        list(ways(node))[self.way][1](node)
        return ast.fix_missing_locations(tree)


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
        for step in (1, -1):
            yield f"{node.value} -> {node.value + step}", lambda n, step=step: setattr(n, "value", n.value + step)
    elif isinstance(node, ast.Name) and node.id in SWAPPED:
        yield f"{node.id} -> {SWAPPED[node.id]}", lambda n: setattr(n, "id", SWAPPED[n.id])
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare):
        yield "condition negated", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    elif isinstance(node, ast.Return) and not (node.value is None or isinstance(node.value, ast.Constant)):
        yield "returns None", lambda n: setattr(n, "value", ast.Constant(None))


def declarations(tree: ast.Module) -> set[int]:
    """The nodes (by id) that are choices and no logic: annotations, defaults, constants in capitals, decorators."""
    roots: list[ast.AST | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            roots += [*node.args.defaults, *node.args.kw_defaults, getattr(node, "returns", None)]
            roots += getattr(node, "decorator_list", [])
        elif isinstance(node, ast.ClassDef):
            roots += node.decorator_list
        elif isinstance(node, ast.arg):
            roots.append(node.annotation)
        elif isinstance(node, ast.AnnAssign):
            roots += [node.annotation, node.value if node in tree.body else None]
        elif isinstance(node, ast.Assign) and node in tree.body:
            roots.append(node)
    return {id(each) for root in roots if root is not None for each in ast.walk(root)}


def mutants(file: str) -> Iterator[Mutant]:
    """Every mistake that can be made in a file."""
    tree = ast.parse((SOURCE / file).read_text("utf-8"))
    declared = declarations(tree)
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in declared:
            for way, (said, _) in enumerate(ways(node)):
                yield Mutant(file, number, way, getattr(node, "lineno", 0), said)


def drawn(n: int, seed: int) -> list[Mutant]:
    """So many of all mistakes, each as likely as any other."""
    files = sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))
    every = [mutant for file in files for mutant in mutants(file)]
    return random.Random(seed).sample(every, n)


def function_lines(file: str, line: int) -> list[int]:
    """The first lines of the functions around a line, the innermost first."""
    tree = ast.parse((SOURCE / file).read_text("utf-8"))
    around = [
        min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return sorted(around, reverse=True)


def tests_of(mutant: Mutant, found: dict[str, tuple[float, list[str]]], seconds: float) -> list[str]:
    """The tests that meet a mistake, the quick ones first, for so long in all."""
    lines = function_lines(mutant.file, mutant.line)
    places = {f"{mutant.file}:{lines[0]}"} if lines else set[str]()
    own = [(spent, test) for test, (spent, met) in found.items() if places & {*met}]
    if not own:  # of the module itself: whatever runs anything in it
        own = [(s, test) for test, (s, met) in found.items() if any(m.startswith(mutant.file + ":") for m in met)]
    if not own:
        return []
    chosen, total = list[str](), 0.0
    for spent, test in sorted(own):
        if chosen and (total + spent > seconds or len(chosen) >= 150):
            break
        chosen.append(test)
        total += spent
    return chosen


def naming(file: str, most: int = 3) -> list[str]:
    """The test files that name most of what a module defines, rare names counting more; those of its importers too."""
    module = "priorcraft." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    names = {
        node.name
        for node in ast.walk(ast.parse((SOURCE / file).read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("__")
    }
    importers = [p for p in SOURCE.rglob("*.py") if re.search(rf"\b{re.escape(module)}\b", p.read_text("utf-8"))]
    modules = {module} | {".".join(("priorcraft", *p.relative_to(SOURCE).with_suffix("").parts)) for p in importers}
    texts = {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in (ROOT / "tests").rglob("test_*.py")}
    words = {path: {*re.findall(r"\w+", text)} for path, text in texts.items() if not path.startswith(AWAY)}
    rare = {name: 1 / max(1, sum(name in found for found in words.values())) for name in names}
    score = {
        path: sum(rare[name] for name in names & found)
        + 3 * (module in texts[path])
        + 0.5 * sum(bool(re.search(rf"\b{re.escape(other)}\b", texts[path])) for other in modules)
        for path, found in words.items()
    }
    return [path for path in sorted(score, key=lambda path: -score[path])[:most] if score[path] > 0]


def tried(mutant: Mutant, tests: list[str], limit: float) -> str:
    """What becomes of a mistake in a process of its own: "seen", "survived", "cut off" or "no test"."""
    if not tests:
        return "no test"
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
        _run(mutant, tests)
    status = os.waitpid(pid, 0)[1]
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what it began and left
    if os.WIFSIGNALED(status):
        return "cut off"
    return "survived" if status == 0 else "seen"


def _run(mutant: Mutant, tests: list[str]) -> None:
    """Runs tests over the source with the mistake; does not return."""
    import pytest

    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    code = compile(mutant.tree(), str(SOURCE / mutant.file), "exec")
    real = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, name: str) -> object:
        return code if self.path == str(SOURCE / mutant.file) else real(self, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # pyright: ignore[reportAttributeAccessIssue]
    try:
        status = pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider"])
    except BaseException:
        status = 1
    os._exit(0 if status == 0 else 1)


def main() -> None:
    """Maps, or counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["map", "run"])
    parser.add_argument("--map", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("map.json"))
    parser.add_argument("--files", nargs="*", default=[])
    for name, default in (("n", 100), ("seed", 1), ("first", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=30.0, help="of tests for one mistake")
    parser.add_argument("--named", type=float, default=90.0, help="seconds of tests that name one")
    asked = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(SOURCE.parent))
    if asked.what == "map":
        mapped(asked.out.absolute(), asked.files)
        return
    found = {test: met for path in asked.map for test, met in json.loads(path.read_text()).items()}
    for name in ("torch", "sklearn.datasets", "scipy.stats", "pyarrow.parquet", "PIL.Image", "pandas", "hypothesis"):
        importlib.import_module(name)  # once, before the processes part
    count = {"seen": 0, "survived": 0, "cut off": 0, "no test": 0}
    for number, mutant in enumerate(drawn(asked.n, asked.seed)[asked.first :], asked.first):
        tests = tests_of(mutant, found, asked.seconds)
        what = tried(mutant, tests, 30 + 8 * asked.seconds) if tests else "no test"
        what = "seen" if what == "cut off" else what  # by tests that take a hundredth of it
        if what in ("no test", "survived") and (more := naming(mutant.file)):
            what, tests = tried(mutant, more, asked.named), more
        count[what] += 1
        print(f"{number:3} {what:8} {mutant.file}:{mutant.line}: {mutant.said} ({len(tests)} tests)", flush=True)
    print(", ".join(f"{what} {n}" for what, n in count.items()), f"of {asked.n} (seed {asked.seed})")


if __name__ == "__main__":
    main()
