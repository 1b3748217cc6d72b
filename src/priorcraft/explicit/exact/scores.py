"""Normal scores of a table's entries: where a state lies in its column, and what a Gaussian says of states."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from priorcraft.core import Space

LEAST = 1e-12  # probability of an edge from either end, so that its score is finite


class Scores(nn.Module):
    """Columns as Gaussian variables: a state is a stretch of a standard normal one, as long as its share is large.

    An ordered entry's level l is the stretch between Phi^-1(F(l)) and Phi^-1(F(l + 1)), with F(l) the share of the rows
    below l. The stretch of a coarse digit is divided evenly among the states of its fine one.

    Args:
        space: integers.
        classes: K, whose codes are the first columns of `columns`; 0 without labels.
    """

    below: Tensor
    coarse: Tensor
    states: Tensor
    ordered: Tensor
    head: Tensor
    finer: Tensor
    level: Tensor

    def __init__(self, space: Space, classes: int) -> None:
        super().__init__()
        dims, levels, sizes = space.dims, space.levels or 2, (space.tops + 1).tolist()
        coarse, states = torch.full((dims,), -1), torch.ones(dims, levels, dtype=torch.long)
        for digit in space.finer:
            coarse[digit.entry] = digit.of
            states[digit.entry, : len(digit.states)] = torch.tensor(digit.states)
        ordered = torch.tensor([i not in set(space.unordered) for i in range(dims)])
        finer = {digit.of: digit.entry for digit in space.finer}
        heads = [i for i in range(dims) if coarse[i] < 0]
        columns = [(i, finer.get(i, dims), -1) for i in heads if ordered[i]]
        columns += [(i, dims, level) for i in heads if not ordered[i] for level in range(sizes[i])]
        columns.sort()
        self.classes, self.tops = classes, space.tops
        share = torch.tensor([[min(level, size) / size for level in range(levels + 1)] for size in sizes])
        self.register_buffer("below", share)
        named = {"coarse": coarse, "states": states, "ordered": ordered}
        for name, own in zip(("head", "finer", "level"), zip(*columns, strict=True), strict=True):
            named[name] = torch.tensor(own)
        for name, buffer in named.items():
            self.register_buffer(name, buffer, persistent=False)

    @property
    def width(self) -> int:
        """Number of columns of `columns`."""
        return self.classes + len(self.head)

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Counts the levels of x (N, D), with half a row more for each that an entry has."""
        counts = torch.stack([(x == level).sum(0) for level in range(self.below.shape[1] - 1)], 1).to(self.below)
        counts += 0.5 * (torch.arange(counts.shape[1], device=x.device) <= self.tops.to(x.device).unsqueeze(1))
        self.below[:, 1:] = counts.cumsum(1) / counts.sum(1, keepdim=True)

    def _stretch(self, i: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where all levels of entry i begin together, how much they share, and among how many states, (B, 1) each."""
        of = int(self.coarse[i])
        if of < 0:
            one = self.below.new_ones(len(x), 1)
            return 0 * one, one, one
        start, end = self.below[of][x[:, of]], self.below[of][x[:, of] + 1]
        return start.unsqueeze(1), (end - start).unsqueeze(1), self.states[i][x[:, of]].unsqueeze(1).to(start)

    def edges(self, i: int, x: Tensor) -> Tensor:
        """Scores at which the levels of entry i begin and end, under the coarse digits of x, (B, levels + 1)."""
        start, share, states = self._stretch(i, x)
        if self.coarse[i] < 0:
            return score(self.below[i].expand(len(x), -1))
        level = torch.arange(self.below.shape[1], device=x.device)
        return score(start + share * (level / states).clamp_max(1))

    def of(self, i: int, x: Tensor) -> Tensor:
        """The score of entry i in the middle of its stretch; of a fine digit that of the number that it ends, (B,)."""
        start, share, states = (part.squeeze(1) for part in self._stretch(i, x))
        if self.coarse[i] < 0:
            return score((self.below[i][x[:, i]] + self.below[i][x[:, i] + 1]) / 2)
        return score(start + share * (x[:, i] + 0.5) / states)

    def within(self, i: int, x: Tensor, expected: Tensor) -> Tensor:
        """An expected score (B,) in states of entry i; of a fine digit counted from the start of its coarse one."""
        if self.coarse[i] < 0:
            return expected
        start, share, states = (part.squeeze(1) for part in self._stretch(i, x))
        return ((torch.special.ndtr(expected) - start) / share.clamp_min(LEAST) * states).clamp(-2, states.max() + 2)

    def columns(self, x: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """Classes, names and scores as numbers, with coarse digits alone and with fine ones, (B, width) each.

        x (B, D) may hold anything in entries that nobody looks at.
        """
        codes = [] if given is None else [F.one_hot(given, self.classes).to(self.below)]
        each, fine = list[Tensor](), list[Tensor]()
        scores = {int(i): self.of(int(i), x) for i in self.head.unique() if self.ordered[i]}
        for head, finer, level in zip(self.head.tolist(), self.finer.tolist(), self.level.tolist(), strict=True):
            own = scores[head] if level < 0 else (x[:, head] == level).to(self.below)
            each.append(own)
            fine.append(self.of(finer, x) if finer < x.shape[1] else own)
        return torch.cat([*codes, torch.stack(each, 1)], 1), torch.cat([*codes, torch.stack(fine, 1)], 1)

    def before(self, i: int) -> tuple[Tensor, Tensor]:
        """Which columns come before entry i and tell of another column, and which of them with their fine digit."""
        own = self.coarse[i] if self.coarse[i] >= 0 else i
        used = (self.head < i) & (self.head != own)
        every = torch.ones(self.classes, dtype=torch.bool, device=used.device)
        return torch.cat([every, used]), torch.cat([~every, used & (self.finer < i)])


def score(share: Tensor) -> Tensor:
    """Phi^-1 of shares, finite at 0 and 1.

    >>> score(torch.tensor([0.5, 0.975]).double()).round(decimals=2).tolist()
    [0.0, 1.96]
    """
    return torch.special.ndtri(share.double().clamp(LEAST, 1 - LEAST)).to(share)
