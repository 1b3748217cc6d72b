"""`schema`: every verb's arguments and answer as JSON Schema, from its declaration."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from priorcraft import declared
from priorcraft.answer import Answer, Facts, Listing, Piece
from priorcraft.declared import REQUIRED, Argument, Verb
from priorcraft.errors import UsageError, did_you_mean

PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}


@dataclass(frozen=True)
class Schema(Answer):
    """What can be asked by a verb, and what comes back.

    Args:
        name: of the command.
        summary: what it does.
        arguments: JSON Schema of its arguments.
        answer: JSON Schema of what `--json` prints.
    """

    name: str
    summary: str
    arguments: dict[str, Any]
    answer: dict[str, Any]

    def shown(self) -> list[Piece]:
        """The names of the arguments and of the answer's fields."""
        told = {"arguments": list(self.arguments["properties"]), "answer": list(self.answer.get("properties", ()))}
        return [Facts({"verb": self.name, "summary": self.summary} | told)]


def schema(verb: str | None = None) -> Schema | Listing:
    """The arguments and the answer of a verb, or of all of them, as JSON Schema.

    Args:
        verb: the name of a command.

    Raises:
        UsageError: no such verb.

    >>> found = schema("sample")
    >>> found.arguments["properties"]["n"]
    {'description': 'how many samples.', 'type': 'integer', 'default': 16}
    >>> found.arguments["required"]
    ['run']
    """
    if verb is None:
        return Listing(tuple(described(declared.verb(name)) for name in declared.names()))
    function = verb.replace("-", "_")
    if function not in declared.names():
        raise UsageError(f"there is no verb '{verb}': {did_you_mean(verb, declared.names())}")
    return described(declared.verb(function))


def described(verb: Verb) -> Schema:
    """The schema of one verb."""
    told = [argument for argument in verb.arguments if argument.name not in ("listen", "reading")]
    if len(told) < len(verb.arguments) and any(argument.name == "reading" for argument in verb.arguments):
        told += declared.reading()
    arguments = {
        "type": "object",
        "properties": {argument.name: of_argument(argument) for argument in told},
        "required": [argument.name for argument in told if argument.default is REQUIRED],
    }
    function = getattr(import_module(verb.module), verb.function)
    return Schema(verb.name, verb.summary, arguments, of_type(get_type_hints(function)["return"]))


def of_argument(argument: Argument) -> dict[str, Any]:
    """The schema of one argument; what Python alone can give is left out."""
    found: dict[str, Any] = {"description": argument.help}
    words = argument.types
    if any(word.startswith("Sequence[") for word in words):
        inner = "integer" if "Sequence[int]" in words else "string"
        found |= {"type": "array", "items": {"type": inner}}
    elif any(word in ("Given", "Settings") or word.startswith("Mapping[") for word in words):
        found |= {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
    elif words[0].startswith("Literal["):
        found |= {"enum": [word.strip().strip("'\"") for word in words[0][8:-1].split(",")]}
    else:
        found |= {"type": {"bool": "boolean", "int": "integer", "float": "number"}.get(words[0], "string")}
    default = argument.default
    return found if default is REQUIRED or default is None or default == () else found | {"default": default}


def of_type(kind: Any) -> dict[str, Any]:
    """The schema of a type of Python."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if kind is type(None):
        return {"type": "null"}
    if origin in (Union, types.UnionType):
        return {"anyOf": [of_type(each) for each in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    if isinstance(kind, type) and issubclass(kind, Listing):
        return {"type": "array", "items": {"type": "object"}}
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        there = [each.name for each in fields(kind) if each.metadata.get("json", True)]
        return {"type": "object", "properties": {name: of_type(hints[name]) for name in there}}
    if origin in (tuple, list, Sequence):
        return {"type": "array", **({"items": of_type(inner[0])} if inner else {})}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": of_type(inner[1])}
    return {}
