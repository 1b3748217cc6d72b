"""Rows of a table under conditions on any of its columns, by Bayes' theorem and by rejection."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.condition import posterior
from priorcraft.condition.marginal import log_marginal_by_class
from priorcraft.core import Exact
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.columns.codec import Leaves
from priorcraft.datasets.columns.column import Decoded
from priorcraft.datasets.columns.word import Word
from priorcraft.datasets.conditions import Condition, conditions_of
from priorcraft.errors import ImpossibleEvidence, UsageError, did_you_mean
from priorcraft.observe import Mask
from priorcraft.run.run import Run

BATCH, MOST = 2000, 2_000_000  # rows drawn at once, and in all before a condition counts as unmet


class Drawn(NamedTuple):
    """Rows that meet the conditions.

    x, y: integers and classes. columns: the values of each column. kept, drawn: how many of how many draws met the
    conditions. kind: "exact", or "approximate" where the model's engine for evidence is. share: of its particles that
    count, the least in any batch; 1 where the engine is exact.
    """

    x: Tensor
    y: Tensor | None
    columns: tuple[Decoded, ...]
    kept: int
    drawn: int
    kind: str
    share: float


def drawn_where(run: Run, columns: Columns, text: str, n: int, *, seed: int) -> Drawn:
    """n draws of p(row | conditions).

    A class and words that a condition names are evidence, by the engine that the model has for it; what is left, such
    as ranges, is met by drawing until it is: both are exact for a model whose engine is.

    Raises:
        UsageError: conditions that cannot be understood.
        ImpossibleEvidence: none of two million draws met them.
    """
    asked = conditions_of(text, columns)
    label = _label(run, columns, asked)
    own = [condition for condition in asked if condition.name != columns.label]
    exact = isinstance(run.model, Exact)
    y, seen = _evidence(columns, own if exact else [])
    left = [condition for condition in own if not (exact and _is_word(columns, condition))]
    weights = _classes(run, y, seen)
    parts, drawn, kind = list[tuple[Tensor, Tensor | None, tuple[Decoded, ...]]](), 0, "exact"
    there, share = 0, 1.0
    while there < n:
        if drawn >= MOST:
            raise ImpossibleEvidence(
                f"none but {there} of {drawn:,} draws met '{text}'; ask for less, or for fewer rows."
            )
        generator = runtime.keyed(seed, "where", drawn, device=run.model.device)
        c = label
        if c is None and weights is not None:
            c = runtime.categorical(weights.expand(BATCH, -1), generator=generator)
        x, kind, own_share = _rows(run, y, seen, c, generator)
        share = min(share, own_share)
        values = columns.decoded(x.numpy(), runtime.keyed(seed, "where cells", drawn))
        by_name = {each.column.name: each for each in values}
        kept = np.ones(BATCH, dtype=bool)
        for condition in left:
            kept &= condition.holds(*by_name[condition.name])
        rows = torch.from_numpy(np.flatnonzero(kept))
        classes = None if c is None else c.cpu().expand(BATCH)
        own_columns = tuple(each.take(rows.numpy()) for each in values)
        parts.append((x[rows], None if classes is None else classes[rows], own_columns))
        drawn, there = drawn + BATCH, there + len(rows)
    x = torch.cat([part[0] for part in parts])[:n]
    found = [part[1] for part in parts if part[1] is not None]
    whole = tuple(Decoded.joined(each).take(np.arange(n)) for each in zip(*(part[2] for part in parts), strict=True))
    return Drawn(x, torch.cat(found)[:n] if found else None, whole, there, drawn, kind, share)


def _classes(run: Run, y: Tensor, seen: Tensor) -> Tensor | None:
    """log p(c | evidence), (K,), up to a constant; None without classes."""
    model = run.model
    if not run.classes:
        return None
    if not bool(seen.any()) or not isinstance(model, Exact):
        return model.log_prior
    return model.log_prior + log_marginal_by_class(model, y[None], seen[None])[0].to(model.log_prior)


def _label(run: Run, columns: Columns, asked: tuple[Condition, ...]) -> Tensor | None:
    for condition in asked:
        if condition.name == columns.label:
            if condition.sign != "=" or len(condition.values) != 1:
                raise UsageError(f"where: the class '{condition.name}' must be one class, as {condition.name}=CLASS.")
            if condition.values[0] not in run.classes:
                known = did_you_mean(condition.values[0], run.classes)
                raise UsageError(f"where: there is no class '{condition.values[0]}': {known}")
            return torch.tensor(run.classes.index(condition.values[0]), device=run.model.device)
    return None


def _is_word(columns: Columns, condition: Condition) -> bool:
    """Whether a condition names one word that is a state by itself."""
    codec = next((column.codec for column in columns.columns if column.name == condition.name), None)
    return (
        isinstance(codec, Word)
        and condition.sign == "="
        and len(condition.values) == 1
        and condition.values[0] in codec.words
    )


def _evidence(columns: Columns, asked: list[Condition]) -> tuple[Tensor, Tensor]:
    """The entries of x that conditions fix, and which they are."""
    y = torch.zeros(len(columns.sizes), dtype=torch.long)
    seen = torch.zeros(len(columns.sizes), dtype=torch.bool)
    for condition in asked:
        if _is_word(columns, condition):
            codec = next(column.codec for column in columns.columns if column.name == condition.name)
            assert isinstance(codec, Word)
            digits = Leaves(codec.firsts).digits(np.array([codec.words.index(condition.values[0])]))[0]
            entries = torch.from_numpy(columns.layout[condition.name])
            y[entries], seen[entries] = torch.from_numpy(digits), True
    return y, seen


def _rows(
    run: Run, y: Tensor, seen: Tensor, label: Tensor | None, generator: torch.Generator
) -> tuple[Tensor, str, float]:
    """A batch given the evidence, the kind of its engine, and the effective share of what that weighs."""
    model = run.model
    if not bool(seen.any()):
        return model.sample(BATCH, given=label, generator=generator).cpu(), "exact", 1.0
    given = None if label is None else label.expand(BATCH)
    rows = y.to(model.device).expand(BATCH, -1)
    source = posterior(model, Mask(seen.to(model.device)), rows, given=given)
    x = source.sample(1, generator=generator)[:, 0].cpu()
    shares = [source.diagnostics.get(name, 1.0) for name in ("effective_share", "smallest_share")]
    return x, source.kind, min(map(float, shares))
