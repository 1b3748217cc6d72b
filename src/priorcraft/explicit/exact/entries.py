"""How the entries of x enter a network, and what the network's outputs say of them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from priorcraft.core import Likelihood, Space
from priorcraft.explicit.exact.counting import IMPOSSIBLE
from priorcraft.likelihoods import CATEGORICAL_LIMIT, head_for

SMOOTH_CODE, SMOOTH_LOGITS = 4, 6  # numbers that describe a grey value, and the logits of one


class Entries(nn.Module):
    """A code and a likelihood that all entries share, and a marginal distribution of each.

    In images, code and logits are smooth functions of the level to begin with, and stay of low rank, which says that 7
    is near 8; in tables they are of full rank.

    Args:
        space: where x lives.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.levels, self.space = space.levels or 0, space
        self.head = head_for(space)
        ordinal = space.is_image or self.levels > CATEGORICAL_LIMIT
        low_rank = ordinal and self.head.width == self.levels and self.levels > SMOOTH_LOGITS
        rank = min(self.levels, SMOOTH_CODE) if ordinal else self.levels
        self.table = nn.Parameter(cosines(self.levels, rank)) if self.levels else None
        self.basis = nn.Parameter(cosines(self.levels, SMOOTH_LOGITS)) if low_rank else None
        self.marginal = nn.Parameter(torch.zeros(space.dims, self.head.width))
        self.features = rank or 2
        self.outputs = SMOOTH_LOGITS if low_rank else self.head.width

    @property
    def tabular(self) -> bool:
        """Whether each entry's distribution is a table, which can be counted."""
        return 0 < self.levels <= CATEGORICAL_LIMIT

    @property
    def mixes(self) -> bool:
        """Whether each entry's distribution is a mixture of logistics about locations."""
        return self.levels > CATEGORICAL_LIMIT

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Sets the marginals to the frequencies in x (B, D), with a tenth of a count a level, where they are tables."""
        if self.tabular:
            self.marginal.copy_(self._logits(self._counts(x) + self._imagined()))

    @torch.no_grad()
    def class_outputs(self, x: Tensor, y: Tensor, classes: int) -> Tensor:
        """The outputs that turn each entry's marginal into its frequencies in each class, (classes, D * outputs).

        Naive Bayes, with five counts spread by the frequencies in all classes; labels may be -1 for "not known".
        """
        spread = self._counts(x) + self._imagined()
        spread = 5 * spread / spread.sum(-1, keepdim=True)
        logits = torch.stack([self._logits(self._counts(x[y == c]) + spread) for c in range(classes)]) - self.marginal
        return (logits if self.basis is None else logits @ torch.linalg.pinv(self.basis).t()).flatten(1)

    def _counts(self, x: Tensor) -> Tensor:
        return torch.stack([(x == level).sum(0) for level in range(self.levels)], -1).to(self.marginal)

    def _imagined(self) -> Tensor | float:
        """A tenth of a count for every level that an entry has, (D, levels)."""
        allowed = self.space.allowed
        return 0.1 if allowed is None else 0.1 * allowed.to(self.marginal)

    def _logits(self, counts: Tensor) -> Tensor:
        log_p = (counts / counts.sum(-1, keepdim=True)).clamp_min(IMPOSSIBLE).log()
        return log_p if self.head.width > 1 else log_p[:, 1:] - log_p[:, :1]

    def code(self, x: Tensor) -> Tensor:
        """What a network sees of each entry, (..., features); one feature says that the entry is there at all."""
        if self.table is not None:
            return F.embedding(x.long(), self.table)
        return torch.stack([torch.ones_like(x), x], -1).to(self.marginal.dtype)

    def likelihood(self, outputs: Tensor, marginal: Tensor) -> Likelihood:
        """The distribution of entries whose network outputs (..., outputs) and marginals are given."""
        return self.head(marginal + (outputs if self.basis is None else outputs @ self.basis.t()))


def cosines(levels: int, rank: int) -> Tensor:
    """The first `rank` discrete cosines over the levels, (levels, rank), of mean square 1.

    >>> c = cosines(5, 5)
    >>> bool(torch.allclose(c.t() @ c, 5 * torch.eye(5), atol=1e-5))
    True
    """
    k, level = torch.arange(rank), (torch.arange(levels) + 0.5) / levels
    scale = torch.where(k == 0, 1.0, math.sqrt(2))
    return scale * torch.cos(math.pi * level[:, None] * k)
