"""The house in figures: lists of verbs, mappings and string subscripts at the face, and the price of --help.

python benchmarks/house.py
"""

import ast
import resource
import subprocess
import sys
from pathlib import Path

from priorcraft import declared

SOURCES = Path(declared.__file__).parent
FACE = ("cli", "report", "verbs")
ROUNDS = 9


def trees(*folders: str) -> list[ast.Module]:
    """The syntax trees of all files, or of those in some folders."""
    places = [SOURCES / folder for folder in folders] or [SOURCES]
    return [ast.parse(path.read_text("utf-8")) for place in places for path in place.rglob("*.py")]


def lists_of_verbs() -> int:
    """Literal lists, sets and mappings in which eight verbs or more are named."""
    names = {name for each in declared.names() for name in (each, each.replace("_", "-"))}
    found = 0
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
            members = node.keys if isinstance(node, ast.Dict) else node.elts
            found += sum(isinstance(m, ast.Constant) and m.value in names for m in members) >= 8
    return found


def mappings() -> int:
    """Public functions that return dict[str, Any], but for those whose name says that they make plain values."""
    functions = (n for tree in trees(*FACE) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
    return sum(
        f.returns is not None and ast.unparse(f.returns) == "dict[str, Any]"
        for f in functions
        if not f.name.startswith("_") and f.name != "to_dict"
    )


def subscripts() -> int:
    """Subscripts by a literal string."""
    nodes = (node for tree in trees(*FACE) for node in ast.walk(tree))
    return sum(
        isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Constant) and isinstance(n.slice.value, str)
        for n in nodes
    )


def seconds(*words: str) -> float:
    """The least CPU time of a command over some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def main() -> None:
    """Prints the figures."""
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in SOURCES.rglob("*.py"))
    ratio = seconds("-m", "priorcraft", "--help") / seconds("-c", "pass")
    rows = {
        "verbs declared": len(declared.names()),
        "second lists of verbs": lists_of_verbs(),
        "public functions of the face that return dict[str, Any]": mappings(),
        f"string subscripts in {', '.join(FACE)}": subscripts(),
        "lines of src": f"{lines:,}",
        "--help over python -c pass, CPU": f"{ratio:.1f}",
    }
    for name, value in rows.items():
        print(f"{name:58} {value}")


if __name__ == "__main__":
    main()
