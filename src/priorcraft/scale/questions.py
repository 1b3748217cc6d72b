"""Questions to a run as functions of a batch of rows, which any engine can carry to its workers."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.cells import Cells, is_frame
from priorcraft.cells.frames import kind_of
from priorcraft.cells.writing import appended, arrow_table, frame_like
from priorcraft.classifiers.generative import GenerativeClassifier, drawn_labels
from priorcraft.condition.dispatch import posterior
from priorcraft.condition.marginal import log_marginal
from priorcraft.core import Approximate, Encoder, Exact, Generative
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.holes import Holes
from priorcraft.datasets.splits import Rows
from priorcraft.errors import NoDensity, UsageError
from priorcraft.metrics.likelihood import log_p
from priorcraft.observe import Mask
from priorcraft.run import Run, load
from priorcraft.run.data import labelled_data
from priorcraft.run.strange import background, exact, reference, strangeness
from priorcraft.runtime import Key

BLOCK = 4096  # rows with holes that are filled in at once


class Question(StrEnum):
    """What can be asked of every row by itself."""

    SCORE = "score"
    CLASSIFY = "classify"
    ENCODE = "encode"
    IMPUTE = "impute"
    UNUSUAL = "unusual"


@dataclass(frozen=True)
class Asked:
    """A question to a run as a function of a batch: a data frame or an Arrow table in, one of the same kind out.

    It holds the path of the run and loads it where it is called, so that it can be pickled and sent to any worker. Its
    draws are functions of the seed and of the rows of the batch, so that the same batch gets the same answer anywhere.

    Args:
        run: the run folder, which every worker must be able to read.
        question: score (adds `log_p`, nats), classify (`prediction`, and `p(class)` of each class), encode (`z0`,
            `z1`, ...), impute (fills in empty cells), or unusual (`likelihood`, `typicality`, `ratio`, nats).
        seed: of every draw.
        samples: k of the bound, for approximate models.
        n: imputations of a row; with more than one, all rows come n times over under a number.
        rate: share of the entries that are mutated for the background of unusual's ratio.
    """

    run: str
    question: Question
    seed: int = 0
    samples: int = 64
    n: int = 1
    rate: float = 0.3

    def __call__(self, batch: Any) -> Any:
        """The answer to one batch."""
        if not is_frame(batch):
            raise UsageError(f"a batch must be a data frame or an Arrow table, not {type(batch).__name__}.")
        with alone():
            found = self.table(batch, (self.seed, self.question.value, digest(batch)))
        if isinstance(batch, pa.Table):
            return found
        frame = frame_like(found, "pandas", {})
        named = kind_of(batch) == "pandas" and len(frame) == len(batch)  # rows keep their names
        return frame.set_axis(batch.index) if named else frame

    def table(self, batch: Any, key: tuple[Key, ...], words: Mapping[str, list[str]] | None = None) -> pa.Table:
        """The answer to one batch as an Arrow table.

        Args:
            batch: a data frame, an Arrow table, or cells of a file.
            key: of its draws.
            words: as in `Holes.read`.
        """
        fitted = loaded(self.run)
        holes = Holes.read(batch, known(fitted), fitted.classes, words)
        if self.question is Question.IMPUTE:
            return imputed(fitted.model, holes, self.n, key)
        return appended(table_of(batch), self.columns(fitted, rows_of(holes), key))

    def columns(self, fitted: Run, rows: Rows, key: tuple[Key, ...]) -> dict[str, np.ndarray]:
        """What is said of each row of the model's space, by name."""
        return ANSWERS[self.question](self, fitted, rows, key)


def table_of(batch: Any) -> pa.Table:
    """Rows as an Arrow table: cells of a file, a data frame, or such a table itself."""
    if isinstance(batch, Cells):
        return arrow_table(batch)
    return batch if isinstance(batch, pa.Table) else pa.Table.from_pandas(batch, preserve_index=False)


def asked(
    run: str | Path | Run, question: str, *, seed: int = 0, samples: int = 64, n: int = 1, rate: float = 0.3
) -> Asked:
    """A question to a run as a picklable function of a batch, for engines that exist already.

    Args as in `Asked`.

    Raises:
        UsageError: no such question.
    """
    if question not in list(Question):
        raise UsageError(f"question must be one of {', '.join(Question)}, not '{question}'.")
    where = run.path if isinstance(run, Run) else Path(run)
    return Asked(str(where.absolute()), Question(question), seed, samples, n, rate)


@contextmanager
def alone() -> Iterator[None]:
    """Arithmetic as every worker does it, with one thread; the process is the caller's again afterwards."""
    with runtime.borrowed_process(), runtime.one_thread():
        runtime.tune()
        yield


@lru_cache(maxsize=2)
def loaded(run: str) -> Run:
    """A run, loaded once in each process."""
    return load(run)


def known(run: Run) -> Columns:
    """The columns of a run's table.

    Raises:
        UsageError: its data were no table.
    """
    if run.columns is None:
        raise UsageError(f"the run {run.path} was not fitted to a table; ask it with a prepared folder of arrays.")
    return run.columns


def digest(batch: Any) -> str:
    """A number that two batches share only if their rows are the same."""
    table = table_of(batch)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
        writer.write_table(table.replace_schema_metadata().combine_chunks())
    return hashlib.blake2b(sink.getvalue(), digest_size=16).hexdigest()


def rows_of(holes: Holes) -> Rows:
    """The rows of a table, and what is there of them."""
    seen = None if bool(holes.seen.all()) else holes.seen
    return Rows(holes.x, holes.labels, seen, torch.from_numpy(holes.rest), torch.from_numpy(holes.strange))


def scored(ask: Asked, run: Run, rows: Rows, key: tuple[Key, ...]) -> dict[str, np.ndarray]:
    """log p of each row, or its bound, nats."""
    model = run.model
    if not isinstance(model, Exact | Approximate):
        raise NoDensity(f"{run.name} has no density and scores no rows; ask an exact or an approximate model.")
    if rows.seen is not None and isinstance(model, Exact):
        found = log_marginal(model, rows.x, rows.seen)
    else:
        found = log_p(model, rows, ask.samples, generator=runtime.keyed(*key))
    return {"log_p": (found if rows.rest is None else found + rows.rest).numpy()}


def classified(ask: Asked, run: Run, rows: Rows, key: tuple[Key, ...]) -> dict[str, np.ndarray]:
    """The most probable class of each row, and the probability of each class."""
    if not run.classes or not isinstance(run.model, Exact | Approximate):
        raise UsageError(f"{run.path} cannot classify: it needs a density that was fitted with labels.")
    classifier = GenerativeClassifier(run.model, samples=ask.samples, seed=runtime.mix(*key))
    p = torch.cat([classifier.log_posterior(x).exp() for x in rows.x.split(BLOCK)]).numpy()
    each = {f"p({name})": p[:, k] for k, name in enumerate(run.classes)}
    return {"prediction": np.array(run.classes)[p.argmax(1)], **each}


def encoded(ask: Asked, run: Run, rows: Rows, key: tuple[Key, ...]) -> dict[str, np.ndarray]:
    """The code z of each row."""
    model = run.model
    if not isinstance(model, Encoder):
        raise UsageError(f"{run.name} has no encoder.")
    given = rows.context
    if model.classes and given is None:
        given = model.contexts(len(rows), generator=runtime.keyed(*key))
    with torch.no_grad():
        parts = [slice(i, i + BLOCK) for i in range(0, len(rows), BLOCK)]
        z = torch.cat([model.encode(rows.x[part], None if given is None else given[part]) for part in parts])
    return {f"z{i}": column for i, column in enumerate(z.flatten(1).T.numpy())}


def unusual(ask: Asked, run: Run, rows: Rows, key: tuple[Key, ...]) -> dict[str, np.ndarray]:
    """The three scores of how unusual each row is; higher is more unusual."""
    judge, reference = judged(ask.run, ask.rate, ask.seed)
    found = strangeness(exact(run), judge, reference, rows)
    names = ("likelihood", "typicality", "ratio")
    return {name: score.numpy() for name, score in zip(names, found, strict=True)}


@lru_cache(maxsize=2)
def judged(run: str, rate: float, seed: int) -> tuple[Exact, Tensor]:
    """What rows are compared with, made once in each process: the background, and log p of validation rows."""
    fitted = loaded(run)
    own = labelled_data(fitted, None)
    return background(fitted, own, rate, seed), reference(exact(fitted), own)


ANSWERS: Mapping[Question, Callable[[Asked, Run, Rows, tuple[Key, ...]], dict[str, np.ndarray]]] = {
    Question.SCORE: scored,
    Question.CLASSIFY: classified,
    Question.ENCODE: encoded,
    Question.UNUSUAL: unusual,
}


def imputed(model: Generative, holes: Holes, n: int, key: tuple[Key, ...]) -> pa.Table:
    """The table with draws in its empty cells, n times over; rows without any are not touched, and n draws are made."""
    rows = np.flatnonzero(holes.open)
    drawn = np.empty((len(rows), n, holes.x.shape[1]), np.int64)
    for start in range(0, len(rows), BLOCK):
        some = torch.from_numpy(rows[start : start + BLOCK])
        labels = None if holes.labels is None else holes.labels[some]
        found = completed(model, holes.x[some], holes.seen[some], labels, n, (*key, start))
        drawn[start : start + BLOCK] = found.numpy()
    classes = drawn_labels(model, torch.from_numpy(drawn), holes.open_labels, generator=runtime.keyed(*key, "classes"))
    return holes.table(drawn, None if classes is None else classes.numpy(), runtime.keyed(*key, "cells"))


@torch.no_grad()
def completed(
    model: Generative, x: Tensor, seen: Tensor, labels: Tensor | None, n: int, key: tuple[Key, ...]
) -> Tensor:
    """n draws of what is missing, (B, n, D)."""
    y = torch.where(seen, x, torch.zeros_like(x))
    return posterior(model, Mask(seen), y, given=labels).sample(n, generator=runtime.keyed(*key)).cpu()
