"""Answers in chunks: what one chunk is, and who computes them all."""

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from priorcraft import runtime
from priorcraft.errors import PriorcraftError
from priorcraft.run import Run
from priorcraft.scale.adding import AUGMENT, ROWS, asked_counts
from priorcraft.scale.chunks import LOCK, Job, begin, chunk_rows, made
from priorcraft.scale.content import SAMPLE, compute
from priorcraft.scale.on_ray import by_ray
from priorcraft.scale.questions import Asked, Question
from priorcraft.scale.sources import reached, rows_of
from priorcraft.train.lock import RunLock

Done = Callable[[int, int], None]


@dataclass(frozen=True)
class Answered:
    """What a long answer took.

    Args:
        folder: where it stands.
        rows, chunks: how many there are.
        done: chunks that this call computed; the others were there.
        seconds: of this call.
    """

    folder: Path
    rows: int
    chunks: int
    done: int
    seconds: float


def sample_job(run: Run, n: int, *, seed: int = 0, label: int | None = None) -> Job:
    """So many points from a fitted model, as parquet where it knows a table, else as .npz of x and y."""
    suffix = ".npz" if run.columns is None else ".parquet"
    options = {} if label is None else {"label": label}
    size = chunk_rows(run.model.space.dims)
    return Job(SAMPLE, str(run.path.absolute()), mark(run), n, size, seed, None, options, suffix)


def question_job(run: Run, asked: Asked, source: str | Path, *, part: str = "test") -> Job:
    """A question about every row of a source."""
    where = str(Path(source).absolute())
    options: dict[str, Any] = {"part": part, "samples": asked.samples, "n": asked.n}
    options |= {"rate": asked.rate} if asked.question is Question.UNUSUAL else {}
    size = chunk_rows(run.model.space.dims)
    return Job(asked.question.value, asked.run, mark(run), len(rows_of(where, part)), size, asked.seed, where, options)


def augment_job(run: Run, data: str | Path, per_class: int, *, balance: bool = False, seed: int = 0) -> Job:
    """Samples to add to each class of a training set, in the order of the classes.

    Raises:
        DataError, UsageError, PriorcraftError: as `asked_counts`.
    """
    where, source = str(run.path.absolute()), reached(data)
    options = asked_counts(where, source, per_class, balance, seed)
    suffix, size = ".npz" if run.columns is None else ".parquet", min(ROWS, chunk_rows(run.model.space.dims))
    return Job(AUGMENT, where, mark(run), sum(options["counts"]), size, seed, source, options, suffix)


def mark(run: Run) -> str:
    """What identifies the weights of a run: the same weights have the same mark."""
    return runtime.digest(tensor for _, tensor in sorted(run.model.state_dict().items()))


def answer(
    job: Job, folder: str | Path, *, workers: int = 1, on: str | None = None, overwrite: bool = False,
    done: Done = lambda chunks, of: None,
) -> Answered:  # fmt: skip
    """Computes every chunk that is not there yet.

    The files are the same, byte for byte, for any number of workers, any order, and however often it was stopped.

    Args:
        job: what is asked.
        folder: where the answer goes; one that holds a part of the same answer is gone on with.
        workers: processes on this machine; each computes a chunk at a time with one thread.
        on: address of a Ray cluster instead ("ray://...", or "local" for one on this machine).
        overwrite: replace the answer to another question.
        done: called with the number of chunks that are there, and of how many.

    Raises:
        UsageError: as `begin`.
        RunBusy: another call is writing there.
        PriorcraftError: a worker was ended; what is finished stays.
    """
    target, began = made(Path(folder)), time.monotonic()
    with RunLock(target / LOCK):
        todo = begin(job, target, overwrite=overwrite)
        done(job.count - len(todo), job.count)
        each = _by_pool(job, target, todo, workers) if on is None else by_ray(job, target, todo, workers, on)
        for count, _ in enumerate(each, job.count - len(todo) + 1):
            done(count, job.count)
    return Answered(target, job.rows, job.count, len(todo), time.monotonic() - began)


def _by_pool(job: Job, folder: Path, todo: Iterable[int], workers: int) -> Iterator[int]:
    """The numbers of the chunks in the order in which processes of this machine finish them."""
    todo = list(todo)
    if min(workers, len(todo)) < 2:
        yield from (compute(job, str(folder), chunk) for chunk in todo)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(todo)), mp_context=context)
    try:
        for future in as_completed([pool.submit(compute, job, str(folder), chunk) for chunk in todo]):
            yield future.result()
    except BrokenProcessPool:
        raise PriorcraftError(
            f"a worker was ended from outside (too little memory?). Finished chunks are kept in {folder}; "
            "the same command goes on."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
