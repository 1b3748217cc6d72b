"""What docs/faults.md names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_fault_of_the_page_has_its_test():
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    written = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    rows = [line for line in page.splitlines() if line.startswith("| ") and "`test_" in line]
    assert len(rows) == 30
    assert [name for name in re.findall(r"`(test_\w+)`", page) if f"def {name}(" not in written] == []
