"""Block means where some blocks are known pixel by pixel: a tile beside tiles that are already there."""

import torch
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.condition.blocks import BlockChain, sums_within, turn_blocks
from priorcraft.condition.components import product_components
from priorcraft.condition.evidence import ExactPosterior, possible
from priorcraft.condition.steps import Steps
from priorcraft.condition.sums import PartialSums, block_sums, blocks_of
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.autoregressive import Autoregressive
from priorcraft.explicit.exact.mixture import Mixture
from priorcraft.explicit.exact.naive_bayes import NaiveBayes
from priorcraft.observe import PixelsAndBlocks

Seen = tuple[Tensor, Tensor]


def known_blocks(observation: PixelsAndBlocks, blocks: Tensor) -> Tensor:
    """Which blocks are seen pixel by pixel, (blocks,).

    Raises:
        UsageError: a block that is seen in part.
    """
    seen = observation.pixels.seen.flatten().to(blocks.device)[blocks]
    if not bool((seen.all(1) == seen.any(1)).all()):
        raise UsageError("pixels that are seen beside block means must fill whole blocks.")
    return seen.all(1)


class BlocksBeside(BlockChain):
    """As `BlockChain`, with the known blocks as early as they can be: they weigh the particles, and stay as they are.

    Args:
        model: autoregressive, on integers.
        observation: pixels of whole blocks, and block means.
        y: pixels (B, *event_shape) and means (B, C, h, w).
        given: labels, (B,), -1 where not known; None if none is.
    """

    def __init__(self, model: Autoregressive, observation: PixelsAndBlocks, y: Seen, given: Tensor | None) -> None:
        factor, shape = observation.blocks.factor, model.space.event_shape
        blocks, turns = blocks_of(shape, factor), turn_blocks(model, factor)
        known, (numbers, _) = known_blocks(observation, blocks), sums_within(turns, blocks)
        first = (~known[numbers]).sum(1).argsort(stable=True)
        super().__init__(model, observation.blocks, y[1], given, turns=turns[first])
        self.pixels, self.seen = y[0].flatten(1), known[numbers][first]

    def _sample(self, n: int, generator: Generator) -> Tensor:
        drawn = super()._sample(n, generator)
        if "acceptance" in self.diagnostics:  # of the blocks that could move
            share = float(self.seen.all(1).float().mean())
            self.diagnostics["acceptance"] = max(0.0, self.diagnostics["acceptance"] - share) / max(1 - share, 1e-9)
        return drawn

    def _draw(self, rows: Tensor, n: int, k: int, generator: Generator) -> Tensor:
        """As `BlockChain` does, with the known pixels of these rows."""
        pixels = self.pixels
        self.pixels = pixels[rows]
        try:
            return super()._draw(rows, n, k, generator)
        finally:
            self.pixels = pixels

    def _block(
        self,
        b: int,
        x: Tensor,
        steps: Steps,
        order: Tensor,
        start: int,
        left: Tensor,
        generator: Generator,
        *,
        keep: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """As `BlockChain` does, with what is known in its place."""
        known = self.blocks[b][self.seen[b][self.part]]
        x[:, known] = self.pixels[:, known].repeat_interleave(len(x) // len(self.pixels), 0)
        return super()._block(b, x, steps, order, start, left, generator, keep=keep)


class ComponentsBeside(ExactPosterior):
    """As `ComponentSums`: a known pixel is a table with one level, weighed by its probability.

    Args:
        model: integers.
        observation: pixels of whole blocks, and block means.
        y: pixels (B, *event_shape) and means (B, C, h, w).
        given: labels, (B,), -1 where not known; None if none is.
    """

    method = "closed form over components, pixels and block sums"

    def __init__(
        self, model: Mixture | NaiveBayes, observation: PixelsAndBlocks, y: Seen, given: Tensor | None
    ) -> None:
        super().__init__()
        self.model, self.sums = model, block_sums(observation.blocks, y[1])
        self.pixels, self.blocks = y[0].flatten(1), blocks_of(model.space.event_shape, observation.blocks.factor)
        self.blocks = self.blocks.to(y[1].device)
        self.known = known_blocks(observation, self.blocks)
        prior, log_tables = product_components(model, len(y[1]), given)
        self.partial = PartialSums(log_tables.double().exp()[:, self.blocks[~self.known]])
        entries = self.blocks[self.known].flatten()
        each = log_tables[:, entries, self.pixels[:, entries]].sum(-1).T  # log p(pixels | k), (B, K)
        log_y = self.partial.log_prob(
            torch.arange(len(log_tables), device=each.device), self.sums[:, None, ~self.known]
        )
        own = self.pixels[:, self.blocks[self.known]].sum(-1)
        wrong = (own != self.sums[:, self.known]).any(1, keepdim=True)
        self.posterior, log_evidence = probability.posterior(
            prior.double(), (log_y + each).masked_fill(wrong, -torch.inf)
        )
        self.log_evidence = possible(log_evidence, self.method)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        k = runtime.categorical(self.posterior.repeat_interleave(n, 0), generator=generator)
        x, open_blocks = self.pixels.repeat_interleave(n, 0).long(), self.blocks[~self.known]
        x[:, open_blocks] = self.partial.draw(k, self.sums[:, ~self.known].repeat_interleave(n, 0), generator)
        return x.view(-1, n, *self.model.space.event_shape)
