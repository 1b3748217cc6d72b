"""One training by several processes, on this machine or wherever a launcher started them."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch.distributed as dist

from priorcraft import runtime
from priorcraft.datasets.prepared import open_prepared, save
from priorcraft.datasets.splits import Splits
from priorcraft.errors import DataError, PriorcraftError
from priorcraft.run.pace import narrowed
from priorcraft.run.run import rebuild
from priorcraft.train.launch import beside, crew, joined, launched
from priorcraft.train.loop import Budget, Record, whole
from priorcraft.train.objective import Objective
from priorcraft.train.recorded import train_beside, train_recorded
from priorcraft.train.run_folder import RunFolder
from priorcraft.train.shards import Shards
from priorcraft.train.workers import WorkerLost, Workers

COMMAND = "from priorcraft.scale.training import main; main()"


def train_together(
    run: RunFolder,
    objective: Objective,
    data: Splits,
    budget: Budget,
    *,
    seed: int,
    workers: int = 1,
    resume: bool = False,
    watch: Callable[[Record], list[str]] = lambda record: [],
    looked_at: int | None = None,
) -> Iterator[Record]:
    """Trains inside a run folder as the first of several processes; one is allowed, and then as `train_recorded`.

    The rows of a step are cut into as many shards as the run says (`config["shards"]`). The weights at the end are the
    same bit for bit for every number of workers that divides it, on one kind of CPU.

    Args:
        run, objective, data, budget, seed, resume, watch: as in `train_recorded`.
        workers: processes on this machine; those of a launcher (torchrun) are counted by themselves.
        looked_at: validation rows of one look; None for as many as the loop takes.

    Raises:
        UsageError: a number of workers that does not divide the shards.
        DataError: a worker sees other data.
        WorkerLost: a worker ended or fell silent; the run can be resumed.
        Stopped: as in `train_recorded`.
    """
    device = objective.model.device
    try:
        with _gathered(workers, data, device, int(run.config.get("shards", 1))) as group:
            objective.cut(Shards(int(run.config.get("shards", 1)), group))
            if group.count > 1:
                asked = {"config": run.config, "budget": asdict(budget), "seed": seed, "looked_at": looked_at}
                asked["precision"] = torch.get_float32_matmul_precision()
                group.share(json.dumps(asked).encode())
                agree(group, data)
            seen = narrowed(data, looked_at)
            yield from train_recorded(run, objective, seen, budget, seed=seed, resume=resume, watch=watch)
    except WorkerLost as lost:
        raise WorkerLost(f"{str(lost).rstrip('.')}. Go on with: priorcraft fit --resume --out {run.path}") from lost


@contextmanager
def _gathered(workers: int, data: Splits, device: torch.device, shards: int) -> Iterator[Workers]:
    """All processes of a training, this one the first of them."""
    if launched():
        with joined(device) as group:
            yield group
        return
    Shards.check(shards, workers)
    if workers == 1:
        yield Workers()
        return
    with tempfile.TemporaryDirectory(prefix="priorcraft-") as folder:
        where = data.folder or save(data, Path(folder) / "data")
        with crew(workers, [sys.executable, "-c", COMMAND, str(where), device.type], device) as group:
            yield group


def assist(group: Workers, data: Splits, device: torch.device) -> None:
    """Trains along with a first worker that calls `train_together`, and keeps nothing."""
    asked: dict[str, Any] = json.loads(group.share(b""))
    agree(group, data)
    runtime.tune()
    torch.set_float32_matmul_precision(asked["precision"])  # the first worker's: others give other bits
    _, objective = rebuild(asked["config"], device)
    objective.cut(Shards(int(asked["config"].get("shards", 1)), group))
    objective.prepare(whole(data.valid, device))
    train_beside(objective, narrowed(data, asked["looked_at"]), Budget(**asked["budget"]), seed=int(asked["seed"]))


def follows() -> bool:
    """Whether a launcher started this process as one that trains along with a first one."""
    return launched() and (dist.get_rank() if dist.is_initialized() else int(os.environ.get("RANK", "0"))) > 0


def follow(data: Splits, device: torch.device) -> NoReturn:
    """Trains along with the first process of a launcher, which keeps the run, and ends this one.

    Raises:
        SystemExit: the training is over.
    """
    with joined(device) as group:
        assist(group, data, device)
    sys.exit(0)


def agree(group: Workers, data: Splits) -> None:
    """Refuses other data than the first worker's, before the first step.

    Raises:
        DataError: on every worker, with the number of the one that sees other data.
    """
    first = group.share(data.fingerprint.encode()).decode()
    other = group.largest(group.rank if data.fingerprint != first else 0)
    if other:
        raise DataError(
            f"worker {other} sees other data than the first one (another fingerprint): give every machine the same "
            "files, or a folder that all of them can read."
        )


def main() -> None:
    """A worker that `train_together` started: its data and its device are its arguments."""
    folder, kind = sys.argv[1:]
    device = runtime.pick_device(kind)
    try:
        data = open_prepared(Path(folder))
        with beside(device) as group:
            assist(group, data, device)
    except PriorcraftError as error:
        sys.exit(f"{error}")
