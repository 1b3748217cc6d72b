"""An exact mixture of whole models: what one of them misses, another may know."""

import copy
from collections.abc import Sequence
from typing import Annotated, Self, cast

import torch
from torch import Generator, Tensor, nn

from priorcraft import runtime
from priorcraft.core import Exact, Space
from priorcraft.explicit.exact.chow_liu import ChowLiu
from priorcraft.explicit.exact.forest_chain import ForestChain
from priorcraft.explicit.exact.latent_tree import LatentTree
from priorcraft.explicit.exact.masked_mlp import MaskedAutoregressive
from priorcraft.settings import Depth, Dropout, Range, Width


class Ensemble(Exact):
    """The weighted mean of the probabilities of several exact models.

    p(x | c) = sum_m w_m p_m(x | c),   so   log p(x | c) >= log p_m(x | c) + log w_m   for every m

    A mixture can lose at most -log w_m nats against its best member, and gains where members are good at different
    rows: trees with latent variables here, neural models there.

    Args:
        space, context: as in `Generative`.
        members: models of the same space and context.
    """

    log_weights: Tensor

    def __init__(self, space: Space, context: Space | None = None, *, members: Sequence[Exact]) -> None:
        super().__init__(space, context)
        self.members = nn.ModuleList(members)
        self.register_buffer("log_weights", torch.full((len(members),), 1 / len(members)).log())

    def parts(self) -> list[Exact]:
        """The members."""
        return [cast(Exact, member) for member in self.members]

    def with_members(self, members: Sequence[Exact]) -> Self:
        """The same weights over other members, as many."""
        other = copy.copy(self)
        other._modules = {**self._modules, "members": nn.ModuleList(members)}
        return other

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Counts p(c), for the members too, and starts each of them."""
        super().initialise(x, given, generator=generator)
        for member in self.parts():
            member.initialise(x, given, generator=generator)

    def each_log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        """log p_m(x | given) of every member, exact, nats, (B, M)."""
        return torch.stack([member.log_prob(x, given) for member in self.parts()], -1)

    @torch.no_grad()
    def weigh(self, x: Tensor, given: Tensor | None, *, rounds: int = 50) -> None:
        """Sets the weights to the maximum of the likelihood of rows that no member was fitted to, by EM.

        w_m <- 1/N sum_n w_m p_m(x_n) / sum_k w_k p_k(x_n), with one imagined row for each member.
        """
        each = self.each_log_prob(x, given)
        for _ in range(rounds):
            share = (each + self.log_weights).softmax(-1).sum(0) + 1
            self.log_weights.copy_((share / share.sum()).log())

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        return torch.logsumexp(self.each_log_prob(x, given) + self.log_weights, -1)

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        chosen = runtime.categorical(self.log_weights.expand(n, -1), generator=generator)
        x = torch.zeros(n, *self.space.event_shape, dtype=torch.long, device=self.log_weights.device)
        for m in chosen.unique().tolist():
            rows = chosen == m
            label = None if given is None else given[rows]
            x[rows] = self.parts()[m].sample(int(rows.sum()), given=label, generator=generator)
        return x


class TreesAndNetwork(Ensemble):
    """Trees, hidden trees, a chain of forests and a masked perceptron as one exact density, for tables of integers.

    Args:
        space, context: as in `Generative`.
        latents: states of each latent variable of the trees.
        trees: trees in the mixture.
        width, depth, dropout, orders: of the masked perceptron.
        forests: trees of each forest of the chain; 0 leaves the chain out, as for images.
        leaves: most leaves of such a tree.
        chow_liu: whether a Chow-Liu tree is one more member.
    """

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        latents: Annotated[int, Range(1, 1024)] = 16,
        trees: Annotated[int, Range(1, 64)] = 4,
        width: Width = 256,
        depth: Depth = 1,
        dropout: Dropout = 0.2,
        orders: Annotated[int, Range(1, 64)] = 8,
        forests: Annotated[int, Range(0, 256)] = 0,
        leaves: Annotated[int, Range(2, 4096)] = 64,
        chow_liu: bool = False,
    ) -> None:
        from_trees = LatentTree(space, context, latents=latents, members=trees)
        network = MaskedAutoregressive(space, context, width=width, depth=depth, dropout=dropout, orders=orders)
        chain = [ForestChain(space, context, trees=forests, leaves=leaves)] if forests else []
        counted = [ChowLiu(space, context)] if chow_liu else []
        super().__init__(space, context, members=[from_trees, *counted, *chain, network])
