"""Probability tables with named variables and named states."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft.errors import DataError, ImpossibleEvidence, UsageError
from priorcraft.probability import axes as named
from priorcraft.probability import reading

TOLERANCE = 1e-6  # how far a sum of probabilities may be from 1
SHOWN = 24  # rows of a printed table


class Table:
    """A probability table p(a, b, ... | c, ...): named variables with named states, in log space.

    Args:
        axes: the states of each variable, in the order of the tensor's axes.
        log_p: log probabilities, one axis a variable, nats; kept as float64.
        context: the variables behind the bar; () for a joint table.

    Raises:
        DataError: repeated states, another shape than the axes', or sums that are not 1.

    >>> prior = Table.from_p({"disease": ["yes", "no"]}, [0.01, 0.99])
    >>> likelihood = Table.from_p(
    ...     {"disease": ["yes", "no"], "test": ["positive", "negative"]},
    ...     [[0.9, 0.1], [0.05, 0.95]], context=["disease"])
    >>> (likelihood * prior).given(test="positive")
    p(disease)
    disease       p
    yes      0.1538
    no       0.8462
    """

    def __init__(self, axes: Mapping[str, Sequence[str]], log_p: Tensor, context: Sequence[str] = ()) -> None:
        self.axes = {str(name): tuple(map(str, states)) for name, states in axes.items()}
        self.context = tuple(dict.fromkeys(context))
        self.log_p = log_p.double()
        named.check(self.axes, tuple(log_p.shape))
        named.known(self.axes, self.context)
        if not self.outcomes:
            raise DataError("a table needs at least one variable in front of the bar.")
        self._check_sums()

    @classmethod
    def from_p(cls, axes: Mapping[str, Sequence[str]], p: Any, context: Sequence[str] = ()) -> "Table":
        """A table of probabilities `p`, nested lists or a tensor; summing to 1 for each state of the context.

        Raises:
            DataError: negative or non-finite entries, or sums that are not 1.
        """
        return cls(axes, reading.non_negative(p, axes).log(), context)

    @classmethod
    def from_counts(cls, axes: Mapping[str, Sequence[str]], counts: Any, context: Sequence[str] = ()) -> "Table":
        """The maximum-likelihood table: counts divided by their sum, for each state of the context.

        Raises:
            DataError: negative or non-finite counts, or nothing but zeros.

        >>> Table.from_counts({"coin": ["head", "tail"]}, [3, 1])
        p(coin)
        coin     p
        head  0.75
        tail  0.25
        """
        return cls._normalised(axes, reading.non_negative(counts, axes).log(), context)

    @classmethod
    def from_csv(cls, path: str | Path, *, variables: Sequence[str] | None = None, empty: str | None = None) -> "Table":
        """The joint table of a file: a column a variable, a row an observation.

        Args:
            path: UTF-8 text with comma, semicolon or tab between the columns. A column `count` says how often a row
                was seen, a column `p` how probable it is.
            variables: the columns to keep; all if None. The others are summed over.
            empty: words that are taken as empty cells, separated by commas; None for those that every table has, as NA.

        Raises:
            DataError: a file, row or number that cannot be used; the message names the line.
            UsageError: an unknown variable.
        """
        return cls.from_counts(*reading.counted(reading.from_csv(path, empty), variables))

    @classmethod
    def from_frame(cls, frame: reading.Frame, *, variables: Sequence[str] | None = None) -> "Table":
        """The joint table of a pandas data frame, by the rules of `from_csv`."""
        return cls.from_counts(*reading.counted(reading.from_frame(frame), variables))

    @classmethod
    def _normalised(cls, axes: Mapping[str, Sequence[str]], log_p: Tensor, context: Sequence[str]) -> "Table":
        dims = [i for i, name in enumerate(axes) if name not in context]
        total = log_p.logsumexp(dims, keepdim=True)
        if bool(total.isneginf().any()):
            where = total.isneginf().nonzero()[0].tolist()
            evidence = {n: axes[n][int(i)] for n, i in zip(axes, where, strict=True) if n in context}
            if not evidence:
                raise DataError("every entry of the table is 0; at least one must be positive.")
            raise ImpossibleEvidence(f"p({_spelled(evidence)}) = 0, so nothing follows from it; leave it out.")
        return cls(axes, log_p - total, context)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The variables in front of the bar."""
        return tuple(name for name in self.axes if name not in self.context)

    def __mul__(self, other: "Table") -> "Table":
        """Product rule p(a | b) p(b) = p(a, b): axes are matched by name, their states by name too.

        Tables that share nothing, or only their context, are multiplied as independent given it.

        Raises:
            DataError: a variable with other states in `other`.
            UsageError: the product is not a probability, e.g. p(a) p(a) or p(a | b) p(b | a).
        """
        axes = named.merged(self.axes, other.axes)
        twice = set(self.outcomes) & set(other.outcomes)
        circular = set(self.context) & set(other.outcomes) and set(other.context) & set(self.outcomes)
        if twice or circular:
            raise UsageError(
                f"{self.formula} * {other.formula} is not a probability: each variable must stand in front of "
                "the bar once, without a circle."
            )
        outcomes = {*self.outcomes, *other.outcomes}
        return Table(axes, self._over(axes) + other._over(axes), [name for name in axes if name not in outcomes])

    def marginal(self, *names: str) -> "Table":
        """Sum rule, by what is kept: p(a) = sum_b p(a, b). A context stays."""
        named.known(self.axes, names)
        return self.sum_over(*(name for name in self.outcomes if name not in names))

    def sum_over(self, *names: str) -> "Table":
        """Sum rule, by what is summed: p(a) = sum_b p(a, b).

        Raises:
            UsageError: an unknown variable, one behind the bar, or no variable left.
        """
        named.known(self.axes, names)
        if set(names) & set(self.context):
            raise UsageError(
                f"{self.formula} cannot be summed over its context; multiply by the context's table first."
            )
        if not set(self.outcomes) - set(names):
            raise UsageError(f"summing {self.formula} over {', '.join(names)} leaves no variable; keep one.")
        axes = {name: states for name, states in self.axes.items() if name not in names}
        return Table(axes, self._summed(names), self.context)

    def given(self, evidence: Mapping[str, str] | None = None, /, **more: str) -> "Table":
        """Conditioning: p(a | b = state) = p(a, b = state) / p(b = state), over the remaining variables.

        Args:
            evidence: variable to state, for names that are not Python words; others as keywords.

        Raises:
            ImpossibleEvidence: p(evidence) = 0.
            UsageError: an unknown variable or state, or no variable left.
        """
        evidence = {**(evidence or {}), **more}
        log_p = self._at(evidence)
        axes = {name: states for name, states in self.axes.items() if name not in evidence}
        context = [name for name in self.context if name not in evidence]
        if len(axes) == len(context):
            raise UsageError(f"the evidence names every variable of {self.formula}; leave one to be asked about.")
        if bool(log_p.isneginf().all()):
            raise ImpossibleEvidence(f"p({_spelled(evidence)}) = 0, so nothing follows from it; leave it out.")
        return Table._normalised(axes, log_p, context)

    def conditional(self, *names: str, given: str | Sequence[str]) -> "Table":
        """p(names | given) = p(names, given) / p(given).

        Raises:
            ImpossibleEvidence: a state of `given` has probability 0.
        """
        given = [given] if isinstance(given, str) else list(given)
        if set(names) & set(given):
            raise UsageError(f"'{(set(names) & set(given)).pop()}' cannot stand on both sides of the bar.")
        joint = self.marginal(*names, *given)
        return Table._normalised(joint.axes, joint.log_p, [*joint.context, *given])

    def probability(self, states: Mapping[str, str] | None = None, /, **more: str) -> float:
        """p of the named states, summed over the variables left out; the whole context must be named.

        >>> round(Table.from_p({"a": "01", "b": "01"}, [[.1, .2], [.3, .4]]).probability(b="1"), 4)
        0.6
        """
        states = {**(states or {}), **more}
        missing = set(self.context) - set(states)
        if missing:
            raise UsageError(f"{self.formula} needs a state of {', '.join(sorted(missing))}.")
        return float(self._at(states).flatten().logsumexp(0).exp())

    def to_dict(self) -> dict[str, float]:
        """State to probability, of a table with one variable."""
        if len(self.axes) != 1:
            raise UsageError(f"to_dict needs a table of one variable, not {self.formula}; use marginal or given.")
        return dict(zip(*self.axes.values(), self.log_p.exp().tolist(), strict=True))

    @property
    def formula(self) -> str:
        """The table's name, e.g. p(test | disease)."""
        bar = f" | {', '.join(self.context)}" if self.context else ""
        return f"p({', '.join(self.outcomes)}{bar})"

    def __repr__(self) -> str:
        rows = [(*self.axes, "p"), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        layout = "  ".join([f"{{:<{width}}}" for width in widths[:-1]] + [f"{{:>{widths[-1]}}}"])
        return "\n".join([self.formula, *(layout.format(*row) for row in rows)])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in (*self.axes, "p"))
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._rows())
        return f"<table><caption>{escape(self.formula)}</caption><tr>{head}</tr>{body}</table>"

    def _rows(self) -> Iterator[tuple[str, ...]]:
        cells = zip(product(*self.axes.values()), self.log_p.flatten()[:SHOWN].exp().tolist(), strict=False)
        yield from ((*states, f"{p:.4g}") for states, p in cells)
        if self.log_p.numel() > SHOWN:
            yield (*("..." for _ in self.axes), f"{self.log_p.numel() - SHOWN} more")

    def _at(self, evidence: Mapping[str, str]) -> Tensor:
        """The entries that agree with the evidence, without its axes."""
        named.known(self.axes, evidence)
        cut = [named.index(self.axes, n, evidence[n]) if n in evidence else slice(None) for n in self.axes]
        return self.log_p[tuple(cut)]

    def _summed(self, names: Iterable[str]) -> Tensor:
        """The entries summed over `names`, without their axes."""
        dims = [i for i, name in enumerate(self.axes) if name in names]
        return self.log_p.logsumexp(dims) if dims else self.log_p

    def _over(self, axes: Mapping[str, tuple[str, ...]]) -> Tensor:
        """The entries with their axes and states in the order of `axes`, and length 1 along those it lacks."""
        log_p = self.log_p
        for i, (name, states) in enumerate(self.axes.items()):
            log_p = log_p.index_select(i, torch.tensor([states.index(state) for state in axes[name]]))
        own = list(self.axes)
        log_p = log_p.permute([own.index(name) for name in axes if name in own])
        return log_p.reshape([len(axes[name]) if name in own else 1 for name in axes])

    def _check_sums(self) -> None:
        total = self._summed(self.outcomes).exp()
        wrong = ~((total - 1).abs() <= TOLERANCE)
        if bool(wrong.any()):
            first = float(total[wrong].flatten()[0])
            raise DataError(
                f"{self.formula} sums to {first:.6g} over {', '.join(self.outcomes)}, not to 1; "
                "correct the probabilities, or give them as counts, which are divided by their sum."
            )


def _spelled(evidence: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={state}" for name, state in evidence.items())
