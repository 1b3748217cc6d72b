"""Runs that are gone on with."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from priorcraft.datasets import Splits
from priorcraft.errors import CheckpointError, UsageError
from priorcraft.run import columns_of
from priorcraft.run.begun import Asked, budget_of
from priorcraft.run.data import in_memory
from priorcraft.run.forms import ROWS, open_as
from priorcraft.train.config import read_config
from priorcraft.train.loop import Budget, Record
from priorcraft.train.run_folder import RunFolder


def reopen(
    asked: Asked,
    out: Path,
    held: ExitStack,
    on_record: Callable[[Record], None],
    *,
    overwrite: bool,
    allow_data_change: bool,
) -> tuple[RunFolder, Splits, Budget]:
    """The run in `out`, its data and its budget, which may be given anew; nothing else that is asked may differ.

    `held` holds its lock.
    """
    if overwrite:
        raise UsageError("resume goes on with a run and overwrite replaces it; give one of them.")
    run = RunFolder.open(out)
    held.enter_context(run.lock())
    if "data" not in run.config:
        raise CheckpointError(f"{out} was emptied and holds no training to resume; fit anew with --overwrite.")
    read_config(run.config)
    check_unchanged(out, run.config, asked)
    if asked.data is None and in_memory(run.config["data"]):
        raise UsageError(
            f"the run in {out} was fitted to data in memory; give them with the call: fit(data, resume=True, ...)."
        )
    splits = again(out, asked.data)
    run.check_data(splits.fingerprint, splits.counts, allow=allow_data_change)
    for message in elsewhere(run.config):
        on_record(Record("note", 0, 0.0, 0.0, {"message": message}))
    kept = asked.minutes is None and asked.steps is None
    return run, splits, Budget(**run.config["budget"]) if kept else budget_of(asked.minutes, asked.steps)


def elsewhere(config: Mapping[str, Any]) -> list[str]:
    """A sentence where a run goes on otherwise than it began: it then ends near the same numbers, not at the same bits.

    >>> elsewhere({"environment": {"threads": torch.get_num_threads(), "torch": torch.__version__}})
    []
    """
    began = config.get("environment", {})
    now = {"threads": torch.get_num_threads(), "torch": torch.__version__}
    changed = [f"{name} {began[name]}, now {value}" for name, value in now.items() if began.get(name, value) != value]
    return [f"the run began with {'; '.join(changed)}: it does not end at the same bits."] if changed else []


def again(out: Path, data: str | Path | Splits | None) -> Splits:
    """The data of the run in `out`, or others, opened as it opened its own."""
    saved = RunFolder.open(out).config["data"]
    form, seed, reading = str(saved.get("form", ROWS)), int(saved["seed"]), saved.get("reading", {})
    how = {"seed": seed, "columns": columns_of(saved), **reading}
    return data if isinstance(data, Splits) else open_as(form, saved["source"] if data is None else data, **how)


def check_unchanged(out: Path, config: Mapping[str, Any], asked: Asked) -> None:
    """Raises a UsageError if a run that goes on is asked to be another one."""
    saved = {
        "model": config["model"],
        "seed": config["seed"],
        "shards": config.get("shards", 1),
        **config["settings"],
        **config["data"].get("reading", {}),
        "form": config["data"].get("form", ROWS),
    }
    named = {"model": asked.model, "seed": asked.seed, "form": asked.form, "shards": asked.shards}
    for name, value in {**named, **asked.settings, **asked.reading}.items():
        if value is not None and not same(value, saved.get(name)):
            was = f"has {name} {saved[name]}, not {value}" if name in saved else f"was started without {name}"
            raise UsageError(f"the run in {out} {was}; leave it out to resume that run, or fit anew in another --out.")


def same(a: object, b: object) -> bool:
    """Whether two settings are equal, in words or as numbers.

    >>> same("1e-3", 0.001), same("vae", "gan"), same(1, None)
    (True, False, False)
    """
    try:
        return float(str(a)) == float(str(b))
    except ValueError:
        return str(a) == str(b)
