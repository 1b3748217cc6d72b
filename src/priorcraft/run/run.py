"""Runs on disk: what a run folder says, and the model in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import priorcraft
from priorcraft import zoo
from priorcraft.core import Generative, Space
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.splits import Splits
from priorcraft.errors import CheckpointError, UsageError
from priorcraft.train.checkpoint import load_into
from priorcraft.train.config import read_config
from priorcraft.train.formats import NewerFormat
from priorcraft.train.objective import Objective
from priorcraft.train.recorded import Saved
from priorcraft.train.run_folder import RunFolder


@dataclass(frozen=True)
class Run:
    """A fitted model and where it came from.

    Args:
        path: the run folder.
        name: the name by which the model was asked for.
        model: the model, with its best weights, ready to be asked.
        classes: names of the classes; () without labels.
        data: source, seed, fingerprint and counts of the data that it was fitted to.
        steps, seconds: how long it was trained.
    """

    path: Path
    name: str
    model: Generative
    classes: tuple[str, ...]
    data: dict[str, Any]
    steps: int
    seconds: float

    @property
    def columns(self) -> Columns | None:
        """What the integers of a table stand for."""
        return columns_of(self.data)

    @property
    def family(self) -> str:
        """ "exact", "approximate" or "implicit"."""
        return zoo.family(type(self.model))


def columns_of(data: Mapping[str, Any]) -> Columns | None:
    """What the integers of a table stand for, from what a config.json says of the data.

    Raises:
        CheckpointError: it says nothing that can be understood.
    """
    found = data.get("columns")
    try:
        return None if found is None else Columns.from_json(found)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"config.json does not describe a table: {type(error).__name__} at {error}.") from None


def describe(
    name: str,
    splits: Splits,
    settings: zoo.Settings,
    *,
    source: str,
    seed: int,
    budget: Any,
    form: str = "rows",
    reading: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The config.json of a new run: everything that is needed to build the model and its objective again."""
    member, _ = zoo.entry(name, splits.space, len(splits.train))
    context = splits.context
    return ({} if context is None or context.is_label else {"context": asdict(context)}) | {
        "model": name,
        "member": member,
        "settings": zoo.resolve(name, splits.space, len(splits.train), settings),
        "space": asdict(splits.space),
        "classes": list(splits.classes),
        "rows": len(splits.train),
        "data": {
            "source": source,
            "form": form,
            "reading": dict(reading or {}),
            "seed": seed,
            "fingerprint": splits.fingerprint,
            "counts": splits.counts,
            **({} if splits.columns is None else {"columns": splits.columns.as_json()}),
        },
        "seed": seed,
        "budget": asdict(budget),
        "environment": {
            "priorcraft": priorcraft.__version__,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        },
    }


def rebuild(config: dict[str, Any], device: str | torch.device = "cpu") -> tuple[Generative, Objective]:
    """The untrained model and objective that a run's config describes; names resolve through the zoo alone.

    Raises:
        UsageError: the config does not describe a model that this version knows; nothing was imported or loaded.
    """
    known = read_config(config)
    space, other = known.space.space(), known.context and known.context.space()
    context = Space((), len(known.classes)) if known.classes else other
    try:
        how = {"seed": known.seed, "device": device, "whole": True}
        return zoo.build(known.member, space, context, known.rows, known.settings, **how)
    except UsageError as error:
        raise UsageError(f"config.json does not describe a model: {error}") from None
    except (RuntimeError, MemoryError, ValueError, TypeError) as error:  # of a constructor that such a space surprises
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"config.json does not describe a model that can be built: {reason:.200}") from error


def load(path: str | Path, *, device: str | torch.device = "cpu", fall_back: bool = False) -> Run:
    """Opens a run folder and loads its best weights.

    Args:
        path: the folder that `fit` wrote.
        device: where the model shall live.
        fall_back: take an earlier checkpoint where the last one is damaged, with a warning.

    Raises:
        CheckpointError: no run there, no complete checkpoint in it, or one that does not verify.
    """
    folder = RunFolder.open(Path(path))
    try:
        checkpoint = folder.newest(fall_back=fall_back)
    except NewerFormat:
        raise
    except CheckpointError as error:
        raise CheckpointError(f"{error} priorcraft verify {path} says what can be saved.") from None
    if checkpoint is None:
        raise CheckpointError(
            f"{path} holds no complete checkpoint yet; go on training it with fit --resume --out {path}."
        )
    model, _ = rebuild(folder.config)
    load_into(model, checkpoint.file("model"))
    config, elapsed = folder.config, Saved.of(checkpoint).elapsed
    return Run(
        Path(path),
        str(config["model"]),
        model.to(device).eval(),
        tuple(config["classes"]),
        dict(config["data"]),
        checkpoint.step,
        elapsed,
    )
