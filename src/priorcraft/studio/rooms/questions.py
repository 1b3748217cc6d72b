"""Questions: every verb that asks a run, its route and its form derived from its declaration."""

from importlib import import_module
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from priorcraft import declared
from priorcraft.answer import Answer
from priorcraft.declared import Argument, Verb
from priorcraft.errors import UsageError
from priorcraft.studio.rooms.floor import Floor
from priorcraft.verbs.schema import Schema, described

TYPES = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "array": list, "object": dict}
PLACES = ("Path", "Source", "Splits", "Point")  # types of arguments that name data


class Question(BaseModel):
    """A verb's arguments by name.

    Args:
        arguments: as the verb's schema describes them; `run` is the id of a run, data a name or the id of an upload.
    """

    arguments: Annotated[dict[str, Any], Field(max_length=40)]


class Told(BaseModel):
    """A verb's answer.

    Args:
        answer: its fields, as `--json` prints them.
        text: as the command prints it.
    """

    answer: Any
    text: str


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["verbs"])

    @router.get("/verbs")
    async def verbs() -> list[dict[str, Any]]:
        """Every verb that can be asked here, with JSON Schema of its arguments and of its answer."""
        return await floor.ask("", "", lambda: [schema.to_dict() for schema in map(described, askable())])

    @router.post("/verbs/{verb}")
    async def ask(verb: str, asked: Question) -> Told:
        """The answer of one verb."""
        found = next((each for each in askable() if each.name == verb), None)
        if found is None:
            raise UsageError("there is no such question here.")
        return await floor.desk.ask("", lambda: answered(floor, found, asked.arguments), long=True)

    return router


def askable() -> list[Verb]:
    """The verbs that ask one run and train nothing; trainings have a room and a process of their own."""
    found = [declared.verb(name) for name in declared.names()]
    names = [(verb, {argument.name for argument in verb.arguments}) for verb in found]
    return [verb for verb, own in names if "run" in own and "out" not in own]


def answered(floor: Floor, verb: Verb, given: dict[str, Any]) -> Told:
    """Calls the verb."""
    schema, known = described(verb), {argument.name: argument for argument in verb.arguments}
    check(schema, given)
    values = {name: resolved(floor, known[name], value) for name, value in given.items() if name in known}
    answer: Answer = getattr(import_module(verb.module), verb.function)(**values)
    return Told(answer=answer.to_dict(), text=str(answer))


def check(schema: Schema, given: dict[str, Any]) -> None:
    """Raises a UsageError for arguments that the verb does not have, lacks, or has of another type."""
    properties = schema.arguments["properties"]
    for name in schema.arguments["required"]:
        if name not in given:
            raise UsageError(f"{name} is needed.")
    for name, value in given.items():
        if name not in properties:
            raise UsageError(f"{schema.name} has no such argument; it has {', '.join(properties)}.")
        kind = properties[name].get("type", "string")
        if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
            raise UsageError(f"{name} must be of type {kind}.")


def resolved(floor: Floor, argument: Argument, value: Any) -> Any:
    """A run or data in place of their names; nothing else of this machine's disk can be named."""
    if argument.name == "run":
        return floor.run(value)
    if any(place in word for word in argument.types for place in PLACES):
        return [named(floor, each) for each in value] if isinstance(value, list) else named(floor, value)
    return value


def named(floor: Floor, value: Any) -> Any:
    """The number of a test row, or data by their name."""
    return int(value) if str(value).isdecimal() else floor.workspace.source(str(value))
