"""An audit of the numbers in the docs: where each comes from, and those that take seconds measured anew."""

import ast
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import priorcraft as pc
from priorcraft.datasets import Splits
from priorcraft.metrics.baselines import baselines

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
audit = import_module("audit")
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


FIGURE = re.compile(r"(?<![\w.:/-])\d+\.\d+(?![\w.])")
LISTED = audit.figures()


@pytest.mark.parametrize("figure", LISTED, ids=lambda figure: f"{figure.page}-{figure.anchor[:30]}")
def test_every_figure_says_what_it_is_and_is_run_again_or_says_why_not(figure):
    assert figure.text.count(figure.anchor) == 1
    assert figure.kind
    assert figure.n
    assert figure.interval
    assert figure.script
    assert bool(figure.run) != bool(figure.why)
    assert bool(figure.run) == bool(figure.checks)
    assert all(figure.printed(check) >= 0 for check in figure.checks)
    for name, options in SCRIPT.findall(f"{figure.script} {figure.run}".replace(";", "\n")):
        source = (ROOT / "benchmarks" / f"{name}.py").read_text("utf-8")
        for option in re.findall(r"--[\w-]+", options):
            assert option in source or option[2:].replace("-", "_") in source, f"{name} takes no {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_table_of_figures_is_without_its_entry(page):
    """Three decimals and more in a table; of the page of benchmarks, in a block of output, too."""
    text = page.read_text("utf-8")
    if page.stem == "settings":
        pytest.skip("defaults, made of the declarations")
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    blocks += re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if page.stem == "benchmarks" else []
    anchors = [figure.anchor for figure in LISTED if figure.page.endswith(page.name)]
    figures = [block for block in blocks if len(FIGURE.findall(block)) >= 3]
    bare = [block[:200] for block in figures if not any(anchor in block for anchor in anchors)]
    assert not bare, bare


def test_a_figure_that_is_not_what_the_page_says_is_told(monkeypatch):
    listed = next(figure for figure in LISTED if figure.checks)
    said = listed.printed(listed.checks[0])
    for shift, right in ((0.0, True), (2 * listed.checks[0].within, False)):
        monkeypatch.setattr(audit, "output", lambda command, at=said + shift: f"uniform = {at}")
        assert audit.measured(listed)[0][1] is right


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
