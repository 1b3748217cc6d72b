"""Questions: every verb that asks a run, its route and its form derived from its declaration."""

import itertools
import tempfile
from base64 import b64encode
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from priorcraft import declared
from priorcraft.answer import Answer, Facts, Picture, Piece, Rows
from priorcraft.declared import Argument, Verb
from priorcraft.errors import PriorcraftError, UsageError
from priorcraft.shown import cell, spaced
from priorcraft.studio.rooms.floor import Floor
from priorcraft.studio.workspace import Cache
from priorcraft.verbs.schema import Schema, described

TYPES = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "array": list, "object": dict}
KEPT = 8  # answers whose files can be asked for
PLACES = ("Path", "Source", "Splits", "Point")  # types of arguments that name data


class Question(BaseModel):
    """A verb's arguments by name.

    Args:
        arguments: as the verb's schema describes them; `run` is the id of a run, data a name or the id of an upload.
    """

    arguments: Annotated[dict[str, Any], Field(max_length=40)]


class Shown(BaseModel):
    """One piece of an answer: what is not there is empty.

    Args:
        words: a sentence, or what a picture shows.
        facts: names and values.
        rows: a table, its head first.
        picture: a PNG file in base64.
    """

    words: str = ""
    facts: list[tuple[str, str]] = []
    rows: list[list[str]] = []
    picture: str = ""

    @classmethod
    def of(cls, piece: Piece) -> "Shown":
        """The piece as a terminal or a notebook shows it."""
        if isinstance(piece, Facts):
            return cls(facts=[(spaced(key), cell(value)) for key, value in piece.values.items() if value is not None])
        if isinstance(piece, Rows):
            head = [[spaced(key) for key in row] for row in piece.rows[:1]]
            return cls(words=piece.title or "", rows=head + [[*map(cell, row.values())] for row in piece.rows])
        if isinstance(piece, Picture):
            content = piece.png if isinstance(piece.png, bytes) else piece.png()
            return cls(words=piece.words, picture=b64encode(content).decode())
        return cls(words=piece.text())


class Told(BaseModel):
    """A verb's answer.

    Args:
        answer: its fields, as `--json` prints them.
        text: as the command prints it.
        shown: its pieces, and what has to be said beside them.
        number: under which it is kept, for its files.
        files: what can be written of this answer, each with an ending, as in out.csv.
    """

    answer: Any
    text: str
    shown: list[Shown]
    number: int
    files: list[str]


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router, numbers, answers = APIRouter(tags=["verbs"]), itertools.count(1), Cache(KEPT)

    def told(verb: Verb, given: dict[str, Any]) -> Told:
        answer, number = answered(floor, verb, given), next(numbers)
        pieces = [*map(Shown.of, answer.shown()), *(Shown(words=note) for note in answer.remarks)]
        fields, text = answer.to_dict(), str(answer)
        files = answers.get(number, lambda: files_of(answer))
        return Told(answer=fields, text=text, shown=pieces, number=number, files=list(files))

    @router.get("/verbs")
    def verbs() -> list[dict[str, Any]]:  # in a thread of its own: a list waits for no question
        """Every verb that can be asked here, with JSON Schema of its arguments and of its answer."""
        return [described(verb).to_dict() | {"data": naming_data(verb)} for verb in askable()]

    @router.post("/verbs/{verb}")
    async def ask(verb: str, asked: Question) -> Told:
        """The answer of one verb."""
        found = next((each for each in askable() if each.name == verb), None)
        if found is None:
            raise UsageError("there is no such question here.")
        return await floor.desk.ask("", lambda: told(found, asked.arguments), long=True)

    @router.get("/answers/{number}/{file}")
    async def file(number: int, file: str) -> Response:
        """One file of a recent answer, as `--out` writes it."""
        files = answers.get(number, forgotten)
        if file not in files:
            raise UsageError("this answer has no such file.")
        return Response(files[file])

    return router


def forgotten() -> dict[str, bytes]:
    """Raises a UsageError: the answer is not kept any more."""
    raise UsageError("this answer is not kept any more; ask again.")


def files_of(answer: Answer) -> dict[str, bytes]:
    """Every file that can be written of an answer, by a name such as out.csv.

    What a kind of answer declares does not fit every answer of it (a table has no picture), and the answer alone knows:
    what `save` refuses is no file of it, and two endings of one content are one.
    """
    found = dict[str, bytes]()
    with tempfile.TemporaryDirectory(prefix="priorcraft-") as folder:
        for what, endings in answer.writes.items():
            for path in (Path(folder) / f"{what}{ending}" for ending in endings if ending):
                with suppress(PriorcraftError):
                    answer.save(path, what)
                if path.is_file() and (content := path.read_bytes()) not in found.values():
                    found[path.name] = content
    return found


def askable() -> list[Verb]:
    """The verbs that ask one run and train nothing; trainings have a room and a process of their own."""
    found = [declared.verb(name) for name in declared.names()]
    names = [(verb, {argument.name for argument in verb.arguments}) for verb in found]
    return [verb for verb, own in names if "run" in own and "out" not in own]


def naming_data(verb: Verb) -> list[str]:
    """The arguments that name data."""
    return [argument.name for argument in verb.arguments if names_data(argument)]


def names_data(argument: Argument) -> bool:
    """Whether an argument names data, and no run."""
    return argument.name != "run" and any(place in word for word in argument.types for place in PLACES)


def answered(floor: Floor, verb: Verb, given: dict[str, Any]) -> Answer:
    """Calls the verb."""
    schema, known = described(verb), {argument.name: argument for argument in verb.arguments}
    check(schema, given)
    values = {name: resolved(floor, known[name], value) for name, value in given.items() if name in known}
    return getattr(import_module(verb.module), verb.function)(**values)


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
    if names_data(argument):
        return [named(floor, each) for each in value] if isinstance(value, list) else named(floor, value)
    return value


def named(floor: Floor, value: Any) -> Any:
    """The number of a test row, or data by their name."""
    return int(value) if str(value).isdecimal() else floor.workspace.source(str(value))
