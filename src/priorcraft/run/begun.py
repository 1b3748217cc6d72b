"""How a run begins: its data, its settings and its budget are found good before a folder is made for them."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch

from priorcraft import runtime, zoo
from priorcraft.core import ClosedForm
from priorcraft.datasets import Reading, Splits
from priorcraft.datasets.progress import telling
from priorcraft.errors import UsageError
from priorcraft.run import describe
from priorcraft.run.forms import DOMAINS, PAIRS, REVERSED, ROWS, open_as
from priorcraft.train.batch import fastest_batch
from priorcraft.train.launch import launched
from priorcraft.train.loop import Budget, Record, heard, whole
from priorcraft.train.run_folder import RunFolder
from priorcraft.train.shards import DEFAULT, Shards
from priorcraft.zoo import Settings

TRIAL_ROWS = 1000  # from which a batch size is measured
DEFAULT_MINUTES = 2.0


@dataclass(frozen=True)
class Asked:
    """What a training is asked for, as in `fit`; None where nothing was said.

    Args:
        data, model, minutes, steps, seed, settings, reading, shards: as in `fit`.
        form: of the data; None where no flag names one.
    """

    data: str | Path | Splits | None
    model: str | None
    minutes: float | None = None
    steps: int | None = None
    seed: int | None = None
    settings: Settings = field(default_factory=dict)
    reading: Reading = field(default_factory=Reading)
    form: str | None = None
    shards: int | None = None

    def opened(self) -> Splits:
        """The data in their form, opened or as they are."""
        if isinstance(self.data, Splits):
            return self.data
        source = "" if self.data is None else self.data
        return open_as(self.form or ROWS, source, seed=self.seed or 0, **self.reading)


def form_of(pairs: bool, domains: bool, reverse: bool) -> str | None:
    """The form of the data that the flags name, or None.

    Raises:
        UsageError: flags that contradict each other.
    """
    if pairs and domains:
        raise UsageError("give --pairs or --domains, not both: rows belong together one by one, or they do not.")
    if reverse and not domains:
        raise UsageError("--reverse belongs to --domains; with --pairs, exchange A and B.")
    return PAIRS if pairs else (REVERSED if reverse else DOMAINS) if domains else None


def budget_of(minutes: float | None, steps: int | None) -> Budget:
    """The budget in the user's words, or two minutes."""
    if minutes is None and steps is None:
        minutes = DEFAULT_MINUTES
    return Budget(steps, None if minutes is None else minutes * 60)


def cut_into(shards: int | None, workers: int | None) -> int:
    """Parts of the rows of a step: as asked, or four where several processes shall share them."""
    asked = workers is not None or launched()
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be at least 1, not {workers}.")
    found = DEFAULT if shards is None and asked else shards or 1
    Shards.check(found, workers or 1)
    return found


def begin(
    asked: Asked, out: Path, held: ExitStack, on_record: Callable[[Record], None], *, overwrite: bool
) -> tuple[RunFolder, Splits, Budget]:
    """A new run folder for data that can be read and a model that can be built; `held` holds its lock."""
    data, model, seed, budget = asked.data, asked.model, asked.seed or 0, budget_of(asked.minutes, asked.steps)
    if data is None or model is None:
        raise UsageError("fit needs DATA and MODEL, as in: priorcraft fit digits vae --out runs/vae.")
    if isinstance(data, str) and data in zoo.names() and model not in zoo.names():
        raise UsageError(f"first the data, then the model: priorcraft fit {model} {data} --out {out}.")
    with telling(heard(on_record)):
        splits = asked.opened()
        check_context(model, splits)
        settings, chosen = sized(model, splits, asked.settings, seed, budget)
        source = str(data) if isinstance(data, str | Path) else splits.name
        found = {"source": source, "form": asked.form or ROWS, "reading": asked.reading}
        config = describe(model, splits, settings, seed=seed, budget=budget, **found)
        zoo.build(model, splits.space, splits.context, len(splits.train), settings, seed=seed)  # refuses bad settings
        config |= {"shards": asked.shards} if asked.shards is not None and asked.shards > 1 else {}
        run = held.enter_context(RunFolder.created(out, config, overwrite=overwrite))
    told = [] if isinstance(data, Splits) else splits.notes  # who opened the data has heard of them
    for message in [*told, *chosen]:
        run.append({"kind": "note", "step": 0, "progress": 0.0, "elapsed": 0.0, "message": message})
    for event in run.events():  # what was found in the data, and chosen before the start
        on_record(Record("note", 0, 0.0, 0.0, {"message": str(event["message"])}))
    return run, splits, budget


def sized(model: str, splits: Splits, settings: Settings, seed: int, budget: Budget) -> tuple[Settings, list[str]]:
    """The settings with the batch size that this machine likes in place of "auto", and a sentence about it.

    Raises:
        UsageError: "auto" with a budget of steps, whose result would depend on the machine's mood.
    """
    if settings.get("batch_size") != "auto":
        return settings, []
    if budget.seconds is None:
        raise UsageError("batch_size=auto measures this machine and goes with --minutes; give a number with --steps.")
    rest = {key: value for key, value in settings.items() if key != "batch_size"}
    trial, objective = zoo.build(model, splits.space, splits.context, len(splits.train), rest, seed=seed)
    rows = whole(splits.train.first(TRIAL_ROWS), torch.device("cpu"))
    trial.initialise(rows.x, rows.given, generator=runtime.keyed(seed, "trial"))
    objective.prepare(rows)
    speeds = fastest_batch(objective, splits.train)
    chosen, shown = next(iter(speeds)), ", ".join(f"{size}: {speeds[size]:,.0f}" for size in sorted(speeds))
    return rest | {"batch_size": chosen}, [f"batch_size {chosen} was chosen by rows a second ({shown})."]


def check_context(model: str, splits: Splits) -> None:
    """Raises a UsageError for a model that is fitted by counting and takes no image as context."""
    if splits.context is None or splits.context.is_label:
        return
    kind = zoo.entry(model, splits.space, len(splits.train))[1].model
    if issubclass(kind, ClosedForm):
        raise UsageError(f"{model} is fitted by counting and takes labels alone as context; use gan or masked-mlp.")
