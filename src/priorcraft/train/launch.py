"""Processes that join one training: those that a launcher started, or further ones on this machine."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.distributed_c10d import PrefixStore

from priorcraft.errors import UsageError
from priorcraft.train.workers import Group, WorkerLost, Workers

PATIENCE = timedelta(minutes=10)  # until every process has come, and of one exchange
RANK, COUNT, ADDRESS, PORT = "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"  # as torchrun sets them


def launched() -> bool:
    """Whether a launcher, torchrun or another, started this process as one of several."""
    return dist.is_initialized() or int(os.environ.get(COUNT, "1")) > 1


@contextmanager
def joined(device: torch.device) -> Iterator[Workers]:
    """This process among those that a launcher started."""
    if dist.is_initialized():
        with membership(device) as group:
            yield group
        return
    dist.init_process_group(backend(device), timeout=PATIENCE)
    with membership(device) as group:  # after a loss an exchange stays open, and ends with the process
        yield group
    dist.destroy_process_group()


@contextmanager
def membership(device: torch.device) -> Iterator[Workers]:
    """Member of the group until the block ends."""
    group, lost = Group(device), False
    try:
        yield group
    except WorkerLost:
        lost = True
        raise
    finally:
        group.part(lost)


def backend(device: torch.device) -> str:
    """What carries tensors of a device."""
    return "nccl" if device.type == "cuda" else "gloo"


@contextmanager
def crew(count: int, command: Sequence[str], device: torch.device) -> Iterator[Workers]:
    """This process as the first of `count` on this machine; the others run `command`, and end with the block.

    Args:
        count: number of processes, this one among them.
        command: how the others are started; they find their rank and the way to this one in their environment.
        device: of all of them.

    Raises:
        WorkerLost: one of them ended before it had joined, or falls silent later.
    """
    if count == 1:
        yield Workers()
        return
    store = TCPStore("127.0.0.1", 0, count, is_master=True, wait_for_workers=False, timeout=PATIENCE)
    others = [Other(rank, count, store.port, command) for rank in range(1, count)]
    try:
        _gather(store, others)
        dist.init_process_group(backend(device), store=PrefixStore("group", store), rank=0, world_size=count)
        with membership(device) as group:
            yield group
        for other in others:
            other.wait()
    except WorkerLost as error:
        time.sleep(0.5)  # one that was killed may be a moment in ending
        raise next((lost for other in others if (lost := other.end()) is not None), error) from error
    finally:
        for other in others:
            other.kill()
        if dist.is_initialized():
            dist.destroy_process_group()


def _gather(store: TCPStore, others: "Sequence[Other]") -> None:
    """Waits until all have come."""
    while not store.check([f"here/{other.rank}" for other in others]):
        for other in others:
            if (lost := other.end()) is not None:
                raise lost
        time.sleep(0.02)


@contextmanager
def beside(device: torch.device) -> Iterator[Workers]:
    """A process that `crew` started, among the others."""
    if ADDRESS not in os.environ:
        raise UsageError("a worker is started by fit --workers, never by hand.")
    rank, count = int(os.environ[RANK]), int(os.environ[COUNT])
    store = TCPStore(os.environ[ADDRESS], int(os.environ[PORT]), count, is_master=False, timeout=PATIENCE)
    store.set(f"here/{rank}", "")
    dist.init_process_group(backend(device), store=PrefixStore("group", store), rank=rank, world_size=count)
    with membership(device) as group:
        yield group
    dist.destroy_process_group()


class Other:
    """Another process of a crew.

    Args:
        rank, count: its number, and how many there are.
        port: where the first one is found on this machine.
        command: what it runs.
    """

    def __init__(self, rank: int, count: int, port: int, command: Sequence[str]) -> None:
        self.rank, self.said = rank, tempfile.TemporaryFile()  # noqa: SIM115
        place = {RANK: rank, "LOCAL_RANK": rank, COUNT: count, ADDRESS: "127.0.0.1", PORT: port, "OMP_NUM_THREADS": 1}
        environment = os.environ | {name: str(value) for name, value in place.items()}
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.said, env=environment,
            start_new_session=sys.platform != "win32",
        )  # fmt: skip

    def end(self) -> WorkerLost | None:
        """What its end was, if it came too early."""
        code = self.process.poll()
        if code is None or code == 0:
            return None
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").strip().splitlines()
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return WorkerLost(
            f"worker {self.rank} (process {self.process.pid}) ended {how}{': ' + lines[-1] if lines else '.'}"
        )

    def wait(self) -> None:
        """Until it has ended by itself."""
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends it in any case."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.said.close()
