"""The verbs, read from their sources: a verb is a function in the file of its name below `verbs/`, with its docstring.

Nothing is imported for it, so that `--help` stays fast; commands, their JSON schema and the docs are derived from here.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

VERBS = Path(__file__).parent / "verbs"
READING = Path(__file__).parent / "datasets" / "source.py"  # its class Reading: how data are read, for every verb
REQUIRED = object()
Node = TypeVar("Node", ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Argument:
    """One argument of a verb.

    Args:
        name: in Python; the option has dashes in place of underscores.
        types: what it may be, without None, as the source says.
        default: a literal; `REQUIRED` without one.
        positional: whether it is given by its place.
        help: what the docstring says of it.
        mark: what stands behind its name in the docstring: "required" of what the command must be given although Python
            need not, or another name of the option.
    """

    name: str
    types: tuple[str, ...]
    default: Any
    positional: bool
    help: str
    mark: str = ""

    @property
    def option(self) -> str:
        """The name on the command line."""
        return self.mark if self.mark.startswith("-") else "--" + self.name.replace("_", "-")

    @property
    def needed(self) -> bool:
        """Whether the command must be given it."""
        return self.default is REQUIRED or self.mark == "required"


@dataclass(frozen=True)
class Written:
    """A file that a command can keep its answer in.

    Args:
        name: of the option.
        help: what the docstring says of it.
        needed: whether it must be given.
    """

    name: str
    help: str
    needed: bool


@dataclass(frozen=True)
class Verb:
    """A verb as it is declared.

    Args:
        name: of the command, with dashes.
        function: of the function and its file.
        summary: the first sentence of its docstring.
        text: the docstring up to its sections.
        arguments: in order.
        writes: what can be written of its answer.
    """

    name: str
    function: str
    summary: str
    text: str
    arguments: tuple[Argument, ...]
    writes: tuple[Written, ...]

    @property
    def module(self) -> str:
        """Where it lives."""
        return f"priorcraft.verbs.{self.function}"


@cache
def names() -> tuple[str, ...]:
    """The names of the functions that are verbs, in order.

    >>> {"fit", "sample", "score", "latent_map"} <= set(names())
    True
    """
    return tuple(path.stem for path in sorted(VERBS.glob("*.py")) if f"\ndef {path.stem}(" in path.read_text("utf-8"))


@cache
def summary(function: str) -> str:
    """The first sentences of a verb's docstring, without parsing its file: for a list of all verbs.

    >>> summary("sample")
    'Draw from a fitted model.'
    """
    return first_sentence(VERBS / f"{function}.py")


def first_sentence(path: Path) -> str:
    """The first sentences of what is said of the function that has the name of its file."""
    source = path.read_text("utf-8")
    found = re.search(rf'^def {path.stem}\(.*?^    """(.*?)(?:\n\n|""")', source, re.DOTALL | re.MULTILINE)
    return re.sub(r"\s+", " ", found[1]) if found else ""


@cache
def verb(function: str) -> Verb:
    """A verb by the name of its function.

    >>> verb("score").summary
    'How probable rows are under a fitted model, and what kind of number that is.'
    """
    node = _node(VERBS / f"{function}.py", function, ast.FunctionDef)
    doc = ast.get_docstring(node) or ""
    text, told = _sections(doc)
    arguments = tuple(_arguments(node.args, told.get("Args", {})))
    writes = tuple(Written(name, words, mark == "required") for name, (mark, words) in told.get("Writes", {}).items())
    return Verb(function.replace("_", "-"), function, text.split("\n\n")[0], text, arguments, writes)


@cache
def reading() -> tuple[Argument, ...]:
    """How data are read: the entries of `Reading`, all of which may be left out."""
    node = _node(READING, "Reading", ast.ClassDef)
    told = _sections(ast.get_docstring(node) or "")[1].get("Args", {})
    return tuple(
        Argument(each.target.id, _types(each.annotation), None, False, told.get(each.target.id, ("", ""))[1])
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    )


def _node(path: Path, name: str, kind: type[Node]) -> Node:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, kind) and node.name == name:
            return node
    raise LookupError(f"{path.name} does not define {name}")


def _arguments(found: ast.arguments, told: dict[str, tuple[str, str]]) -> Iterator[Argument]:
    places = [*found.posonlyargs, *found.args]
    given = [None] * (len(places) - len(found.defaults)) + list(found.defaults)
    both = [(arg, default, True) for arg, default in zip(places, given, strict=True)]
    both += [(arg, default, False) for arg, default in zip(found.kwonlyargs, found.kw_defaults, strict=True)]
    for arg, default, positional in both:
        mark, words = told.get(arg.arg, ("", ""))
        types = _types(arg.annotation) if arg.annotation else ("str",)
        yield Argument(arg.arg, types, _literal(default), positional, words, mark)


def _literal(default: ast.expr | None) -> Any:
    """A default as Python has it; one that is no literal is known to Python alone."""
    if default is None:
        return REQUIRED
    try:
        return ast.literal_eval(default)
    except ValueError:
        return None


def _types(annotation: ast.expr) -> tuple[str, ...]:
    """The members of a union as words, without None."""
    if isinstance(annotation, ast.BinOp):
        return _types(annotation.left) + _types(annotation.right)
    word = ast.unparse(annotation)
    return () if word == "None" else (word,)


def _sections(doc: str) -> tuple[str, dict[str, dict[str, tuple[str, str]]]]:
    """The text of a docstring, and the entries of its sections: what stands in brackets, and the words.

    >>> _sections("Does it.\\n\\nArgs:\\n    a: one\\n        two.\\n    b (required): three.")
    ('Does it.', {'Args': {'a': ('', 'one two.'), 'b': ('required', 'three.')}})
    """
    head, *parts = re.split(r"^(Args|Writes|Returns|Raises):\n", doc, flags=re.MULTILINE)
    text = re.split(r"^>>> ", head, flags=re.MULTILINE)[0].strip()
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        body = re.split(r"^\S", body, flags=re.MULTILINE)[0]
        entries = re.findall(r"^    ([\w, ]+?)(?: \(([^)]*)\))?: (.*(?:\n {8,}.*)*)", body, flags=re.MULTILINE)
        for several, mark, words in entries:
            for name in several.split(", "):
                found.setdefault(title, {})[name] = (mark, re.sub(r"\s+", " ", words))
    return text, found
