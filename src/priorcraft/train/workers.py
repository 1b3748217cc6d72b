"""Processes that train one model together: all that is asked of torch.distributed is asked here."""

import threading
import time
from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from priorcraft.errors import PriorcraftError

BEAT, SILENCE = 2.0, 20  # seconds from one sign of life to the next, and without any until a worker is taken for lost
GOODBYE = 10.0  # seconds that one waits for the others in the end


class WorkerLost(PriorcraftError):
    """Another process of this training ended or fell silent; the run can be resumed from its last checkpoint."""

    exit_code = 75


class Workers:
    """One process, which is all there is.

    >>> Workers().count, Workers().is_first
    (1, True)
    """

    rank = 0
    count = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run folder and speaks to the user."""
        return self.rank == 0

    def sum_in_order(self, parts: Sequence[Tensor]) -> Tensor:
        """The sum of all workers' parts, those of the first worker first, (P,); each brings equally many.

        Always added one after another, so that the same parts give the same bits however they are spread.
        """
        total = parts[0].clone()
        for part in parts[1:]:
            total += part
        return total

    def first_says(self, numbers: Sequence[float]) -> list[float]:
        """The numbers that the first worker brings."""
        return list(numbers)

    def largest(self, number: int) -> int:
        """The largest number that any worker brings."""
        return number

    def share(self, content: bytes) -> bytes:
        """The bytes that the first worker brings; the others' are not looked at."""
        return content

    def part(self) -> None:
        """The work in common is over."""


class Group(Workers):
    """The processes of torch.distributed's default group.

    Args:
        device: where tensors must be for this group: the CPU for gloo, a GPU for nccl.
    """

    def __init__(self, device: torch.device) -> None:
        self.rank, self.count, self.device = dist.get_rank(), dist.get_world_size(), device
        store = dist.distributed_c10d.PrefixStore("priorcraft", dist.distributed_c10d._get_default_store())
        self.heart = Heart(store, self.rank, self.count)

    def sum_in_order(self, parts: Sequence[Tensor]) -> Tensor:
        """As above: each worker adds up one stretch of the numbers, then all get all stretches.

        A worker sends and receives 4 P (parts + 1) bytes in float32, however many workers there are.
        """
        size, where = len(parts[0]), parts[0].device
        stretch = -(-size // self.count)
        mine = torch.zeros(self.count, len(parts), stretch, dtype=parts[0].dtype, device=self.device)
        for i, part in enumerate(parts):
            padded = torch.nn.functional.pad(part.to(self.device), (0, self.count * stretch - size))
            mine[:, i] = padded.view(self.count, stretch)
        received = self._exchanged(mine).flatten(0, 1)
        total = received[0].clone()
        for part in received[1:]:
            total += part
        everything = self._exchanged(total.expand(self.count, stretch).contiguous())
        return everything.flatten()[:size].to(where)

    def _exchanged(self, outgoing: Tensor) -> Tensor:
        """What every worker has for this one, (count, ...), where outgoing[r] is for worker r."""
        incoming = torch.empty_like(outgoing)
        self._wait(lambda: dist.all_to_all_single(incoming, outgoing, async_op=True))
        return incoming

    def first_says(self, numbers: Sequence[float]) -> list[float]:
        """The numbers that the first worker brings."""
        said = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        self._wait(lambda: dist.broadcast(said, 0, async_op=True))
        return said.tolist()

    def largest(self, number: int) -> int:
        """The largest number that any worker brings."""
        found = torch.tensor(number, device=self.device)
        self._wait(lambda: dist.all_reduce(found, dist.ReduceOp.MAX, async_op=True))
        return int(found)

    def share(self, content: bytes) -> bytes:
        """The bytes that the first worker brings; the others' are not looked at."""
        (size,) = self.first_says([float(len(content))])
        said = torch.zeros(int(size), dtype=torch.uint8, device=self.device)
        if self.is_first and content:
            said.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        if len(said):
            self._wait(lambda: dist.broadcast(said, 0, async_op=True))
        return said.cpu().numpy().tobytes()

    def part(self, lost: bool = False) -> None:
        """The work in common is over; unless one is lost, nobody hangs up before all have heard the last word."""
        self.heart.stop()
        if not lost:
            self.heart.farewell()

    def _wait(self, begin: Callable[[], dist.Work | None]) -> None:
        """Until the others have done their part; looks up now and then, where a blocked call could not."""
        try:
            work, pause = begin(), 0.0
            while work is not None and not work.is_completed():
                self.heart.check()
                time.sleep(pause)
                pause = min(pause + 2e-5, 2e-3)
            if work is not None:
                work.wait()
        except RuntimeError as error:
            raise WorkerLost("another worker of this training ended or cannot be reached.") from error


class Heart:
    """Tells the others that this process is alive, and notices when one of them falls silent.

    Args:
        store: of the group.
        rank, count: of this process, and how many there are.
    """

    def __init__(self, store: dist.distributed_c10d.Store, rank: int, count: int) -> None:
        self.store, self.rank, self.others = store, rank, [r for r in range(count) if r != rank]
        self.heard: dict[int, tuple[bytes, float]] = dict.fromkeys(self.others, (b"", time.monotonic()))
        self.silent: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises a WorkerLost if another process has been silent for too long."""
        if self.silent is not None:
            raise WorkerLost(f"worker {self.silent} has said nothing for {SILENCE} seconds and is taken for lost.")

    def stop(self) -> None:
        """The process goes on without the others."""
        self._ended.set()
        self._thread.join(timeout=BEAT)

    def farewell(self) -> None:
        """Waits a moment until all processes have come to their end."""
        deadline = time.monotonic() + GOODBYE
        try:
            self.store.set(f"end/{self.rank}", "")
            while not self.store.check([f"end/{r}" for r in self.others]) and time.monotonic() < deadline:
                time.sleep(0.005)
        except RuntimeError:  # the first worker, with which the store is, has seen all
            return

    def _beat(self) -> None:
        beats = 0
        while not self._ended.wait(BEAT):
            beats += 1
            try:
                self.store.set(f"beat/{self.rank}", str(beats))
                self._listen()
            except RuntimeError:  # the store is with the first worker
                self.silent = 0 if self.rank else None
                return

    def _listen(self) -> None:
        now = time.monotonic()
        for other in self.others:
            key, (last, when) = f"beat/{other}", self.heard[other]
            said = self.store.get(key) if self.store.check([key]) else b""
            if said != last:
                self.heard[other] = (said, now)
            elif now - when > SILENCE:
                self.silent = other
