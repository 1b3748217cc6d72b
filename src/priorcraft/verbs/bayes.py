"""`bayes`: what a table, or a model of one, says about one variable, after each piece of evidence."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import matplotlib
from matplotlib.figure import Figure

from priorcraft.answer import Answer, Piece, Rows, Sentence
from priorcraft.datasets.conditions import conditions_of
from priorcraft.errors import ImpossibleEvidence, UsageError
from priorcraft.probability import Table, update
from priorcraft.run import Run
from priorcraft.run.belief import Joint, joint_of
from priorcraft.run.data import opened
from priorcraft.train.run_folder import CONFIG

LINES = 10  # states drawn, the most probable in the end
BAR = 30  # characters of a bar for p = 1


@dataclass(frozen=True)
class Step(Answer):
    """What one piece of evidence does.

    Args:
        given: the variable and its state.
        likelihood: p(piece | state, earlier pieces); None for a state that was already impossible.
        evidence: p(piece | earlier pieces).
        posterior: the belief after it.
        condition: the piece as it was written, where it is no variable=state.
    """

    given: dict[str, str]
    likelihood: dict[str, float | None]
    evidence: float
    posterior: dict[str, float]
    condition: str | None = None

    @property
    def piece(self) -> str:
        """The evidence in words."""
        return self.condition or ", ".join(f"{name}={state}" for name, state in self.given.items())


@dataclass(frozen=True)
class Beliefs(Answer):
    """The belief in one variable before and after the evidence.

    Args:
        query: the variable.
        prior: p(state).
        evidence: p of all pieces together.
        posterior: p(state | all pieces).
        steps: one a piece.
        kind: "exact", or "unbiased" where draws of a model were counted.
        draws, met: how many draws, and how many of them met all conditions; None where exact.
    """

    writes: ClassVar = {"plot": (".png", ".svg", ".pdf")}

    query: str
    prior: dict[str, float]
    evidence: float
    posterior: dict[str, float]
    steps: tuple[Step, ...]
    kind: str = "exact"
    draws: int | None = None
    met: int | None = None

    def shown(self) -> list[Piece]:
        """Prior, likelihood and posterior with each piece, and the way of the belief."""
        if not self.steps:
            return [Rows(self._lines({"prior": self.prior}), f"p({self.query})")]
        found: list[Piece] = []
        belief, seen = self.prior, list[str]()
        for step in self.steps:
            columns = {"prior": belief, "likelihood": step.likelihood, "posterior": step.posterior}
            so_far = f", {', '.join(seen)}" if seen else ""
            behind = f" | {', '.join(seen)}" if seen else ""
            title = f"p({self.query} | {', '.join([*seen, step.piece])})"
            title += f" = p({step.piece} | {self.query}{so_far}) p({self.query}{behind}) / p({step.piece}{behind})"
            found += [Sentence(title), Rows(self._lines(columns))]
            found.append(Sentence(f"evidence p({step.piece}{behind}) = {step.evidence:.4g}"))
            belief, seen = step.posterior, [*seen, step.piece]
        if len(seen) > 1:
            way = {"prior": self.prior, **{step.piece: step.posterior for step in self.steps}}
            states = [{self.query: state} | {name: p.get(state) for name, p in way.items()} for state in self.prior]
            found.append(Rows(states, "the belief after each piece"))
        if self.draws is not None:
            found.append(Sentence(f"{self.kind}: counted among {self.draws:,} draws, of which {self.met:,} met all."))
        return found

    def _lines(self, columns: Mapping[str, Mapping[str, float | None]]) -> list[dict[str, Any]]:
        last = list(columns.values())[-1]
        return [
            {self.query: state, **{name: column.get(state) for name, column in columns.items()}}
            | {"": "█" * round(BAR * (last.get(state) or 0.0))}
            for state in self.prior
        ]

    def _bytes(self, what: str, suffix: str) -> bytes:
        buffer = io.BytesIO()
        draw(self).savefig(buffer, format=suffix[1:], dpi=150)
        return buffer.getvalue()


def bayes(
    table: str | Path | Run,
    *,
    query: str,
    given: Mapping[str, str] | Sequence[str] = (),
    empty: str | None = None,
    seed: int = 0,
) -> Beliefs:
    """Bayes' theorem on a table of categories: the belief in one variable after each piece of evidence.

    A model that was fitted to a table is asked in the same way, also under ranges: what is of words and classes is
    exact where the model is, ranges of numbers and dates are counted among 100,000 draws.

    Args:
        table: CSV file: a column a variable, a row an observation; a column `count` or `p` weighs the rows. Or the run
            folder of a model of a table.
        query: the variable asked about.
        given: a piece of evidence, variable=state; repeat it for more, in order. Of a run also conditions, with commas
            between them, as "age>60, sex=F, state in (NY, NJ)".
        empty: of a CSV file, the words that are taken as empty cells, separated by commas, in place of the rule that
            all tables are read by; "" for none.
        seed: of draws that are counted: the same seed gives the same answer.

    Writes:
        plot: .png, .svg or .pdf of the belief after each piece.

    Raises:
        DataError: a table that cannot be read or used.
        ImpossibleEvidence: evidence of probability 0.
        UsageError: an unknown variable or state, one named twice, or `query` among the evidence.
    """
    if isinstance(table, Run) or (Path(table) / CONFIG).is_file():
        if empty is not None:
            raise UsageError("empty says how a CSV file is read; a run keeps what its table was read by: leave it out.")
        return _of_model(table, query, given, seed)
    evidence = _evidence(given)
    joint = Table.from_csv(table, variables=[query, *evidence], empty=empty)
    prior, steps = joint.marginal(query), update(joint, query, evidence)
    found = tuple(Step(dict(s.given), dict(s.likelihood), s.evidence, s.posterior.to_dict()) for s in steps)
    last = steps[-1].posterior if steps else prior
    return Beliefs(query, prior.to_dict(), joint.probability(evidence), last.to_dict(), found)


def _of_model(run: str | Path | Run, query: str, given: Mapping[str, str] | Sequence[str], seed: int) -> Beliefs:
    fitted, _ = opened(run)
    if fitted.columns is None:
        raise UsageError(f"the run {fitted.path} was not fitted to a table; give one that was, or a CSV file.")
    words = [f"{name}={state}" for name, state in given.items()] if isinstance(given, Mapping) else given
    text = words if isinstance(words, str) else ", ".join(words)
    asked = conditions_of(text, fitted.columns, "given") if text else ()
    joint = joint_of(fitted, fitted.columns, query, asked, seed=seed)
    sums = joint.p.sum(1)
    steps = [
        Step(
            {condition.name: ", ".join(condition.values)},
            {k: None if q == 0 else float(p / q) for k, p, q in zip(joint.states, after, before, strict=True)},
            float(after.sum() / before.sum()),
            _belief(joint, t + 1),
            None if condition.is_state else condition.text,
        )
        for t, (condition, before, after) in enumerate(zip(asked, joint.p[:-1], joint.p[1:], strict=True))
    ]
    told = (joint.kind, joint.draws, joint.met)
    return Beliefs(query, _belief(joint, 0), float(sums[-1] / sums[0]), _belief(joint, -1), tuple(steps), *told)


def _belief(joint: Joint, t: int) -> dict[str, float]:
    """p(state | first t conditions).

    Raises:
        ImpossibleEvidence: they cannot all be.
    """
    if not joint.p[t].sum() > 0:
        raise ImpossibleEvidence("the evidence has probability 0; change or leave out a piece.")
    return dict(zip(joint.states, (joint.p[t] / joint.p[t].sum()).tolist(), strict=True))


def draw(answer: Beliefs) -> Figure:
    """The belief after each piece of evidence, one line a state."""
    beliefs = [answer.prior, *(step.posterior for step in answer.steps)]
    pieces = ["prior", *(step.piece for step in answer.steps)]
    states = sorted(answer.posterior, key=lambda state: -answer.posterior[state])[:LINES]
    figure = Figure(figsize=(2 + 1.2 * len(pieces), 3.2), layout="constrained")
    with matplotlib.rc_context({"text.parse_math": False}):
        axes = figure.add_subplot(ylim=(-0.02, 1.02), ylabel=f"p({answer.query} | evidence so far)")
        for state in states:
            axes.plot([belief[state] for belief in beliefs], "o-", label=state)
        axes.set_xticks(range(len(pieces)), pieces, rotation=20)
        shown = f" ({LINES} of {len(answer.posterior)})" if len(states) < len(answer.posterior) else ""
        figure.legend(title=answer.query + shown, loc="outside right upper")
    return figure


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
