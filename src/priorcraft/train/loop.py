"""The training loop: it knows no family, keeps no files, and yields what happens."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Approximate, Exact, Generative
from priorcraft.datasets.splits import Rows
from priorcraft.errors import Diverged, UsageError, within_memory
from priorcraft.mapped import let_go
from priorcraft.train.objective import Batch, Objective
from priorcraft.train.shards import Shards
from priorcraft.train.speed import Speed

LET_GO = 256  # steps, after which pages of rows that are mapped from a disk are given back
VALIDATIONS = 12  # in one budget
VALIDATION_ROWS = 1000
VALIDATION_DRAWS = 4  # k of the bound by which approximate models are compared

OF_A_STEP = "a training step; make batch_size or the model smaller (--set ...)"
BY_THE_CLOCK = (
    "the clock ended it: a run by minutes makes another number of steps each time, and ends near these numbers, not at "
    "the same bits; a run by steps does."
)


@dataclass(frozen=True)
class Budget:
    """How long to train: a number of steps, or of seconds; schedules end with it.

    >>> Budget(steps=10).progress(5, elapsed=99.0)
    0.5
    """

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise UsageError("give either steps or minutes as the budget, not both and not neither.")
        amount = self.steps if self.steps is not None else self.seconds
        if amount is None or not 0 < amount < float("inf"):
            raise UsageError(f"the budget must be above zero and finite, not {amount}.")

    def progress(self, step: int, elapsed: float) -> float:
        """Share of the budget that is used, 0 ... 1."""
        used = step / self.steps if self.steps else elapsed / (self.seconds or 1.0)
        return min(used, 1.0)


@dataclass(frozen=True)
class Record:
    """One thing that happened.

    Args:
        kind: "step" (an update), "validation" (a look at the validation rows), "note" (a finding at the end), or
            "warning", or "reading" (data are being read; step of the rows or images are done).
        step: updates made so far.
        progress: share of the budget that is used.
        elapsed: seconds of training so far, earlier parts of a resumed run included.
        values: numbers by name, or a sentence under "message".
    """

    kind: str
    step: int
    progress: float
    elapsed: float
    values: dict[str, float | str]

    def as_event(self) -> dict[str, object]:
        """One flat object for a line of events.jsonl."""
        head: dict[str, object] = {"kind": self.kind, "step": self.step, "progress": round(self.progress, 6)}
        return {**head, "elapsed": round(self.elapsed, 3), **self.values}

    @classmethod
    def of_event(cls, event: Mapping[str, Any]) -> Self:
        """The record of a line of events.jsonl.

        >>> record = Record("step", 3, 0.5, 1.25, {"loss": 2.0})
        >>> Record.of_event(record.as_event()) == record
        True
        """
        values = {name: value for name, value in event.items() if name not in ("kind", "step", "progress", "elapsed")}
        return cls(event["kind"], event["step"], event["progress"], event["elapsed"], values)


Listener = Callable[[str], Callable[[Record], None]]  # gives a consumer of records for a name


def silent(name: str) -> Callable[[Record], None]:
    """A listener that hears nothing."""
    return lambda record: None


def heard(on_record: Callable[[Record], None]) -> Callable[[str, int, int], None]:
    """Makes records of kind "reading" of how far a reading is."""

    def told(what: str, done: int, of: int) -> None:
        on_record(Record("reading", done, done / max(of, 1), 0.0, {"message": f"{done:,} of {of:,} {what}"}))

    return told


@dataclass
class Progress:
    """Where a training stands, and the best weights so far.

    Args:
        step, elapsed: updates and seconds so far.
        nats: the lowest validation score so far; None before the first, and for models without a density.
        best: the weights that scored it.
    """

    step: int = 0
    elapsed: float = 0.0
    nats: float | None = None
    best: dict[str, Tensor] = field(default_factory=dict)


def train(
    objective: Objective, rows: Rows, valid: Rows, budget: Budget, *, seed: int, at: Progress | None = None
) -> Iterator[Record]:
    """Makes updates until the budget is spent or the objective is finished; yields a record of each.

    Every draw is a function of (seed, step), so a training that goes on from `at` makes the same updates as one
    that was never stopped. After the last record `at.best` holds the weights to keep.
    """
    at = at if at is not None else Progress()
    began, device, workers = at.step, objective.model.device, objective.shards.workers
    start, speed = time.monotonic() - at.elapsed, Speed()
    while not objective.finished and (progress := budget.progress(at.step, at.elapsed)) < 1:
        batch = draw(rows, objective.rows_at(progress), seed, at.step, device)
        with speed.step() if objective.rows_at(progress) else nullcontext(), within_memory(OF_A_STEP):
            values = objective.step(batch, progress=progress, key=(seed, at.step))
        at.step += 1
        if at.step % LET_GO == 0:
            let_go(rows.x)
        (at.elapsed,) = workers.first_says([time.monotonic() - start])  # on whose clock all agree
        done = budget.progress(at.step, at.elapsed)
        yield Record("step", at.step, done, at.elapsed, dict(values))
        due = int(done * VALIDATIONS) > int(progress * VALIDATIONS) or early(at.step, batch, len(rows), done)
        if due or objective.finished:
            yield validate(objective, valid, at, done, seed)
            speed.recount()
    clock = [BY_THE_CLOCK] * (budget.seconds is not None and not objective.finished)
    for sentence in [*objective.findings(), *speed.findings(device), *clock] if at.step > began else []:
        yield Record("note", at.step, budget.progress(at.step, at.elapsed), at.elapsed, {"message": sentence})


def early(step: int, batch: Batch, n: int, progress: float) -> bool:
    """Whether an epoch ends whose number is a power of two, before the first look at the validation rows is due.

    Of few rows a training sees hundreds of epochs until then, and may be past its best.
    """
    before, now = (step - 1) * len(batch.x) // n, step * len(batch.x) // n
    return now > before and now & (now - 1) == 0 and progress < 1 / VALIDATIONS


def draw(rows: Rows, size: int | None, seed: int, step: int, device: torch.device) -> Batch:
    """The rows of one step: a new permutation in every epoch, cut into batches; all rows if size is None."""
    n = len(rows)
    if size is None or size >= n:
        return whole(rows, device)
    epoch, place = divmod(step, n // size)
    return taken(rows, permutation(n, seed, epoch)[place * size : (place + 1) * size], device)


@lru_cache(maxsize=1)
def permutation(n: int, seed: int, epoch: int) -> Tensor:
    """The order of the rows in an epoch."""
    return torch.randperm(n, generator=runtime.keyed(seed, "epoch", epoch))


def whole(rows: Rows, device: torch.device) -> Batch:
    """All rows as one batch; on the CPU they are not copied."""
    number = torch.arange(len(rows), dtype=torch.int32 if len(rows) < 2**31 else torch.int64)
    return Batch(rows.x.to(device), None if rows.context is None else rows.context.to(device), number)


def taken(rows: Rows, index: Tensor, device: torch.device) -> Batch:
    """The rows of these numbers as a batch."""
    given, seen = (None if part is None else part[index].to(device) for part in (rows.context, rows.seen))
    return Batch(rows.x[index].to(device), given, index, seen)


def validate(objective: Objective, valid: Rows, at: Progress, progress: float, seed: int) -> Record:
    """Scores the averaged model on validation rows and keeps its weights if they are the best so far."""
    objective.settle()
    model = objective.averaged
    nats = validation_nats(model, valid, seed, objective.shards)
    if nats is not None and not math.isfinite(nats):
        raise Diverged(
            f"-log p of the validation rows became {nats} after {at.step} steps; try a smaller learning rate "
            "(--set lr=...). The last good checkpoint is kept."
        )
    if nats is None or at.nats is None or nats < at.nats:
        at.nats = nats
        at.best = {name: value.detach().clone() for name, value in model.state_dict().items()}
    density = "p(x)" if model.context is None else "p(x | c)"
    values: dict[str, float | str] = {} if nats is None else {"valid_nats": nats, "density": density}
    return Record("validation", at.step, progress, at.elapsed, values)


@torch.no_grad()
def validation_nats(model: Generative, valid: Rows, seed: int, shards: Shards | None = None) -> float | None:
    """Mean of -log p(x | c), or of the bound in its place, on some validation rows; None without a density."""
    if not isinstance(model, Exact | Approximate):
        return None
    model.eval()
    device, shards = model.device, shards or Shards()
    some = spread(len(valid), VALIDATION_ROWS)

    def part(s: int, of: slice) -> list[Tensor]:
        rows = taken(valid, some[of], device)
        if isinstance(model, Exact):
            return [-model.log_prob(rows.x, rows.given).double().sum()]
        generator = runtime.keyed(seed, "validation", *([s] if shards.count > 1 else []), device=device)
        return [-model.bound(rows.x, VALIDATION_DRAWS, rows.given, generator=generator).double().sum()]

    (total,) = shards.total(len(some), part)
    return float(total) / len(some)


def spread(n: int, count: int) -> Tensor:
    """The numbers of at most `count` of n rows, evenly apart: of rows in any order they miss no stretch.

    >>> spread(10, 4).tolist(), spread(3, 4).tolist()
    ([0, 2, 5, 7], [0, 1, 2])
    """
    count = min(n, count)
    return torch.arange(count) * n // max(count, 1)
