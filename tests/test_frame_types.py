"""A column of every type that a frame may hold comes back as it was: drawn, and filled in."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import priorcraft as pc
from priorcraft.errors import DataError
from priorcraft.sklearn import PriorImputer, PriorSampler

N = 90
RNG = np.random.default_rng(0)
DAY: Any = pd.to_datetime("2024-01-01") + pd.to_timedelta(RNG.integers(0, 60, N), "D")
WHOLE, WORDS, TRUTH = RNG.integers(0, 9, N), RNG.choice(["x", "y"], N), RNG.random(N) < 0.5
REAL = RNG.normal(size=N).round(2)
LEVELS = RNG.choice(["low", "mid", "high"], N)
TIMES = [datetime.time(int(hour), 30) for hour in RNG.integers(0, 24, N)]

PANDAS: Any = pd.DataFrame(
    {
        "int8": WHOLE.astype("int8"), "float32": REAL.astype("float32"), "Int64": pd.array(WHOLE, "Int64"),
        "Float64": pd.array(REAL, "Float64"), "bool": TRUTH, "boolean": pd.array(TRUTH, "boolean"),
        "category": pd.Categorical(WORDS), "of numbers": pd.Categorical(WHOLE % 3),
        "ordered": pd.Categorical(LEVELS, ["low", "mid", "high"], ordered=True), "str": WORDS,
        "object": pd.Series(WORDS, dtype=object), "day": DAY, "zone": DAY.tz_localize("Asia/Seoul"),
        "length": pd.to_timedelta(WHOLE, "D"), "date": pd.Series(DAY.date, dtype=object),
        "time": pd.Series(TIMES, dtype=object), "month": DAY.to_period("M"), "zip": np.char.zfill(WHOLE.astype(str), 5),
        "percent": [f"{value}%" for value in WHOLE], "price": [f"€{value:,}" for value in 1000 * WHOLE + 1000],
        "arrow": pd.array(WHOLE, pd.ArrowDtype(pa.int32())), "id": [f"u{i:04}" for i in range(N)],
        "decimal": pd.array(REAL.tolist(), pd.ArrowDtype(pa.decimal128(10, 2))),
    }
)  # fmt: skip
POLARS: Any = pl.DataFrame(
    {
        "int8": pl.Series(WHOLE).cast(pl.Int8), "float32": pl.Series(REAL).cast(pl.Float32), "bool": TRUTH,
        "categorical": pl.Series(WORDS.tolist()).cast(pl.Categorical), "string": WORDS.tolist(),
        "enum": pl.Series(LEVELS.tolist(), dtype=pl.Enum(["low", "mid", "high", "never"])),
        "date": list(DAY.date), "time": TIMES, "decimal": pl.Series(REAL).cast(pl.Decimal(10, 2)),
        "datetime": pl.Series(list(DAY.to_pydatetime())).cast(pl.Datetime("ms")),
        "zone": pl.Series(list(DAY.to_pydatetime())).dt.replace_time_zone("UTC"),
        "duration": pl.Series(WHOLE).cast(pl.Duration("ms")),
    }
)  # fmt: skip


def test_pandas_types_are_drawn_and_filled_in():
    drawn = PriorSampler("chow-liu", steps=1).fit(PANDAS).sample(30)
    assert drawn.dtypes.to_dict() == PANDAS.dtypes.to_dict()
    assert set(drawn["zip"]) <= set(PANDAS["zip"])
    assert set(drawn["price"]) <= set(PANDAS["price"])
    assert drawn["percent"].str.fullmatch(r"\d%").all()
    assert drawn["id"].str.fullmatch(r"u\d{4}").all()
    assert not np.signbit(drawn["Float64"][drawn["Float64"] == 0].to_numpy(float)).any()
    holes = PANDAS.copy()
    for i, name in enumerate(name for name in PANDAS if name not in ("int8", "bool", "id")):
        holes.loc[holes.index[i :: N // 3], name] = None
    assert holes.dtypes.to_dict() == PANDAS.dtypes.to_dict()
    whole = PriorImputer("chow-liu", steps=1).fit_transform(holes)
    assert whole.dtypes.to_dict() == PANDAS.dtypes.to_dict()
    for name in PANDAS:
        there = holes[name].notna()
        assert whole[name].notna().all(), name
        assert (whole[name][there] == holes[name][there]).all(), name


@pytest.mark.parametrize("frame", [POLARS, POLARS.to_arrow()], ids=["polars", "arrow"])
def test_polars_and_arrow_types_are_drawn_and_filled_in(frame):
    polars = isinstance(frame, pl.DataFrame)
    drawn = PriorSampler("chow-liu", steps=1).fit(frame).sample(30)
    holes = POLARS.with_columns(
        pl.when(pl.int_range(N) % 30 == i).then(None).otherwise(pl.col(name)).alias(name)
        for i, name in enumerate(POLARS.columns)
    )
    whole = PriorImputer("chow-liu", steps=1).fit(frame).transform(holes if polars else holes.to_arrow())
    found: list[Any] = [whole, drawn] if polars else [pl.from_arrow(whole), pl.from_arrow(drawn)]
    for one in found:
        left_out = [] if polars else ["enum"]  # polars keeps the names of an Enum beside the table
        assert one.drop(left_out).schema == POLARS.drop(left_out).schema
        assert one.null_count().sum_horizontal().item() == 0
    for name in POLARS.columns:
        there = holes[name].is_not_null()
        assert found[0][name].filter(there).to_list() == holes[name].filter(there).to_list(), name


def test_a_parquet_file_is_drawn_with_its_types(tmp_path):
    kinds = {
        "decimal": pa.decimal128(9, 2), "float": pa.float32(), "large": pa.uint64(), "length": pa.duration("s"),
        "day": pa.date32(), "small": pa.int8(), "zone": pa.timestamp("us", "Asia/Seoul"),
    }  # fmt: skip
    values = {"large": [2**63 + k for k in WHOLE.tolist()], "decimal": [Decimal(k) / 4 for k in WHOLE.tolist()]}
    real = pa.table({name: pa.array(values.get(name, WHOLE.tolist()), kind) for name, kind in kinds.items()})
    pq.write_table(real, tmp_path / "real.parquet")
    run = pc.fit(tmp_path / "real.parquet", "chow-liu", steps=1)
    pc.sample(run, 20).save(tmp_path / "drawn.parquet")
    drawn = pq.read_table(tmp_path / "drawn.parquet")
    assert drawn.schema == real.schema
    assert set(drawn["large"].to_pylist()) <= set(values["large"])


def test_new_identifiers_are_as_many_as_are_drawn():
    frame = pd.DataFrame({"id": [f"n{i}" for i in range(N)], "x": WHOLE})
    names = PriorSampler("chow-liu", steps=1).fit(frame).sample(20_000)["id"]
    assert names.is_unique
    assert names.str.fullmatch(r"n\d+").all()


@pytest.mark.parametrize("missing", ["fill", "keep"])
def test_columns_that_say_one_thing_or_nothing(missing):
    tick = WHOLE > 3
    frame = pl.DataFrame(
        {
            "x": WHOLE,
            "number": [7 if there else None for there in tick],
            "word": ["yes" if there else None for there in tick],
            "true": [True if there else None for there in tick],
            "nothing": pl.Series([None] * N),
        }
    )
    run = pc.fit(frame, "chow-liu", steps=2, reading={"missing": missing})
    drawn = pc.sample(run, n=400).frame
    assert drawn.schema == frame.schema
    for name, value in (("number", 7), ("word", "yes"), ("true", True)):
        assert set(drawn[name].drop_nulls()) == {value}
        if missing == "fill":
            assert drawn[name].null_count() == 0
            assert any(f"'{name}' says" in note and "--missing keep" in note for note in run.notes)
        else:
            assert (drawn[name].is_not_null() == (drawn["x"] > 3)).mean() > 0.8


UTC = datetime.UTC
ODD: Any = {
    "list": pd.Series([[1], [2, 3], None] * 30),
    "dict": pd.Series([{"a": 1}, {}, None] * 30),
    "bytes": pd.Series([b"a", b"b", None] * 30),
    "array": pd.Series([np.zeros(2), np.ones(2), None] * 30),
    "set": pd.Series([{1}, {2}, None] * 30),
    "interval": pd.cut(pd.Series([0.5, 1.5, np.nan] * 30), [0, 1, 2]),
    "truths": pd.Categorical([True, False, None] * 30),
    "several": pd.Categorical([1, "a", None] * 30),
    "decimals": pd.Series([Decimal("7.30"), Decimal("1"), None] * 30),
    "moments": pd.Series(
        [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2, tzinfo=UTC), None] * 30, dtype=object
    ),
    "far": pd.Series([datetime.datetime(9999, 1, 1), datetime.datetime(2024, 1, 2), None] * 30, dtype=object),
    "huge": pd.Series([2**70, 1, None] * 30, dtype=object),
    "numbers": pd.Series([1, 2.5, None] * 30, dtype=object),
    "quarter": pd.PeriodIndex(["2024Q1", "2024Q4", None] * 30, freq="Q"),
    "half": np.array([0.5, 1.5, np.nan] * 30, "float16"),
    "broken": pd.Series(["\ud800", "a", None] * 30, dtype=object),
}


def test_cells_of_any_object_stay_what_they_are():
    frame = pd.DataFrame(ODD | {"x": WHOLE})
    run = pc.fit(frame, "chow-liu", steps=1)
    left = ["list", "dict", "bytes", "array", "set"]
    assert all(any(f"'{name}' is left out" in note for note in run.notes) for name in left)
    drawn, filled = pc.sample(run, 20).frame, pc.impute(run, frame, n=1).frame
    assert set(frame) - set(drawn) == set(left)
    assert filled.dtypes.to_dict() == frame.dtypes.to_dict()
    assert {name: str(drawn[name].dtype) for name in ("truths", "quarter", "half")} == {
        "truths": "category", "quarter": "period[Q-DEC]", "half": "float16",
    }  # fmt: skip
    assert set(drawn["truths"]) == {True, False}
    for name in frame:
        there = frame[name].notna()
        assert filled[name].notna().all() == (name not in left), name
        same = [
            type(a) is type(b) and np.array_equal(a, b)
            for a, b in zip(frame[name][there], filled[name][there], strict=True)
        ]
        assert all(same), name
    assert all(isinstance(value, Decimal) for value in filled["decimals"])


def test_lists_and_structures_of_polars_stay_and_types_that_arrow_has_not_are_named():
    frame = pl.DataFrame(
        {"x": WHOLE, "list": [[1], [2, 3], None] * 30, "of": [{"a": 1}, None, {"a": 2}] * 30, "n": [1, None, 2] * 30}
    )
    filled = pc.impute(pc.fit(frame, "chow-liu", steps=1), frame, n=1).frame
    assert filled.schema == frame.schema
    assert filled.drop("n").equals(frame.drop("n"))
    for kind, values in ((pl.Object, [object()] * N), (pl.Int128, [1, 2, 3] * 30)):
        with pytest.raises(DataError, match=f"'odd' has the polars type {kind}"):
            pc.data(frame.with_columns(pl.Series("odd", values, dtype=kind)))


def test_names_that_are_no_texts_stay_and_blank_texts_are_told():
    frame = pd.DataFrame({0: WHOLE, ("a", 1): ["", "b", "c"] * 30})
    run = pc.fit(frame, "chow-liu", steps=1)
    assert any("'' is taken as empty: 30 in '('a', 1)'" in note for note in run.notes)
    assert list(pc.impute(run, frame, n=1).frame) == list(frame)
    assert list(pc.score(run, frame.head(9)).frame)[:2] == list(frame)
    assert any("the run's own" in note for note in pc.score(run, frame).notes)
    assert not any("the run's own" in note for note in pc.score(run, frame.head(9)).notes)
