"""Tables in the studio: what a learner's own file becomes, and what is said of many values."""

from pathlib import Path

import numpy as np
import pytest

from priorcraft import runtime
from priorcraft.contents import tail
from priorcraft.datasets import open_data
from priorcraft.errors import DataError
from priorcraft.probability import reading
from priorcraft.studio.rooms.cells import RANGES, counted
from priorcraft.studio.rooms.tables import Joint, joint_of


def joint(folder: Path, lines: list[str], variables: list[str] | None = None) -> Joint:
    (folder / "own.csv").write_text("\n".join(lines) + "\n")
    return joint_of(reading.from_csv(folder / "own.csv"), "own.csv", variables)


def test_many_numbers_are_ranges_from_low_to_high_of_equally_many_rows(tmp_path: Path):
    found = joint(tmp_path, ["size,kind", *(f"{size},{'ab'[size % 2]}" for size in range(100, -1, -5))])
    assert found.axes["size"] == ["0 … 25", "25 … 50", "50 … 75", "75 … 100"]
    assert (found.ranged, found.dropped, found.holes) == (["size"], [], 0)
    p = np.reshape(found.p, (4, 2))
    assert p.sum() == pytest.approx(1)
    assert np.abs(p.sum(1) - 0.25).max() < 0.05


def test_rows_with_an_empty_cell_and_columns_of_many_words_are_left_out_and_counted(tmp_path: Path):
    found = joint(tmp_path, ["id,kind,wet", *(f"n{i},a,yes" for i in range(30)), "n30,,no", "n31,b,N/A"])
    assert found.axes == {"kind": ["a"], "wet": ["yes"]}
    assert (found.dropped, found.holes) == (["id"], 2)


def test_rows_with_a_weight_are_states_as_they_stand(tmp_path: Path):
    found = joint(tmp_path, ["size,count", *(f"{i},{i}" for i in range(20))])
    assert found.axes["size"] == [str(i) for i in range(20)]
    assert found.p[19] == pytest.approx(19 / 190)


def test_a_table_of_unique_words_alone_is_refused_by_its_own_name(tmp_path: Path):
    with pytest.raises(DataError, match="no column has at most 12"):
        joint(tmp_path, ["id", *(f"n{i}" for i in range(20))])
    with pytest.raises(DataError, match=r"^own\.csv"):
        joint(tmp_path, ["a,count", "x,-1"])


def test_many_dates_are_told_by_ranges_of_dates(tmp_path: Path):
    days = [f"2024-{month:02d}-{day:02d}" for month in range(1, 13) for day in (1, 8, 15, 22)]
    (tmp_path / "days.csv").write_text("\n".join(["day,kind", *(f"{day},{'ab'[i % 2]}" for i, day in enumerate(days))]))
    splits = open_data(str(tmp_path / "days.csv"))
    assert splits.columns is not None
    drawn = splits.columns.decoded(splits.train.x.numpy(), runtime.keyed("days"))[0]
    found = counted(drawn, 3)
    assert len(found.states) == RANGES
    assert found.states[0].startswith("2024-01-01 … 2024-0")
    assert sum(found.p) == pytest.approx(1)
    assert found.draws == drawn.texts[:3]


def test_the_tail_of_a_file_that_grows_or_begins_anew(tmp_path: Path):
    path = tmp_path / "events"
    assert tail(path, 5) == (5, b"")
    path.write_bytes(b"0123456789")
    assert tail(path, 4) == (4, b"456789")
    assert tail(path, 10) == (10, b"")
    assert tail(path, 11) == (0, b"0123456789")
    assert tail(path, -3) == (7, b"789")
    assert tail(path, -30) == (0, b"0123456789")
