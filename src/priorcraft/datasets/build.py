"""The one road from what a source found to `Splits`."""

from dataclasses import replace

import torch

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.datasets.audit import audit
from priorcraft.datasets.divide import SHARE, choose, complete
from priorcraft.datasets.fingerprint import counts, fingerprint
from priorcraft.datasets.labels import to_classes
from priorcraft.datasets.points import to_points
from priorcraft.datasets.raw import SPLITS, Raw
from priorcraft.datasets.splits import Rows, Splits


def build(
    raw: Raw, *, seed: int = 0, levels: int | None = None, limit: int | None = None, known: str | None = None
) -> Splits:
    """Checks what a source found, brings it to one layout, divides it, and notes what a user should know.

    Args:
        raw: what the source found.
        seed: of the division, where the source does not give one.
        levels: number of values of an entry that the user asks for.
        limit: at most this many rows a part, stratified; None keeps all.
        known: the fingerprint of data that are divided by seed; others that come in one part are then left whole.
    """
    found, space, classes, notes = _rows(raw, levels)
    if known is not None and [*found] == ["train"]:
        rows = _at_most(limit, found["train"], seed, "test")
        divisible = len(rows) > len(SPLITS)
        if not divisible or fingerprint(_divided(found, seed, limit), space, classes) != known:
            notes += [f"not divided: all {len(rows)} rows, in their order."]
            return _splits(raw, space, classes, dict.fromkeys(SPLITS, rows), notes, divided=False)
    parts = _divided(found, seed, limit)
    notes += [*_division(found, seed, limit, bool(classes)), *audit(parts, classes, leaks=raw.columns is None)]
    return _splits(raw, space, classes, parts, notes)


def _divided(found: dict[str, Rows], seed: int, limit: int | None) -> dict[str, Rows]:
    whole = complete(found, seed=seed)
    return {part: _at_most(limit, whole[part], seed, part) for part in SPLITS}


def _splits(
    raw: Raw, space: Space, classes: tuple[str, ...], parts: dict[str, Rows], notes: list[str], divided: bool = True
) -> Splits:
    marks = {"fingerprint": fingerprint(parts, space, classes), "counts": counts(parts, space, classes)}
    told = {"notes": tuple(notes), "divided": divided, "columns": raw.columns, "table": raw.table}
    return Splits(raw.name, space, classes, **parts, **marks, **told)


def _rows(raw: Raw, levels: int | None) -> tuple[dict[str, Rows], Space, tuple[str, ...], list[str]]:
    x, space = to_points(raw.x, raw.levels, levels)
    if raw.columns is not None and len(set(raw.columns.sizes)) > 1:  # where all are equal, levels says it
        space = replace(space, sizes=raw.columns.sizes)
    y, classes = to_classes(raw.y, {part: len(points) for part, points in x.items()}, raw.classes)
    if len(classes) > 1:
        return {part: _of_table(Rows(x[part], y[part]), raw) for part in x}, space, classes, list(raw.notes)
    ignored = [f"labels left out: '{name}' is the only one, so it says nothing." for name in classes]
    return {part: _of_table(Rows(x[part]), raw) for part in x}, space, (), [*raw.notes, *ignored]


def _of_table(rows: Rows, raw: Raw) -> Rows:
    """The rows with what else is known of them, if they are a table's."""
    if raw.table is None:
        return rows
    found = {"seen": raw.seen, "rest": raw.rest, "strange": raw.strange}
    more = {name: None if part is None else torch.from_numpy(part) for name, part in found.items()}
    return replace(rows, **more, place=torch.arange(len(rows)))


def _at_most(limit: int | None, rows: Rows, seed: int, part: str) -> Rows:
    if limit is None or len(rows) <= limit:
        return rows
    return rows.where(choose(rows, limit, generator=runtime.keyed(seed, "limit", part)))


def _division(found: dict[str, Rows], seed: int, limit: int | None, labelled: bool) -> list[str]:
    how = f"drawn by seed {seed}" + (", in proportion to the classes" if labelled else "")
    missing = " and ".join(part for part in SPLITS if part not in found)
    notes = [f"{missing}: {SHARE:.0%} of the rows each, {how}; the rest is train."] if missing else []
    return [*notes, f"at most {limit} rows a part, {how}."] if limit is not None else notes
