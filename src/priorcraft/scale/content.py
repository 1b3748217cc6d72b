"""The file of one chunk: a function of what is asked and of the chunk's number alone."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from priorcraft import disk, runtime
from priorcraft.cells.types import retyped
from priorcraft.cells.writing import as_parquet
from priorcraft.datasets.columns.naming import Stretch
from priorcraft.run import Run
from priorcraft.scale.adding import AUGMENT, added, vetted
from priorcraft.scale.chunks import Job
from priorcraft.scale.questions import Asked, Question, alone, known, loaded
from priorcraft.scale.sources import PreparedRows, TextRows, rows_of

SAMPLE = "sample"


def content(job: Job, chunk: int) -> bytes:
    """The file of one chunk: a function of the job and the chunk's number alone."""
    first, last = job.span(chunk)
    key, options, stretch = (job.seed, job.question, chunk), job.options, Stretch(first, job.rows, job.seed)
    if job.question == SAMPLE:
        return _sampled(loaded(job.run), last - first, options.get("label"), key, stretch)
    if job.question == AUGMENT:
        found = added(vetted(job.run, job.source or "", job.seed), options["counts"], first, last, key)
        return _file(loaded(job.run), found.x, found.y, key, stretch)
    more = {name: options[name] for name in ("rate",) if name in options}
    ask = Asked(job.run, Question(job.question), job.seed, options["samples"], options["n"], **more)
    found, fitted = rows_of(job.source or "", options["part"]), loaded(job.run)
    if isinstance(found, PreparedRows):
        return as_parquet(pa.table(ask.columns(fitted, found.read(first, last), key)))
    words = found.words(known(fitted)) if isinstance(found, TextRows) else None
    return as_parquet(ask.table(found.read(first, last), key, words))


def _sampled(run: Run, n: int, label: int | None, key: tuple[int | str, ...], stretch: Stretch) -> bytes:
    model, draws = run.model, runtime.keyed(*key)
    given = None if not model.classes else torch.full((n,), label) if label is not None else None
    if model.classes and given is None:
        given = runtime.categorical(model.log_prior.expand(n, -1), generator=draws)
    return _file(run, model.sample(n, given=given, generator=draws).cpu(), given, key, stretch)


def _file(run: Run, x: Tensor, given: Tensor | None, key: tuple[int | str, ...], stretch: Stretch) -> bytes:
    """Points and their classes, as parquet where the run knows a table, else as .npz."""
    names = None if given is None else [run.classes[int(c)] for c in given]
    if run.columns is not None:
        cells = run.columns.decoded(x.numpy(), runtime.keyed(*key, "cells"), stretch)
        return as_parquet(retyped(run.columns.table_of(cells, names), run.columns.dtypes))
    levels = run.model.space.levels or 0
    arrays = {"x": x.numpy().astype(np.uint8) if 0 < levels <= 256 else x.numpy()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays, **({} if names is None else {"y": np.array(names)}))
    return buffer.getvalue()


def compute(job: Job, folder: str, chunk: int) -> int:
    """Computes one chunk with one thread and writes it; returns its number."""
    with alone():
        disk.publish(job.file(Path(folder), chunk), content(job, chunk), overwrite=True)
    return chunk
