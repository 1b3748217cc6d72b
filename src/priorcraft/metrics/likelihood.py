"""How well a model predicts rows it has not seen, with the kind of number that is."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import Answer, Facts, Kind, Piece
from priorcraft.core import Approximate, Exact, Generative, Space
from priorcraft.datasets.splits import Rows
from priorcraft.errors import DataError, UsageError
from priorcraft.mapped import let_go

GoOn = Callable[[int], bool]
LET_GO = 2**16  # rows, after which pages of rows that are mapped from a disk are given back


@dataclass(frozen=True)
class Score(Answer):
    """The mean of -log p(x) over rows; lower is better.

    A lower bound on log p(x) makes `nats` and `bits_per_dim` upper bounds: the truth is at most the figure, hence "≤".

    Args:
        kind: exact, lower bound or none.
        nats: mean of -log p(x); None for kind none.
        bits_per_dim: nats / (D log 2) for integers; None for real numbers, whose density has no bits.
        standard_error: of bits_per_dim for integers, of nats for real numbers; None for a single row.
        n: number of rows.
        samples: k of the bound; None for the other kinds.

    >>> print(Score(Kind.LOWER_BOUND, 91.0, 2.05, 0.012, 450, 64))
    nats            ≤ 91
    bits per dim    ≤ 2.05
    standard error  0.012 bits/dim
    n               450
    samples         64
    """

    kind: Kind
    nats: float | None
    bits_per_dim: float | None
    standard_error: float | None
    n: int
    samples: int | None

    @property
    def unit(self) -> str:
        """What the standard error is counted in."""
        return "nats" if self.bits_per_dim is None else "bits/dim"

    @property
    def figure(self) -> float | None:
        """The number by which models are compared: bits per dimension of integers, nats of real numbers."""
        return self.nats if self.bits_per_dim is None else self.bits_per_dim

    def __format__(self, spec: str) -> str:
        """The figure with its sign and error: "= 2.050 ± 0.012", or "none"."""
        error = f" ± {self.standard_error:{spec or '.3f'}}" if self.standard_error is not None else ""
        return self.kind.mark(self.figure, spec or ".3f") + (error if self.kind is not Kind.NONE else "")

    def facts(self) -> dict[str, object]:
        """The figures with the sign that says what kind of number they are, and the error with its unit."""
        if self.kind is Kind.NONE:
            return {"kind": "none: an implicit model has no density; look at its samples, or compare it", "n": self.n}
        error = None if self.standard_error is None else f"{self.standard_error:.4g} {self.unit}"
        bits = None if self.bits_per_dim is None else self.kind.mark(self.bits_per_dim)
        figures = {"nats": self.kind.mark(self.nats), "bits_per_dim": bits, "standard_error": error}
        return {**figures, "n": self.n, "samples": self.samples}

    def shown(self) -> list[Piece]:
        """The figures, a line each."""
        return [Facts(self.facts())]


def score(
    model: Generative,
    rows: Rows | Tensor,
    *,
    samples: int = 64,
    batch: int = 512,
    generator: Generator | None = None,
    go_on: GoOn = lambda done: True,
) -> Score:
    """Scores p(x), by the sum rule if the model has classes. Exact, lower bound or none, by the model's type.

    Args:
        model: exact, approximate, or neither. It is put into evaluation mode and back.
        rows: points (B, *event_shape); `Rows` whose y is the context for a model of p(x | c) with c not a label.
        samples: k of the importance-weighted bound, for approximate models.
        batch: rows at once; fewer where k x classes would make more than 64 x batch evaluations at once.
        generator: source of the bound's randomness.
        go_on: asked with the number of rows scored so far, after each batch; the score ends with them if it says no.

    Raises:
        DataError: no rows, rows outside the space, or a row whose log p(x) is not finite.
    """
    rows = rows if isinstance(rows, Rows) else Rows(rows)
    if not len(rows):
        raise DataError("rows must hold at least one row to score; found none.")
    if samples < 1 or batch < 1:
        raise UsageError(f"samples and batch must be at least 1, not {samples} and {batch}.")
    if not isinstance(model, Exact | Approximate):
        return Score(Kind.NONE, None, None, None, len(rows), None)
    found = log_p(model, rows, samples, batch=batch, generator=runtime.fresh(generator), go_on=go_on)
    return summary(-finite(found), model.space, None if isinstance(model, Exact) else samples)


@torch.no_grad()
def log_p(
    model: Exact | Approximate,
    rows: Rows,
    samples: int = 64,
    *,
    batch: int = 512,
    generator: Generator,
    go_on: GoOn = lambda done: True,
) -> Tensor:
    """log p(x), or its bound with k samples, of each row, float64, nats, (B,); args as in `score`."""
    k = None if isinstance(model, Exact) else samples
    size, found = max(1, min(batch, 64 * batch // ((k or 1) * max(model.classes, 1)))), list[Tensor]()
    with evaluating(model):
        for x, c in chunks(model, rows, size):
            found.append(_density(model, x.to(model.device), c, k, generator).double().cpu())
            if not go_on(min(len(found) * size, len(rows))):
                break
    return torch.cat(found)


def chunks(model: Generative, rows: Rows, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """x and its context, `size` rows at a time; a label is no context here: p(x) sums over it."""
    given = None if model.context is None or model.context.is_label else rows.context
    for i in range(0, len(rows), size):
        chunk = slice(i, i + size)
        yield rows.x[chunk], None if given is None else given[chunk].to(model.device)
        if i // LET_GO < (i + size) // LET_GO:
            let_go(rows.x)


def _density(
    model: Exact | Approximate, x: Tensor, given: Tensor | None, k: int | None, generator: Generator
) -> Tensor:
    if isinstance(model, Exact):
        return model.log_prob(x, given)
    return model.bound(x, k or 1, given, generator=generator)


@contextmanager
def evaluating(model: Generative) -> Iterator[None]:
    """Puts the model into evaluation mode and back."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def finite(log_p: Tensor) -> Tensor:
    """log_p (B,) itself, if every row has a finite one."""
    bad = (~torch.isfinite(log_p)).nonzero().flatten()
    if len(bad):
        raise DataError(
            f"rows cannot be scored: log p(x) of row {int(bad[0])} is {float(log_p[bad[0]])}, and so for {len(bad)} of "
            f"{len(log_p)} rows. The model rules these rows out or has diverged; fit it with smoothing or a lower rate."
        )
    return log_p


def summary(nats: Tensor, space: Space, k: int | None) -> Score:
    """The score of rows whose -log p(x), or its bound with k draws, is `nats` (B,)."""
    unit = 1.0 if space.levels is None else 1 / (space.dims * math.log(2))
    n, mean = len(nats), float(nats.mean())
    error = float(nats.std()) * unit / math.sqrt(n) if n > 1 else None
    bits = None if space.levels is None else mean * unit
    return Score(Kind.LOWER_BOUND if k else Kind.EXACT, mean, bits, error, n, k)
