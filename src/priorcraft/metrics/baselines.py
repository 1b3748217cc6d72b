"""What a model has to beat: the uniform distribution, independent pixels, and naive Bayes."""

import math

import torch
from torch import Tensor

from priorcraft.core import UNLABELLED
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.explicit.exact.counting import evenly

SMOOTHING = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def baselines(splits: Splits) -> dict[str, float]:
    """Exact test bits/dim of the models that need no fitting but counting; {} for real numbers.

    - uniform: log2 of the number of levels;
    - independent pixels: p(x) = prod_d p(x_d);
    - naive Bayes: p(x) = sum_c p(c) prod_d p(x_d | c), where there are labels.

    Each p is (count + a) / (total + a levels), levels that the entry has, with a chosen on the validation rows.
    """
    if splits.space.levels is None:
        return {}
    found = {"uniform": splits.space.chance, "independent pixels": independent(splits)}
    y = splits.train.y
    if y is None or not bool((y != UNLABELLED).any()):
        return found
    known = y != UNLABELLED
    return {**found, "naive Bayes": _test_bits(splits, splits.train.x[known], y[known], len(splits.classes))}


def independent(splits: Splits) -> float:
    """Exact test bits/dim of p(x) = prod_d p(x_d), for integers."""
    return _test_bits(splits, splits.train.x, torch.zeros(len(splits.train), dtype=torch.long), 1)


def _test_bits(splits: Splits, x: Tensor, y: Tensor, classes: int) -> float:
    counts = _counts(x.flatten(1).long(), y, classes, splits.space.levels or 1)
    shares = evenly(splits.space) * splits.space.tops.add(1)[:, None]  # 1 for a level that the entry has
    log_prior = ((torch.bincount(y, minlength=classes) + 1.0) / (len(y) + classes)).log()
    smoothing = min(SMOOTHING, key=lambda a: _nats(splits.valid, counts + a * shares, log_prior))
    return _nats(splits.test, counts + smoothing * shares, log_prior) / (splits.space.dims * math.log(2))


def _counts(x: Tensor, y: Tensor, classes: int, levels: int) -> Tensor:
    """How often entry d has value l in class c, (K, D, L)."""
    cells = (y[:, None] * x.shape[1] + torch.arange(x.shape[1])) * levels + x
    return torch.bincount(cells.flatten(), minlength=classes * x.shape[1] * levels).view(classes, -1, levels)


def _nats(rows: Rows, counts: Tensor, log_prior: Tensor) -> float:
    """Mean of -log sum_c p(c) prod_d p(x_d | c), exact."""
    log_p = (counts / counts.sum(-1, keepdim=True)).log().float()
    total = sum(
        float(torch.logsumexp(_log_likelihood(x, log_p) + log_prior, -1).sum()) for x in rows.x.flatten(1).split(1024)
    )
    return -total / len(rows)


def _log_likelihood(x: Tensor, log_p: Tensor) -> Tensor:
    """log p(x | c) of every class, (B, K)."""
    entry = torch.arange(x.shape[1])
    return torch.stack([table[entry, x.long()].sum(-1, dtype=torch.double) for table in log_p], -1)
