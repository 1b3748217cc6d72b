"""The published sanity checks, and planted defects of tables: every verdict right, or "cannot tell"."""

import numpy as np
import pytest

from priorcraft.cells import read_cells
from priorcraft.datasets import open_data
from priorcraft.metrics.two_sample import TwoSampleTest
from sanity import checks

SOME = [check for i, check in enumerate(checks()) if i % 3 == 0]  # all of them: benchmarks/truth.py


@pytest.mark.slow
def test_no_published_check_gets_a_wrong_verdict():
    """Of perfect samplers, one in 200 may: with these seeds, none does."""
    wrong = [(check, told) for check in SOME for told in [check.verdict(1)] if check.right(told.verdict) is False]
    assert not [(check.name, told.told) for check, told in wrong]


N = 400
FAULTS = {
    "none": ("not distinguishable", lambda t, rng: t),
    "shifted": ("distinguishable", lambda t, rng: t | {"age": t["age"] + 6}),
    "independent columns": ("distinguishable", lambda t, rng: {k: rng.permutation(v) for k, v in t.items()}),
    "swapped columns": ("distinguishable", lambda t, rng: t | {"age": t["pay"], "pay": t["age"]}),
    "one row": ("distinguishable", lambda t, rng: {k: np.repeat(v[:1], N) for k, v in t.items()}),
    "twenty rows": ("distinguishable", lambda t, rng: {k: np.tile(v[:20], N // 20) for k, v in t.items()}),
    "far out": ("distinguishable", lambda t, rng: t | {"pay": np.where(np.arange(N) % 20 == 0, 9e6, t["pay"])}),
    "zeros gone": ("distinguishable", lambda t, rng: t | {"gain": np.where(t["gain"] == 0, 3, t["gain"])}),
    "decimals gone": ("distinguishable", lambda t, rng: t | {"size": t["size"].round(1)}),
    "a word gone": ("distinguishable", lambda t, rng: t | {"town": np.where(t["town"] == "c", "a", t["town"])}),
    "a new word": ("distinguishable", lambda t, rng: t | {"town": np.where(np.arange(N) % 20 == 0, "z", t["town"])}),
    "holes gone": ("distinguishable", lambda t, rng: t | {"size": np.nan_to_num(t["size"], nan=170.123)}),
    "a sum that is none": ("distinguishable", lambda t, rng: t | {"total": rng.permutation(t["total"])}),
}


def people(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A table with point masses, holes, words and a column that is the sum of two others."""
    age = rng.integers(18, 80, n)
    pay = (1000 + 40 * age + rng.gamma(2, 400, n)).round()
    gain = np.where(rng.random(n) < 0.9, 0, rng.integers(1, 5000, n))
    size = np.where(rng.random(n) < 0.1, np.nan, rng.normal(170, 9, n).round(3))
    town = np.array(list("abc"))[np.minimum(rng.geometric(0.5, n) - 1, 2)]
    return {"age": age, "pay": pay, "gain": gain, "size": size, "town": town, "total": pay + gain}


def written(table: dict[str, np.ndarray], path):
    rows = zip(*([str(v) if v == v else "" for v in column.tolist()] for column in table.values()), strict=True)
    path.write_text("\n".join([",".join(table), *map(",".join, rows)]) + "\n")
    return path


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> TwoSampleTest:
    table = people(2400, np.random.default_rng(0))
    return TwoSampleTest(open_data(written(table, tmp_path_factory.mktemp("real") / "real.csv")))


QUICK = ("independent columns", "one row", "a word gone")
FAULTS_TRIED = [fault if fault in QUICK else pytest.param(fault, marks=pytest.mark.slow) for fault in FAULTS]


@pytest.mark.parametrize("fault", FAULTS_TRIED)
def test_planted_defects_of_tables_are_found_on_raw_values(judged, fault, tmp_path):
    verdict, plant = FAULTS[fault]
    rng = np.random.default_rng(1)
    found = judged.test(read_cells(written(plant(people(N, rng), rng), tmp_path / "drawn.csv")), power=False)
    assert found.verdict == verdict, found.told
