"""An audit of the numbers in the docs: where each comes from, and those that take seconds measured anew."""

import ast
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import priorcraft as pc
from priorcraft.datasets import Splits
from priorcraft.metrics.baselines import baselines

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPT = re.compile(r"benchmarks/(\w+)\.py([^`\n)]*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_that_a_page_names_is_there_and_takes_the_options(page):
    for name, options in SCRIPT.findall(page.read_text("utf-8")):
        script = ROOT / "benchmarks" / f"{name}.py"
        assert script.is_file(), f"{page.name} names {script.name}"
        source = script.read_text("utf-8")
        for option in re.findall(r"--[\w-]+", options):
            parts = {option, option[2:].replace("-", "_")}
            assert any(part in source for part in parts), f"{page.name}: {script.name} takes no {option}"


def test_the_exact_figures_of_the_digits_are_what_the_page_says(digits: Splits, tmp_path):
    """Uniform, independent pixels, naive Bayes and its model are exact: the same to the last digit that is printed."""
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    told = {name: float(value) for name, value in re.findall(r"^  (\S.*?) += (\d\.\d+) bits/dim", page, re.MULTILINE)}
    found = baselines(digits)
    for name, value in found.items():
        assert told[name] == pytest.approx(value, abs=6e-4), name
    run = pc.fit(digits, "naive-bayes", out=tmp_path / "nb", steps=5)
    assert told["naive-bayes"] == pytest.approx(pc.score(run, digits).bits_per_dim, abs=6e-4)


@pytest.mark.parametrize("script", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda script: script.stem)
def test_every_script_uses_what_there_is(script):
    """What it imports of priorcraft is there, and so is every attribute that it asks of a module."""
    tree = ast.parse(script.read_text("utf-8"))
    modules: dict[str, ModuleType] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {a.asname: import_module(a.name) for a in node.names if a.asname and a.name == "priorcraft"}
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "priorcraft":
            home = import_module(str(node.module))
            for alias in node.names:
                found = getattr(home, alias.name, None) or import_module(f"{node.module}.{alias.name}")
                modules |= {alias.asname or alias.name: found} if isinstance(found, ModuleType) else {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr), f"{script.name}, line {node.lineno}: no {node.attr}"
