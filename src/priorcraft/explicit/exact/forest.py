"""Sums over the discrete states of trees, level by level: upward, downward, and by drawing."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from priorcraft import runtime
from priorcraft.explicit.exact.structure import Tree


class Upward(NamedTuple):
    """What the evidence says upwards.

    belief: p(evidence at and below node | its state), up to a factor per node, (N, C, R, K).
    message: the same as a function of the parent's state, same factor, (N, C, R, K).
    log_prob: log p(evidence) in each tree, nats, (M, C, R).
    """

    belief: Tensor
    message: Tensor
    log_prob: Tensor


class Forest(nn.Module):
    """M trees over the same D entries, their N = M * D nodes sorted by depth so that a depth is a slice.

    A tensor of rows has the shape (N, C, R, K): nodes, classes, rows of the class, states. Transitions p(k | j) have
    (N, C, K, K). A root hangs from a state that is known to be 0, so that it needs no code of its own. The cost is
    O(N C R K^2), in as many steps as the trees are deep (Pearl 1988).

    Args:
        trees, dims: M and D.
    """

    variable: Tensor
    member: Tensor
    parent: Tensor
    depth: Tensor

    def __init__(self, trees: int, dims: int) -> None:
        super().__init__()
        self.trees, self.dims = trees, dims
        for name in ("variable", "member", "parent", "depth"):
            self.register_buffer(name, torch.zeros(trees * dims, dtype=torch.long))
        self.plant([Tree([-1] + [0] * (dims - 1), [0] + [1] * (dims - 1))] * trees)

    def plant(self, trees: Sequence[Tree]) -> None:
        """Takes the structure of M trees."""
        nodes = sorted((d, m, i) for m, tree in enumerate(trees) for i, d in enumerate(tree.depth))
        place = {(m, i): n for n, (_, m, i) in enumerate(nodes)}
        parents = [place[m, trees[m].parent[i]] if d else m for d, m, i in nodes]
        for buffer, values in zip((self.depth, self.member, self.variable), zip(*nodes, strict=True), strict=True):
            buffer.copy_(torch.tensor(values))
        self.parent.copy_(torch.tensor(parents))

    def nodes(self) -> Tensor:
        """The node of each tree's each entry, (M, D)."""
        return (self.member * self.dims + self.variable).argsort().view(self.trees, self.dims)

    def _levels(self) -> list[slice]:
        ends = self.depth.unique_consecutive(return_counts=True)[1].cumsum(0).tolist()
        return [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]

    def _ground(self, like: Tensor) -> Tensor:
        return like.new_zeros(self.trees, *like.shape[1:])

    def upward(self, log_evidence: Tensor, transition: Tensor) -> Upward:
        """Sums out all states below each node; consumes `log_evidence` (N, C, R, K)."""
        total, message, ground = log_evidence, torch.empty_like(log_evidence), self._ground(log_evidence)
        for level in reversed(self._levels()):
            peak = total[level].amax(-1, keepdim=True)
            belief = total[level].sub_(peak).exp_()
            torch.matmul(belief, transition[level].mT, out=message[level])
            above = total if level.start else ground
            above.index_add_(0, self.parent[level], message[level].log() + peak)
        return Upward(total, message, ground[..., 0])

    def downward(self, up: Upward, transition: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior of each node's state, (N, C, R, K), and the expected transitions, (N, C, K, K), of weighted rows.

        Args:
            weights: how much each row counts, (C, R).
        """
        posterior, counts = torch.empty_like(up.belief), torch.empty_like(transition)
        ground = self._ground(posterior)
        ground[..., 0] = 1
        for level in self._levels():
            above = (posterior if level.start else ground)[self.parent[level]].div_(up.message[level])
            posterior[level] = (above @ transition[level]).mul_(up.belief[level])
            flow = above.mul_(weights.unsqueeze(-1)).mT @ up.belief[level]
            counts[level] = flow.mul_(transition[level])
        return posterior, counts

    def draw(self, belief: Tensor, transition: Tensor, generator: Generator) -> Tensor:
        """One joint draw of all states given the evidence in `belief`, int64, (N, C, R)."""
        state = torch.zeros(belief.shape[:-1], dtype=torch.long, device=belief.device)
        ground = self._ground(state)
        for level in self._levels():
            above = (state if level.start else ground)[self.parent[level]]
            choices = transition[level].gather(2, above.unsqueeze(-1).expand(*above.shape, transition.shape[-1]))
            state[level] = runtime.categorical((choices * belief[level]).log(), generator=generator)
        return state
