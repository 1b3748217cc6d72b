"""What commands print: JSON or a table on stdout, progress on stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table


def print_json(answer: Mapping[str, Any] | Sequence[Any]) -> None:
    """One JSON value on stdout."""
    print(json.dumps(answer, allow_nan=False))


def print_table(rows: Iterable[Mapping[str, Any]], *, title: str | None = None) -> None:
    """Rows with the same keys as a table on stdout."""
    rows = list(rows)
    table = Table(title=title, title_justify="left", header_style="bold")
    for i, key in enumerate(rows[0] if rows else ()):
        table.add_column(key.replace("_", " "), overflow="fold", no_wrap=i == 0)
    for row in rows:
        table.add_row(*(text(value) for value in row.values()))
    console().print(table)


def print_answer(answer: Mapping[str, Any]) -> None:
    """One answer on stdout, a line a key."""
    width = max(map(len, answer))
    for key, value in answer.items():
        print(f"{key.replace('_', ' '):{width}}  {text(value)}")


def signed(score: Mapping[str, Any]) -> dict[str, Any]:
    """A score whose figures carry the sign that says what kind of number they are, and its error a unit."""
    if score["kind"] == "none":
        rest = {key: score[key] for key in ("n", "split") if key in score}
        return {"kind": "none: an implicit model has no density; look at its samples, or compare it", **rest}
    sign = signs()[score["kind"]]
    figures = {key: f"{sign} {score[key]:.4g}" for key in ("nats", "bits_per_dim") if score[key] is not None}
    if score["standard_error"] is not None:
        figures["standard_error"] = f"{score['standard_error']:.4g} {unit_of(score)}"
    return {key: value for key, value in {**score, **figures}.items() if value is not None}


def unit_of(score: Mapping[str, Any]) -> str:
    """What the standard error of a score is counted in."""
    return "nats" if score["bits_per_dim"] is None else "bits/dim"


def signs() -> dict[str, str]:
    """What stands before a figure of each kind, in characters that the terminal has."""
    bound = "≤" if (sys.stdout.encoding or "").lower().startswith("utf") else "<="
    return {"exact": "=", "lower bound": bound, "none": ""}


def console(*, stderr: bool = False) -> Console:
    """A console that keeps its lines whole when nobody watches."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 140, highlight=False, emoji=False)


def text(value: Any) -> str:
    """A value in a cell: numbers short, absence as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def settings_of(pairs: Sequence[str], example: str = "lr=0.001") -> dict[str, str]:
    """["lr=0.1"] as {"lr": "0.1"}; anything else is a usage error, whose sentence shows an example."""
    from priorcraft.errors import UsageError

    split = [pair.partition("=") for pair in pairs]
    for key, equals, value in split:
        if not (key and equals and value):
            raise UsageError(f"settings are written key=value, like {example}, not '{key}{equals}{value}'.")
    return {key: value for key, _, value in split}


class TrainingBar:
    """Progress of trainings on stderr: a bar where somebody watches, a line now and then where nobody does.

    Args:
        quiet: print warnings alone.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.console, self.quiet, self.last, self.score = console(stderr=True), quiet, -1.0, ""
        self.live = not quiet and self.console.is_terminal
        self.bar = Progress(
            TextColumn("{task.description:14}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
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
            self.console.print(f"warning: {record.values['message']}", style="yellow", soft_wrap=True)
        if record.kind == "note" and not self.quiet:
            self.console.print(f"{name}: {record.values['message']}", soft_wrap=True)
        if record.kind == "validation" and "valid_nats" in record.values:
            of = f" of {record.values['density']}" if "density" in record.values else ""
            self.score = f"valid {kind} {record.values['valid_nats']:.2f} nats{of}"
        if record.kind == "step" and not self.quiet:
            self._step(name, record)

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
