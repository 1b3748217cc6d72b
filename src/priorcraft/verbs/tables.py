"""`bayes`: what a table says about one variable, after each piece of evidence."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from priorcraft.errors import UsageError
from priorcraft.probability import Table, update

FORMATS = (".png", ".svg", ".pdf")
LINES = 10  # states drawn, the most probable in the end


def bayes(
    table: str | Path,
    *,
    query: str,
    given: Mapping[str, str] | Sequence[str] = (),
    plot: str | Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Belief in `query` before and after the evidence, from a table of categories. Exact.

    Args:
        table: CSV file: a column a variable, a row an observation; a column `count` or `p` weighs the rows.
        query: the variable asked about.
        given: the evidence, in order: variable to state, or "variable=state" each.
        plot: picture of the belief after each piece, .png, .svg or .pdf.
        overwrite: whether `plot` may replace a file.

    Returns:
        `query`, `prior` {state: p}, `evidence` p(e) of all pieces together, `posterior` {state: p}, and `steps`, one
        a piece: `given`, `likelihood` p(e | state, earlier pieces), None for a state that was already impossible,
        `evidence` p(e | earlier pieces), and the `posterior` after it.

    Raises:
        DataError: a table that cannot be read or used.
        ImpossibleEvidence: evidence of probability 0.
        UsageError: an unknown variable or state, one named twice, `query` among the evidence, or a plot that is there.
    """
    target = _writable(Path(plot), overwrite) if plot else None
    evidence = _evidence(given)
    joint = Table.from_csv(table, variables=[query, *evidence])
    prior, steps = joint.marginal(query), update(joint, query, evidence)
    answer = {
        "query": query,
        "prior": prior.to_dict(),
        "evidence": joint.probability(evidence),
        "posterior": (steps[-1].posterior if steps else prior).to_dict(),
        "steps": [
            {
                "given": step.given,
                "likelihood": step.likelihood,
                "evidence": step.evidence,
                "posterior": step.posterior.to_dict(),
            }
            for step in steps
        ],
    }
    if target:
        target.write_bytes(_drawn(draw(answer), target.suffix))
    return answer


def draw(answer: Mapping[str, Any]) -> Figure:
    """The belief after each piece of evidence, one line a state, from what `bayes` returned."""
    beliefs = [answer["prior"], *(step["posterior"] for step in answer["steps"])]
    pieces = ["prior", *(f"{n}={s}" for step in answer["steps"] for n, s in step["given"].items())]
    states = sorted(answer["posterior"], key=lambda state: -answer["posterior"][state])[:LINES]
    figure = Figure(figsize=(2 + 1.2 * len(pieces), 3.2), layout="constrained")
    with matplotlib.rc_context({"text.parse_math": False}):
        axes = figure.add_subplot(ylim=(-0.02, 1.02), ylabel=f"p({answer['query']} | evidence so far)")
        for state in states:
            axes.plot([belief[state] for belief in beliefs], "o-", label=state)
        axes.set_xticks(range(len(pieces)), pieces, rotation=20)
        shown = f" ({LINES} of {len(answer['posterior'])})" if len(states) < len(answer["posterior"]) else ""
        figure.legend(title=answer["query"] + shown, loc="outside right upper")
    return figure


def _drawn(figure: Figure, suffix: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=150)
    return buffer.getvalue()


def _writable(path: Path, overwrite: bool) -> Path:
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"plot must end in {', '.join(FORMATS)}, not '{path.name}'.")
    if not path.parent.is_dir():
        raise UsageError(f"plot cannot be written: there is no folder {path.parent}.")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; choose another name, or overwrite it with --overwrite.")
    return path


def _evidence(given: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    if isinstance(given, Mapping):
        return dict(given)
    evidence: dict[str, str] = {}
    for piece in [given] if isinstance(given, str) else given:
        name, equals, state = (part.strip() for part in piece.partition("="))
        if not (name and equals and state):
            raise UsageError(f"given must be written variable=state, like test=positive, not '{piece}'.")
        if name in evidence:
            raise UsageError(f"given names '{name}' twice; a variable has one state.")
        evidence[name] = state
    return evidence
