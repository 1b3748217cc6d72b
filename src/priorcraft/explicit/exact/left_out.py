"""Tables of frequencies that lean on coarser ones, by as many imagined rows as rows that are left out ask for."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

STRENGTHS = (1.0, 0.3, 3.0, 0.1, 10.0, 0.03, 30.0, 100.0, 1000.0)  # where they say the same, the first
SHIFTS = (1.0, 0.5, 0.0)  # how far a class moves what a parent says
MARGIN = 1e-6  # nats a row
LEAST = 1e-30


class Shares(NamedTuple):
    """p(k | ...) of N tables.

    p: (N, C, J, K), or 1 in the place of C or J.
    left: what p would be, at each cell, had one row that stands there been left out; of the same shape.
    """

    p: Tensor
    left: Tensor

    def among(self, fits: Tensor | float) -> "Shares":
        """The same, held to where `fits` is 1."""
        total = (self.p * fits).sum(-1, keepdim=True).clamp_min(LEAST)
        return Shares(self.p * fits / total, self.left * fits / total)

    def where(self, taken: Tensor, other: "Shares") -> "Shares":
        """These shares for the tables that are taken, (N,), and the other's for the rest."""
        which = taken.view(-1, 1, 1, 1)
        return Shares(torch.where(which, self.p, other.p), torch.where(which, self.left, other.left))


def evenly_shared(spread: Tensor) -> Shares:
    """What is known without a row, (N, 1, 1, K)."""
    return Shares(spread, spread)


def leaned(counts: Tensor, bases: Sequence[Shares]) -> Shares:
    """p(k | ...) = (n_k + s b_k) / (n + s), with s and the base b of each table told by left-out rows.

    They maximise sum_k n_k log p_left(k), the leave-one-out likelihood, which is closed-form: the p of a cell with one
    row less in it and in everything it leans on, so that cells seen once tell what cells never seen are worth (Good
    1953, doi:10.1093/biomet/40.3-4.237). The share s / (N + s) that is leaned has Jeffreys' prior, which adds
    log(s) / 2 - log(N + s) and keeps few rows from saying that nothing else can be. s is one of nine from .03 to 1,000.

    Args:
        counts: n, rows or expected rows, (N, C, J, K).
        bases: coarser tables to lean on, of which each table chooses one; no cell is zero where n is not.

    >>> even = evenly_shared(torch.full((1, 1, 1, 4), 0.25))
    >>> leaned(torch.tensor([[[[50.0, 50.0, 0.0, 0.0]]]]), [even]).p[0, 0, 0, 3]  # what was never there in 100 rows
    tensor(0.0025)
    >>> leaned(torch.tensor([[[[1.0, 1.0, 1.0, 0.0]]]]), [even]).p[0, 0, 0, 3]  # in 3 rows, each of them new
    tensor(0.1923)
    """
    totals = counts.sum(-1, keepdim=True)
    rest, others = (counts - 1).clamp_min(0), (totals - 1).clamp_min(0)
    rows = counts.flatten(1).sum(1)
    best = counts.new_full((len(counts),), -torch.inf)
    strength = torch.ones_like(best)
    chosen = bases[0]
    for base in bases:
        for s in STRENGTHS:
            said = torch.xlogy(counts, ((rest + s * base.left) / (others + s)).clamp_min(LEAST)).flatten(1).sum(1)
            said += math.log(s) / 2 - torch.log(rows + s)
            better = said > best + MARGIN * rows
            best, strength = torch.where(better, said, best), strength.masked_fill(better, s)
            chosen = base.where(better, chosen)
    s = strength.view(-1, 1, 1, 1)
    return Shares((counts + s * chosen.p) / (totals + s), (rest + s * chosen.left) / (others + s))


def shifted(shared: Shares, alone: Shares, root: Shares, fits: Tensor | float, w: float) -> Shares:
    """p(k | j) [p(k | c) / p(k)]^w over its sum: what j says of k, moved by what c says of k whatever j is.

    With w = 1 these are the shares of a k on which j and c act each by itself, as in naive Bayes. Where a row is left
    out, what the other k have is taken as it is; it would be a little more, so that tables lean rather more on these.
    """
    p, left = (s * (a / r.clamp_min(LEAST)) ** w * fits for s, a, r in zip(shared, alone, root, strict=True))
    total = p.sum(-1, keepdim=True)
    return Shares(p / total.clamp_min(LEAST), left / (total - p + left).clamp_min(LEAST))


class Bells(NamedTuple):
    """How a row spreads over the levels near its own, of N tables; columns sum to one.

    child: over k, (N, 1, K, K).
    parent: over j, (N, 1, J, J).
    """

    child: Tensor
    parent: Tensor

    def smoothed(self, counts: Tensor, root: Shares) -> Shares:
        """p(k | j) from counts (N, C, J, K) that are spread, and one imagined row that lies as in the root.

        A row that is left out takes with it what it spreads to its own cell, so that this is closed-form, too.
        """
        parent = self.parent if counts.shape[2] > 1 else counts.new_ones(1, 1, 1, 1)
        spread, own = parent @ counts @ self.child.mT, parent.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
        total, alone = spread.sum(-1, keepdim=True) + 1, own * self.child.diagonal(dim1=-2, dim2=-1).unsqueeze(-2)
        left = (spread - alone).clamp_min(0) + root.left
        return Shares((spread + root.p) / total, left / (total - own).clamp_min(1))


def backed_off(counts: Tensor, spread: Tensor, fits: Tensor | float = 1.0, near: Sequence[Bells] = ()) -> Tensor:
    """p(k | j, c) from counts (N, C, J, K); it leans on p(k | j), as far as p(k | c) shifts it, or on p(k | c) alone.

    These lean on p(k), or on rows near j and k, and p(k) on the spread. A mean of p(k | j) and p(k | c) would halve
    what each says.

    Args:
        counts: rows with k under the parent's j, in each class; they may be expected counts.
        spread: how rows lie over k where nothing is known, (N, 1, 1, K).
        fits: 1 where k can be under j, (N, 1, J, K).
        near: bells of several widths, for levels that have an order.
    """
    root = leaned(counts.sum((1, 2), keepdim=True), [evenly_shared(spread)])

    def coarser(own: Tensor) -> list[Shares]:
        return [root, *(bell.smoothed(own, root) for bell in near)]

    each = counts.sum(1, keepdim=True)
    shared = leaned(each, [base.among(fits) for base in coarser(each)])
    if counts.shape[1] == 1:
        return shared.p
    own = counts.sum(2, keepdim=True)
    alone = leaned(own, coarser(own))
    shifts = [shifted(shared, alone, root, fits, w) for w in SHIFTS]
    return leaned(counts, [*shifts, alone.among(fits)]).p
