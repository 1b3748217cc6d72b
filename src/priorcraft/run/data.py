"""What a question is asked of: a run, and its own data or others of the same space."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Space
from priorcraft.datasets import Reading, Rows, Splits, open_data
from priorcraft.datasets.raw import SPLITS
from priorcraft.datasets.source import Source
from priorcraft.errors import DataError, UsageError, did_you_mean
from priorcraft.run import Run, load
from priorcraft.run.forms import ROWS, open_as
from priorcraft.train.holes import without_holes
from priorcraft.train.run_folder import in_words

Given = Mapping[str, str | int]  # what is known of x beside it: {"label": name or number of a class}


def opened(run: str | Path | Run, device: str = "auto", *, translates: bool = False) -> tuple[Run, torch.device]:
    """The fitted model and where it lives.

    Args:
        run: a run folder, or what `load` returned.
        device: of a run that is not open yet, as in `runtime.pick_device`.
        translates: whether a p(b | a) of pairs or domains will do.

    Raises:
        UsageError: a run that translates, where p(x) or p(x | label) is needed.
        CheckpointError: no run, or one that cannot be loaded.
    """
    runtime.tune()
    fitted = run if isinstance(run, Run) else load(run, device=device)
    context = fitted.model.context
    if context is not None and not context.is_label and not translates:
        raise UsageError(
            f"the run {fitted.path} is p(b | a), fitted to pairs of images; ask it with translate or score, and fit "
            "without --pairs or --domains for all other questions."
        )
    return fitted, fitted.model.device


def in_memory(kept: Mapping[str, Any]) -> bool:
    """Whether a run's data came from no place that could be opened again; runs of version 0.1.0 say it by a name."""
    source = str(kept["source"])
    return bool(kept.get("in_memory", source in ("arrays", "the data frame") and not Path(source).exists()))


def own_data(run: Run) -> Splits:
    """The data that a run was fitted to, read and divided as they were."""
    kept = run.data
    reading = cast(Reading, kept.get("reading", {}))
    if run.splits is not None:
        return run.splits
    if in_memory(kept):
        raise DataError(f"the run {run.path} was fitted to data in memory; give the data with the question.")
    now = open_as(kept.get("form", ROWS), kept["source"], seed=int(kept["seed"]), columns=run.columns, **reading)
    check_same(run, now)
    return now


def names_own(run: Run, source: str | Path) -> bool:
    """Whether a source is what a run was fitted to, however its path is written."""
    kept = str(run.data["source"])
    here, there = Path(source), Path(kept)
    return str(source) == kept or (here.exists() and there.exists() and here.samefile(there))


def check_same(run: Run, now: Splits) -> None:
    """Refuses data that changed since a run was fitted to them: they would be divided anew, and training rows tested.

    Raises:
        DataError: with the counts of then and now.
    """
    if now.fingerprint != run.data["fingerprint"]:
        raise DataError(
            f"the data of {run.path} changed: {in_words(run.data['counts'])} then, {in_words(now.counts)} now, with "
            "other content, so that rows of training may stand among those of test. Restore them, or give the new ones "
            "under another name (--data COPY): they are then left whole."
        )


def other_data(run: Run, source: Source) -> Splits:
    """Other data, the images of a folder brought to what the model knows, if that is a square."""
    kept, space = run.data, run.model.space
    known, seed = kept.get("reading", {}), int(kept["seed"])
    if not isinstance(source, str | Path):
        return open_data(source, seed=seed, known=kept["fingerprint"], columns=run.columns, partial=True)
    if kept.get("form", ROWS) != ROWS:
        return open_as(kept["form"], source, seed=seed, **known)
    if run.columns is not None:
        return open_data(source, seed=seed, known=kept["fingerprint"], columns=run.columns, partial=True)
    reading = cast(Reading, {key: known[key] for key in ("levels", "on_bad_image", "top") if key in known})
    return open_data(source, seed=seed, known=kept["fingerprint"], **brought(source, space, reading))


def brought(source: str | Path, space: Space, reading: Reading) -> Reading:
    """How to read a source so that it lives in a space: images of a folder get its channels, and its size if square."""
    if not Path(source).is_dir():
        return cast(Reading, {key: value for key, value in reading.items() if key not in ("on_bad_image", "top")})
    if not space.is_image:
        return reading
    colours, *sides = space.event_shape
    size: Reading = {"size": sides[0]} if len(set(sides)) == 1 else {}
    return {**reading, **size, "mode": "grey" if colours == 1 else "rgb"}


def data_of(run: Run, data: Source | Splits | None, *, holes: bool = False) -> Splits:
    """The run's own data as it was divided; others as their source divides them, and else whole and in their order.

    Args:
        run: a fitted model.
        data: what `open_data` takes, or data that are open; the run's own if None.
        holes: whether the question can be asked of rows of a table with holes; a draw fills each of them if not.

    Raises:
        DataError: data that do not live where the model does, or cannot be read.
    """
    if not isinstance(data, Splits):
        named = isinstance(data, str | Path) and names_own(run, data)
        asked = own_data(run) if data is None or named else other_data(run, data)
        if data is not None and asked.fingerprint == run.data["fingerprint"]:
            told = f"these data are the run's own, divided as they were ({in_words(asked.counts)}): one part is asked."
            asked = replace(asked, notes=(*asked.notes, told))
        data = asked
    found = within(data, run.model.space)
    return found if holes else without_holes(found, seed=int(run.data["seed"]))


def labelled_data(run: Run, data: str | Path | Splits | None, *, holes: bool = False) -> Splits:
    """Data of the run's space, their labels numbered as the run numbers its classes.

    Raises:
        DataError: another space, or a class that the run does not know.
    """
    splits = data_of(run, data, holes=holes)
    if not splits.classes or splits.classes == run.classes:
        return splits
    unknown = [name for name in splits.classes if name not in run.classes]
    if unknown and run.classes:
        raise DataError(f"the run knows no class '{unknown[0]}': {did_you_mean(unknown[0], run.classes)}")
    number = torch.tensor([run.classes.index(name) for name in splits.classes] if run.classes else [])
    train, valid, test = (renumbered(splits.rows(part), number) for part in SPLITS)
    return replace(splits, classes=run.classes, train=train, valid=valid, test=test)


def renumbered(rows: Rows, number: Tensor) -> Rows:
    """The same rows with each label c replaced by number[c]."""
    if rows.y is None or not len(number):
        return replace(rows, y=None)
    return replace(rows, y=torch.where(rows.y == UNLABELLED, UNLABELLED, number[rows.y.clamp_min(0)]))


def within(data: Splits, space: Space) -> Splits:
    """Data in a space: their own, or one whose entries have numbers of levels of their own, which the rows keep to.

    Raises:
        DataError: data that do not live there.
    """
    if space.sizes and not data.space.sizes and data.space.event_shape == space.event_shape and data.space.levels:
        for part in (data.train, data.valid, data.test):
            space.check(part.x)
        return replace(data, space=space)
    check_space(data.space, space)
    return data


def check_space(found: Space, expected: Space) -> None:
    """Raises a DataError if data do not live where the model does."""
    if found != expected:
        raise DataError(f"the model was fitted to {describe(expected)}, but these data are {describe(found)}.")


def describe(space: Space) -> str:
    """A space in words.

    >>> describe(Space((1, 8, 8), 17))
    '8 x 8 images with 1 channel and 17 levels'
    """
    reach = f"{min(space.sizes)} to {space.levels}" if space.sizes else space.levels
    values = "real numbers" if space.levels is None else f"{reach} levels"
    if space.is_image:
        channels, height, width = space.event_shape
        return f"{height} x {width} images with {channels} channel{'s' * (channels > 1)} and {values}"
    return f"vectors of {space.dims} entries with {values}"


def label_of(run: Run, given: Given | None) -> Tensor | None:
    """The class that `given` names, as a scalar tensor."""
    if not given:
        return None
    if set(given) != {"label"}:
        raise UsageError(f"given must be label=CLASS, not {', '.join(f'{k}={v}' for k, v in given.items())}.")
    if not run.classes:
        raise UsageError("given label cannot be used: this model was fitted to data without labels of two classes.")
    name = str(given["label"])
    if name not in run.classes:
        raise UsageError(f"there is no class '{name}': {did_you_mean(name, run.classes)}")
    return torch.tensor(run.classes.index(name), device=run.model.device)


def labels_of(run: Run, given: Given | None, n: int) -> Tensor | None:
    """The class that `given` names, once for each of n rows, (n,)."""
    label = label_of(run, given)
    return None if label is None else label.expand(n)
