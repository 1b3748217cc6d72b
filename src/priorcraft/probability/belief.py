"""Belief, updated by one piece of evidence after another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from priorcraft.errors import ImpossibleEvidence, UsageError
from priorcraft.probability import axes as named
from priorcraft.probability.table import Table
from priorcraft.probability.theorem import posterior


@dataclass(frozen=True)
class Step:
    """One use of Bayes' theorem: the belief before, what was seen, the belief after.

    Args:
        given: the one piece of evidence e, variable to state.
        prior: p(h | earlier evidence).
        log_likelihood: log p(e | h, earlier evidence), (H,), nats; nan where h was already impossible.
        log_evidence: the normalising constant log p(e | earlier evidence), nats.
        posterior: p(h | e, earlier evidence).
    """

    given: dict[str, str]
    prior: Table
    log_likelihood: Tensor
    log_evidence: float
    posterior: Table

    @property
    def likelihood(self) -> dict[str, float | None]:
        """p(e | h, earlier evidence) of each state h; None where h was already impossible: it does not exist."""
        (states,) = self.prior.axes.values()
        values = self.log_likelihood.exp().tolist()
        return {state: None if math.isnan(p) else p for state, p in zip(states, values, strict=True)}

    @property
    def evidence(self) -> float:
        """The normalising constant p(e | earlier evidence)."""
        return math.exp(self.log_evidence)


def update(table: Table, query: str, evidence: Mapping[str, str]) -> list[Step]:
    """The belief in `query` after each piece of evidence, in the order of `evidence`. Exact.

    p(h | e_1, ..., e_t) = p(e_t | h, e_1, ..., e_t-1) p(h | e_1, ..., e_t-1) / p(e_t | e_1, ..., e_t-1)

    Raises:
        ImpossibleEvidence: a piece that cannot happen after the earlier ones.
        UsageError: an unknown variable or state, `query` among the evidence, or a table with a context.

    >>> joint = Table.from_counts({"disease": ["yes", "no"], "test": ["+", "-"]}, [[9, 1], [50, 940]])
    >>> step, = update(joint, "disease", {"test": "+"})
    >>> {state: round(p, 4) for state, p in step.posterior.to_dict().items()}, round(step.evidence, 4)
    ({'yes': 0.1525, 'no': 0.8475}, 0.059)
    """
    if query in evidence:
        raise UsageError(f"'{query}' is asked about and given; take it out of the evidence.")
    if table.context:
        raise UsageError(f"update needs a joint table, not {table.formula}; multiply it by its context's table first.")
    joint = table.marginal(query, *evidence)
    for name, state in evidence.items():
        named.index(joint.axes, name, state)
    steps = []
    for name, state in evidence.items():
        steps.append(_step(joint, query, name, state))
        joint = joint.given({name: state})
    return steps


def _step(joint: Table, query: str, name: str, state: str) -> Step:
    prior, pair = joint.marginal(query), joint.marginal(query, name)
    log_joint = pair.log_p.select(list(pair.axes).index(name), named.index(pair.axes, name, state))
    log_likelihood = log_joint - prior.log_p
    possible = torch.where(prior.log_p.isneginf(), -torch.inf, log_likelihood)
    log_posterior, log_evidence = posterior(prior.log_p, possible)
    if bool(log_evidence.isneginf()):
        raise ImpossibleEvidence(f"p({name}={state}) = 0 after the earlier evidence; change or leave out this piece.")
    return Step({name: state}, prior, log_likelihood, float(log_evidence), Table(prior.axes, log_posterior))
