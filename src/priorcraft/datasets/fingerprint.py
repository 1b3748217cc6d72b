"""A number that changes when the data do, and the sentence that says how."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from priorcraft.core import Space
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.mapped import array_of, blocks


def fingerprint(parts: Mapping[str, Rows], space: Space, classes: tuple[str, ...]) -> str:
    """SHA-256 over every part's rows and labels, the class names, the shape and the levels; hexadecimal."""
    where = (space.event_shape, space.levels, *([space.sizes] if space.sizes else []), classes)
    digest = hashlib.sha256(repr(where).encode())
    for part, rows in sorted(parts.items()):
        digest.update(repr((part, len(rows), rows.y is not None)).encode())
        for tensor in (rows.x, rows.y, rows.seen):
            if tensor is not None:
                array = array_of(tensor)
                for some in blocks(array):
                    digest.update(np.ascontiguousarray(array[some]).data)
    return digest.hexdigest()


def counts(parts: Mapping[str, Rows], space: Space, classes: tuple[str, ...]) -> dict[str, int]:
    """What can be counted, for the sentence of `explain_change`."""
    rows = {part: len(parts[part]) for part in ("train", "valid", "test")}
    return {**rows, "entries": space.dims, "levels": space.levels or 0, "classes": len(classes)}


def explain_change(saved: Mapping[str, Any], now: Splits) -> str | None:
    """None if the data are those that were saved; otherwise a sentence with the counts.

    Args:
        saved: {"fingerprint", "counts"} of an earlier `Splits`.
        now: the data as they are.
    """
    if saved.get("fingerprint") == now.fingerprint:
        return None
    before = saved.get("counts") or {}
    changed = [f"{k} was {before[k]}, is {n}" for k, n in now.counts.items() if k in before and before[k] != n]
    same = ", ".join(f"{n} {k}" for k, n in now.counts.items())
    how = "; ".join(changed) or f"the counts agree ({same}), but a row, a label, a class name or the split differs"
    return f"The data '{now.name}' have changed since the run was saved: {how}."


def row_digests(x: Tensor) -> np.ndarray:
    """A digest of 64 bits of each row: equal rows have equal digests, (N,)."""
    found, array = np.empty(len(x), np.uint64), array_of(x)
    for some in blocks(array):
        each = (hashlib.blake2b(row.data, digest_size=8).digest() for row in np.ascontiguousarray(array[some]))
        found[some] = np.frombuffer(b"".join(each), np.uint64)
    return found
