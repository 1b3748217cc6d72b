"""A training whose every step can be lost without loss: events, checkpoints, and going on from them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor

from priorcraft import typed
from priorcraft.datasets.splits import Splits
from priorcraft.errors import CheckpointError, Interrupted, Stopped
from priorcraft.settings import Range
from priorcraft.train.checkpoint import Checkpoint, load_into
from priorcraft.train.loop import Budget, Progress, Record, train
from priorcraft.train.objective import Objective
from priorcraft.train.run_folder import RunFolder
from priorcraft.train.signals import StopRequest
from priorcraft.train.tensors import decode, encode


@dataclass(frozen=True)
class Saved:
    """What a checkpoint of a training says beside its tensors.

    Args:
        elapsed: seconds of training.
        nats: the best validation score so far; None without one.
        has_best: whether `model` holds the weights of that score.
    """

    elapsed: Annotated[float, Range(0, 1e12)]
    nats: float | None
    has_best: bool

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Saved":
        """Read from a checkpoint.

        Raises:
            CheckpointError: a key that is missing, unknown or of another type.
        """
        return typed.read(cls, checkpoint.info, f"{checkpoint.path}: info")


FILES = ("model", "state")  # of a checkpoint
TOGETHER = ("step", "validation")  # records that every worker has in the same order
STEP_EVENTS = 400  # step records kept in one budget; the loop makes more than a curve can show


def train_recorded(
    run: RunFolder,
    objective: Objective,
    splits: Splits,
    budget: Budget,
    *,
    seed: int,
    resume: bool = False,
    watch: Callable[[Record], list[str]] = lambda record: [],
) -> Iterator[Record]:
    """Trains inside a run folder; yields the loop's records, and warnings.

    Raises:
        Stopped: a signal came; the step was finished and saved, and the run can be resumed.
    """
    workers = objective.shards.workers
    with run.lock(), StopRequest() as stop, objective.shards.threads():
        at = restore(objective, run.newest()) if resume else Progress()
        run.truncate_events(at.step)
        tell(objective, at)
        shown = int(budget.progress(at.step, at.elapsed) * STEP_EVENTS)
        for record in train(objective, splits.train, splits.valid, budget, seed=seed, at=at):
            if record.kind != "step" or int(record.progress * STEP_EVENTS) > shown:
                shown = int(record.progress * STEP_EVENTS)
                run.append(record.as_event())
            yield record
            for message in watch(record):
                warning = Record("warning", record.step, record.progress, record.elapsed, {"message": message})
                run.append(warning.as_event())
                yield warning
            if record.kind == "validation":
                save(run, objective, at)
            if record.kind in TOGETHER and (signal := workers.largest(stop.signal or 0)):
                save(run, objective, at)
                raise halted(signal, run)
        if at.step:
            save(run, objective, at)


def train_beside(objective: Objective, splits: Splits, budget: Budget, *, seed: int) -> None:
    """Trains along with a first worker, which keeps the run folder and says where to begin.

    Raises:
        Stopped: a signal came to any of the workers.
    """
    workers = objective.shards.workers
    with StopRequest() as stop, objective.shards.threads():
        at = hear(objective)
        for record in train(objective, splits.train, splits.valid, budget, seed=seed, at=at):
            if record.kind in TOGETHER and workers.largest(stop.signal or 0):
                raise Stopped("stopped along with the first worker, which saved.")


def tell(objective: Objective, at: Progress) -> None:
    """Says to all other workers where the training stands."""
    workers = objective.shards.workers
    if workers.count > 1:
        files, info = snapshot(objective, at)
        workers.share(json.dumps({**info, "step": at.step}).encode())
        for tensors in files.values():
            workers.share(encode(tensors))


def hear(objective: Objective) -> Progress:
    """Goes to where the first worker stands."""
    workers = objective.shards.workers
    info = json.loads(workers.share(b""))
    files = {name: decode(workers.share(b""), name) for name in FILES}
    return restore(objective, Checkpoint(info.pop("step"), files, info, Path("what the first worker said")))


def halted(signal: int, run: RunFolder) -> Stopped:
    """The error with which a stopped training ends."""
    kind = Interrupted if signal == 2 else Stopped
    return kind(f"stopped and saved. Go on with: priorcraft fit --resume --out {run.path}")


def save(run: RunFolder, objective: Objective, at: Progress) -> None:
    """Writes one checkpoint: `model` for those who use the model, `state` for those who go on training it."""
    run.save(at.step, *snapshot(objective, at))


def snapshot(objective: Objective, at: Progress) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """What a checkpoint holds."""
    averaged = {f"averaged/{name}": value for name, value in objective.averaged.state_dict().items()}
    model = at.best or objective.averaged.state_dict()
    saved = Saved(at.elapsed, at.nats, bool(at.best))
    return dict(zip(FILES, (dict(model), averaged | dict(objective.state())), strict=True)), asdict(saved)


def restore(objective: Objective, checkpoint: Checkpoint | None) -> Progress:
    """Puts a checkpoint back into the objective; a run without one starts anew."""
    if checkpoint is None:
        return Progress()
    saved, state = Saved.of(checkpoint), checkpoint.file("state")
    load_into(objective.averaged, part(state, "averaged/"))
    try:
        objective.restore({name: value for name, value in state.items() if not name.startswith("averaged/")})
    except (LookupError, RuntimeError, TypeError, ValueError) as error:  # tensors that this objective did not write
        reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise CheckpointError(f"{checkpoint.path} does not hold the state of this training ({reason:.200}).") from error
    best = dict(checkpoint.file("model")) if saved.has_best else {}
    return Progress(checkpoint.step, saved.elapsed, saved.nats, best)


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
