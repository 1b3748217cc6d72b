"""What the user says about columns: `zip=word,day=date`, or a small JSON file beside the table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from priorcraft.cells import CellColumn
from priorcraft.cells.numerals import Numeral, numeral_of
from priorcraft.datasets.columns.aside import Constant, Text
from priorcraft.datasets.columns.column import Column
from priorcraft.datasets.columns.date import Date, date_of
from priorcraft.datasets.columns.number import number_from, numbers_of
from priorcraft.datasets.columns.recognise import Recognised, identifier
from priorcraft.datasets.columns.table import Columns
from priorcraft.datasets.columns.word import Word, words_of
from priorcraft.errors import DataError, UsageError, did_you_mean

KINDS = ("number", "word", "ordered", "boolean", "date", "id", "constant", "text", "weight")
ALIASES = {
    "identifier": "id", "key": "id", "category": "word", "categorical": "word", "string": "word", "words": "word",
    "numeric": "number", "float": "number", "int": "number", "integer": "number", "whole": "number",
    "decimal": "number", "numbers": "number", "datetime": "date", "time": "date", "bool": "boolean",
    "ignore": "text", "skip": "text", "leave": "text", "ordinal": "ordered",
}  # fmt: skip
SAID = "you said so"


@dataclass(frozen=True)
class Stated:
    """What is said of one column.

    Args:
        kind: one of `KINDS`.
        format: of dates, as in `datetime.strftime`.
        order: of ordered words, the lowest first.
    """

    kind: str
    format: str | None = None
    order: tuple[str, ...] = ()


Types = Mapping[str, Any]


def stated(types: str | Path | Types | None) -> dict[str, Stated]:
    """What is said of each column.

    Args:
        types: "zip=word,day=date", the path of a .json file, or a mapping from names to kinds; a kind may also be a
            mapping with "type", and "format" of a date or "order" of words.

    Raises:
        UsageError: no such file, no such kind, or something else than names and kinds.

    >>> stated("zip=word, day=date")["day"].kind
    'date'
    """
    if types is None:
        return {}
    if isinstance(types, Mapping):
        return {str(name): _stated(str(name), found) for name, found in types.items()}
    text = str(types)
    if text.lower().endswith(".json"):
        return stated(_from_file(Path(text)))
    pairs = [part.rpartition("=") for part in text.split(",") if part.strip()]
    if not all(equals for _, equals, _ in pairs):
        raise UsageError(f"types must be written column=kind,column=kind, or name a .json file; found '{text}'.")
    return {name.strip(): _stated(name.strip(), kind.strip()) for name, _, kind in pairs}


def _from_file(path: Path) -> Types:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"types cannot be read from {path}: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise UsageError(f'{path} must hold an object with a kind for each column, like {{"zip": "word"}}.')
    return found.get("types", found) if isinstance(found.get("types"), dict) else found


def _stated(name: str, found: Any) -> Stated:
    if isinstance(found, Stated):
        return found
    more = found if isinstance(found, Mapping) else {"type": found}
    kind = str(more.get("type", "")).lower()
    kind = ALIASES.get(kind, kind)
    if kind not in KINDS:
        raise UsageError(f"types: column '{name}' cannot be '{more.get('type')}': {did_you_mean(kind, KINDS)}")
    return Stated(kind, more.get("format"), tuple(map(str, more.get("order", ()))))


def as_stated(column: CellColumn, said: Stated, bins: int, source: str, *, comma: bool = False) -> Recognised:
    """The column as the user says that it is.

    Raises:
        DataError: cells that are not of that kind.
    """
    if not len(column.distinct):
        return Recognised(Constant(""), "every cell is empty")
    if said.kind == "text":
        return Recognised(Text(len(column.distinct)), SAID)
    if said.kind == "id":
        return Recognised(identifier(column), SAID)
    if said.kind == "constant" or len(column.distinct) == 1:
        if len(column.distinct) > 1:
            raise DataError(f"{source}: '{column.name}' is no constant; it holds {len(column.distinct):,} values.")
        return Recognised(Constant(str(column.texts[0])), SAID)
    if said.kind == "date":
        found = date_of(column, said.format, bins)
        if found is None:
            raise DataError(
                f"{source}: '{column.name}' does not hold dates of one format in every cell (found "
                f"'{column.texts[0].as_py()}'); give its format in a types file, as in "
                f'{{"{column.name}": {{"type": "date", "format": "%d/%m/%Y"}}}}.'
            )
        return Recognised(found, SAID)
    if said.kind == "number":
        return Recognised(_numbers(column, bins, source, comma), SAID)

    if said.order and (strange := [word for word in column.texts.to_pylist() if word not in said.order]):
        raise DataError(f"{source}: '{column.name}' holds '{strange[0]}', which its order does not have; add it.")

    ordered, boolean = said.kind == "ordered", said.kind == "boolean"
    return Recognised(
        words_of(column, order=said.order or _sorted(column, ordered), ordered=ordered, boolean=boolean), SAID
    )


def _sorted(column: CellColumn, ordered: bool) -> tuple[str, ...]:
    return tuple(column.texts.to_pylist()) if ordered and column.ordered else ()


def _numbers(column: CellColumn, bins: int, source: str, comma: bool) -> Any:
    numeral = numeral_of(column.texts, comma=comma)
    if numeral is None:
        none = numbers_of(column, Numeral(15, False))
        wrong = column.texts[int(np.isnan(none).argmax())].as_py()
        raise DataError(
            f"{source}: '{column.name}' must hold numbers, not '{wrong}'; correct such cells, or empty them."
        )
    values, where = np.unique(numbers_of(column, numeral), return_inverse=True)
    return number_from(values, np.bincount(where, column.counts).astype(int), numeral, bins)


def as_types(columns: Columns) -> dict[str, Any]:
    """What `stated` reads: the kinds of columns, with their reasons."""
    found = {column.name: _as_type(column) for column in columns.all}
    return found | ({columns.weight: {"type": "weight"}} if columns.weight else {})


def _as_type(column: Column) -> dict[str, Any]:
    codec, kind = column.codec, column.codec.kind
    if isinstance(codec, Word):
        kind = "ordered" if codec.ordered else "boolean" if codec.boolean else "word"
    told: dict[str, Any] = {"type": kind, "reason": column.reason}
    if isinstance(codec, Date) and codec.format != "typed":
        told["format"] = codec.format
    if isinstance(codec, Word) and codec.ordered:
        told["order"] = list(codec.states)
    return told


def types_file(columns: Columns, table: str) -> bytes:
    """The kinds of a table's columns as a .json file that `stated` reads, and that `beside` finds."""
    return (json.dumps({"table": table, "types": as_types(columns)}, indent=2, ensure_ascii=False) + "\n").encode()


def beside(path: Path) -> Path | None:
    """The file of types that stands beside a table and was written for one of its name, if there is one.

    It is called types.json, or as the table is with .types.json at its end.

    >>> beside(Path("nowhere/pets.csv"))
    """
    for found in (path.parent / f"{path.stem}.types.json", path.parent / "types.json"):
        try:
            told = json.loads(found.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(told, dict) and told.get("table") == path.name:
            return found
    return None
