"""Distributions of integers 0 ... levels-1: Bernoulli, categorical, discretised logistic mixture."""

from abc import ABC, abstractmethod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime


class Discrete(ABC):
    """A distribution over 0 ... levels-1, known by its table of log probabilities."""

    @abstractmethod
    def table(self) -> Tensor:
        """log p of every level, exact, nats, (..., levels)."""

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exact, nats, shape of x."""
        table = self.table()
        index = x.long().unsqueeze(-1)
        shape = np.broadcast_shapes(table.shape[:-1], index.shape[:-1])  # torch's imports sympy, half a second
        return table.expand(*shape, -1).gather(-1, index.expand(*shape, 1)).squeeze(-1)

    def quantile(self, u: Tensor) -> Tensor:
        """The x at which the distribution function passes the uniforms u, int64, shape of u."""
        return runtime.invert_cdf(self.table(), u.unsqueeze(-1))

    def sample(self, generator: Generator) -> Tensor:
        """One exact draw, int64."""
        return runtime.categorical(self.table(), generator=generator)

    def mean(self) -> Tensor:
        """E[x], exact."""
        table = self.table()
        return (table.exp() * torch.arange(table.shape[-1], device=table.device, dtype=table.dtype)).sum(-1)


class Categorical(Discrete):
    """p(x = l) = softmax(logits)_l.

    >>> Categorical(torch.zeros(4)).log_prob(torch.tensor(2)).exp()
    tensor(0.2500)
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits

    def table(self) -> Tensor:
        """log p of every level, exact, nats, (..., levels)."""
        return self.logits.log_softmax(-1)


class Bernoulli(Discrete):
    """p(x = 1) = sigmoid(logit).

    >>> Bernoulli(torch.zeros(3)).log_prob(torch.tensor([0, 1, 1])).exp()
    tensor([0.5000, 0.5000, 0.5000])
    """

    def __init__(self, logit: Tensor) -> None:
        self.logit = logit

    @classmethod
    def from_parameters(cls, parameters: Tensor) -> "Bernoulli":
        """Takes logits (..., 1)."""
        return cls(parameters.squeeze(-1))

    def table(self) -> Tensor:
        """log p of 0 and 1, exact, nats, (..., 2)."""
        return torch.stack([F.logsigmoid(-self.logit), F.logsigmoid(self.logit)], -1)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exact, nats, shape of x."""
        return -F.softplus(self.logit * (1 - 2 * x.to(self.logit.dtype)))

    def quantile(self, u: Tensor) -> Tensor:
        """The x at which the distribution function passes the uniforms u, int64, shape of u."""
        return (u >= torch.sigmoid(-self.logit)).long()


SHARPEST = 7.0  # -log scale; as a log scale it is flat, and far beyond it gradients would overflow


class LogisticMixture(Discrete):
    """A mixture of logistics, integrated over the cell of each integer; the outer cells reach to infinity.

    p(x = l) = sum_m pi_m [sigmoid((b_{l+1} - mu_m) / s_m) - sigmoid((b_l - mu_m) / s_m)]
    (Salimans, Karpathy, Chen & Kingma 2017, arXiv:1701.05517)

    Args:
        logits, mean, log_scale: (..., M); mean and scale on the network's range [-1, 1].
        levels: number of integers.
    """

    def __init__(self, logits: Tensor, mean: Tensor, log_scale: Tensor, levels: int) -> None:
        self.logits, self.loc, self.log_scale, self.levels = logits, mean, log_scale, levels

    @classmethod
    def from_parameters(cls, parameters: Tensor, levels: int) -> "LogisticMixture":
        """Takes (..., 3M): logits, means, log scales; a zero vector is spread over the range."""
        logits, mean, log_scale = parameters.unflatten(-1, (3, -1)).unbind(-2)
        spread = torch.linspace(-0.8, 0.8, mean.shape[-1], device=mean.device, dtype=mean.dtype)
        return cls(logits, mean + spread, (log_scale - 1.5).clamp(-SHARPEST, SHARPEST), levels)

    def _log_cells(self, lower: Tensor, upper: Tensor) -> Tensor:
        """log of the mass between two edges, (..., M); edges at infinity allowed."""
        scale = self.log_scale.exp()
        a, b = (lower - self.loc) / scale, (upper - self.loc) / scale
        # sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)), without cancellation
        return F.logsigmoid(b) + F.logsigmoid(-a) + torch.log(-torch.expm1((a - b).clamp_max(-1e-6)))

    def _edges(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Lower and upper edge of the cell of each integer, on the network's range, (..., 1)."""
        far = 1e6  # many times the largest scale
        lower = (2 * x - 1) / (self.levels - 1) - 1
        upper = (2 * x + 1) / (self.levels - 1) - 1
        lower = torch.where(x <= 0, lower.new_tensor(-far), lower)
        return lower.unsqueeze(-1), torch.where(x >= self.levels - 1, upper.new_tensor(far), upper).unsqueeze(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exact, nats, shape of x."""
        lower, upper = self._edges(x.to(self.loc.dtype))
        return torch.logsumexp(self.logits.log_softmax(-1) + self._log_cells(lower, upper), -1)

    def _inner(self) -> tuple[Tensor, Tensor]:
        """The edges between levels in units of each logistic, (..., M, levels - 1), and 1 / s, (..., M, 1)."""
        step = 2 / (self.levels - 1)
        edges = torch.arange(1, self.levels, device=self.loc.device, dtype=self.loc.dtype) * step - 1 - step / 2
        inverse = (-self.log_scale).exp().unsqueeze(-1)
        return (edges - self.loc.unsqueeze(-1)) * inverse, inverse

    def mean(self) -> Tensor:
        """E[x] = sum_{l >= 1} p(x >= l), exact, for one sigmoid an edge.

        >>> mixture = LogisticMixture(torch.zeros(2), torch.tensor([-0.2, 0.7]), torch.tensor([-1.0, -2.0]), levels=17)
        >>> levels = torch.arange(17.0)
        >>> torch.allclose(mixture.mean(), (mixture.table().exp() * levels).sum())
        True
        """
        b, _ = self._inner()
        return (self.logits.softmax(-1) * torch.sigmoid(-b).sum(-1)).sum(-1)

    def table(self) -> Tensor:
        """log p of every level, exact, nats, (..., levels)."""
        # neighbours share an edge, and all cells have the same width: one logarithm of a sigmoid an edge is enough
        step, log_p = 2 / (self.levels - 1), self.logits.log_softmax(-1)
        b, inverse = self._inner()
        below = F.logsigmoid(b)  # log F at the upper edge of all levels but the last, (..., M, levels - 1)
        above = below - b  # log(1 - F), at the lower edge of all levels but the first
        width = torch.log(-torch.expm1(-(step * inverse).clamp_min(1e-6)))
        inner = below[..., 1:] + above[..., :-1] + width
        cells = torch.cat([below[..., :1], inner, above[..., -1:]], -1)
        return torch.logsumexp(log_p.unsqueeze(-1) + cells, -2)
