"""What a table with every kind of column is read as, and written as again, is what it was.

`PRIORCRAFT_GOLDENS=write python -m pytest tests/test_numbers.py` where a change is meant.
"""

import csv
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from priorcraft import runtime
from priorcraft.datasets import open_data
from said import alike, essence, golden, measured

N = 90
RNG = np.random.default_rng(0)
BEGAN, NUMBERS = datetime(2021, 3, 5, 8), RNG.gamma(2.0, 900.0, N)
DAYS = [BEGAN + timedelta(days=int(day)) for day in RNG.integers(0, 900, N)]
MINUTES = [BEGAN + timedelta(minutes=15 * int(step)) for step in RNG.integers(0, 90000, N)]
COLUMNS = {
    "plain": [f"{x:.2f}" for x in NUMBERS],
    "whole": [str(int(x) // 100) for x in NUMBERS],
    "dollars": [f"${x:,.2f}" for x in NUMBERS],
    "german": [f"{x:,.2f}".translate(str.maketrans(",.", ".,")) for x in NUMBERS],
    "spaced": [f"{x:,.1f} km".replace(",", " ") for x in NUMBERS],
    "percent": [f"{x / 100:.1f}%" for x in NUMBERS],
    "brackets": [f"({x:.0f})" if i % 3 else f"{x:.0f}" for i, x in enumerate(NUMBERS)],
    "powers": [f"{x * 1e-9:.3e}" for x in NUMBERS],
    "zeros": ["0" if i % 2 else f"{x:.1f}" for i, x in enumerate(NUMBERS)],
    "day": [f"{day:%Y-%m-%d}" for day in DAYS],
    "german day": [f"{day:%d.%m.%Y}" for day in DAYS],
    "moment": [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in MINUTES],
    "clock": [f"{moment:%H:%M}" for moment in MINUTES],
    "duration": [f"{int(x) // 60}:{int(x) % 60:02d}" for x in NUMBERS],
    "word": [("red", "green", "blue")[i % 3] for i in range(N)],
    "words": [f"town {int(x) % 60}" for x in NUMBERS],
    "yes": [("yes", "no")[int(x) % 2] for x in NUMBERS],
    "number of it": [f"A{i:05d}" for i in range(N)],
    "always": ["same"] * N,
    "holes": ["NA" if i % 4 == 0 else f"{x:.0f}" for i, x in enumerate(NUMBERS)],
    "mixed": ["none" if i % 5 == 0 else f"{x:.0f}" for i, x in enumerate(NUMBERS)],
    "year": [f"{day:%Y}" for day in DAYS],
    "gps": [f"{x / 100:.5f}" for x in NUMBERS],
}


@pytest.mark.parametrize(("delimiter", "names"), [(",", [*COLUMNS]), (";", ["german", "word", "holes", "day"])])
def test_a_table_of_every_kind_of_column_is_read_as_it_was(tmp_path: Path, delimiter: str, names: list[str]):
    with open(tmp_path / "t.csv", "w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(names)
        writer.writerows(zip(*(COLUMNS[name] for name in names), strict=True))
    data = open_data(tmp_path / "t.csv")
    columns = data.columns
    assert columns is not None
    x = data.test.x.numpy()
    found = {
        "notes": [essence(note, tmp_path) for note in data.notes],
        "sizes": [*map(int, columns.sizes)],
        "columns": [essence(repr(each), tmp_path) for each in columns.columns],
        "x": [*map(measured, x.T), *map(measured, data.train.x.numpy().T)],
        "rows": [essence(" | ".join(map(str, row)), tmp_path) for row in columns.cells(x, None, runtime.keyed(0))],
    }
    assert alike(golden("table.json", delimiter, found), found), found
