"""Columns: what each is taken for, and that texts, integers and densities agree."""

import itertools
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import priorcraft as pc
from priorcraft import runtime
from priorcraft.cells import Cells, read_cells
from priorcraft.cells.column import column_of_texts
from priorcraft.cells.emptiness import emptied
from priorcraft.cells.numerals import Numeral, numeral_of
from priorcraft.datasets import open_data
from priorcraft.datasets.columns import Column, Columns, beside, recognised, stated
from priorcraft.datasets.columns.aside import Identifier
from priorcraft.datasets.columns.codec import Leaves
from priorcraft.datasets.columns.date import Date
from priorcraft.datasets.columns.number import Number, number_from
from priorcraft.datasets.columns.word import Word
from priorcraft.datasets.raw_values import raw_values
from priorcraft.datasets.tables import columns_of
from priorcraft.errors import DataError, UsageError

RNG = np.random.default_rng(0)


def column(texts, name="x"):
    return column_of_texts(name, pa.array([str(text) for text in texts], pa.string()))


def table(**columns):
    return Cells(
        "t.csv", tuple(column(texts, name) for name, texts in columns.items()), len(next(iter(columns.values())))
    )


def kind(texts, name="x"):
    return recognised(column(texts, name), 16).codec.kind


MONEY = [f"${value:,.2f}" for value in RNG.normal(3000, 900, 80)]
KINDS = {
    "number": [
        RNG.normal(0, 1, 90).round(2), [1, 2, 3] * 20, MONEY, ["12 %", "3 %", "40 %"] * 5,
        ["1.234,5", "2,25", "7,1"] * 5,
        ["-3", "4", "-5"] * 4, ["1e-3", "2.5e-07", "3e4"] * 5, ["1 234", "22", "7"] * 5, [50_000, 61_300, 70_000] * 9,
        RNG.integers(10_000, 99_999, 40),  # too few to be called keys
        RNG.permutation(60_000)[:99] + 20_000, np.random.default_rng(0).normal(5e4, 1.2e4, 60).round().astype(int),
        ["36:15:00", "1:02:03", "20:59:59"] * 9, ["1:02.033", "59:59.900", "71:00.500"] * 9, ["2:10", "71:33"] * 9,
        ["0 days 00:12:34", "-1 days +23:59:59", "3 days 01:02:03"] * 9, ["1 day, 3:04:05", "0:00:07"] * 9,
        ["(12.50)", "3.00", "-7.25"] * 9, ["($1,200)", "$35"] * 9, ["+1.5", "-0.2", "+0.7"] * 9,
        ["12.5 kg", "3.0 kg"] * 9,
        ["1.500e+00", "2.250e-07"] * 9, ["0.0", "-0.0", "1.5"] * 9, ["1_000_000", "250_000"] * 9,
    ],
    "word": [
        ["01", "1", "001"] * 9, ["1.1", "1.10", "1.2"] * 9, [2**53, 2**53 + 1, 2**53 + 2] * 9, ["1E2", "1E1", "10"] * 9,
        ["a", "b"] * 9, ["05553", "32115"] * 30, [f"s{i % 200}" for i in range(900)], ["True", "False"] * 9,
        ["00:11:22:aa", "00:11:22:ab"] * 9,
    ],
    "date": [
        [f"2024-02-{day:02}" for day in range(1, 30)], [f"{day}.3.2021" for day in range(1, 29)],
        [20240101 + day for day in range(28)] * 2, ["2020-01-31 10:15", "2020-02-29 23:00"] * 9, ["10:15", "23:59"] * 9,
        ["12/31/1999", "01/02/2000"] * 5, ["31 Dec 1999", "1 Jan 2000"] * 5, ["2020-01", "2021-12"] * 5,
        ["2020-01-31 10:15:02.125", "2020-02-29 23:00:59.500"] * 9,
        ["2020-01-31T10:15:02+09:00", "2020-02-29T01:02:03+09:00"] * 9,
        ["12/31/1999 09:15 PM", "01/02/2000 11:05 AM"] * 9, ["Apr 2022", "Dec 2021"] * 9, ["0:05:03", "23:59:59"] * 9,
        ["31.1.2020 9:05", "1.12.2020 10:15"] * 9, [f"{y}-Q{q}" for y in range(2010, 2020) for q in (1, 2, 3, 4)],
        [f"{y}-W{w:02}" for y in (2020, 2021) for w in range(1, 53)], ["2020-W53-7", "2021-W01-1"] * 9,
        ["2024년 2월 7일", "2023년 11월 30일"] * 9, ["2024. 2. 7.", "2023. 11. 30."] * 9,
        ["2024年02月07日", "2023年11月30日"] * 9,
        ["Wed, 07 Feb 2024", "Thu, 30 Nov 2023"] * 9, ["07FEB2024", "30NOV2023"] * 9, ["07-Feb-24", "30-Nov-23"] * 9,
        ["Wednesday, February 07, 2024", "Thursday, November 30, 2023"] * 9,
    ],
    "id": [
        range(7, 80), RNG.permutation(900_000)[:80] + 100_000, [f"C-{i:04}" for i in RNG.permutation(5000)[:50]],
        [f"{a:08x}-1111-4111-8111-{b:012x}" for a, b in zip(range(40), range(40), strict=True)],
        [2**60 + i for i in RNG.permutation(9000)[:60]],
    ],
    "constant": [["7"] * 9, ["yes"] * 4, [""] * 5],
    "text": [
        [f"{a:.4f},{b:.4f}" for a, b in RNG.random((40, 2))],
        [f"all of {i} words, and {i % 7} more" for i in range(60)],
    ],
}  # fmt: skip


@pytest.mark.parametrize(("expected", "texts"), [(k, texts) for k, each in KINDS.items() for texts in each])
def test_each_column_is_taken_for_what_it_is_and_says_so(expected, texts):
    found = recognised(column(texts), 16)
    assert found.codec.kind == expected
    assert found.reason
    kept = Columns.from_json(json.loads(json.dumps(Columns((Column("x", found.codec, found.reason),)).as_json())))
    assert kept.all[0].codec == found.codec


@pytest.mark.parametrize(("expected", "texts"), [(k, t) for k in ("number", "word", "date") for t in KINDS[k]])
def test_what_is_drawn_is_written_as_it_was_read_and_reads_back_as_the_same_integers(expected, texts):
    cells = column(texts)
    codec = recognised(cells, 16).codec
    coded = codec.encode(cells)
    assert (coded.x >= 0).all()
    assert not coded.beyond.any()
    drawn = codec.write(codec.decode(coded.x, runtime.keyed(0)))
    if expected == "word":
        assert drawn == [str(text) for text in texts]
    again = codec.encode(column(drawn))
    agree = (again.x == coded.x).all(1).mean()
    assert agree == 1 if expected != "date" else agree > 0.7  # the fifth Monday of a short month is its fourth
    if isinstance(codec, Number):
        numeral = numeral_of(column(drawn).texts)
        assert numeral is not None
        assert numeral.point == codec.numeral.point


WHOLE = {
    "normal": np.rint(RNG.normal(50, 10, 2000)),
    "zeros": np.where(RNG.random(2000) < 0.9, 0, np.rint(RNG.exponential(300, 2000))),
    "heaps of five": np.rint(RNG.exponential(100, 2000)) * 5,
    "999": np.where(RNG.random(2000) < 0.2, 999, RNG.integers(0, 100, 2000)),
    "few": np.array([1.0, 2, 2, 7, 7, 7]),
    "negative": np.rint(RNG.normal(-20, 10, 300)),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("decimals", [0, 2])
def test_a_density_inside_a_leaf_sums_to_one_and_agrees_with_its_draws(name, decimals):
    values, counts = np.unique(WHOLE[name] / 10**decimals, return_counts=True)
    codec = number_from(values, counts, Numeral(decimals, False), 16)
    unit = 1.0 if codec.grid is None else codec.grid.pitch
    weight = codec.step if codec.grid is None else 1.0
    far = 60 * codec.inside.reach * unit
    every = np.arange(np.rint((values[0] - far) / codec.step), np.rint((values[-1] + far) / codec.step)) * codec.step
    every = every[:: max(1, len(every) // 10**6)] if len(every) < 10**6 else every
    leaf = codec.leaf(every)
    mass = np.exp(codec.log_density(every, leaf)) * weight
    assert np.allclose(np.bincount(leaf, mass, minlength=len(codec.lows)), 1, atol=2e-3)
    own = np.arange(len(codec.lows)).repeat(400)
    drawn = codec.decode(Leaves(codec.firsts).digits(own), runtime.keyed(1))
    assert (codec.leaf(drawn) == own).all()
    expected = np.exp(codec.log_density(values, codec.leaf(values))) * weight
    seen = np.array(
        [(np.abs(drawn[own == k] - v) < codec.step / 2).mean() for v, k in zip(values, codec.leaf(values), strict=True)]
    )
    assert np.abs(seen - expected).max() < 0.12
    assert codec.grid is None or codec.grid.holds(drawn).all()
    if values[0] >= 0:
        assert drawn.min() >= 0


ON_GRIDS = {
    "prices": ([str(50 * k) for k in RNG.integers(1, 200, 400)], "a multiple of 50", 50, 0),
    "99 cents": ([f"{10 * k + 9}.99" for k in RNG.permutation(400)], "9.99 more than a multiple of 10.00", 10, 9.99),
    "quarters": ([f"{k / 4:.2f}" for k in RNG.integers(-90, 90, 200)], "a multiple of 0.25", 0.25, 0),
    "outliers": (["0"] * 300 + [str(5 * k) for k in range(3, 60)] + ["99995"], "a multiple of 5", 5, 0),
    "thousands": ([f"{500 * k:,}" for k in range(1, 60)] * 2, "a multiple of 500", 500, 0),
    "dollars": ([f"${k / 2:.2f}" for k in range(80)] * 2, "a multiple of $0.50", 0.5, 0),
    "hours": ([f"{k}:{q:02}" for k in range(30) for q in (0, 15, 30, 45)], "a multiple of", 15, 0),
}  # fmt: skip


def test_groups_of_three_are_thousands_where_numbers_of_three_digits_have_none():
    texts = pa.array(["82", "691", "500", "314", "2.152", "12.500", "1.234.567"])
    for sign, other in (".,", ",."):
        written = pa.array([text.replace(".", sign) for text in texts.to_pylist()])
        for column, around in ((written, ""), (pa.array([f"{text} €" for text in written.to_pylist()]), " €")):
            found = numeral_of(column, comma=True)
            assert found == Numeral(point=other, thousands=sign, after=around)
            assert found.values(column)[[1, 5]].tolist() == [691, 12_500]
    english = numeral_of(pa.array(["1,234", "12,345.5", "7"]))
    assert np.isnan(english.values(pa.array(["1,5", "12,34", "3311,71", "1,2345", ",5"]))).all()
    assert english.values(pa.array(["1234", ".5", "-1,234,567.25", "+7."])).tolist() == [1234, 0.5, -1234567.25, 7]
    percent = numeral_of(pa.array(["12 %", "-4.5 %"]))
    assert percent.values(pa.array(["0.12", "12", "3 %"]))[2] == 3
    assert np.isnan(percent.values(pa.array(["0.12", "12"]))).all()
    for decimals in (["691", "500", "314", "0.152", "2.500", "1.200"], ["0", "1", "2", "1.152", "2.513", "1.251"]):
        assert numeral_of(pa.array(decimals), comma=True).thousands == ""


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e17, 1e300])
@pytest.mark.parametrize("written", [str, "{:.9e}".format])
def test_numbers_of_any_size_keep_their_spread_and_their_density(scale, written):
    values = RNG.random(200) * scale
    cells = column([written(value) for value in values])
    codec = recognised(cells, 16).codec
    assert isinstance(codec, Number)
    drawn = codec.typed(codec.decode(codec.encode(cells).x, runtime.keyed(0))).to_numpy()
    assert np.std(drawn / scale) == pytest.approx(np.std(values / scale), rel=0.1)
    leaf = codec.leaf(values)
    log_p = codec.log_density(values, leaf) + np.log(np.array(codec.counts)[leaf] / 200)
    assert np.mean(log_p + np.log(scale)) == pytest.approx(0, abs=0.3)  # evenly from 0 to the scale


@pytest.mark.parametrize("name", ON_GRIDS)
def test_numbers_on_a_grid_are_drawn_on_it_and_said_to_be(name):
    texts, reason, pitch, origin = ON_GRIDS[name]
    found = recognised(column(texts), 16)
    codec = found.codec
    assert reason in found.reason
    assert "in steps of" in codec.described()
    assert (codec.grid.pitch, codec.grid.origin) == pytest.approx((pitch, origin))
    assert codec.of_json(json.loads(json.dumps(codec.as_json()))) == codec
    coded = codec.encode(column(texts))
    drawn = codec.decode(coded.x.repeat(5, 0), runtime.keyed(0))
    again = codec.encode(column(codec.write(drawn)))
    assert np.isfinite(again.rest).all()
    assert codec.grid.holds(drawn).all()
    assert np.allclose((drawn - origin) / pitch, np.rint((drawn - origin) / pitch))


def test_numbers_that_one_of_them_leaves_have_no_grid_and_what_lies_beside_a_grid_is_improbable():
    prices = [str(50 * k) for k in RNG.integers(1, 200, 400)]
    assert recognised(column([*prices, "127"]), 16).codec.grid is None
    assert recognised(column([1, 3, 5, 9] * 50), 16).codec.grid is None  # four numbers are odd by chance
    assert recognised(column([f"{k / 5e6:.7f}" for k in RNG.integers(0, 10**6, 200)]), 16).codec.continuous
    assert recognised(column([0.1 * k for k in range(60)]), 16).reason.endswith(
        "a multiple of 0.1"
    )  # 0.30000000000000004
    codec = recognised(column(prices), 16).codec
    assert not codec.continuous
    on, beside = codec.encode(column(["5000", "5001"])).rest
    assert on > -4
    assert -15 < beside < on - 8


def test_point_masses_keep_their_share_and_outliers_are_improbable():
    values, counts = np.unique(WHOLE["zeros"], return_counts=True)
    codec = number_from(values, counts, Numeral(), 16)
    coded = codec.encode(column(WHOLE["zeros"].astype(int)))
    drawn = codec.decode(coded.x, runtime.keyed(0))
    assert (drawn == 0).mean() == pytest.approx((WHOLE["zeros"] == 0).mean(), abs=1e-9)
    far = codec.encode(column([9_999_999, -40, 5]))
    assert far.beyond.tolist() == [True, True, False]
    assert (far.rest[:2] < -12).all()


def test_dates_exist_and_keep_their_weekdays():
    days = np.arange("2019-01-01", "2023-12-31", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    texts = [str(day).replace("-", "") for day in days]
    codec = recognised(column(texts), 16).codec
    x = np.stack([RNG.integers(0, size, 4000) for size in codec.sizes], 1)  # any year with any weekday of any month
    drawn = codec.write(codec.decode(x, runtime.keyed(0)))
    back = np.array(
        [f"{text[:4]}-{text[4:6]}-{text[6:]}" for text in drawn], dtype="datetime64[D]"
    )  # raises if impossible
    assert np.is_busday(back).all()
    assert back.min() >= days.min()
    assert back.max() <= days.max()


@pytest.mark.parametrize("ends", [True, False])
def test_months_that_end_or_begin_go_on_so(ends):
    months = np.arange("2000-01", "2020-12", dtype="datetime64[M]")
    days = (
        months.astype("datetime64[D]")
        + (((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")) - 1) * ends
    )
    codec = recognised(column([str(day) for day in days]), 16).codec
    x = np.stack([RNG.integers(0, size, 500) for size in codec.sizes], 1)
    drawn = np.array(codec.write(codec.decode(x, runtime.keyed(0))), dtype="datetime64[D]") + ends
    assert (drawn.astype("datetime64[M]").astype("datetime64[D]") == drawn).all()


def test_identifiers_are_made_anew_and_once():
    for texts in KINDS["id"]:
        codec = recognised(column(texts), 16).codec
        made = codec.write(codec.decode(np.zeros((500, 0)), runtime.keyed(0)))
        assert len(set(made)) == 500
        assert isinstance(codec, Identifier)
        if codec.consecutive:
            continue
        assert {len(text) for text in made} <= {len(str(text)) + more for text in texts for more in (0, 1)}


def test_one_rule_of_what_is_empty():
    found = emptied(
        table(garage=["None", "Attached", "", "None"], country=["NA", "AO", "BW", "NA"], n=["1", "2", "3", "4"])
    )
    assert found.taken == {}
    found = emptied(table(n=["1", "NA", "3"], word=["NA", "b", "<NA>"], code=["NA", "US", "DE"]))
    assert found.taken == {"n": {"NA": 1}, "word": {"NA": 1, "<NA>": 1}}
    assert "'NA' is taken as empty: 1 in 'n', 1 in 'word'" in found.notes[0]
    assert emptied(table(a=["x", "-9", "y"]), "-9,x").taken == {"a": {"x": 1, "-9": 1}}
    assert emptied(table(n=["1", "?", "3"]), "").taken == {}


def test_what_the_user_says_goes_before_what_is_seen(tmp_path):
    cells = table(
        zip=["10115", "20095", "10115"] * 20,
        day=["01/02/2020", "03/02/2020", "05/02/2020"] * 20,
        n=["1", "2", "3"] * 20,
    )
    (tmp_path / "types.json").write_text('{"day": {"type": "date", "format": "%d/%m/%Y"}, "n": {"type": "ordered"}}')
    found = {c.name: c.codec for c in columns_of(cells, None, 16, types=tmp_path / "types.json").all}
    day, n = found["day"], found["n"]
    assert isinstance(day, Date)
    assert isinstance(n, Word)
    assert (day.format, n.ordered) == ("%d/%m/%Y", True)
    found = {c.name: c.codec.kind for c in columns_of(cells, None, 16, types="zip=word, n=text").all}
    assert found == {"zip": "word", "day": "date", "n": "text"}
    for types, sentence in (
        ("zip", "must be written column=kind"), ("zip=colour", "cannot be 'colour'"), ("zap=word", "no column 'zap'")
    ):  # fmt: skip
        with pytest.raises(UsageError, match=sentence):
            columns_of(cells, None, 16, types=types)
    with pytest.raises(DataError, match="'day' must hold numbers, not '01/02/2020'"):
        columns_of(cells, None, 16, types={"day": "number"})
    assert stated({"a": {"type": "category"}})["a"].kind == "word"


def test_types_are_written_read_again_and_found_beside_their_table(tmp_path):
    rows = [f"{d:02}/11/2021,0{d % 7},{'SML'[d % 3]},{50 * d},{'yn'[d % 2]}" for d in range(1, 29)]
    path, out = tmp_path / "v.csv", tmp_path / "types.json"
    path.write_text("\n".join(["day,zip,size,price,ok", *rows]))
    plain = pc.data(path)
    plain.save(out)
    told = json.loads(out.read_text())
    assert {name: kind["type"] for name, kind in told["types"].items()} == {
        "day": "date", "zip": "word", "size": "ordered", "price": "number", "ok": "boolean",
    }  # fmt: skip
    assert told["types"]["size"]["order"] == ["S", "M", "L"]
    found = pc.data(path)
    assert any("taken from" in note and "types.json" in note for note in found.notes)
    assert [c.codec for c in found.splits.columns.all] == [c.codec for c in plain.splits.columns.all]
    told["types"]["price"] = "word"
    out.write_text(json.dumps(told))
    assert pc.data(path).splits.columns.all[3].codec.kind == "word"
    assert pc.data(path, reading={"types": "zip=number"}).splits.columns.all[3].codec.kind == "number"
    (tmp_path / "other.csv").write_text(path.read_text())
    assert pc.data(tmp_path / "other.csv").splits.columns.all[3].codec.kind == "number"
    out.rename(tmp_path / "other.types.json")
    assert pc.data(tmp_path / "other.csv").splits.columns.all[3].codec.kind == "number"  # it was not made for it
    assert [beside(Path(folder)) for folder in (".", "..", "/")] == [None] * 3
    with pytest.raises(UsageError, match="no table"):
        pc.data("digits").save(tmp_path / "digits.json")


def test_a_missing_cell_can_be_a_state():
    cells = table(a=["x", "", "y", "x"] * 10, b=[str(i % 20) if i % 4 else "" for i in range(40)])
    kept = columns_of(cells, None, 8, missing="keep")
    coded = kept.encode(cells)
    assert (coded.x >= 0).all()
    rows = kept.cells(coded.x.astype(int), None, runtime.keyed(0))
    assert [row[0] for row in rows] == ["x", "", "y", "x"] * 10
    assert [row[1] == "" for row in rows] == [i % 4 == 0 for i in range(40)]
    filled = columns_of(cells, None, 8)
    assert (filled.encode(cells).x < 0).any()
    assert [s + 1 for s in filled.sizes[:2]] == list(kept.sizes[:2])


def test_hundreds_of_words_have_a_place_and_rare_ones_their_share():
    words = list(itertools.chain.from_iterable([f"w{i}"] * max(1, 900 // (i + 1)) for i in range(900)))
    cells = column(words)
    codec = recognised(cells, 16).codec
    coded = codec.encode(cells)
    assert max(codec.sizes) <= 32
    assert set(codec.write(codec.decode(coded.x, runtime.keyed(0)))) >= {f"w{i}" for i in range(400)}
    once = {text: (tuple(x), rest) for text, x, rest in zip(words, coded.x.tolist(), coded.rest, strict=True)}
    masses = {}
    for x, rest in once.values():
        masses[x] = masses.get(x, 0) + np.exp(rest)
    assert np.allclose(list(masses.values()), 1)
    new = codec.encode(column(["unheard of"]))
    assert new.beyond.all()
    assert (new.x == -1).all()


def test_raw_values_are_what_was_read(tmp_path):
    rows = "1.5,a,2020-01-02,x\n,b,2020-01-03,y\n2.5,b,2020-01-05,x\n" * 20
    (tmp_path / "t.csv").write_text(f"n,word,day,kind\n{rows}")
    real = open_data(tmp_path / "t.csv", label="kind")
    assert real.values is not None
    assert real.columns is not None
    train = real.values["train"]
    assert train.names == ("n", "word", "day", "kind")
    assert train.categorical.tolist() == [False, True, False, True]
    assert np.isnan(train.values[:, 0]).sum() == (train.values[:, 1] == 1).sum() - (train.values[:, 0] == 2.5).sum()
    assert set(train.values[:, 2]) == {18263.0, 18264.0, 18266.0}
    (tmp_path / "s.csv").write_text("n,word,day,kind\n999,c,2020-01-02,z\n?,a,never,x\n")
    other = raw_values(read_cells(tmp_path / "s.csv"), real.columns)
    assert other.words[1] == ("a", "b", "c")
    assert other.values[0].tolist() == [999.0, 2.0, 18263.0, 2.0]
    assert np.isnan(other.values[1]).tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["0:05:03", "12:00:00"], "0:05:03"), (["9.1.2020 8:05", "10.11.2020 13:15"], "9.1.2020 8:05"),
        (["2020-01-31 10:15:02.125", "2020-02-29 23:00:59.500"], "2020-01-31 10:15:02.125"),
        (["01/02/2020 09:15 PM", "12/31/2020 11:05 AM"], "01/02/2020 09:15 PM"),
        (["2020-01-31T10:15:02+09:00", "2020-02-29T01:02:03+09:00"], "2020-01-31T10:15:02+09:00"),
    ],
)  # fmt: skip
def test_a_date_is_written_as_it_was(texts, expected):
    codec = recognised(column(texts * 9), 16).codec
    assert isinstance(codec, Date)
    assert codec.write(np.array([codec.first])) == [expected]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([*(f"2020-01-{day:02}" for day in range(1, 29)), "2020-02-30"] * 2, "without '2020-02-30': write all like"),
        ([f"2020-01-{d:02}" if d % 2 else f"{d}/{m}/2020" for m in (1, 2) for d in range(1, 29)], "write all like"),
        ([*np.arange(90) / 7, "unknown"], "without 'unknown'"),
        (["01/02/2020", "03/04/2021"] * 5, "taken as day first, which no cell decides"),
        (["12/31/1999", "01/02/2000"] * 5, "every cell is a date like 12/31/1999"),
    ],
)  # fmt: skip
def test_a_reason_says_what_keeps_a_column_from_being_more(texts, told):
    assert told in recognised(column(texts), 16).reason


def test_words_of_a_scale_are_in_order():
    found = recognised(column(["High", "low", "Medium"] * 9), 16).codec
    assert isinstance(found, Word)
    assert (found.words, found.ordered) == (("low", "Medium", "High"), True)
    colours = recognised(column(["high", "low", "blue"] * 9), 16).codec
    assert isinstance(colours, Word)
    assert not colours.ordered


@pytest.mark.parametrize(
    ("years", "told"),
    [(range(30, 100), "1930 to 1999"), ([*range(50, 100), *range(9)], "1950 to 2008"), (range(25), "2000 to 2024")],
)
def test_years_of_two_digits_lie_together(years, told):
    cells = column([f"{1 + k % 12:02}/28/{year:02}" for k, year in enumerate(years)])
    found = recognised(cells, 16)
    assert found.reason.endswith(f"of the years {told}")
    assert isinstance(found.codec, Date)
    assert found.codec.write(found.codec.decode(found.codec.encode(cells).x, runtime.keyed(0)))
    assert (np.datetime64(int(found.codec.first), "s").item().year, found.codec.encode(cells).beyond.sum()) == (
        int(told[:4]),
        0,
    )
    assert (
        Columns.from_json(json.loads(json.dumps(Columns((Column("x", found.codec, ""),)).as_json()))).all[0].codec
        == found.codec
    )
