"""The sum rule, the product rule and Bayes' theorem, on log tensors and on tables with names.

`posterior` is the one function that serves tables, classifiers, mixtures and latent chains alike.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor

from priorcraft.errors import DataError, ImpossibleEvidence, UsageError, did_you_mean

MAX_CELLS = 10**7  # 80 MB of float64
MAX_AXES = 60  # torch stops at 64
TOLERANCE = 1e-6  # how far a sum of probabilities may be from 1
SHOWN = 24  # rows of a printed table


def posterior(log_prior: Tensor, log_likelihood: Tensor) -> tuple[Tensor, Tensor]:
    """Bayes' theorem over the last axis.

    p(h | e) = p(e | h) p(h) / p(e),   p(e) = sum_h p(e | h) p(h)

    Args:
        log_prior: log p(h), (..., H).
        log_likelihood: log p(e | h), (..., H).

    Returns:
        log p(h | e), (..., H), and the evidence log p(e), (...). Exact, nats. Where p(e) = 0 the posterior is nan.

    >>> log_post, log_e = posterior(torch.tensor([.01, .99]).log(), torch.tensor([.9, .05]).log())
    >>> round(float(log_post[0].exp()), 4), round(float(log_e.exp()), 4)
    (0.1538, 0.0585)
    """
    log_joint = log_prior + log_likelihood
    log_evidence = torch.logsumexp(log_joint, -1)
    return log_joint - log_evidence.unsqueeze(-1), log_evidence


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
        self.context = tuple(context)
        self.log_p = log_p.double()
        check_axes(self.axes)
        self._known(self.context)
        shape = tuple(map(len, self.axes.values()))
        if tuple(log_p.shape) != shape:
            raise DataError(
                f"the table must have shape {shape}, one axis a variable, not {tuple(log_p.shape)}."
            )
        if not self.outcomes:
            raise DataError("a table needs at least one variable in front of the bar.")
        self._check_sums()

    @classmethod
    def from_p(cls, axes: Mapping[str, Sequence[str]], p: Any, context: Sequence[str] = ()) -> "Table":
        """A table of probabilities `p`, nested lists or a tensor; they sum to 1 for each state of the context.

        Raises:
            DataError: negative or non-finite entries, or sums that are not 1.
        """
        return cls(axes, _non_negative(p).log(), context)

    @classmethod
    def from_counts(
        cls, axes: Mapping[str, Sequence[str]], counts: Any, context: Sequence[str] = ()
    ) -> "Table":
        """The maximum-likelihood table: counts divided by their sum, for each state of the context.

        Raises:
            DataError: negative or non-finite counts, or nothing but zeros.

        >>> Table.from_counts({"coin": ["head", "tail"]}, [3, 1]).to_dict()
        {'head': 0.75, 'tail': 0.25}
        """
        return cls._normalised(axes, _non_negative(counts).log(), context)

    @classmethod
    def _normalised(cls, axes: Mapping[str, Sequence[str]], log_p: Tensor, context: Sequence[str]) -> "Table":
        dims = [i for i, name in enumerate(axes) if name not in context]
        total = log_p.logsumexp(dims, keepdim=True)
        if bool(total.isneginf().any()):
            where = total.isneginf().nonzero()[0].tolist()
            named = [f"{n}={axes[n][i]}" for n, i in zip(axes, where, strict=True) if n in context]
            cause = f"p({', '.join(named)}) = 0" if named else "every entry is 0"
            raise ImpossibleEvidence(f"{cause}: nothing can be said given what never happens; leave it out.")
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
        axes = _merged(self.axes, other.axes)
        twice = set(self.outcomes) & set(other.outcomes)
        circular = set(self.context) & set(other.outcomes) and set(other.context) & set(self.outcomes)
        if twice or circular:
            raise UsageError(
                f"{self.formula} * {other.formula} is not a probability: each variable must stand in front of "
                "the bar once, without a circle."
            )
        outcomes = {*self.outcomes, *other.outcomes}
        return Table(
            axes, self._over(axes) + other._over(axes), [name for name in axes if name not in outcomes]
        )

    def marginal(self, *names: str) -> "Table":
        """Sum rule, by what is kept: p(a) = sum_b p(a, b). A context stays."""
        self._known(names)
        return self.sum_over(*(name for name in self.outcomes if name not in names))

    def sum_over(self, *names: str) -> "Table":
        """Sum rule, by what is summed: p(a) = sum_b p(a, b).

        Raises:
            UsageError: an unknown variable, one behind the bar, or no variable left.
        """
        self._known(names)
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
            raise UsageError(
                f"the evidence names every variable of {self.formula}; leave one to be asked about."
            )
        if bool(log_p.isneginf().all()):
            raise ImpossibleEvidence(
                f"p({_spelled(evidence)}) = 0, so nothing follows from it; change the evidence."
            )
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

    def update(self, query: str, evidence: Mapping[str, str]) -> "list[Step]":
        """Belief in `query` after each piece of evidence, in the order of `evidence`.

        p(h | e_1..t) = p(e_t | h, e_1..t-1) p(h | e_1..t-1) / p(e_t | e_1..t-1)

        Raises:
            ImpossibleEvidence: a piece that cannot happen after the earlier ones.
            UsageError: an unknown variable or state, or `query` among the evidence.
        """
        if query in evidence:
            raise UsageError(f"'{query}' is asked about and given; take it out of the evidence.")
        if self.context:
            raise UsageError(
                f"update needs a joint table, not {self.formula}; multiply by its context's table first."
            )
        joint, steps = self.marginal(query, *evidence), []
        for name, state in evidence.items():
            step = _step(joint, query, {name: state}, steps)
            joint, steps = step.rest, [*steps, step]
        return steps

    def probability(self, **states: str) -> float:
        """p of the named states, summed over the variables left out; the whole context must be named.

        >>> Table.from_p({"a": "01", "b": "01"}, [[.1, .2], [.3, .4]]).probability(b="1")
        0.6
        """
        missing = set(self.context) - set(states)
        if missing:
            raise UsageError(f"{self.formula} needs a state of {', '.join(sorted(missing))}.")
        return round(float(self._at(states).flatten().logsumexp(0).exp()), 15)

    def to_dict(self) -> dict[str, float]:
        """State to probability, of a table with one variable."""
        if len(self.axes) != 1:
            raise UsageError(
                f"to_dict needs a table of one variable, not {self.formula}; use marginal or given."
            )
        return dict(zip(*self.axes.values(), self.log_p.exp().tolist(), strict=True))

    @property
    def formula(self) -> str:
        """The table's name, e.g. p(test | disease)."""
        bar = f" | {', '.join(self.context)}" if self.context else ""
        return f"p({', '.join(self.outcomes)}{bar})"

    def __repr__(self) -> str:
        rows = [(*self.axes, "p"), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(
                cell.rjust(w) if i == len(row) - 1 else cell.ljust(w)
                for i, (cell, w) in enumerate(zip(row, widths))
            )
            for row in rows
        )
        return "\n".join([self.formula, *lines])
