"""Block sums of independent integers: a dynamic programme over the sums, exact."""

import torch
from torch import Generator, Tensor

from priorcraft import bayes, runtime
from priorcraft.condition.components import product_components
from priorcraft.condition.evidence import ExactPosterior, possible
from priorcraft.errors import DataError
from priorcraft.explicit.exact.mixture import Mixture
from priorcraft.explicit.exact.naive_bayes import NaiveBayes
from priorcraft.observe import BlockMean


def block_sums(observation: BlockMean, y: Tensor) -> Tensor:
    """The sums that the means y (B, C, h, w) stand for, int64, (B, blocks).

    Raises:
        DataError: a mean that is no multiple of 1 / factor^2.
    """
    sums = y.double() * observation.factor**2
    if not bool(((sums - sums.round()).abs() < 1e-2).all()):
        raise DataError(f"y must hold means of {observation.factor**2} integers; found other fractions.")
    return sums.round().long().flatten(1)


def blocks_of(event_shape: tuple[int, ...], factor: int) -> Tensor:
    """Numbers of the entries of each block, channel by channel and row by row, (blocks, factor^2).

    >>> blocks_of((1, 2, 4), 2).tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    channels, height, width = event_shape
    grid = torch.arange(channels * height * width).view(channels, height // factor, factor, width // factor, factor)
    return grid.permute(0, 1, 3, 2, 4).reshape(-1, factor**2)


def convolved(a: Tensor, b: Tensor) -> Tensor:
    """The distribution of the sum of two independent integers, (..., S) and (..., L) to (..., S + L - 1).

    >>> convolved(torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5]))
    tensor([0.2500, 0.5000, 0.2500])
    """
    out = a.new_zeros(*a.shape[:-1], a.shape[-1] + b.shape[-1] - 1)
    for level in range(b.shape[-1]):
        out[..., level : level + a.shape[-1]] += a * b[..., level : level + 1]
    return out


class ComponentSums(ExactPosterior):
    """Draw the component given the sums, then each block by its partial sums, last entry first.

    p(s | k) = prod_b p(s_b | k), with p(s_b | k) the convolution of the block's entries;
    p(x_j | x_j+1 ..., s_b, k) ∝ p(x_j | k) p(x_1 + ... + x_j-1 = what is left | k)

    Args:
        model: integers.
        observation: block means.
        y: means, (B, C, h, w).
        given: labels, (B,), -1 where not known; None if none is.
    """

    method = "closed form over components and block sums"

    def __init__(self, model: Mixture | NaiveBayes, observation: BlockMean, y: Tensor, given: Tensor | None) -> None:
        super().__init__()
        self.model, self.sums = model, block_sums(observation, y)
        self.prior, log_tables = product_components(model, len(y), given)
        self.blocks = blocks_of(model.space.event_shape, observation.factor).to(y.device)
        self.tables = log_tables.double().exp()[:, self.blocks]  # (K, blocks, m, levels)
        self.partial = [self.tables[:, :, 0]]
        for j in range(1, self.blocks.shape[1]):
            self.partial.append(convolved(self.partial[-1], self.tables[:, :, j]))
        block = torch.arange(len(self.blocks), device=y.device)
        inside = self.sums.clamp(0, self.partial[-1].shape[-1] - 1)
        log_y = self.partial[-1][:, block, inside].log().sum(-1).T
        log_y = log_y.masked_fill((inside != self.sums).any(1, keepdim=True), -torch.inf)
        self.posterior, log_evidence = bayes.posterior(self.prior.double(), log_y)
        self.log_evidence = possible(log_evidence, self.method)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        k = runtime.categorical(self.posterior.repeat_interleave(n, 0), generator=generator)
        x = torch.zeros(len(k), self.model.space.dims, dtype=torch.long, device=k.device)
        for b, entries in enumerate(self.blocks):
            left = self.sums[:, b].repeat_interleave(n)
            for j in range(len(entries) - 1, 0, -1):
                drawn = runtime.categorical(self._log_entry(k, b, j, left), generator=generator)
                x[:, entries[j]] = drawn
                left = left - drawn
            x[:, entries[0]] = left
        return x.view(-1, n, *self.model.space.event_shape)

    def _log_entry(self, k: Tensor, b: int, j: int, left: Tensor) -> Tensor:
        """log p(x_j = l | later entries, sum), up to a constant, (B * n, levels)."""
        own, before = self.tables[k, b, j], self.partial[j - 1][k, b]
        rest = left.unsqueeze(1) - torch.arange(own.shape[1], device=k.device)
        inside = (rest >= 0) & (rest < before.shape[1])
        share = before.gather(1, rest.clamp(0, before.shape[1] - 1))
        return (own * share).log().masked_fill(~inside, -torch.inf)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | sums), exact, nats, (B,)."""
        flat = self.model.space.check(x).flatten(1)
        wrong = (flat[:, self.blocks].sum(-1) != self.sums).any(1)
        entries = torch.arange(flat.shape[1], device=x.device)
        _, log_tables = product_components(self.model, 1, None)
        own = log_tables[:, entries, flat].double().sum(-1).T
        whole = torch.logsumexp(self.prior + own, 1) - self.log_evidence
        return whole.masked_fill(wrong, -torch.inf)
