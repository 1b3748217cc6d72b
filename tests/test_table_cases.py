"""Tables as people have them, from the file to the answer: what goes in comes out as what it was."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import priorcraft as pc
from priorcraft.datasets import open_data
from priorcraft.errors import DataError, ImpossibleEvidence, UsageError

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    n = 600
    age = RNG.integers(18, 90, n)
    gain = np.where(RNG.random(n) < 0.9, 0, RNG.integers(100, 50_000, n))
    frame = pd.DataFrame(
        {
            "id": RNG.permutation(900_000)[:n] + 100_000,
            "born": pd.Timestamp("2020-03-01") - pd.to_timedelta(age * 365, "D"),
            "zip": RNG.choice(["01067", "10115", "99084"], n), "version": RNG.choice(["1.1", "1.10"], n), "gain": gain,
            "paid": np.round(RNG.gamma(4, 20, n), 2), "garage": RNG.choice(["None", "Attached"], n), "always": "yes",
            "kind": np.where(age > 50, "old", "young"),
        }
    )  # fmt: skip
    frame.loc[::7, "garage"] = None
    folder = tmp_path_factory.mktemp("people")
    frame.to_csv(folder / "people.csv", index=False)
    run = pc.fit(folder / "people.csv", "chow-liu", out=folder / "run", steps=10, reading={"label": "kind"})
    return folder, frame, run


def test_samples_are_rows_that_could_have_been_there(people):
    folder, frame, run = people
    pc.sample(run, 1000, seed=3).save(folder / "s.csv")
    drawn = pd.read_csv(folder / "s.csv", dtype=str, keep_default_na=False)
    assert list(drawn.columns) == list(frame.columns)
    assert len(set(drawn["id"])) == 1000
    assert set(drawn["zip"]) <= set(frame["zip"])
    assert set(drawn["version"]) == {"1.1", "1.10"}
    assert set(drawn["garage"]) == {"None", "Attached"}
    assert set(drawn["always"]) == {"yes"}
    assert abs((drawn["gain"] == "0").mean() - (frame["gain"] == 0).mean()) < 0.04
    pd.to_datetime(drawn["born"], format="%Y-%m-%d")  # raises at an impossible one
    assert drawn["paid"].str.fullmatch(r"\d+(\.\d{1,2})?").all()


def test_impute_changes_no_cell_that_is_there(people):
    folder, _, run = people
    before = (folder / "people.csv").read_text().splitlines()
    pc.impute(run, folder / "people.csv", n=1).save(folder / "filled.csv")
    after = (folder / "filled.csv").read_text().splitlines()
    assert len(before) == len(after)
    for a, b in zip(before, after, strict=True):
        old, new = a.split(","), b.split(",")
        assert [x for x, y in zip(old, new, strict=True) if x != y] == [""] * (old[6] == "")
        assert new[6]


def test_answers_come_with_the_rows_and_new_values_are_marked(people):
    folder, frame, run = people
    asked = frame.drop(columns="kind").head(20)
    asked.loc[3, "paid"], asked.loc[5, "zip"] = 99_999.0, "88888"
    asked.to_csv(folder / "new.csv", index=False)
    found = pc.classify(run, folder / "new.csv")
    found.save(folder / "classes.csv")
    classes = pd.read_csv(folder / "classes.csv", dtype=str)
    assert len(classes) == 20
    assert set(classes["class"]) == {"old", "young"}
    assert list(classes.columns[:3]) == ["id", "born", "zip"]
    odd = pc.unusual(run, folder / "new.csv")
    assert odd.n == 20
    assert set(odd.most[:2]) == {3, 5}
    odd.save(folder / "odd.parquet")
    assert len(pd.read_parquet(folder / "odd.parquet")) == 20


def test_frames_in_frames_out_with_their_types(people, tmp_path):
    _, frame, _ = people
    frame = frame.assign(size=pd.Categorical(RNG.choice(["s", "m", "l"], len(frame)), ["s", "m", "l"], ordered=True))
    frame["flag"] = RNG.random(len(frame)) < 0.3
    run = pc.fit(frame, "naive-bayes", out=tmp_path / "run", steps=3)
    drawn = pc.sample(run, 50).frame
    assert str(drawn["flag"].dtype) == "bool"
    assert list(drawn["size"].cat.categories) == ["s", "m", "l"]
    assert drawn["size"].cat.ordered
    assert str(drawn["gain"].dtype) == "int64"
    assert str(drawn["born"].dtype).startswith("datetime64")
    polars = pytest.importorskip("polars")
    assert pc.open_data(polars.DataFrame({"a": [1, 2, None] * 9, "b": ["x", "y", "x"] * 9})).columns.sizes == (2, 2)


def test_weighted_rows_count_as_often_as_they_say(tmp_path):
    rows = "smoker,ill,count\nyes,yes,90\nyes,no,10\nno,yes,10\nno,no,890\n"
    (tmp_path / "counts.csv").write_text(rows)
    run = pc.fit(tmp_path / "counts.csv", "chow-liu", out=tmp_path / "run", steps=5)
    drawn = pc.sample(run, 5000)
    ill = [row[1] for row in drawn.cells].count("yes") / 5000
    assert abs(ill - 0.1) < 0.03


def test_samples_are_frames_of_the_library_that_was_fitted(people, tmp_path, monkeypatch):
    polars = pytest.importorskip("polars")
    _, frame, _ = people
    frame = frame.assign(vip=frame["gain"] > 0)
    run = pc.fit(polars.from_pandas(frame), "naive-bayes", out=tmp_path / "run", steps=2, reading={"label": "vip"})
    drawn = pc.sample(pc.load(run.path), 20).frame
    assert isinstance(drawn, polars.DataFrame)
    assert (drawn.schema["vip"], drawn.schema["gain"]) == (polars.Boolean, polars.Int64)
    under = pc.sample(run, 20, where="vip=True, gain>0").frame
    assert under["vip"].all()
    assert (under["gain"] > 0).all()
    labelled = pc.fit(frame, "naive-bayes", out=tmp_path / "pandas", steps=2, reading={"label": "vip"})
    assert str(pc.sample(labelled, 20, where="vip=False").frame.dtypes["vip"]) == "bool"
    monkeypatch.setattr("priorcraft.cells.writing.find_spec", lambda name: None)
    assert pc.sample(labelled, 5).frame.schema.field("vip").type == "bool"


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    """Browsers, systems, whole and decimal numbers and a class, and a tree of them."""
    rng = np.random.default_rng(0)
    browser = rng.choice(["chrome", "firefox"], 200)
    table = pd.DataFrame(
        {"browser": browser, "n": rng.integers(0, 40, 200), "hours": rng.gamma(2, 1, 200).round(2),
         "churn": np.where((browser == "chrome") == (rng.random(200) < 0.9), "yes", "no")}
    )  # fmt: skip
    return pc.fit(open_data(table, label="churn"), "chow-liu", steps=2), table


def test_a_table_without_the_label_or_a_column_is_answered_and_said(visits, tmp_path):
    run, table = visits
    asked = table[["browser", "n", "hours"]].head(4).assign(browser=["chrome", "vivaldi", "firefox", "chrome"])
    asked.index = list("abcd")
    found = pc.classify(run, asked.drop(columns="n"))
    assert any("no column 'n'" in note for note in found.notes)
    assert list(found.frame.columns) == ["browser", "hours", "class", "p", "log_p"]
    assert list(found.frame.index) == list("abcd")
    assert list(found.frame["class"][["a", "c"]]) == ["yes", "no"]
    scored = pc.score(run, asked).save(tmp_path / "s.csv")
    assert scored.density == ("hours",)
    assert scored.beyond == 1
    assert scored.row_nats == pytest.approx(-found_log_p(tmp_path / "s.csv").mean())
    assert list(pd.read_csv(tmp_path / "s.csv")["beyond"]) == [False, True, False, False]
    assert pc.score(run, asked.drop(columns="hours")).density == ()
    assert list(pc.impute(run, asked.drop(columns="n"), n=1).frame.columns) == ["browser", "hours", "n"]
    polars = pc.score(run, pl.from_pandas(asked)).frame
    assert isinstance(polars, pl.DataFrame)
    assert polars["log_p"].to_numpy() == pytest.approx(scored.frame["log_p"].to_numpy())
    with pytest.raises(DataError, match="has no column 'browser'"):
        pc.score(run, pd.DataFrame({"other": [1, 2]}))


def found_log_p(path):
    return pd.read_csv(path)["log_p"]


@pytest.mark.parametrize("model", ["chow-liu", "latent-tree", "autoregressive"])
def test_the_score_of_whole_rows_integrates_to_one(visits, model):
    """Coarse states of these columns have different numbers of fine ones."""
    run, table = visits
    if model != "chow-liu":
        small = {"latents": 2} | ({"orders": 1, "width": 16} if model == "autoregressive" else {})
        run = pc.fit(open_data(table, label="churn"), model, steps=8, settings=small)
    assert run.model.space.finer
    hours = pd.DataFrame({"hours": np.arange(-100, 3000) / 100})
    whole = pd.DataFrame({"n": np.arange(-900, 900)})
    for grid, step in ((hours, 0.01), (whole, 1.0)):
        assert np.exp(pc.score(run, grid).frame["log_p"]).sum() * step == pytest.approx(1, abs=2e-3)


TYPED = {
    "category": pd.Categorical(RNG.choice(["z", "a"], 60), ["z", "never", "a"]),
    "ordered": pd.Categorical(RNG.choice(["lo", "hi"], 60), ["lo", "hi"], ordered=True),
    "microseconds": pd.Timestamp("2023-01-01") + pd.to_timedelta(RNG.integers(0, 10**12, 60), "us"),
    "mixed": pd.Series([1, "two", 2.5, None] * 15, dtype=object),
    "nothing": pd.Series([None] * 60, dtype=object), "nan": np.full(60, np.nan),
    "whole": pd.array([1, None, 3] * 20, dtype="Int64"), "truth": pd.array([True, None, False] * 20, dtype="boolean"),
    "zone": pd.Series(pd.date_range("2023-01-01", periods=60, freq="7h", tz="Asia/Seoul")),
}  # fmt: skip


def test_frames_keep_their_types_and_every_cell_that_is_there():
    frame = pd.DataFrame(TYPED | {"x": RNG.normal(size=60).round(2)})
    assert "category: 3 words: a, never, z" in pc.data(frame).columns[0]
    run = pc.fit(frame, "chow-liu", steps=3)
    drawn, filled = pc.sample(run, 40).frame, pc.impute(run, frame, n=1).frame
    for name in frame:
        assert drawn[name].dtype == filled[name].dtype == frame[name].dtype, name
        there = frame[name].notna()
        assert filled[name][there].tolist() == frame[name][there].tolist(), name
        assert list(map(type, filled[name][there])) == list(map(type, frame[name][there])), name
    assert pc.unusual(run, frame.head(40)).n == 40


def test_a_model_is_asked_like_a_table(visits):
    run, _ = visits
    words = pc.bayes(run, query="churn", given=["browser in (chrome, firefox)", "browser=chrome"])
    assert (words.kind, words.draws) == ("exact", None)
    near = pc.bayes(run, query="churn", given="browser in (chrome, firefox), browser=chrome, n>=-1000")
    assert (near.kind, near.draws) == ("unbiased", 100_000)
    for exact, counted in zip(words.steps, near.steps[:2], strict=True):
        assert counted.evidence == pytest.approx(exact.evidence, abs=0.01)
        assert counted.posterior == pytest.approx(exact.posterior, abs=0.02)
    assert words.evidence == pytest.approx(words.steps[0].evidence * words.steps[1].evidence)
    assert sum(pc.bayes(run, query="n", given={"churn": "yes"}).posterior.values()) == pytest.approx(1)
    older = pc.bayes(run, query="churn", given="n>10")
    assert older.steps[0].piece == "n>10"
    for given, sentence in (
        ("churn=yes", "take it out"),
        ("brows=x", "no column 'brows'"),
        ("n>soon", "is a number"),
    ):
        with pytest.raises(UsageError, match=sentence):
            pc.bayes(run, query="churn", given=given)
    with pytest.raises(ImpossibleEvidence, match="none of 100,000 draws"):
        pc.bayes(run, query="churn", given="n>100000000")


def test_every_verb_tells_which_words_it_took_as_empty(tmp_path):
    rows = [f"{k % 7},{'ab'[k % 2]}" for k in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["n,word", *rows, "NA,a", "3,?"]))
    (tmp_path / "holes.csv").write_text("\n".join(["n,word", "NA,b", "?,a", "2,a", "5,NULL"]))
    run = pc.fit(tmp_path / "t.csv", "chow-liu", out=tmp_path / "run", steps=2)
    for answer in (
        pc.impute(run, tmp_path / "holes.csv"),
        pc.score(run, tmp_path / "holes.csv"),
        pc.evaluate(tmp_path / "holes.csv", tmp_path / "t.csv"),
    ):
        told = " ".join(answer.notes)
        for word, place in (("NA", "1 in 'n'"), ("?", "1 in 'n'"), ("NULL", "1 in 'word'")):
            assert f"'{word}' is taken as empty: {place}" in told
