"""Tables of frequencies that lean on coarser ones, by as many imagined rows as rows that are left out ask for."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

STRENGTHS = (1.0, 0.3, 3.0, 0.1, 10.0, 0.03, 30.0, 100.0, 1000.0)  # where they say the same, the first
SHARES = (0.5, 0.25, 0.75, 0.0, 1.0)
MARGIN = 1e-6  # nats a row
LEAST = 1e-30
NUMBERS = 2**24  # of the tables that are worked on at once


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


def evenly_shared(spread: Tensor) -> Shares:
    """What is known without a row, (N, 1, 1, K)."""
    return Shares(spread, spread)


def leaned(counts: Tensor, bases: Sequence[Shares]) -> Shares:
    """p(k | ...) = (n_k + s b_k) / (n + s), b = w b_1 + (1 - w) b_2, with s and w of each table told by left-out rows.

    They maximise sum_k n_k log p_left(k), the leave-one-out likelihood, which is closed-form: the p of a cell with one
    row less in it and in everything it leans on, so that cells seen once tell what cells never seen are worth (Good
    1953, doi:10.1093/biomet/40.3-4.237). Two imagined rows, one of them new and one not, add log s - 2 log(N + s) and
    keep few rows from saying that nothing else can be. s is one of nine from .03 to 1,000, w one of five.

    Args:
        counts: n, rows or expected rows, (N, C, J, K).
        bases: one or two coarser tables to lean on; their cells are not zero where n is not.

    >>> even = evenly_shared(torch.full((1, 1, 1, 4), 0.25))
    >>> leaned(torch.tensor([[[[50.0, 50.0, 0.0, 0.0]]]]), [even]).p[0, 0, 0, 3]  # what was never there in 100 rows
    tensor(0.0073)
    >>> leaned(torch.tensor([[[[1.0, 1.0, 1.0, 0.0]]]]), [even]).p[0, 0, 0, 3]  # in 3 rows, each of them new
    tensor(0.1923)
    """
    totals = counts.sum(-1, keepdim=True)
    rest, others = (counts - 1).clamp_min(0), (totals - 1).clamp_min(0)
    rows = counts.flatten(1).sum(1)
    best = counts.new_full((len(counts),), -torch.inf)
    strength, share = torch.ones_like(best), torch.ones_like(best)
    for w in SHARES if len(bases) > 1 else (1.0,):
        left = _mixed([base.left for base in bases], w)
        for s in STRENGTHS:
            said = torch.xlogy(counts, ((rest + s * left) / (others + s)).clamp_min(LEAST)).flatten(1).sum(1)
            said += math.log(s) - 2 * torch.log(rows + s)
            better = said > best + MARGIN * rows
            best = torch.where(better, said, best)
            strength, share = strength.masked_fill(better, s), share.masked_fill(better, w)
    s, w = strength.view(-1, 1, 1, 1), share.view(-1, 1, 1, 1)
    p, left = (_mixed([base[i] for base in bases], w) for i in (0, 1))
    return Shares((counts + s * p) / (totals + s), (rest + s * left) / (others + s))


def _mixed(tables: Sequence[Tensor], w: Tensor | float) -> Tensor:
    return tables[0] if len(tables) == 1 else w * tables[0] + (1 - w) * tables[1]


def backed_off(counts: Tensor, spread: Tensor, fits: Tensor | float = 1.0) -> Tensor:
    """p(k | j, c) from counts (N, C, J, K); it leans on p(k | c) and p(k | j), these on p(k), and that on the spread.

    Args:
        counts: rows with k under the parent's j, in each class; they may be expected counts.
        spread: how rows lie over k where nothing is known, (N, 1, 1, K).
        fits: 1 where k can be under j, (N, 1, J, K).
    """
    step = max(1, NUMBERS // counts[0].numel())
    if len(counts) > step:
        fitting = torch.as_tensor(fits).to(counts).expand(len(counts), 1, *counts.shape[2:])
        of_all = spread.expand(len(counts), 1, 1, -1), fitting
        parts = zip(counts.split(step), *(each.split(step) for each in of_all), strict=True)
        return torch.cat([backed_off(*part) for part in parts])
    root = leaned(counts.sum((1, 2), keepdim=True), [evenly_shared(spread)])
    if counts.shape[1] == 1:
        return leaned(counts, [root.among(fits)]).p
    alone = leaned(counts.sum(2, keepdim=True), [root]).among(fits)
    shared = leaned(counts.sum(1, keepdim=True), [root.among(fits)])
    return leaned(counts, [alone, shared]).p
