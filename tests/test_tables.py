"""Tables of a user's own: numbers and words in columns, a class among them, empty cells."""

import csv
from typing import Any

import numpy as np
import pytest

import priorcraft as pc
from priorcraft.cli import main
from priorcraft.datasets import open_data
from priorcraft.errors import DataError, UsageError

HEADER = ["id", "height", "colour", "legs", "kind", "always"]


def animals(n=200):
    """Rows in which cats and birds differ in every column; heights are many numbers, legs few."""
    rng, rows = np.random.default_rng(0), []
    for i in range(n):
        cat = rng.random() < 0.5
        height = rng.normal(25 if cat else 12, 3)
        colour = rng.choice(["grey", "red", "white"], p=[0.6, 0.3, 0.1] if cat else [0.1, 0.2, 0.7])
        rows.append([f"n{i}", f"{height:.2f}", colour, "4" if cat else "2", "cat" if cat else "bird", "yes"])
    return rows


def write(path, rows, header=HEADER, delimiter=",", encoding="utf-8"):
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write(tmp_path_factory.mktemp("table") / "animals.csv", animals())


@pytest.fixture(scope="module")
def run(table):
    out = table.parent / "run"
    pc.fit(table, "chow-liu", out=out, reading={"label": "kind"})
    return out


def test_a_table_becomes_integers_with_states_of_their_own(table):
    splits: Any = open_data(table, label="kind")
    assert splits.classes == ("bird", "cat")
    assert [column.name for column in splits.columns.columns] == ["height", "colour", "legs"]
    assert splits.space.sizes[1:3] == (3, 2)  # then the fine digit of height
    assert 2 < splits.space.levels <= 16
    assert splits.columns.header == HEADER
    notes = " ".join(splits.notes)
    assert "'id' is left out of p(x), identifiers from n0 to n199" in notes
    assert "'always' is left out of p(x), always yes" in notes
    assert open_data(table, levels=5).space.sizes[:4] == (5, 3, 2, 2)


def test_semicolons_a_byte_order_mark_and_empty_cells(tmp_path):
    rows = [[a, b, c] for a, b, c in zip("abab" * 10, "0123" * 10, ["x", "", "y", "x"] * 10, strict=True)]
    path = write(tmp_path / "t.csv", rows, ["u", "v", "w"], delimiter=";", encoding="utf-8-sig")
    splits = open_data(path)
    assert sum(len(splits.rows(part)) for part in ("train", "valid", "test")) == 40
    assert any("10 of 40 rows have empty cells" in note for note in splits.notes)


@pytest.mark.slow
def test_the_whole_evening_with_a_table(table, run, tmp_path, capsys):
    def ask(*words):
        main([str(word) for word in words])
        return capsys.readouterr().out

    assert "colour: 3 words: grey, red, white" in ask("data", table, "--label", "kind")
    ask("sample", run, "-n", 300, "--out", tmp_path / "s.csv")
    drawn = read(tmp_path / "s.csv")
    assert list(drawn[0]) == HEADER
    assert len({row["id"] for row in drawn}) == 300
    assert {row["always"] for row in drawn} == {"yes"}
    for kind, legs, height in (("cat", "4", 25), ("bird", "2", 12)):
        own = [row for row in drawn if row["kind"] == kind]
        assert 100 < len(own) < 200
        assert sum(row["legs"] == legs for row in own) > 0.9 * len(own)
        assert abs(np.mean([float(row["height"]) for row in own]) - height) < 1.5
    ask("sample", run, "-n", 5, "--given", "label=cat", "--out", tmp_path / "cats.csv")
    assert {row["kind"] for row in read(tmp_path / "cats.csv")} == {"cat"}
    assert "exact" in ask("classify", run)
    assert "=" in ask("score", run, table)
    other = write(tmp_path / "other.csv", [row[1:4] for row in animals(30)], HEADER[1:4])
    assert "n               30" in ask("score", run, other)
    ask("augment", table, run, "--per-class", 5, "--out", tmp_path / "more.csv")
    assert sorted(row["kind"] for row in read(tmp_path / "more.csv")) == ["bird"] * 5 + ["cat"] * 5
    words = ["--models", "naive-bayes,qda", "--label", "kind", "--steps", 5]
    assert "baselines in bits/dim" in ask("compare", table, *words, "--out", tmp_path / "compared", "--quiet")


def test_empty_cells_are_drawn_and_all_others_stay(run, tmp_path):
    rows = animals(40)
    holes = [list(row) for row in rows]
    for i, row in enumerate(holes):
        row[1 + i % 3] = ("NA", "?", "")[i % 3]
    holes[0][4] = ""  # a class that is not known
    path = write(tmp_path / "holes.csv", holes)
    answer = pc.impute(run, path, n=1).save(tmp_path / "one.csv")
    assert answer.kind == "exact"
    assert answer.missing == 40 + 14 + 1  # entries: a height has two
    filled = read(tmp_path / "one.csv")
    for before, after in zip(holes, filled, strict=True):
        for name, cell in zip(HEADER, before, strict=True):
            assert after[name] == cell if cell not in ("", "NA", "?") else after[name] != cell
    legs = [(row["kind"], row["legs"]) for i, row in enumerate(filled) if i % 3 == 2]
    assert sum((kind == "cat") == (count == "4") for kind, count in legs) >= len(legs) - 1
    pc.impute(run, path, n=3).save(tmp_path / "three.csv")
    several = read(tmp_path / "three.csv")
    assert [row["imputation"] for row in several] == ["1"] * 40 + ["2"] * 40 + ["3"] * 40
    assert len({several[k]["height"] for k in (0, 40, 80)}) > 1
    assert [note[:28] for note in answer.notes] == ["'NA' is taken as empty: 14 i", "'?' is taken as empty: 13 in"]
    assert (several[0]["kind"] == "cat") == (several[0]["legs"] == "4")  # a class follows from what is drawn
    write(tmp_path / "blank.csv", [["", "", ""], ["25.0", "red", "4"], ["", "", ""]], HEADER[1:4])
    pc.impute(run, tmp_path / "blank.csv", n=1).save(tmp_path / "four.csv")
    assert len([row for row in read(tmp_path / "four.csv") if all(row.values())]) == 3
    pc.sample(run, 50).save(tmp_path / "s.npz")  # integers, which say nothing of each column's own number of states
    assert pc.score(run, tmp_path / "s.npz").n == 50
    pc.impute(run, path, n=2).save(tmp_path / "two.npz")
    assert np.load(tmp_path / "two.npz")["x"].shape == (40, 2, 4)


@pytest.mark.parametrize(
    ("rows", "header", "sentence"),
    [
        (
            [["tall", "red", "4"]],
            HEADER[1:4],
            r"line 2: 'height' must be a number, written like [0-9.]+, not 'tall'; write it so",
        ),
        ([["25", "4"]], ["length", "feet"], r"no column 'height'; needed are height, colour, legs"),
        ([["25", "red", "4", "dog"]] * 3, HEADER[1:5], r"line 2: 'kind' must be one of bird, cat, not 'dog'; empty"),
    ],
)
def test_other_tables_must_have_the_same_states(run, tmp_path, rows, header, sentence):
    path = write(tmp_path / "other.csv", rows, header)
    with pytest.raises(DataError, match=sentence):
        pc.classify(run, path)
    with pytest.raises(DataError, match=sentence):
        pc.impute(run, path)


def test_tables_that_nothing_can_be_learned_from(table, tmp_path):
    with pytest.raises(UsageError, match="no column 'kindd' for a label: did you mean 'kind'"):
        open_data(table, label="kindd")
    with pytest.raises(UsageError, match=r"must lie in 2 \.\.\. 32, not 64"):
        open_data(table, levels=64)
    with pytest.raises(UsageError, match="label names a column of a table"):
        open_data("digits", label="kind")
    with pytest.raises(UsageError, match="apply to a folder"):
        open_data(table, size=8)
    for rows, sentence in (
        ([["1", "a"]] * 3, "no column to learn from: 'u': always 1; 'v': always a"),
        ([[f"say {i} or {i + 1}", "a"] for i in range(40)], "'u': 40 different texts, left out"),
    ):
        with pytest.raises(DataError, match=sentence):
            open_data(write(tmp_path / "t.csv", rows, ["u", "v"]))


def test_a_run_keeps_its_bins_when_its_table_changes(tmp_path):
    path = write(tmp_path / "t.csv", animals())
    pc.fit(path, "naive-bayes", out=tmp_path / "run", reading={"label": "kind"}, steps=3)
    before = pc.score(tmp_path / "run").nats
    changed = [[row[0], str(100 * float(row[1])), *row[2:]] for row in animals()]
    assert pc.score(tmp_path / "run", write(tmp_path / "other.csv", changed)).nats != before
    write(path, changed)
    with pytest.raises(DataError, match="with other content"):
        pc.score(tmp_path / "run")
    with pytest.raises(DataError, match="with other content"):
        pc.fit(out=tmp_path / "run", resume=True)


def test_a_class_may_be_written_as_a_number(tmp_path):
    path = write(tmp_path / "t.csv", [[str(i % 7), str(i % 3)] for i in range(60)], ["u", "k"])
    pc.fit(path, "naive-bayes", out=tmp_path / "run", reading={"label": "k"}, steps=3)
    other = write(tmp_path / "o.csv", [["1", "2.0"], ["2.0", "1"], ["3", ""]], ["u", "k"])
    assert pc.classify(tmp_path / "run", other).n == 2  # of rows with a label


def test_a_data_frame_is_a_table(table, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame, file = pandas.read_csv(table), open_data(table, label="kind")
    splits = open_data(frame, label="kind")
    pc.fit(frame, "naive-bayes", out=tmp_path / "run", reading={"label": "kind"}, steps=3)
    assert pc.classify(tmp_path / "run", frame).n == len(splits.test)  # its own data stay divided
    with pytest.raises(DataError, match="fitted to data in memory; give the data with the question"):
        pc.score(tmp_path / "run")
    holes = frame.assign(colour=None)
    assert pc.impute(tmp_path / "run", holes, n=1).missing == 200
    pytest.importorskip("pyarrow")
    frame.to_parquet(table.with_suffix(".parquet"))
    assert open_data(table.with_suffix(".parquet"), label="kind").fingerprint == splits.fingerprint
    (bad := table.with_name("bad.parquet")).write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        open_data(bad)
    assert splits.space == file.space
    assert splits.classes == file.classes


def test_csv_belongs_to_tables_alone(tmp_path):
    pc.fit("digits", "naive-bayes", out=tmp_path / "run")
    with pytest.raises(UsageError, match="needs a model of a table's columns"):
        pc.sample(tmp_path / "run").save(tmp_path / "s.csv")
    with pytest.raises(UsageError, match="the model was fitted to none"):
        pc.impute(tmp_path / "run", write(tmp_path / "t.csv", [["1"]], ["u"]))


def test_samples_meet_conditions_on_any_column_and_follow_bayes_theorem(run):
    asked = pc.sample(run, 400, where="colour=red, height>14, legs in (2, 4)", seed=1)
    rows = [dict(zip(asked.run.columns.header, row, strict=True)) for row in asked.cells]
    assert {row["colour"] for row in rows} == {"red"}
    assert all(float(row["height"]) > 14 for row in rows)
    many = pc.sample(run, 20_000, seed=2)
    likewise = [dict(zip(HEADER, row, strict=True)) for row in many.cells]
    likewise = [row for row in likewise if row["colour"] == "red" and float(row["height"]) > 14]
    share, expected = (np.mean([row["kind"] == "cat" for row in each]) for each in (rows, likewise))
    assert abs(share - expected) < 0.08
    assert (asked.evidence, asked.effective) == ("exact", 400)
    assert asked.kept >= 400
    assert asked.accepted == asked.kept / asked.drawn
    assert many.evidence is many.effective is many.kept is None
    cats = pc.sample(run, 50, where="kind=cat")
    assert set(cats.classes) == {"cat"}
    quoted = pc.sample(run, 50, where="\"colour\" = 'red', legs in (\"2\", '4')").cells
    assert {row[asked.run.columns.header.index("colour")] for row in quoted} == {"red"}
    for where, sentence in (
        ("'col, our'=red", "there is no column 'col, our'"), ("colour=it's", "has no 'it's'"),
        ("colour", "where must be written like"), ("colur=red", "there is no column 'colur'"),
        ("colour=blue", "has no 'blue'"), ("colour<red", "without an order"),
        ("height>tall", "is a number, written like"),
        ("kind=dog", "there is no class 'dog'"), ("id=n1", "is left out of p"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=sentence):
            pc.sample(run, 5, where=where)


def test_codes_of_a_table_stand_beside_its_rows(table, tmp_path):
    pandas = pytest.importorskip("pandas")
    run = pc.fit(str(table), "vae", out=tmp_path / "run", steps=3, reading={"label": "kind"})
    frame = pandas.read_csv(table)[::-1].set_axis([f"r{i}" for i in range(200)])
    frame.loc["r3", "height"] = None
    found = pc.encode(run, data=frame)
    names = [f"z{i + 1}" for i in range(found.latent)]
    assert list(found.frame) == [*frame, *names]
    assert found.frame[list(frame)].equals(frame)  # all rows, in order, a hole as it was
    assert np.allclose(found.frame[names], found.z)
    found.save(tmp_path / "z.csv")
    assert pandas.read_csv(tmp_path / "z.csv").shape == found.frame.shape
    assert pc.encode(run, [0, 1], data=frame).cells is None
    assert pc.encode(run, data=frame, limit=5).frame.shape[0] == 5
    with pytest.raises(UsageError, match=r"is one of rows: give .* as data"):
        pc.encode(run, [str(table)])


def test_rows_that_particles_were_weighed_for_say_what_they_are_worth(table, tmp_path):
    run = pc.fit(str(table), "masked-mlp", out=tmp_path / "run", steps=3, settings={"width": 8, "orders": 1})
    found = pc.sample(run, 30, where="colour=red")
    assert found.evidence in ("exact", "weighted")
    assert 0 < found.effective <= 30
    assert (found.effective == 30) == (found.evidence == "exact")
