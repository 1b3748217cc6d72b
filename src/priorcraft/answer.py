"""What every verb returns: a frozen result with named fields that prints, shows and keeps itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

from priorcraft.outputs import check_out, write_bytes
from priorcraft.shown import Facts, Picture, Piece, Rows, Sentence

__all__ = ["ARRAY", "Answer", "Facts", "Kind", "Listing", "Picture", "Piece", "Rows", "Sentence", "plain"]


class Kind(StrEnum):
    """What is known of log p(x): its value, a bound from below, or nothing."""

    EXACT = "exact"
    LOWER_BOUND = "lower bound"
    NONE = "none"

    @property
    def sign(self) -> str:
        """What stands before -log p(x): a lower bound of log p(x) makes it an upper one."""
        return {Kind.EXACT: "=", Kind.LOWER_BOUND: "≤", Kind.NONE: ""}[self]

    def mark(self, value: float | None, spec: str = ".4g") -> str:
        """A figure with its sign, "none" where there is none.

        >>> Kind.EXACT.mark(2.25), Kind.LOWER_BOUND.mark(2.25, ".3f"), Kind.NONE.mark(None)
        ('= 2.25', '≤ 2.250', 'none')
        """
        return "none" if value is None or self is Kind.NONE else f"{self.sign} {value:{spec}}"


ARRAY = {"json": False}  # metadata of a field that holds an array, a tensor or a frame: it is no part of the JSON


@dataclass(frozen=True)
class Answer:
    """The result of a verb.

    Subclasses name their fields, and what can be written of them in `writes`; `shown` says what is printed and what a
    notebook shows. The same fields are there whether something is written or not.

    >>> @dataclass(frozen=True)
    ... class Counted(Answer):
    ...     n: int
    >>> print(Counted(3)), Counted(3).to_json()
    n  3
    (None, '{"n": 3}')
    """

    writes: ClassVar[Mapping[str, Sequence[str]]] = {}  # what can be written, and the endings of its files

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, and where they were written; arrays are left out."""
        own = {each.name: plain(getattr(self, each.name)) for each in fields(self) if each.metadata.get("json", True)}
        return own | {what: self.saved.get(what) for what in self.writes if what not in own}

    def to_json(self) -> str:
        """One JSON object: what the command prints with `--json`."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @property
    def saved(self) -> dict[str, str]:
        """What was written, and where."""
        return self.__dict__.setdefault("_saved", {})

    def shown(self) -> list[Piece]:
        """The pieces in which the answer is printed and shown; its plain fields, without more."""
        simple = {key: value for key, value in self.to_dict().items() if not isinstance(value, dict | list)}
        return [Facts(simple)]

    @property
    def remarks(self) -> list[str]:
        """Sentences that have to be said beside the answer."""
        return list(getattr(self, "notes", ()))

    def __str__(self) -> str:
        return "\n".join(text for text in (piece.text() for piece in self.shown()) if text)

    def _repr_html_(self) -> str:
        notes = "".join(Sentence(f"Note: {note}").html() for note in self.remarks)
        return "<div>" + "".join(piece.html() for piece in self.shown()) + notes + "</div>"

    @classmethod
    def writable(cls, path: str | Path, what: str = "out", *, overwrite: bool = False) -> Path:
        """The path, if it may be written: asked before the work.

        Raises:
            UsageError: another ending, no such folder, or a file that is there and may not be replaced.
        """
        return check_out(path, cls.writes[what], overwrite=overwrite)

    def save(self, path: str | Path, what: str = "out", *, overwrite: bool = False) -> Self:
        """Writes the answer, or a part of it, into a file; its ending chooses the format.

        Args:
            path: the file.
            what: a key of `writes`.
            overwrite: whether a file that is there may be replaced.

        Returns:
            The answer itself, which remembers where it was written.

        Raises:
            UsageError: as `writable` does.
            PriorcraftError: the disk refuses.
        """
        target = self.writable(path, what, overwrite=overwrite)
        write_bytes(target, self._bytes(what, target.suffix.lower()), overwrite=overwrite)
        self.saved[what] = str(target)
        return self

    def _bytes(self, what: str, suffix: str) -> bytes:
        """The content of a file of that ending."""
        raise KeyError(f"{type(self).__name__} does not say how {what} is written as {suffix}")


@dataclass(frozen=True)
class Listing(Answer):
    """Several answers of one kind, in order; its JSON is a list.

    Args:
        rows: the answers.
    """

    rows: tuple[Answer, ...]

    def to_json(self) -> str:
        """One JSON array."""
        return json.dumps(plain(self.rows), allow_nan=False)

    def shown(self) -> list[Piece]:
        """A table."""
        return [Rows([row.to_dict() for row in self.rows])]


def plain(value: Any) -> Any:
    """A value as JSON has it: answers and mappings as objects, sequences as lists, names of enumerations.

    >>> plain({"kind": Kind.EXACT, "classes": ("a", "b")})
    {'kind': 'exact', 'classes': ['a', 'b']}
    """
    if isinstance(value, Answer):
        return value.to_dict()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
