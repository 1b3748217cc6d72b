"""The one road from what a source found to `Splits`."""

from dataclasses import replace
from itertools import chain

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.datasets.audit import audit
from priorcraft.datasets.divide import SHARE, choose, complete
from priorcraft.datasets.fingerprint import counts, fingerprint
from priorcraft.datasets.labels import to_classes
from priorcraft.datasets.points import to_points
from priorcraft.datasets.raw import SPLITS, Raw
from priorcraft.datasets.shelf import MEMORY, Shelf
from priorcraft.datasets.splits import BESIDE, Rows, Splits
from priorcraft.mapped import tensor_of


def build(
    raw: Raw,
    *,
    seed: int = 0,
    levels: int | None = None,
    limit: int | None = None,
    known: str | None = None,
    shelf: Shelf = MEMORY,
) -> Splits:
    """Checks what a source found, brings it to one layout, divides it, and notes what a user should know.

    Args:
        raw: what the source found.
        seed: of the division, where the source does not give one.
        levels: number of values of an entry that the user asks for.
        limit: at most this many rows a part, stratified; None keeps all.
        known: the fingerprint of data that are divided by seed; others that come in one part are then left whole.
        shelf: where the arrays are put.
    """
    found, space, classes, notes = _rows(raw, levels, shelf)
    if known is not None and [*found] == ["train"]:
        rows = _at_most(limit, found["train"], seed, "test")
        divisible = len(rows) > len(SPLITS)
        if not divisible or fingerprint(_divided(found, seed, limit), space, classes) != known:
            notes += [f"not divided: all {len(rows)} rows, in their order."]
            return _splits(raw, space, classes, dict.fromkeys(SPLITS, rows), notes, divided=False)
    parts = _divided(found, seed, limit, shelf)
    notes += [*_division(found, seed, limit, bool(classes)), *audit(parts, classes, leaks=raw.columns is None)]
    return _splits(raw, space, classes, parts, notes)


def _divided(found: dict[str, Rows], seed: int, limit: int | None, shelf: Shelf = MEMORY) -> dict[str, Rows]:
    if shelf is MEMORY:
        whole = complete(found, seed=seed)
        return {part: _at_most(limit, whole[part], seed, part) for part in SPLITS}
    short = torch.int32 if max(map(len, found.values())) < 2**31 else torch.int64
    numbers = {part: Rows(torch.arange(len(rows), dtype=short), rows.y) for part, rows in found.items()}
    taken = {part: rows.x for part, rows in _divided(numbers, seed, limit).items()}  # which rows go there
    return {part: _shelved(found.get(part, found["train"]), taken[part], part, shelf) for part in SPLITS}


def _shelved(rows: Rows, taken: Tensor, part: str, shelf: Shelf) -> Rows:
    """Some of the rows, put on a shelf under the name of their part."""

    def put(name: str, own: Tensor) -> Tensor:
        return shelf.taken(f"{part}.{name}", own, taken)

    beside = {name: getattr(rows, name) for name in BESIDE}
    return Rows(put("x", rows.x), **{name: put(name, own) for name, own in beside.items() if own is not None})


def _splits(
    raw: Raw, space: Space, classes: tuple[str, ...], parts: dict[str, Rows], notes: list[str], divided: bool = True
) -> Splits:
    marks = {"fingerprint": fingerprint(parts, space, classes), "counts": counts(parts, space, classes)}
    told = {"notes": tuple(notes), "divided": divided, "columns": raw.columns, "table": raw.table}
    told |= {"files": tuple(chain.from_iterable(raw.files.values()))}
    return Splits(raw.name, space, classes, **parts, **marks, **told)


def _rows(raw: Raw, levels: int | None, shelf: Shelf) -> tuple[dict[str, Rows], Space, tuple[str, ...], list[str]]:
    x, space = to_points(raw.x, raw.levels, levels, shelf)
    if raw.columns is not None:
        sizes = raw.columns.sizes if len(set(raw.columns.sizes)) > 1 else ()  # where all are equal, levels says it
        space = replace(space, sizes=sizes, finer=raw.columns.finer, unordered=raw.columns.unordered)
    if raw.numbered:
        y, classes = {part: tensor_of(labels) for part, labels in raw.y.items()}, raw.classes or ()
    else:
        y, classes = to_classes(raw.y, {part: len(points) for part, points in x.items()}, raw.classes)
    if len(classes) > 1:
        return _beside({part: Rows(x[part], y[part]) for part in x}, raw, shelf), space, classes, list(raw.notes)
    ignored = [f"labels left out: '{name}' is the only one, so it says nothing." for name in classes]
    return _beside({part: Rows(x[part]) for part in x}, raw, shelf), space, (), [*raw.notes, *ignored]


def _beside(parts: dict[str, Rows], raw: Raw, shelf: Shelf) -> dict[str, Rows]:
    """The parts with what else is known of their rows: of a table, or from which files they are."""
    if not raw.files:
        return {part: _of_table(rows, raw, shelf) for part, rows in parts.items()}
    numbers = torch.arange(sum(map(len, raw.files.values()))).split([len(names) for names in raw.files.values()])
    return {part: replace(parts[part], place=place) for part, place in zip(raw.files, numbers, strict=True)}


def _of_table(rows: Rows, raw: Raw, shelf: Shelf) -> Rows:
    """The rows with what else is known of them, if they are a table's."""
    if raw.table is None:
        return rows
    found = {"seen": raw.seen, "rest": raw.rest, "strange": raw.strange}
    more = {name: None if part is None else tensor_of(part) for name, part in found.items()}
    return replace(rows, **more, place=tensor_of(shelf.numbers("place", len(rows)) if raw.place is None else raw.place))


def _at_most(limit: int | None, rows: Rows, seed: int, part: str) -> Rows:
    if limit is None or len(rows) <= limit:
        return rows
    return rows.where(choose(rows, limit, generator=runtime.keyed(seed, "limit", part)))


def _division(found: dict[str, Rows], seed: int, limit: int | None, labelled: bool) -> list[str]:
    how = f"drawn by seed {seed}" + (", in proportion to the classes" if labelled else "")
    missing = " and ".join(part for part in SPLITS if part not in found)
    notes = [f"{missing}: {SHARE:.0%} of the rows each, {how}; the rest is train."] if missing else []
    return [*notes, f"at most {limit} rows a part, {how}."] if limit is not None else notes
