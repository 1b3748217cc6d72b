"""`bulk`: long answers in chunks, by several processes or a cluster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from priorcraft.answer import Answer
from priorcraft.errors import UsageError, did_you_mean
from priorcraft.run import Run
from priorcraft.run.data import Given, label_of, opened
from priorcraft.scale.adding import AUGMENT
from priorcraft.scale.answering import answer, augment_job, question_job, sample_job
from priorcraft.scale.content import SAMPLE
from priorcraft.scale.questions import Question, asked
from priorcraft.train.loop import Listener, Record, silent

LINES = 20  # about the progress
UNPROVED = "samples alone are drawn here; augment without --workers and --on proves whether they help."


@dataclass(frozen=True)
class Bulk(Answer):
    """A long answer that stands in a folder.

    Args:
        question: what was asked.
        out: the folder: part-000000, part-000001, ... in the order of the rows.
        rows: how many.
        chunks: files.
        computed: files that this call computed; the others were there.
        seconds: of this call.
    """

    question: str
    out: str
    rows: int
    chunks: int
    computed: int
    seconds: float


def bulk(
    run: str | Path | Run,
    question: Literal["sample", "score", "classify", "encode", "impute", "unusual", "augment"],
    source: str | Path | None = None,
    *,
    out: str | Path,
    n: int = 1,
    per_class: int | None = None,
    balance: bool = False,
    given: Given | None = None,
    split: str = "test",
    samples: int = 64,
    rate: float = 0.3,
    workers: int = 1,
    on: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    listen: Listener = silent,
) -> Bulk:
    """Answer about any number of rows, in chunks: sample, score, classify, encode, impute, unusual or augment.

    The commands of these names do the same with --workers or --on, and --out FOLDER.

    The files are the same byte for byte for any number of workers, on any engine, and after any kill; the same command
    goes on where it was stopped. A worker needs memory for one chunk, at most 65,536 rows, whatever the number of rows.

    Args:
        run: the run folder, or what `fit` and `load` return.
        question: sample, score, classify, encode, impute, unusual, or augment: samples that pass its checks, without
            its proof.
        source: the rows: a .parquet or .csv file, a folder of them, or prepared data; none for sample. For augment
            the data to add to.
        out (required): a folder, for parquet files; of samples of arrays, for .npz files.
        n: samples in all, or imputations of each row.
        per_class: samples to add to each class, for augment.
        balance: instead, fill each class up to per_class rows.
        given: label=CLASS, for sample.
        split: of prepared data, train, valid or test.
        samples: k, draws of the bound, for approximate models.
        rate: share of the entries that are mutated for the background of unusual's ratio.
        workers: processes, each with one thread.
        on: the address of a Ray cluster that does it instead, ray://HOST:10001 or auto; local starts one here.
        seed: of every random draw.
        overwrite: replace the answer to another question.
        listen: gives a consumer of records of the progress for a name.

    Returns:
        Where the answer stands, and what it took.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
        PriorcraftError: a worker was ended; what is finished stays.
    """
    fitted, _ = opened(run, "cpu")
    questions = (SAMPLE, *Question, AUGMENT)
    if question not in questions:
        raise UsageError(f"there is no question '{question}': {did_you_mean(question, questions)}")
    if n < 1 or workers < 1:
        raise UsageError(f"n and workers must be at least 1, not {n} and {workers}.")
    if (source is None) != (question == SAMPLE):
        raise UsageError(
            "sample takes no source; every other question needs one: .parquet or .csv files or prepared data."
        )
    if (per_class is not None or balance) != (question == AUGMENT):
        raise UsageError("per_class says how many samples augment adds to each class; other questions take none.")
    if source is None:
        label = label_of(fitted, given)
        job = sample_job(fitted, n, seed=seed, label=None if label is None else int(label))
    elif question == AUGMENT:
        job = augment_job(fitted, source, per_class or 0, balance=balance, seed=seed)
    else:
        job = question_job(
            fitted, asked(fitted, question, seed=seed, samples=samples, n=n, rate=rate), source, part=split
        )
    told = listen(question)
    if question == AUGMENT:
        told(Record("note", 0, 0.0, 0.0, {"message": UNPROVED}))

    def done(chunks: int, of: int) -> None:
        if chunks * LINES // of > (chunks - 1) * LINES // of:
            told(Record("note", chunks, chunks / of, 0.0, {"message": f"{chunks:,} of {of:,} chunks"}))

    found = answer(job, out, workers=workers, on=on, overwrite=overwrite, done=done)
    return Bulk(question, str(out), found.rows, found.chunks, found.done, round(found.seconds, 3))
