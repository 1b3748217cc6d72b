"""The null distribution of any figure that compares two sets: the same figure when rows change sides."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Relabelled:
    """Who is a sample: the truth first, then random choices of as many rows.

    If samples and real rows are alike, all choices are; so a figure of the first one exceeds all but a share a of the
    others with probability a at most (permutation test, Pitman 1937). Exact at any number of rows.

    Args:
        drawn: True for samples, (N, 1 + R).
    """

    drawn: Tensor

    @classmethod
    def of(cls, n: int, m: int, times: int, *, generator: Generator) -> "Relabelled":
        """n samples, then m real rows, relabelled so many times."""
        lots = torch.rand(times, n + m, generator=generator, dtype=torch.float64)
        last = np.partition(lots.numpy(), n - 1, axis=1)[:, n - 1 : n]  # many times as fast as torch's kthvalue
        chosen = lots <= torch.from_numpy(last)
        first = (torch.arange(n + m) < n)[:, None]
        return cls(torch.cat([first, chosen.T], 1))

    @property
    def contrast(self) -> Tensor:
        """Weights 1/n of samples and -1/m of real rows, (N, 1 + R): figures times them are differences of means."""
        n, total = int(self.drawn[:, 0].sum()), len(self.drawn)
        return torch.where(self.drawn, 1 / n, -1 / (total - n))


def auc(scores: Tensor, drawn: Tensor) -> Tensor:
    """p(score of a sample > score of a real row) + p(equal) / 2 in each column of scores (N, R) or (N, 1), (R,).

    >>> auc(torch.tensor([[2.0], [1.0], [0.0]]), torch.tensor([[True], [False], [False]]))
    tensor([1.], dtype=torch.float64)
    """
    first, last = places(scores)
    ranks = (first + last).double() / 2
    n = drawn.sum(0)
    return ((ranks * drawn).sum(0) - n * (n - 1) / 2) / (n * (len(scores) - n))


def places(x: Tensor) -> tuple[Tensor, Tensor]:
    """Where each entry of x (N, D) stands in its sorted column: the first and the last place of its equals, from 0.

    >>> places(torch.tensor([[5.0], [3.0], [5.0]]))[0].T, places(torch.tensor([[5.0], [3.0], [5.0]]))[1].T
    (tensor([[1, 0, 1]]), tensor([[2, 0, 2]]))
    """
    ordered, order = x.sort(0)
    i = torch.arange(len(x))[:, None].expand_as(ordered)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    ends = torch.cat([new[1:], torch.ones_like(new[:1])])
    first = torch.where(new, i, 0).cummax(0).values
    last = torch.where(ends, i, len(x)).flip(0).cummin(0).values.flip(0)
    return torch.empty_like(order).scatter_(0, order, first), torch.empty_like(order).scatter_(0, order, last)


def middle_ranks(x: Tensor) -> Tensor:
    """Ranks of each column of x (N, D), scaled to (-1, 1), equal values sharing their mean; nan has rank 0."""
    first, last = places(x)
    empty = x.isnan()
    there = (len(x) - empty.sum(0)).clamp_min(1)
    return torch.where(empty, 0.0, (first + last + 1).double() / there - 1)
