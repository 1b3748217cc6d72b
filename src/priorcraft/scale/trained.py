"""A run from its first step to its score: what the time is spent on, and what is said and kept on the way."""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import torch

from priorcraft import runtime
from priorcraft.core import Generative
from priorcraft.datasets import Rows, Splits
from priorcraft.datasets.pairs import Pairs
from priorcraft.errors import Interrupted
from priorcraft.report.grid import picture
from priorcraft.run import Run, load, rebuild
from priorcraft.run.floors import Floors, expected
from priorcraft.run.pace import FEWEST, Pace, advice, last_score, measured, spread_rows
from priorcraft.run.run import SCORE
from priorcraft.scale.training import train_together
from priorcraft.train.holes import filled
from priorcraft.train.loop import Budget, Record, validation_nats, whole
from priorcraft.train.run_folder import RunFolder
from priorcraft.train.watch import Watch

GRID = 40  # samples in one picture
PICTURES = 0.05  # share of the time that pictures may take
PICTURE_SHARE, PICTURE_SECONDS = 0.1, 10.0  # of a budget, or seconds, that a picture may take; it is given up then
UNDRAWN = "no picture of samples: it takes longer than {seconds:.0f} s here; priorcraft sample {path} draws them."


def trained(
    run: RunFolder,
    splits: Splits,
    budget: Budget,
    where: torch.device,
    on_record: Callable[[Record], None],
    *,
    resume: bool,
    workers: int,
) -> Run:
    """The run, once its budget is spent or somebody who types has had enough."""
    splits = filled(splits, seed=int(run.config["seed"]))
    seed = int(run.config["seed"])
    pace = None if budget.seconds is None else measured(*rebuild(run.config, where), splits, budget)
    for message in [] if pace is None else advice(str(run.config["model"]), pace, splits, budget, seed=seed):
        note(run, "warning", message, on_record)
    fitted, objective = rebuild(run.config, where)
    if run.newest() is None:
        start = whole(splits.train, where)
        fitted.initialise(start.x, start.given, generator=runtime.keyed(seed, "start"))
        if pace is not None:
            first_nats = validation_nats(fitted, spread_rows(splits.valid, FEWEST), seed)
            note(run, "note", expected(fitted, pace, budget, Floors.of(splits), first_nats), on_record)
    objective.prepare(whole(splits.valid, where))
    drawing = 0.0
    try:
        looked_at = None if pace is None else pace.looked_at(budget)
        together = {"seed": seed, "workers": workers, "resume": resume, "watch": Watch(), "looked_at": looked_at}
        for record in train_together(run, objective, splits, budget, **together):
            if record.kind == "validation" and (drawing <= PICTURES * record.elapsed or record.progress >= 1):
                began, patience = time.monotonic(), drawn_within(budget)
                try:
                    with nullcontext() if patience is None else runtime.within_time(patience):
                        draw_samples(run, objective.averaged, splits.valid, seed, record.step)
                except runtime.OutOfTime:
                    note(run, "note", UNDRAWN.format(seconds=patience, path=run.path), on_record)
                drawing += time.monotonic() - began
            on_record(record)
    except Interrupted:
        if not somebody_types():
            raise
        return replace(ended(run, splits, where, pace, budget, on_record), interrupted=True)
    return ended(run, splits, where, pace, budget, on_record)


def drawn_within(budget: Budget) -> float | None:
    """Seconds that one picture may take: a tenth of a budget of time, or ten seconds; None for a budget of steps."""
    return None if budget.seconds is None else max(PICTURE_SECONDS, PICTURE_SHARE * budget.seconds)


@torch.no_grad()
def draw_samples(run: RunFolder, model: Generative, valid: Rows, seed: int, step: int) -> None:
    """A picture of samples from the same noise at every step; one column a class, or an image that is translated."""
    model.eval()
    columns = min(model.classes, 20) or 10
    count = max(GRID // columns, 2) * columns
    given = torch.arange(count) % columns if model.classes else None
    if model.context is not None and not model.context.is_label and valid.partner is not None:
        given = valid.partner[torch.arange(count) % min(columns, len(valid))]
    x = model.sample(count, given=given, generator=runtime.keyed(seed, "grid", device=model.device))
    run.write_bytes(f"samples/step-{step:08d}.png", picture(x, model.space, columns))


def ended(
    run: RunFolder,
    splits: Splits,
    where: torch.device,
    pace: Pace | None,
    budget: Budget,
    on_record: Callable[[Record], None],
) -> Run:
    """The run with its score on validation rows, as many as there is time for, which the folder keeps."""

    def say(done: int, of: int) -> None:
        on_record(Record("note", 0, 1.0, 0.0, {"message": f"scored {done:,} of {of:,} validation rows."}))

    model = load(run.path, device=where).model
    found = last_score(model, splits.valid, pace, budget, say)
    run.write_json(SCORE, found.to_dict() | {"split": "valid"})
    floors = None if found.bits_per_dim is None else Floors.of(splits)
    useless = None if floors is None else floors.verdict(found)
    if useless is not None:
        note(run, "warning", useless, on_record)
    done = load(run.path, device=where)
    partners = (splits.found,) if isinstance(splits, Pairs) and splits.found else ()
    return replace(done, notes=partners + done.notes, splits=splits if splits.in_memory else None)


def note(run: RunFolder, kind: str, message: str, on_record: Callable[[Record], None]) -> None:
    """Keeps a sentence in the run, and tells it."""
    record = Record(kind, 0, 0.0, 0.0, {"message": message})
    run.append(record.as_event())
    on_record(record)


def somebody_types() -> bool:
    """Whether Python runs in a notebook or an interactive shell, where an interrupt means "that is enough"."""
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules
