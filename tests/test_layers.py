"""Imports go down only, and no module hides one inside a function."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_go_down():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_import_of_our_own_is_hidden_in_a_function_outside_the_command_line():
    hidden = []
    for path in (ROOT / "src").rglob("*.py"):
        if "cli" in path.parts:
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                inner = (n for n in ast.walk(function) if isinstance(n, ast.ImportFrom))
                hidden += [f"{path}:{n.lineno}" for n in inner if (n.module or "").startswith("priorcraft")]
    assert not hidden
