"""Runs on disk: what a run folder says, and the model in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

import priorcraft
from priorcraft import runtime, typed, zoo
from priorcraft.answer import ARRAY, Answer, Facts, Picture, Piece, plain
from priorcraft.contents import read_json
from priorcraft.core import Generative, Space
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.splits import Splits
from priorcraft.errors import CheckpointError, UsageError, within_memory
from priorcraft.metrics.likelihood import Score
from priorcraft.train.checkpoint import load_into
from priorcraft.train.config import read_config
from priorcraft.train.formats import NewerFormat
from priorcraft.train.objective import Objective
from priorcraft.train.recorded import Saved
from priorcraft.train.run_folder import RunFolder

SCORE = "score.json"  # of a run folder


@dataclass(frozen=True)
class ValidScore(Score):
    """A score, and the part of the data on which it was taken."""

    split: str


@dataclass(frozen=True)
class Run(Answer):
    """A fitted model and where it came from: what `fit` and `load` return and every question takes.

    Args:
        path: the run folder.
        name: the name by which the model was asked for.
        model: the model, with its best weights, ready to be asked.
        classes: names of the classes; () without labels.
        data: source, seed, fingerprint and counts of the data that it was fitted to.
        steps, seconds: how long it was trained.
        score: on the first validation rows, taken at the end of the training; None in a run that was not ended.
        notes: what the data and the training chose, and how fast it was.
        warnings: what went wrong in the training, and what to turn.
        interrupted: whether the training was ended from the keyboard.
        splits: the data, if they came from memory and this process has fitted the run; None else.
    """

    path: Path
    name: str
    model: Generative = field(repr=False, compare=False, metadata=ARRAY)
    classes: tuple[str, ...] = field(repr=False, compare=False, metadata=ARRAY)
    data: dict[str, Any] = field(repr=False, compare=False, metadata=ARRAY)
    steps: int
    seconds: float
    score: ValidScore | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    splits: Splits | None = field(default=None, repr=False, compare=False, metadata=ARRAY)

    @property
    def columns(self) -> Columns | None:
        """What the integers of a table stand for."""
        return columns_of(self.data)

    @property
    def family(self) -> str:
        """ "exact", "approximate" or "implicit"."""
        return zoo.family(type(self.model))

    @property
    def remarks(self) -> list[str]:
        """None: a training says its notes while it runs."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """The run as plain values: where it is, what was fitted and how well."""
        return {
            "run": str(self.path),
            "model": self.name,
            "family": self.family,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "score": plain(self.score),
            **({"interrupted": True} if self.interrupted else {}),
        }

    def shown(self) -> list[Piece]:
        """What was fitted, its score with the kind of number it is, and the last samples where they are pictures."""
        told = {key: value for key, value in self.to_dict().items() if key not in ("score", "notes", "warnings")}
        newest = [] if self.columns else sorted((self.path / "samples").glob("*.png"))[-1:]
        pictures = [Picture(path.read_bytes(), f"samples of {self.name}") for path in newest]
        return [Facts(told | (self.score.facts() if self.score else {})), *pictures]


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
            "in_memory": splits.in_memory,
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
        with within_memory("the model that config.json describes"):
            return zoo.build(known.member, space, context, known.rows, known.settings, **how)
    except UsageError as error:
        raise UsageError(f"config.json does not describe a model: {error}") from None
    except (RuntimeError, ValueError, TypeError) as error:  # of a constructor that such a space surprises
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"config.json does not describe a model that can be built: {reason:.200}") from error


def load(path: str | Path, *, device: str | torch.device = "cpu", fall_back: bool = False) -> Run:
    """Opens a run folder and loads its best weights.

    Args:
        path: the folder that `fit` wrote.
        device: where the model shall live: auto, cpu, cuda or mps.
        fall_back: take an earlier checkpoint where the last one is damaged, with a warning.

    Raises:
        CheckpointError: no run there, no complete checkpoint in it, or one that does not verify.
    """
    where = runtime.pick_device(device) if isinstance(device, str) else device
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
    config, events = folder.config, folder.events()
    said = {kind: tuple(str(e["message"]) for e in events if e["kind"] == kind) for kind in ("note", "warning")}
    return Run(
        Path(path),
        str(config["model"]),
        model.to(where).eval(),
        tuple(config["classes"]),
        dict(config["data"]),
        checkpoint.step,
        Saved.of(checkpoint).elapsed,
        score=_score(folder),
        notes=said["note"],
        warnings=said["warning"],
    )


def _score(folder: RunFolder) -> ValidScore | None:
    """The score that was taken when the training ended."""
    path = folder.path / SCORE
    return typed.read(ValidScore, read_json(path), SCORE) if path.exists() else None
