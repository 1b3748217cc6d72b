"""What docs/faults.md names is there, and docs/settings.md says what the constructors declare.

python tests/faults/test_documents.py > docs/settings.md
"""

import ast
import re
from pathlib import Path

from priorcraft import zoo

ROOT = Path(__file__).parents[2]


def test_every_fault_of_the_page_has_its_test():
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 34
    assert [row for row in rows if not re.fullmatch(r" (`test_\w+`(, )?)+ ", row[2])] == []
    assert {*re.findall(r"`(test_\w+)`", page)} - run_by_the_suite() == set()


def run_by_the_suite() -> set[str]:
    """The tests that nothing skips."""
    found = set[str]()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                marks = " ".join(ast.unparse(each) for each in node.decorator_list)
                found |= {node.name} if not re.search(r"mark\.(skip|xfail)", marks) else set()
    return found


def settings_page() -> str:
    """Every setting of every model and of its training, from their declarations."""
    lines = ["# Settings", ""]
    lines += [
        "`fit --set NAME=VALUE`; what lies outside is refused before anything is made. A default of None is chosen by"
    ]
    lines += ["the model for the data, and the zoo has defaults of its own for some data."]
    for member, entry in zoo.ZOO.items():
        lines += ["", f"## {member}", "", entry.summary[0].upper() + entry.summary[1:] + ".", ""]
        lines += ["| name | type | default | values |", "|---|---|---|---|"]
        for each in zoo.settings_of(member):
            values = each.limits or ("true, false" if each.kind is bool else "a word")
            lines.append(f"| {each.name} | {each.kind.__name__} | {each.default} | {values} |")
    return "\n".join(lines) + "\n"


def test_the_page_of_settings_is_what_is_declared():
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == settings_page()


if __name__ == "__main__":
    print(settings_page(), end="")
