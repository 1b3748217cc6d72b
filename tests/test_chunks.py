"""Long answers in chunks: the same bytes for any number of workers, on any engine, and after any kill."""

import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

import priorcraft as pc
from crash import die_at_the_third_chunk
from priorcraft.cli import main
from priorcraft.datasets import Splits, cached, open_data
from priorcraft.datasets.columns.aside import Identifier
from priorcraft.datasets.columns.naming import Stretch
from priorcraft.datasets.prepared import open_prepared, save
from priorcraft.errors import DataError, PriorcraftError, RunBusy, UsageError
from priorcraft.run import Run, load
from priorcraft.run.data import data_of
from priorcraft.scale.answering import answer, question_job, sample_job
from priorcraft.scale.chunks import Job
from priorcraft.scale.content import content
from priorcraft.scale.questions import Question, alone, asked
from priorcraft.scale.sources import ParquetRows, rows_of

ROWS, SIZE = 1100, 256


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A table of numbers and words, a tenth of its cells empty."""
    rng = np.random.default_rng(0)
    z = rng.integers(0, 3, ROWS)
    table = pd.DataFrame(
        {
            "size": np.round(rng.normal(z * 2.0, 1.0), 2),
            "colour": np.array(["red", "green", "blue"])[(z + rng.integers(0, 2, ROWS)) % 3],
            "count": z + rng.integers(0, 3, ROWS),
        }
    )
    return table.mask(rng.random(table.shape) < 0.1)


@pytest.fixture(scope="module")
def run(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tree of the whole rows of the table."""
    folder = tmp_path_factory.mktemp("run") / "tree"
    frame.dropna().to_csv(folder.with_suffix(".csv"), index=False)
    pc.fit(str(folder.with_suffix(".csv")), "chow-liu", out=folder, steps=3)
    return load(folder)


@pytest.fixture(scope="module")
def parquet(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table as a folder of two files, the first with several row groups."""
    folder = tmp_path_factory.mktemp("parquet")
    frame[:700].to_parquet(folder / "a.parquet", row_group_size=300)
    frame[700:].to_parquet(folder / "b.parquet")
    return folder


@pytest.fixture(autouse=True)
def as_workers_do() -> Iterator[None]:
    """What is computed here is computed as in a worker."""
    with alone():
        yield


def jobs(run: Run, parquet: Path) -> list[Job]:
    """Questions in chunks that are small enough for a test."""
    found = [sample_job(run, ROWS, seed=3)]
    found += [question_job(run, asked(run, name, seed=3), parquet) for name in ("score", "impute")]
    return [replace(job, size=SIZE) for job in found]


def files(folder: Path) -> dict[str, bytes]:
    """The content of every chunk."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


@pytest.mark.slow
def test_any_number_of_workers_writes_the_same_bytes(run, parquet, tmp_path):
    for job in jobs(run, parquet):
        alone = {f"part-{i:06d}.parquet": content(job, i) for i in range(job.count)}
        assert answer(job, tmp_path / job.question, workers=2).done == job.count == 5
        assert files(tmp_path / job.question) == alone
        assert answer(job, tmp_path / job.question, workers=2).done == 0


@pytest.mark.slow
def test_a_killed_worker_leaves_finished_chunks_and_the_same_call_goes_on(run, parquet, tmp_path, monkeypatch):
    job = jobs(run, parquet)[0]

    with monkeypatch.context() as patched:
        patched.setattr("priorcraft.scale.answering.compute", die_at_the_third_chunk)
        with pytest.raises(PriorcraftError, match=r"Finished chunks are kept in .*the same command goes on"):
            answer(job, tmp_path / "out", workers=2)
    kept = files(tmp_path / "out")
    assert {"part-000000.parquet", "part-000001.parquet"} <= set(kept)
    assert "part-000002.parquet" not in kept
    assert answer(job, tmp_path / "out").done == job.count - len(kept)
    assert files(tmp_path / "out") == {f"part-{i:06d}.parquet": content(job, i) for i in range(job.count)}


def test_a_folder_of_something_else_is_refused(run, parquet, tmp_path):
    sampling, scoring, _ = jobs(run, parquet)
    answer(replace(sampling, rows=SIZE), tmp_path / "out")
    with pytest.raises(UsageError, match="the answer to another question"):
        answer(scoring, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("text")
    with pytest.raises(UsageError, match=r"holds other files \(thesis.txt\)"):
        answer(sampling, tmp_path / "mine", overwrite=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_two_calls_at_a_time_on_one_folder_are_refused(run, parquet, tmp_path):
    sampling, scoring, _ = jobs(run, parquet)

    def another_call(chunks: int, of: int) -> None:
        with pytest.raises(RunBusy, match=rf"out is being written by process {os.getpid()}"):
            answer(scoring, tmp_path / "out", overwrite=True)

    answer(replace(sampling, rows=SIZE), tmp_path / "out", done=another_call)
    assert set(files(tmp_path / "out")) == {"part-000000.parquet"}


def test_imputing_fills_empty_cells_and_touches_no_other(run, parquet, frame, tmp_path):
    answer(jobs(run, parquet)[2], tmp_path / "out")
    found = pyarrow.parquet.read_table(tmp_path / "out").to_pandas()[list(frame)]
    assert not found.isna().any().any()
    there = frame.notna()
    assert found.where(there).equals(frame.where(there).astype(found.dtypes.to_dict()))


def test_a_question_as_a_function_that_can_be_sent_and_cut_anyhow(run, frame):
    ask = pickle.loads(pickle.dumps(asked(run, "score")))
    whole = ask(frame)
    parts = pd.concat([ask(frame[i : i + 300]) for i in range(0, ROWS, 300)])
    np.testing.assert_allclose(whole["log_p"], parts["log_p"], rtol=1e-5)
    assert list(whole) == [*frame, "log_p"]
    assert parts.index.equals(frame.index)
    filled = asked(run, "impute", seed=1)
    assert filled(frame[:50]).equals(filled(frame[:50]))
    assert not filled(frame[:50]).equals(asked(run, "impute", seed=2)(frame[:50]))


def test_log_p_of_a_row_is_that_of_its_integers_and_what_lies_beyond_them(run, frame):
    some = frame.dropna()[:100]
    rows = data_of(run, some).test
    assert rows.rest is not None
    expected = run.model.log_prob(rows.x).double() + rows.rest
    np.testing.assert_allclose(asked(run, "score")(some)["log_p"], expected.numpy(), rtol=1e-5)


@pytest.mark.slow
def test_ray_writes_the_same_bytes(run, parquet, tmp_path):
    pytest.importorskip("ray")
    job = jobs(run, parquet)[1]
    assert answer(job, tmp_path / "out", workers=2, on="local").done == job.count
    assert files(tmp_path / "out") == {f"part-{i:06d}.parquet": content(job, i) for i in range(job.count)}


@pytest.mark.parametrize("bytes_", [10**9, 1000], ids=["in memory", "kept in the cache"])
@pytest.mark.parametrize("name", ["score", "impute", "unusual"])
def test_text_is_answered_in_chunks_as_the_plain_question_answers(name, bytes_, run, frame, tmp_path, monkeypatch):
    monkeypatch.setattr(cached, "LARGE_BYTES", bytes_)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = tmp_path / "table.csv"
    frame.dropna(how="all").to_csv(source, index=False, na_rep="NA")
    job = replace(question_job(run, asked(run, name), source), size=SIZE)
    answer(job, tmp_path / "out")
    found = pyarrow.parquet.read_table(tmp_path / "out").to_pandas()
    kept = list((tmp_path / "cache" / "priorcraft").glob("*/cells.parquet"))
    assert bool(kept) == (bytes_ == 1000)  # of the file, and of the run's own rows where a question opens them, too
    if name == "impute":
        whole = frame.dropna(how="all").reset_index(drop=True)
        there = whole["colour"].notna()
        assert not found.isna().any().any()
        assert (found["colour"][there] == whole["colour"][there]).all()
        return
    plain = pc.score(run, source) if name == "score" else pc.unusual(run, source)
    for each in ("log_p",) if name == "score" else ("likelihood", "typicality", "ratio"):
        np.testing.assert_allclose(found[each], np.asarray(plain.frame[each]), rtol=1e-4, atol=1e-4)


def test_a_fault_in_a_later_chunk_of_a_text_file_names_its_line(run, frame, tmp_path):
    source = tmp_path / "table.csv"
    lines = frame.dropna().to_csv(index=False).splitlines()
    lines[700] = f"big,{lines[700].partition(',')[2]}"
    source.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"line 701: 'size' must be a number.*not 'big'"):
        answer(replace(question_job(run, asked(run, "score"), source), size=SIZE), tmp_path / "out")


def test_parquet_is_read_by_stretches_across_files_and_groups(parquet, frame, tmp_path):
    rows = ParquetRows(parquet)
    assert len(rows) == ROWS
    for begin, end in ((0, 1), (299, 301), (650, 1100), (0, ROWS)):
        assert rows.read(begin, end).to_pandas().equals(frame[begin:end].reset_index(drop=True))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="holds no parquet files"):
        rows_of(str(empty))


def test_prepared_data_are_what_they_were(digits: Splits, tmp_path):
    there = open_prepared(save(digits, tmp_path / "data"))
    for part in ("train", "valid", "test"):
        assert (there.rows(part).x == digits.rows(part).x).all()
        assert (there.rows(part).y == digits.rows(part).y).all()
    assert (there.space, there.classes, there.fingerprint) == (digits.space, digits.classes, digits.fingerprint)
    (tmp_path / "data" / "data.json").write_text('{"kind": "priorcraft data", "format": 1}')
    with pytest.raises(DataError, match="prepare the data anew"):
        open_prepared(tmp_path / "data")


def test_scores_of_prepared_images(digits: Splits, tmp_path):
    pc.fit(digits, "naive-bayes", out=tmp_path / "nb", steps=3)
    fitted = load(tmp_path / "nb")
    job = question_job(fitted, asked(fitted, "score"), save(digits, tmp_path / "data"))
    answer(job, tmp_path / "out")
    found = pyarrow.parquet.read_table(tmp_path / "out")["log_p"].to_numpy()
    assert -found.mean() == pytest.approx(pc.score(fitted, digits).nats, rel=1e-6)
    with pytest.raises(UsageError, match="question must be one of"):
        asked(fitted, "paint")
    assert asked(fitted, "score").question is Question.SCORE
    assert open_data("digits").space == fitted.model.space


@pytest.mark.parametrize(
    ("first", "last", "consecutive"),
    [
        ("1", "900", True),
        ("007", "912", False),
        ("INV-1", "INV-9", False),
        (f"{'0' * 8}-0000-4000-8000-{'0' * 12}",) * 2 + (False,),
    ],
)
def test_names_of_rows_are_unique_among_all_chunks(first, last, consecutive):
    codec = Identifier(first, last, consecutive, 900)
    each = [codec.named(100, Stretch(begin, 1000, seed=5)).tolist() for begin in range(0, 1000, 100)]
    assert len({name for names in each for name in names}) == 1000
    assert each[3] == codec.named(100, Stretch(300, 1000, seed=5)).tolist()


def test_a_question_answers_in_chunks_by_its_own_command(run, parquet, tmp_path, capsys):
    answer(jobs_of(run, parquet, "score"), tmp_path / "bulk")
    words = ["score", str(run.path), str(parquet), "--workers", "1", "--seed", "3", "--out"]
    main([*words, str(tmp_path / "own")])
    assert files(tmp_path / "own") == files(tmp_path / "bulk")
    for wrong, said in (("a.csv", "--out is a folder"), ("other --check", "--check does not go with --workers")):
        with pytest.raises(SystemExit):
            main([*words, *str(tmp_path / wrong).split(" ")])
        assert said in capsys.readouterr().err


def jobs_of(run: Run, parquet: Path, name: str) -> Job:
    """A question in chunks of the usual size."""
    return question_job(run, asked(run, name, seed=3), parquet)
