"""A fitted model asked like a table: the belief in one column after each condition on others."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.condition.marginal import log_marginal
from priorcraft.core import UNLABELLED, Exact
from priorcraft.datasets.columns import Column, Columns
from priorcraft.datasets.columns.codec import Leaves
from priorcraft.datasets.columns.column import Decoded
from priorcraft.datasets.columns.number import Number
from priorcraft.datasets.columns.word import Word
from priorcraft.datasets.conditions import Condition
from priorcraft.errors import ImpossibleEvidence, NoDensity, UsageError, did_you_mean
from priorcraft.run.run import Run

DRAWS, BATCH = 100_000, 10_000
MOST = 20_000  # rows whose densities are added up before draws are counted in their place


class State(NamedTuple):
    """One state of a column or of the class.

    name: as it is written. digits: of x at the column's first entries, () of a class. share: of the state among those
    that these digits stand for. label: number of the class, -1 of a column's state.
    """

    name: str
    digits: tuple[int, ...] = ()
    share: float = 1.0
    label: int = UNLABELLED


class Joint(NamedTuple):
    """p(state, first t conditions).

    states: names, K. p: (T + 1, K). kind: "exact", or "unbiased" where draws were counted. draws, met: how many, and
    how many of them met all conditions; None where exact.
    """

    states: tuple[str, ...]
    p: np.ndarray
    kind: str
    draws: int | None = None
    met: int | None = None


def joint_of(run: Run, columns: Columns, query: str, asked: Sequence[Condition], *, seed: int) -> Joint:
    """The probability of each state of a column together with the first, the first two, ... conditions.

    Words and classes are summed exactly by a model that knows p(seen); ranges of numbers and dates are counted among
    100,000 draws.

    Raises:
        UsageError: a column that is not there, that has no states, or that is asked about and given.
        ImpossibleEvidence: no draw met the conditions.
    """
    if any(condition.name == query for condition in asked):
        raise UsageError(f"'{query}' is asked about and given; take it out of the evidence.")
    states = states_of(columns, query)
    chosen = [_that_hold(columns, condition) for condition in asked]
    rows = len(states) * int(np.prod([len(each or ()) for each in chosen]))
    if isinstance(run.model, Exact) and all(each is not None for each in chosen) and 0 < rows <= MOST:
        try:
            return _summed(run, columns, query, states, asked, [each or () for each in chosen])
        except NoDensity:  # an engine that knows no p(seen)
            pass
    return _counted(run, columns, query, states, asked, seed)


def states_of(columns: Columns, name: str) -> tuple[State, ...]:
    """The states that can be asked about: classes, words, and the coarse states of numbers.

    Raises:
        UsageError: another column, or none.
    """
    if name == columns.label:
        return tuple(State(known, label=i) for i, known in enumerate(columns.classes))
    column = _column(columns, name)
    codec = column.codec
    if isinstance(codec, Word):
        leaves = Leaves(codec.firsts).digits(np.arange(len(codec.words) + bool(codec.rare)))
        own = [tuple(leaf.tolist()) for leaf in leaves]
        total = sum(codec.counts)
        rare = [State(word, own[-1], n / total) for word, n in zip(codec.rare, codec.counts, strict=True)]
        return (*(State(word, digits) for word, digits in zip(codec.words, own, strict=False)), *rare)
    if isinstance(codec, Number):
        firsts = np.array(codec.firsts)
        ends = np.stack([np.array(codec.lows)[firsts[:-1]], np.array(codec.highs)[firsts[1:] - 1]], 1)
        texts = [codec.write(pair) for pair in ends]
        return tuple(State(a if a == b else f"{a} to {b}", (k,)) for k, (a, b) in enumerate(texts))
    what = f"query: '{name}' holds {codec.described()}, which are no states"
    raise UsageError(f"{what}; ask about words, numbers or the class.")


def _column(columns: Columns, name: str) -> Column:
    found = next((column for column in columns.columns if column.name == name), None)
    if found is None:
        known = [column.name for column in columns.columns] + ([columns.label] if columns.label else [])
        raise UsageError(f"the model has no column '{name}': {did_you_mean(name, known)}")
    return found


def _that_hold(columns: Columns, condition: Condition) -> tuple[State, ...] | None:
    """The states in which a condition holds; None if it is about numbers or dates, whose states it may cut."""
    if condition.name == columns.label:
        for value in condition.values:
            if value not in columns.classes:
                raise UsageError(f"given: there is no class '{value}': {did_you_mean(value, columns.classes)}")
        if condition.sign not in ("=", "!="):
            raise UsageError(f"given: the class '{condition.name}' is compared by =, != or in.")
        same = condition.sign == "="
        return tuple(each for each in states_of(columns, condition.name) if (each.name in condition.values) == same)
    column = _column(columns, condition.name)
    if not isinstance(column.codec, Word):
        return None
    states = states_of(columns, condition.name)
    there = condition.holds(column, np.arange(len(states)), np.zeros(len(states), dtype=bool))
    return tuple(state for state, holds in zip(states, there, strict=True) if holds)


def _summed(
    run: Run,
    columns: Columns,
    query: str,
    states: Sequence[State],
    asked: Sequence[Condition],
    chosen: Sequence[Sequence[State]],
) -> Joint:
    found = np.zeros((len(asked) + 1, len(states)))
    names = [query, *(condition.name for condition in asked)]
    for t in range(len(asked) + 1):
        each = list(product(states, *chosen[:t]))
        log_p = _log_p(run, columns, names[: t + 1], each).view(len(states), -1)
        found[t] = log_p.logsumexp(1).exp().numpy()
    return Joint(tuple(state.name for state in states), found, "exact")


def _log_p(run: Run, columns: Columns, names: Sequence[str], each: Sequence[Sequence[State]]) -> Tensor:
    """log p of combinations of states, one of each named column, nats, (B,)."""
    x = torch.zeros(len(each), len(columns.sizes), dtype=torch.long)
    seen = torch.zeros_like(x, dtype=torch.bool)
    labels = torch.full((len(each),), UNLABELLED)
    log_share = torch.zeros(len(each), dtype=torch.float64)
    possible = torch.ones(len(each), dtype=torch.bool)
    for i, name in enumerate(names):
        own = [combination[i] for combination in each]
        log_share += torch.tensor([state.share for state in own], dtype=torch.float64).log()
        if name == columns.label:
            labels = torch.tensor([state.label for state in own])
            continue
        entries = torch.from_numpy(columns.layout[name])[: len(own[0].digits)]
        digits = torch.tensor([state.digits for state in own])
        possible &= (~seen[:, entries] | (x[:, entries] == digits)).all(1)  # one column may be named twice
        x[:, entries], seen[:, entries] = digits, True
    known = labels != UNLABELLED
    given = labels.to(run.model.device) if run.classes else None
    assert isinstance(run.model, Exact)
    log_p = log_marginal(run.model, x, seen, given) + log_share
    if run.classes:
        log_p = log_p + torch.where(known, run.model.log_prior.double().cpu()[labels.clamp_min(0)], 0.0)
    return torch.where(possible, log_p, -torch.inf)


def _counted(
    run: Run, columns: Columns, query: str, states: Sequence[State], asked: Sequence[Condition], seed: int
) -> Joint:
    counts = np.zeros((len(asked) + 1, len(states)))
    for start in range(0, DRAWS, BATCH):
        generator = runtime.keyed(seed, "belief", start, device=run.model.device)
        labels = run.model.contexts(BATCH, generator=generator) if run.classes else None
        x = run.model.sample(BATCH, given=labels, generator=generator).cpu()
        classes = np.full(BATCH, UNLABELLED) if labels is None else labels.cpu().numpy()
        drawn = {each.column.name: each for each in columns.decoded(x.numpy(), runtime.keyed(seed, "cells", start))}
        if query == columns.label:
            state = classes
        elif isinstance(drawn[query].column.codec, Number):
            state = x[:, int(columns.layout[query][0])].numpy()
        else:
            state = drawn[query].values
        held = np.ones(BATCH, dtype=bool) if query == columns.label else ~drawn[query].empty
        for t in range(len(asked) + 1):
            if t:
                held &= _holds(asked[t - 1], columns, drawn, classes)
            counts[t] += np.bincount(state[held].astype(int), minlength=len(states))
    met = int(counts[-1].sum())
    if not met:
        raise ImpossibleEvidence(f"none of {DRAWS:,} draws met these conditions; change or leave out one of them.")
    return Joint(tuple(state.name for state in states), counts / DRAWS, "unbiased", DRAWS, met)


def _holds(condition: Condition, columns: Columns, drawn: dict[str, Decoded], classes: np.ndarray) -> np.ndarray:
    if condition.name == columns.label:
        numbers = [state.label for state in _that_hold(columns, condition) or ()]
        return np.isin(classes, numbers)
    if condition.name not in drawn:
        raise UsageError(f"given: '{condition.name}' is left out of p(x), so nothing can be asked of it.")
    return condition.holds(*drawn[condition.name])
