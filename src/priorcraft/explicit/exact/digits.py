"""Which digits of a column fit together: what one of them shows says which states the other has."""

import torch
from torch import Tensor, nn

from priorcraft.core import Likelihood, Space
from priorcraft.likelihoods.discrete import Categorical


class Digits(nn.Module):
    """The pairs of a space's coarse and fine digits, see `Finer`; P of them.

    In a chain the later digit of a pair is held to what fits the earlier one, and its distribution divided by what is
    left of it: p(later | past) = p'(later | past) [fits] / sum over what fits. So every order sums to one over the
    pairs that stand for something.

    Args:
        space: where x lives.
    """

    fine: Tensor
    coarse: Tensor
    states: Tensor

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.levels = space.levels or 0
        own = [digit for digit in space.finer if min(digit.states) < max(digit.states)]
        states = torch.zeros(len(own), self.levels, dtype=torch.long)
        for row, digit in zip(states, own, strict=True):
            row[: len(digit.states)] = torch.tensor(digit.states)
        self.register_buffer("fine", torch.tensor([d.entry for d in own], dtype=torch.long), persistent=False)
        self.register_buffer("coarse", torch.tensor([d.of for d in own], dtype=torch.long), persistent=False)
        self.register_buffer("states", states, persistent=False)

    def __len__(self) -> int:
        return len(self.fine)

    def counts(self, coarse: Tensor) -> Tensor:
        """How many states each fine digit has where the coarse ones are (..., P), int64, (..., P)."""
        return self.states.gather(1, coarse.flatten(0, -2).T).T.view_as(coarse)

    def of_fine(self, coarse: Tensor) -> Tensor:
        """Which states the fine digits may have where the coarse ones are (..., P), (..., P, levels)."""
        return torch.arange(self.levels, device=coarse.device) < self.counts(coarse).unsqueeze(-1)

    def of_coarse(self, fine: Tensor) -> Tensor:
        """Which states the coarse digits may have where the fine ones are (..., P), (..., P, levels)."""
        return self.states > fine.unsqueeze(-1)

    def allowed(self, x: Tensor, position: Tensor) -> Tensor:
        """Which states fit what comes earlier, (B, D, levels), for x (B, D) with entry i at position[i]."""
        free = torch.ones(*x.shape, self.levels, dtype=torch.bool, device=x.device)
        first = (position[self.coarse] < position[self.fine]).view(-1, 1)
        coarse, fine = x[:, self.coarse], x[:, self.fine]
        free[:, self.fine] = self.of_fine(coarse) | ~first
        free[:, self.coarse] = self.of_coarse(fine) | first
        return free

    def allowed_at(self, x: Tensor, position: Tensor, p: int) -> Tensor:
        """Which states fit at position p alone, (O, n, levels), where O orders are followed side by side.

        Args:
            x: (O, n, D), entries in the order of their positions.
            position: where each entry comes, (O, D).
            p: everything before is known.
        """
        free = torch.ones(*x.shape[:2], self.levels, dtype=torch.bool, device=x.device)
        fine, coarse = position[:, self.fine], position[:, self.coarse]
        for o, pair in (torch.maximum(fine, coarse) == p).nonzero().tolist():
            if coarse[o, pair] < p:
                most = self.states[pair][x[o, :, coarse[o, pair]]]
                free[o] = torch.arange(self.levels, device=x.device) < most.unsqueeze(-1)
            else:
                free[o] = self.states[pair] > x[o, :, fine[o, pair]].unsqueeze(-1)
        return free

    def held(self, likelihood: Likelihood, allowed: Tensor) -> Categorical:
        """A distribution of integers held to the states that are allowed, (..., levels)."""
        return Categorical(likelihood.table().masked_fill(~allowed, -torch.inf))
