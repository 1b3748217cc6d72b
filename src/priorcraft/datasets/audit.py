"""What a user should know about data before trusting a score on them."""

from collections.abc import Mapping

from priorcraft.datasets.fingerprint import row_digests
from priorcraft.datasets.splits import Rows


def audit(parts: Mapping[str, Rows], classes: tuple[str, ...], *, leaks: bool = True) -> list[str]:
    """Notes on leaks between the parts, data without variance, and classes without training rows.

    With `leaks` False equal rows are what they are, as in a table of few states.
    """
    return [*(_leaks(parts) if leaks else []), *_constant(parts["train"]), *_absent(parts["train"], classes)]


def _leaks(parts: Mapping[str, Rows]) -> list[str]:
    digests = {part: row_digests(rows.x) for part, rows in parts.items()}
    notes = []
    for part, others in (("valid", ("train",)), ("test", ("train", "valid"))):
        seen = {d for other in others for d in digests[other]}
        copies = sum(d in seen for d in digests[part])
        if copies:
            notes.append(
                f"leak: {copies} of {len(digests[part])} {part} rows are exact copies of {' or '.join(others)} rows; "
                "scores on them are too good."
            )
    return notes


def _constant(train: Rows) -> list[str]:
    constant = bool((train.x == train.x[:1]).all())
    return ["data have no variance: all training rows are the same."] * constant


def _absent(train: Rows, classes: tuple[str, ...]) -> list[str]:
    if train.y is None:
        return []
    present = set(train.y.tolist())
    absent = [name for k, name in enumerate(classes) if k not in present]
    return [f"no training row has the label {', '.join(absent[:5])}{' ...' * (len(absent) > 5)}."] if absent else []
