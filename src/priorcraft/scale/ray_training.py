"""One training by the nodes of a Ray cluster: Ray Train starts the processes, and torch.distributed joins them."""

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from priorcraft.errors import PriorcraftError
from priorcraft.scale.on_ray import connected
from priorcraft.train.launch import backend
from priorcraft.train.loop import Record
from priorcraft.train.run_folder import EVENTS, RunFolder
from priorcraft.train.workers import WorkerLost

EVERY = 1.0  # seconds from one look at what the run holds to the next
Work = Callable[[], object]  # what every process does: a `fit` that finds itself among several


def by_cluster(
    work: Work, workers: int, address: str, folder: Path, device: torch.device, on_record: Callable[[Record], None]
) -> None:
    """Does some work in every one of so many processes of a cluster, joined to one group of torch.distributed.

    Args:
        work: picklable; whatever it reads and writes must be in the reach of every node.
        workers: processes.
        address: as of `by_ray`.
        folder: the run, beside which Ray keeps a folder as long as it trains.
        device: a GPU for each process, if it is one.
        on_record: is told what the run keeps of the training.

    Raises:
        UsageError: Ray is not installed.
        WorkerLost: a process or its node ended; the run can be resumed.
        PriorcraftError: what a worker raised, or no cluster at the address.
    """
    with connected(address, workers + 1):
        import ray
        from ray.exceptions import RayError

        keeps = folder.absolute().parent / f".{folder.name}.ray-{os.getpid()}"
        try:
            conduct = ray.remote(num_cpus=0, max_retries=0)(_conducted)
            done, told = conduct.remote(work, workers, device, str(keeps)), Told(folder, on_record)
            while not ray.wait([done], timeout=EVERY)[0]:
                told.go_on()
            told.go_on()
            failed = ray.get(done)
        except RayError as error:
            failed = WorkerLost(f"the cluster gave up: {_last(error)}")
        finally:
            shutil.rmtree(keeps, ignore_errors=True)
    if isinstance(failed, WorkerLost):
        said = str(failed).partition(". Go on with")[0].rstrip(".")
        resume = f"priorcraft fit --resume --on {address} --workers {workers} --out {folder}"
        raise WorkerLost(f"{said}. Go on with: {resume}")
    if failed is not None:
        raise failed


class Told:
    """Tells what a run that others write keeps of its training, as it comes.

    Args:
        folder: the run, which need not be there yet; what it holds already is not told.
        on_record: who is told.
    """

    def __init__(self, folder: Path, on_record: Callable[[Record], None]) -> None:
        self.folder, self.on_record = folder, on_record
        self.count = len(self._events())

    def _events(self) -> list[dict[str, Any]]:
        return RunFolder.open(self.folder).events() if (self.folder / EVENTS).exists() else []

    def go_on(self) -> None:
        """Tells what is new."""
        events = self._events()
        for event in events[min(self.count, len(events)) :]:
            self.on_record(Record.of_event(event))
        self.count = len(events)


def _conducted(work: Work, workers: int, device: torch.device, keeps: str) -> PriorcraftError | None:
    """Runs the training from inside the cluster, where any kind of address has led; returns why it ended too early."""
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError, WorkerGroupError

    trainer = TorchTrainer(
        partial(_taken_part, work),
        torch_config=TorchConfig(backend=backend(device)),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=device.type == "cuda"),
        run_config=RunConfig(storage_path=keeps),
    )
    try:
        trainer.fit()
    except WorkerGroupError as error:
        own = [failed for failed in map(_own, error.worker_failures.values()) if failed is not None]
        first = next((failed for failed in own if not isinstance(failed, WorkerLost)), None)
        return first or WorkerLost(f"a worker of the cluster ended: {_last(error)}")
    except TrainingFailedError as error:
        return WorkerLost(f"the cluster gave up: {_last(error)}")
    return None


def _taken_part(work: Work) -> None:
    try:
        work()
    except SystemExit as done:  # how a process ends that trains along
        if done.code:
            raise


def _own(error: BaseException | None) -> PriorcraftError | None:
    """The error of this program in a chain of others, if there is one."""
    while error is not None and not isinstance(error, PriorcraftError):
        error = getattr(error, "cause", None) or error.__cause__
    return error


def _last(error: BaseException) -> str:
    """The first sentence of the last line of what Ray says."""
    return str(error).strip().splitlines()[-1].strip().partition(". ")[0]
