"""Work off the event loop; what a newer request made stale is dropped."""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Stale(Exception):
    """A newer request of the same kind came before this one was begun."""


@dataclass(frozen=True)
class _Job:
    key: str
    number: int
    work: Callable[[], Any]
    done: Callable[[Any, BaseException | None], None]


class Desk:
    """A few threads that do one job after another, and as many for those that take long.

    Of several jobs with one key only the newest is worth doing: a slider moves faster than a network answers. The
    threads end with the process, whatever they are doing.

    Args:
        workers: how many jobs of each kind are done side by side.
    """

    def __init__(self, workers: int = 2) -> None:
        self.jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self.long: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self.newest: dict[str, int] = {}
        for i in range(2 * workers):
            jobs = (self.jobs, self.long)[i % 2]
            threading.Thread(target=self._work, args=(jobs,), name=f"desk {i}", daemon=True).start()

    def ticket(self, key: str) -> int:
        """A number for a question of this key, which makes all earlier ones stale."""
        self.newest[key] = self.newest.get(key, 0) + 1
        return self.newest[key]

    async def ask(
        self, key: str, work: Callable[[], Answer], ticket: int | None = None, *, long: bool = False
    ) -> Answer:
        """The answer of `work`, done by a thread.

        Args:
            key: of jobs that replace one another; "" for one that nothing replaces.
            work: a function without arguments.
            ticket: of the question that this job is a part of; None for a new question.
            long: done beside the others, so that a stroke does not wait for a report.

        Raises:
            Stale: a newer question of the same key came before this job was begun.
        """
        loop, number = asyncio.get_running_loop(), self.ticket(key) if ticket is None else ticket
        future: asyncio.Future[Answer] = loop.create_future()

        def done(answer: Any, error: BaseException | None) -> None:
            loop.call_soon_threadsafe(settle, future, answer, error)

        (self.long if long else self.jobs).put(_Job(key, number, work, done))
        return await future

    def _work(self, jobs: "queue.SimpleQueue[_Job]") -> None:
        while True:
            job = jobs.get()
            if job.key and self.newest[job.key] != job.number:
                job.done(None, Stale())
                continue
            try:
                answer, error = job.work(), None
            except BaseException as raised:
                answer, error = None, raised
            try:
                job.done(answer, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return


def settle(future: "asyncio.Future[Any]", answer: Any, error: BaseException | None) -> None:
    """Hands a result over to whoever still waits for it."""
    if future.cancelled():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)
