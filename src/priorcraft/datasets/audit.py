"""What a user should know about data before trusting a score on them."""

from collections.abc import Mapping

import numpy as np

from priorcraft.datasets.fingerprint import row_digests
from priorcraft.datasets.splits import Rows
from priorcraft.mapped import array_of, everywhere


def audit(parts: Mapping[str, Rows], classes: tuple[str, ...], *, leaks: bool = True) -> list[str]:
    """Notes on leaks between the parts, data without variance, and classes without training rows.

    With `leaks` False equal rows are what they are, as in a table of few states.
    """
    return [*(_leaks(parts) if leaks else []), *_constant(parts["train"]), *_absent(parts["train"], classes)]


def _leaks(parts: Mapping[str, Rows]) -> list[str]:
    digests = {part: row_digests(rows.x) for part, rows in parts.items()}
    notes = []
    for part, others in (("valid", ("train",)), ("test", ("train", "valid"))):
        seen = np.concatenate([digests[other] for other in others])
        copies = int(np.isin(digests[part], seen).sum())
        if copies:
            notes.append(
                f"leak: {copies} of {len(digests[part])} {part} rows are exact copies of {' or '.join(others)} rows; "
                "scores on them are too good."
            )
    return notes


def _constant(train: Rows) -> list[str]:
    constant = everywhere(array_of(train.x), lambda rows: rows == train.x[:1].numpy())
    return ["data have no variance: all training rows are the same."] * constant


def _absent(train: Rows, classes: tuple[str, ...]) -> list[str]:
    if train.y is None:
        return []
    present = set(train.y.unique().tolist())
    absent = [name for k, name in enumerate(classes) if k not in present]
    return [f"no training row has the label {', '.join(absent[:5])}{' ...' * (len(absent) > 5)}."] if absent else []
