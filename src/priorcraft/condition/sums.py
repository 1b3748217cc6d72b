"""Block sums of independent integers: a dynamic programme over the sums, exact."""

import math

import torch
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.condition.components import product_components
from priorcraft.condition.evidence import ExactPosterior, possible
from priorcraft.core import LinearObservation, Space
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
    long, short = (a, b) if a.shape[-1] >= b.shape[-1] else (b, a)
    out = a.new_zeros(*a.shape[:-1], a.shape[-1] + b.shape[-1] - 1)
    for level in range(short.shape[-1]):
        out[..., level : level + long.shape[-1]].addcmul_(long, short[..., level : level + 1])
    return out


def rounded_to_sums(x: Tensor, sums: Tensor, top: int) -> Tensor:
    """Integers 0 ... top near x (..., m) whose last axis has the given sums.

    One unit at a time goes where it makes the smallest error; x that lies outside is first moved inside.

    >>> rounded_to_sums(torch.tensor([[1.4, 1.4, 9.0]]), torch.tensor([8]), 5)
    tensor([[2., 1., 5.]])
    """
    whole = x.round().clamp(0, top)
    left = sums - whole.sum(-1).long()
    while bool((left != 0).any()):
        sign = left.sign().unsqueeze(-1)
        room = torch.where(sign > 0, whole < top, whole > 0)
        wish = torch.where(room, (x - whole) * sign, -math.inf)
        best = torch.zeros_like(whole).scatter_(-1, wish.argmax(-1, keepdim=True), 1.0)
        whole = whole + best * sign
        left = left - left.sign()
    return whole


def sums_in_reach(observation: BlockMean, y: Tensor, space: Space, method: str) -> Tensor:
    """`block_sums`, if integers below `levels` can have them, int64, (B, blocks).

    Raises:
        ImpossibleEvidence: a sum below 0 or above what a block can hold.
    """
    sums = block_sums(observation, y)
    inside = ((sums >= 0) & (sums <= ((space.levels or 1) - 1) * observation.factor**2)).all(1)
    possible(torch.zeros(len(y)).masked_fill(~inside.cpu(), -math.inf), method)
    return sums


def on_levels(x: Tensor, observation: LinearObservation, y: Tensor, space: Space) -> Tensor:
    """The integers of the space near real numbers x (B * n, D); block means y (B, ...) are met exactly."""
    if isinstance(observation, BlockMean):
        blocks = blocks_of(space.event_shape, observation.factor).to(x.device)
        sums = block_sums(observation, y).repeat_interleave(len(x) // len(y), 0)
        own, x = x[:, blocks], x.clone()
        own = own + (sums - own.sum(-1)).unsqueeze(-1) / own.shape[-1]
        x[:, blocks] = rounded_to_sums(own, sums, (space.levels or 1) - 1)
    return space.clamp(x.view(-1, *space.event_shape)).flatten(1).round().long()


class PartialSums:
    """Distributions of x_1 + ... + x_j in every block, for K tables of independent entries.

    p(x_j | x_j+1 ..., s) ∝ p(x_j) p(x_1 + ... + x_j-1 = what is left)

    Args:
        tables: probabilities in float64, (K, blocks, m, levels).
    """

    def __init__(self, tables: Tensor) -> None:
        self.tables, self.partial = tables, [tables[:, :, 0]]
        for j in range(1, tables.shape[2]):
            self.partial.append(convolved(self.partial[-1], tables[:, :, j]))
        self.block = torch.arange(tables.shape[1], device=tables.device)

    def log_prob(self, k: Tensor, sums: Tensor) -> Tensor:
        """log p(sums | table k), nats; k and sums (..., blocks) broadcast to (...), without the blocks."""
        inside = sums.clamp(0, self.partial[-1].shape[-1] - 1)
        log_p = self.partial[-1][k.unsqueeze(-1), self.block, inside].log().sum(-1)
        return log_p.masked_fill((inside != sums).any(-1), -math.inf)

    def draw(self, k: Tensor, sums: Tensor, generator: Generator) -> Tensor:
        """Entries of each block with exactly these sums, last entry first, int64, (B, blocks, m)."""
        left, drawn = sums, []
        for j in range(self.tables.shape[2] - 1, 0, -1):
            drawn.append(runtime.categorical(self._log_entry(k, j, left), generator=generator))
            left = left - drawn[-1]
        return torch.stack([left, *reversed(drawn)], -1)

    def _log_entry(self, k: Tensor, j: int, left: Tensor) -> Tensor:
        """log p(x_j = l | later entries, sum), up to a constant, (B, blocks, levels)."""
        own, before = self.tables[k, :, j], self.partial[j - 1][k]
        rest = left.unsqueeze(-1) - torch.arange(own.shape[-1], device=k.device)
        inside = (rest >= 0) & (rest < before.shape[-1])
        share = before.gather(-1, rest.clamp(0, before.shape[-1] - 1))
        return (own * share).log().masked_fill(~inside, -math.inf)


class ComponentSums(ExactPosterior):
    """Draw the component given the sums, then each block by its partial sums.

    p(s | k) = prod_b p(s_b | k), with p(s_b | k) the convolution of the block's entries

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
        self.partial = PartialSums(log_tables.double().exp()[:, self.blocks])
        k = torch.arange(len(log_tables), device=y.device)
        log_y = self.partial.log_prob(k, self.sums.unsqueeze(1))
        self.posterior, log_evidence = probability.posterior(self.prior.double(), log_y)
        self.log_evidence = possible(log_evidence, self.method)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        k = runtime.categorical(self.posterior.repeat_interleave(n, 0), generator=generator)
        x = torch.zeros(len(k), self.model.space.dims, dtype=torch.long, device=k.device)
        x[:, self.blocks] = self.partial.draw(k, self.sums.repeat_interleave(n, 0), generator)
        return x.view(-1, n, *self.model.space.event_shape)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | sums), exact, nats, (B,)."""
        flat = self.model.space.check(x).flatten(1)
        wrong = (flat[:, self.blocks].sum(-1) != self.sums).any(1)
        entries = torch.arange(flat.shape[1], device=x.device)
        _, log_tables = product_components(self.model, 1, None)
        own = log_tables[:, entries, flat].double().sum(-1).T
        whole = torch.logsumexp(self.prior + own, 1) - self.log_evidence
        return whole.masked_fill(wrong, -torch.inf)
