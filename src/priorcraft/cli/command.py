"""Commands, made of the verbs' declarations: options, conversions from words, and what is done around a call."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from cyclopts import Parameter

from priorcraft import declared
from priorcraft.declared import REQUIRED, Argument, Verb
from priorcraft.errors import UsageError
from priorcraft.outputs import free_name

PAIRS = ("Given", "Settings")  # types that are written key=value, and may be repeated
OWN = {
    "device": "auto, cpu, cuda or mps.",
    "overwrite": "Replace files that are there.",
    "quiet": "No progress.",
    "json": "Print one JSON object.",
}
FILES = (".csv", ".npz", ".parquet", ".png")
ENGINE, SOURCES = ("workers", "on"), ("data", "file", "images")  # of `bulk`; what its source is called elsewhere
FLAG = Parameter(negative=())


def command(function: str) -> Callable[..., None]:
    """The command of a verb, as cyclopts takes it: a function with a signature of words and numbers."""
    verb = declared.verb(function)
    parameters = list(_parameters(verb))
    signature = inspect.Signature(sorted(parameters, key=lambda each: each.kind))

    def run(*words: Any, **options: Any) -> None:
        bound = signature.bind(*words, **options)
        bound.apply_defaults()
        perform(verb, bound.arguments)

    run.__name__, run.__doc__ = function, verb.text
    run.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _parameters(verb: Verb) -> Iterator[inspect.Parameter]:
    """What the command takes: the verb's arguments, what can be written, and what all commands of its kind have."""
    own = {argument.name for argument in verb.arguments}
    written = {each.name for each in verb.writes}
    for argument in verb.arguments:
        if argument.name == "reading":
            yield from (_parameter(each) for each in declared.reading() if each.name not in own)
        elif argument.name != "listen" and argument.name not in written:
            yield _parameter(argument)
    for each in verb.writes:
        yield _option(each.name, Path, each.help, REQUIRED if each.needed else None)
    for name in ENGINE if verb.function in in_chunks() else ():
        yield _parameter(replace(_bulk(name), default=None))
    if verb.function in in_chunks() and not written:
        yield _option("out", Path, f"With --workers or --on: {_bulk('out').help}", None)
    extra = {
        "device": "run" in own,
        "overwrite": bool(verb.writes) or verb.function in in_chunks(),
        "quiet": "listen" in own,
        "json": True,
    }
    for name in (name for name, wanted in extra.items() if wanted and name not in own):
        kind, default = (str, "auto") if name == "device" else (bool, False)
        yield _option(name, kind, OWN[name], default)


def _parameter(argument: Argument) -> inspect.Parameter:
    """An argument as words can give it."""
    kind, default = _type(argument), REQUIRED if argument.needed else argument.default
    placed = argument.positional and not (kind in (bool, int, float) and argument.default is not REQUIRED)
    return _option(argument.name, kind, argument.help, default, argument.option, positional=placed)


def _option(
    name: str, kind: Any, words: str, default: Any, option: str | None = None, *, positional: bool = False
) -> inspect.Parameter:
    several = [option or "--" + name.replace("_", "-")] + ["-n"] * (name == "n")
    shown = Parameter(
        help=_capital(words),
        name=None if positional else several,
        negative=None if default is True else (),
        show_default=not (default is None or default is False or default == ()),
        converter=whole if kind is int else None,
    )
    needed = default is REQUIRED
    return inspect.Parameter(
        name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD if positional else inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if needed else None if isinstance(default, tuple | dict) else default,
        annotation=Annotated[kind if needed or default not in (None, (), {}) else kind | None, shown],
    )


def whole(_: Any, tokens: Sequence[Any]) -> int:
    """A whole number that was typed; another is refused, not rounded."""
    word = str(tokens[0].value)
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"'{word[:40]}' is no whole number.") from None


def _type(argument: Argument) -> Any:
    """What the words of an argument are read as."""
    first = argument.types[0]
    if argument.name == "run":
        return Path
    if _repeated(argument) or (_several(argument) and argument.positional):
        return list[str]
    if first.startswith("Literal["):
        return Literal[tuple(word.strip().strip("'\"") for word in first[8:-1].split(","))]
    return {"bool": bool, "int": int, "float": float}.get(first, str) if len(argument.types) == 1 else str


def _several(argument: Argument) -> bool:
    return any(word.startswith("Sequence[") for word in argument.types)


def _repeated(argument: Argument) -> bool:
    return any(word in PAIRS or word.startswith("Mapping[") for word in argument.types)


def perform(verb: Verb, given: Mapping[str, Any]) -> None:
    """Calls a verb with what was typed, keeps its answer where it shall be kept, and prints it."""
    from priorcraft.cli.show import TrainingBar, say, tell
    from priorcraft.datasets.progress import hearing

    if any(given.get(name) is not None for name in ENGINE) and verb.function in in_chunks():
        perform(declared.verb("bulk"), chunked(verb, given))
        return
    function = getattr(import_module(verb.module), verb.function)
    kinds = answers(function)
    overwrite = bool(given.get("overwrite"))
    targets = {each.name: given[each.name] for each in verb.writes if given.get(each.name) is not None}
    for what, path in targets.items():
        next(kind for kind in kinds if what in kind.writes).writable(path, what, overwrite=overwrite)
    if len({path.resolve() for path in targets.values()}) < len(targets):
        names = " and ".join(f"--{name}" for name in targets)
        raise UsageError(f"{names} write one file; give them names of their own.")
    values = {each.name: _value(each, given[each.name]) for each in verb.arguments if each.name in given}
    asked = {each.name for each in verb.arguments}
    values |= {each.name: each.name in targets for each in verb.writes if each.name in asked}
    if "reading" in asked:
        options = {each.name: given[each.name] for each in declared.reading() if each.name not in asked}
        values["reading"] = {name: value for name, value in options.items() if value is not None}
    if "run" in asked:
        from priorcraft.run import load
        from priorcraft.run.photographs import photographs

        images = any(each.name == "run" and each.mark == "or image" for each in verb.arguments)
        if not images or photographs(values["run"], None) is None:
            values["run"] = load(values["run"], device=given["device"])
    with hearing(lambda sentence: say(f"Note: {sentence}")):
        if "listen" not in asked:
            answer = function(**values)
        else:
            with TrainingBar(quiet=bool(given["quiet"])) as bar:
                answer = function(**values, listen=bar.named)
    for what, path in targets.items():
        answer = kept(answer, path, what, overwrite=overwrite)
    tell(answer, json=bool(given["json"]))


def in_chunks() -> tuple[str, ...]:
    """The verbs that `bulk` can ask, which take its engine, too."""
    return tuple(word.strip("' \"") for word in _bulk("question").types[0][len("Literal[") : -1].split(","))


def _bulk(name: str) -> Argument:
    return next(each for each in declared.verb("bulk").arguments if each.name == name)


def chunked(verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed to a verb, as `bulk` takes it.

    Raises:
        UsageError: something that an answer in chunks does not know, or no folder.
    """
    known = {each.name: each for each in declared.verb("bulk").arguments}
    own = {each.name: each for each in verb.arguments}
    values = {name: each.default for name, each in known.items() if each.default is not REQUIRED and name != "listen"}
    values |= {"question": verb.function, "device": "cpu", "quiet": False, "json": given["json"], "overwrite": False}
    for name, value in given.items():
        if name in SOURCES and value:
            values["source"] = value[0] if isinstance(value, list) else value
        elif name in (*known, "overwrite"):
            values[name] = value if value is not None else values.get(name)
        elif name in own and name != "reading" and value not in (None, (), [], own[name].default):
            raise UsageError(f"{own[name].option} does not go with --workers and --on, which answer about rows alone.")
    if given.get("out") is None:
        raise UsageError("with --workers or --on give --out FOLDER: a long answer is kept in chunks.")
    if Path(given["out"]).suffix in FILES:
        raise UsageError(f"with --workers or --on, --out is a folder, not {given['out']}.")
    return values | {"workers": values["workers"] or 1}


def kept(answer: Any, path: Path, what: str, *, overwrite: bool) -> Any:
    """The answer, written; under a free name beside it where something appeared at its path during the work.

    Raises:
        UsageError: something did; the sentence says where the answer is.
    """
    if overwrite or not (path.exists() and (path.is_file() or any(path.iterdir()))):
        return answer.save(path, what, overwrite=overwrite)
    other = free_name(path)
    answer.save(other, what)
    raise UsageError(f"{path} appeared during the work and is kept as it is; the answer is in {other}.")


def answers(function: Callable[..., Any]) -> Sequence[Any]:
    """The kinds of answer that a verb may give."""
    kind = get_type_hints(function)["return"]
    return get_args(kind) or (kind,)


def _value(argument: Argument, word: Any) -> Any:
    """A value of the verb's argument from what was typed."""
    if argument.positional and _several(argument):
        return word or ()
    if word is None:
        return () if _several(argument) else argument.default if argument.default is not REQUIRED else None
    if _repeated(argument) and not _several(argument):
        return pairs(word, argument.option)
    if _several(argument) and isinstance(word, str):
        parts = [part.strip() for part in word.split(",") if part.strip()]
        if "Sequence[int]" not in argument.types:
            return parts
        if not all(part.isdecimal() and len(part) < 10 for part in parts):
            raise UsageError(f"{argument.option} takes numbers with commas, like 0,3,7, not '{word}'.")
        return [int(part) for part in parts]
    return word


def pairs(words: Sequence[str], option: str) -> dict[str, str]:
    """["lr=0.1"] as {"lr": "0.1"}.

    Raises:
        UsageError: anything else.

    >>> pairs(["label=3"], "--given")
    {'label': '3'}
    """
    split = [word.partition("=") for word in words]
    for key, equals, value in split:
        if not (key and equals and value):
            raise UsageError(f"{option} is written key=value, like lr=0.001 or label=3, not '{key}{equals}{value}'.")
    return {key: value for key, _, value in split}


def _capital(words: str) -> str:
    """The sentence with a capital, unless it begins with a thing to type."""
    first = words.partition(" ")[0]
    return words if not first.isalpha() else words[:1].upper() + words[1:]


def __getattr__(name: str) -> Any:
    """`priorcraft.cli.command:score` is the command of the verb `score`: made when it is run."""
    if name in declared.names():
        return command(name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
