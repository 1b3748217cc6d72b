"""`priorcraft bayes TABLE`: prior, likelihood, evidence and posterior in the terminal."""

from collections.abc import Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.table import Table

from priorcraft.cli.options import Flag

BAR = 30  # characters of a bar for p = 1


def bayes(
    table: Path,
    *,
    query: str,
    given: Annotated[list[str] | None, Flag] = None,
    plot: Path | None = None,
    overwrite: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
) -> None:
    """Bayes' theorem on a table of categories: the belief in one variable after each piece of evidence.

    Args:
        table: CSV file: a column a variable, a row an observation; a column `count` or `p` weighs the rows.
        query: The variable asked about.
        given: A piece of evidence, variable=state; repeat it for more, in order.
        plot: Draw the belief after each piece into this .png, .svg or .pdf file.
        overwrite: Let --plot replace a file.
        json: Print one JSON object.
    """
    from priorcraft.verbs.tables import bayes

    answer = bayes(table, query=query, given=given or [], plot=plot, overwrite=overwrite)
    if json:
        print(dumps(answer, allow_nan=False))
        return
    _show(answer, Console(markup=False, emoji=False, highlight=False))


def _show(answer: Mapping[str, Any], console: Console) -> None:
    query, belief, seen = answer["query"], answer["prior"], []
    if not answer["steps"]:
        console.print(_grid(query, {"prior": belief}, console))
    for step in answer["steps"]:
        piece = "".join(f"{name}={state}" for name, state in step["given"].items())
        columns = {"prior": belief, "likelihood": step["likelihood"], "posterior": step["posterior"]}
        console.print(_formula(query, [*seen, piece]), soft_wrap=True)
        console.print(_grid(query, columns, console))
        console.print(f"evidence {_formula(piece, seen)} = {step['evidence']:.4g}\n", soft_wrap=True)
        belief, seen = step["posterior"], [*seen, piece]
    if len(seen) > 1:
        beliefs = [step["posterior"] for step in answer["steps"]]
        console.print("belief after each piece", soft_wrap=True)
        console.print(_grid(query, {"prior": answer["prior"], **dict(zip(seen, beliefs, strict=True))}, console))
        console.print(f"evidence {_formula(', '.join(seen), [])} = {answer['evidence']:.4g}", soft_wrap=True)


def _formula(what: str, given: Sequence[str]) -> str:
    return f"p({what} | {', '.join(given)})" if given else f"p({what})"


def _grid(query: str, columns: Mapping[str, Mapping[str, float | None]], console: Console) -> Table:
    """One row a state, with a bar for its probability in the last column."""
    block = "#" if console.options.ascii_only else "█"
    grid = Table(query, box=None, pad_edge=False, header_style="bold")
    for name in columns:
        grid.add_column(name, justify="right")
    grid.add_column("", no_wrap=True)
    for state, p in list(columns.values())[-1].items():
        numbers = [_number(column[state]) for column in columns.values()]
        grid.add_row(state, *numbers, block * round(BAR * (p or 0.0)))
    return grid


def _number(p: float | None) -> str:
    return "undefined" if p is None else f"{p:.4g}"
