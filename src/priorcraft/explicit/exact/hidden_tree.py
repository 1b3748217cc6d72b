"""Trees of hidden states that show entries, whose fine digits are held to what fits their coarse ones."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.explicit.exact.tree_model import TreeModel


class HiddenTree(TreeModel):
    """A tree in which a fine digit depends on its own state and, as far as what fits goes, on its coarse digit.

    p(x_fine | z, x_coarse) = p'(x_fine | z) [fits] / sum over what fits of p'(. | z)

    Where the coarse digit is seen, or the fine one is not, this is evidence for one state, so that messages are exact.
    Where a fine digit is seen alone, the sum over its coarse one is taken value by value.
    """

    def _log_evidence(self, x: Tensor, seen: Tensor | None) -> Tensor:
        """As in any tree, the fine digits divided by the probability of what fits their coarse ones."""
        evidence = super()._log_evidence(x, seen)
        if len(self.digits):
            fitting = F.embedding(self._places(x), self._log_fitting().flatten(0, 1))
            if seen is not None:
                both = seen[..., self.digits.fine] & seen[..., self.digits.coarse]
                fitting.masked_fill_(~both.movedim(-1, 0).repeat(self.forest.trees, 1, 1).unsqueeze(-1), 0.0)
            evidence[self._fine()] -= fitting
        return evidence

    def _fine(self) -> Tensor:
        """The nodes of the fine digits, (M * P,)."""
        return self.forest.nodes()[:, self.digits.fine].flatten()

    def _log_fitting(self) -> Tensor:
        """log p(one of the first m levels | z_i) of the fine digits, at m - 1, (M * P, levels, K)."""
        return self._emission()[self._fine()].logcumsumexp(1)

    def _places(self, x: Tensor) -> Tensor:
        """Which row of that table says what fits, (M * P, C, R), for rows (C, R, D)."""
        counts = self.digits.counts(x[..., self.digits.coarse]).movedim(-1, 0).repeat(self.forest.trees, 1, 1)
        return torch.arange(len(counts), device=x.device).view(-1, 1, 1) * self.levels + counts - 1

    def _seen_log_prob(self, x: Tensor, seen: Tensor | None, label: Tensor | None) -> Tensor:
        """log p(x_seen | label); over a coarse digit whose fine one is seen alone the sum is taken value by value."""
        pair = None if seen is None else self._alone(seen)
        if pair is None or seen is None:
            return super()._seen_log_prob(x, seen, label)
        seen = seen.repeat_interleave(len(x) // len(seen), 0)
        each = self._over_coarse(pair, x, seen, label)
        lonely = self._lonely(seen)[:, pair]
        return torch.where(lonely, each.logsumexp(0), each[0])

    def _over_coarse(self, pair: int, x: Tensor, seen: Tensor, label: Tensor | None) -> Tensor:
        """log p(x_seen, coarse digit = v | label) for every v, (V, B); the same for all v where it is seen."""
        coarse, lonely = self.digits.coarse[pair], self._lonely(seen)[:, pair]
        seen, each = seen.clone(), list[Tensor]()
        seen[:, coarse] |= lonely
        for v in range(int((self.digits.states[pair] > 0).sum())):
            filled = x.clone()
            filled[lonely, coarse] = v
            fits = self.digits.states[pair, v] > x[:, self.digits.fine[pair]]
            each.append(self._seen_log_prob(filled, seen, label).masked_fill(lonely & ~fits, -torch.inf))
        return torch.stack(each)

    def _lonely(self, seen: Tensor) -> Tensor:
        """Where a fine digit is seen without its coarse one, (B, P)."""
        return seen[:, self.digits.fine] & ~seen[:, self.digits.coarse]

    def _alone(self, seen: Tensor) -> int | None:
        """The first pair of which some row shows the fine digit alone."""
        pairs = self._lonely(seen).any(0).nonzero().flatten().tolist() if len(self.digits) else []
        return pairs[0] if pairs else None

    def _draw(self, x: Tensor, seen: Tensor, label: Tensor | None, generator: Generator) -> Tensor:
        own = seen
        while (pair := self._alone(seen)) is not None:
            lonely, coarse = self._lonely(seen)[:, pair], self.digits.coarse[pair]
            v = runtime.categorical(self._over_coarse(pair, x, seen, label).T, generator=generator)
            x, seen = x.clone(), seen.clone()
            x[lonely, coarse] = v[lonely]
            seen[:, coarse] |= lonely
        drawn = super()._draw(x, seen, label, generator)
        return torch.where(own, x, drawn)

    def _levels(self, log_emission: Tensor, x: Tensor, seen: Tensor, generator: Generator) -> Tensor:
        levels = super()._levels(log_emission, x, seen, generator)
        if len(self.digits):
            known = torch.where(seen, x, levels)[:, self.digits.coarse]
            held = log_emission[:, self.digits.fine].masked_fill(~self.digits.of_fine(known), -torch.inf)
            levels[:, self.digits.fine] = runtime.categorical(held, generator=generator)
        return levels

    def _expect_fine(self, x: Tensor, posterior: Tensor, emissions: Tensor) -> None:
        """Adds what fine digits would have shown beyond what fits; where one state fits, they say nothing.

        A digit held to its first m levels is one of several draws, of which those beyond were thrown away; these are
        expected to be p(l | z) / p(first m | z) a row. (EM for truncated data: Dempster, Laird & Rubin 1977, 4.2)
        """
        nodes, place = self._fine(), self._places(x)
        rows = posterior[nodes].masked_fill((place % self.levels == 0).unsqueeze(-1), 0.0)
        posterior[nodes] = rows
        fitting = self._log_fitting()
        weight = torch.zeros_like(fitting).flatten(0, 1).index_add_(0, place.flatten(), rows.flatten(0, 2))
        thrown = (weight.view_as(fitting) / fitting.exp()).cumsum(1).roll(1, 1)
        thrown[:, 0] = 0
        emissions[nodes] += thrown * self._emission()[nodes].exp()
