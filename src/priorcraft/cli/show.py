"""What commands print: answers on stdout, notes and progress on stderr."""

import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from priorcraft.answer import Answer
from priorcraft.cli.lines import say, spelled
from priorcraft.contents import legible


def tell(answer: Answer, *, json: bool) -> None:
    """The answer on stdout, as JSON or in its pieces; what has to be said beside it on stderr."""
    if json:
        print(answer.to_json())
        return
    for note in answer.remarks:
        say(f"Note: {note}")
    if not answer.saved and ".png" in answer.writes.get("out", ()):
        say("Note: no picture was kept; --out FILE.png keeps it.")
    print(spelled(str(answer), sys.stdout))
    for path in answer.saved.values():
        print(spelled(f"written: {path}", sys.stdout))


def console(*, stderr: bool = False) -> Console:
    """A console that keeps its lines whole when nobody watches."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 140, highlight=False, emoji=False, markup=False)


class TrainingBar:
    """Progress of trainings on stderr: a bar where somebody watches, a line now and then where nobody does.

    Args:
        quiet: print warnings alone.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.console, self.quiet, self.last, self.score = console(stderr=True), quiet, -1.0, ""
        self.live = not quiet and self.console.is_terminal
        self.bar = Progress(
            TextColumn("{task.description:14}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=self.console,
        )
        self.task = self.bar.add_task("", total=1.0, numbers="") if self.live else None

    def __enter__(self) -> "TrainingBar":
        if self.live:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.bar.stop()

    def named(self, name: str, kind: str = "") -> Callable[[Any], None]:
        """A consumer of records that shows them under this name; `kind` is the score's sign, "=" or "≤"."""
        self.last, self.score = -1.0, ""
        return lambda record: self._show(name, kind, record)

    def _show(self, name: str, kind: str, record: Any) -> None:
        if record.kind == "warning":
            self.console.print(legible(f"warning: {record.values['message']}"), style="yellow", soft_wrap=True)
        if record.kind == "note" and not self.quiet:
            self.console.print(legible(f"{name}: {record.values['message']}"), soft_wrap=True)
        if record.kind == "validation" and "valid_nats" in record.values:
            of = f" of {record.values['density']}" if "density" in record.values else ""
            self.score = f"valid {kind} {record.values['valid_nats']:.2f} nats{of}"
        if record.kind == "reading" and not self.quiet:
            self._reading(name, record)
        if record.kind == "step" and not self.quiet:
            self._step(name, record)

    def _reading(self, name: str, record: Any) -> None:
        if self.live and self.task is not None:
            self.bar.update(self.task, completed=record.progress, description=name, numbers=record.values["message"])
        elif record.progress - self.last >= 0.25:
            self.console.print(f"{name}: {record.values['message']}", soft_wrap=True)
            self.last = record.progress % 1.0

    def _step(self, name: str, record: Any) -> None:
        due = record.progress - self.last >= (0.005 if self.live else 0.1) or record.progress >= 1
        if not due:
            return
        self.last = record.progress
        game = f"critic {record.values['critic_loss']:.3f}  " if "critic_loss" in record.values else ""
        numbers = f"step {record.step}  loss {record.values['loss']:.3f}  {game}{self.score}"
        if self.live and self.task is not None:
            self.bar.update(self.task, completed=record.progress, description=name, numbers=numbers)
        else:
            left = record.elapsed * (1 - record.progress) / max(record.progress, 1e-9)
            self.console.print(f"{name} {record.progress:4.0%}  {numbers}  {left:.0f} s left", soft_wrap=True)
