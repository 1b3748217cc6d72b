"""What every engine asks of its evidence."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from priorcraft.core import Entrywise, Posterior, Space
from priorcraft.datasets.progress import tell
from priorcraft.errors import ImpossibleEvidence
from priorcraft.observe import Mask


class ExactPosterior(Posterior):
    """A posterior that also knows log p(y), nats, (B,)."""

    log_evidence: Tensor


def possible(log_evidence: Tensor, method: str) -> Tensor:
    """log p(y), (B,), if it is finite in every row.

    Raises:
        ImpossibleEvidence: p(y) = 0 in some row.
    """
    wrong = (~torch.isfinite(log_evidence)).nonzero().flatten().tolist()
    if wrong:
        raise ImpossibleEvidence(
            f"what was seen has probability zero in row{'s' * (len(wrong) > 1)} {', '.join(map(str, wrong[:5]))} "
            f"(by {method}), so there is no posterior; check the evidence, or allow for noise."
        )
    return log_evidence


def in_parts(count: int, at_once: int, draw: Callable[[Tensor], Tensor], diagnostics: dict[str, float]) -> Tensor:
    """What `draw` makes of the rows 0 ... count-1, given by their numbers, so many at once; joined and told.

    Args:
        count: how many rows.
        at_once: as many as memory likes; at least one is taken.
        draw: numbers of rows, (R,), to draws, (R * n, ...); it may fill `diagnostics`.
        diagnostics: become means over the rows.
    """
    parts, totals = [], dict[str, float]()
    for rows in torch.arange(count).split(max(1, at_once)):
        parts.append(draw(rows))
        tell("drawn", int(rows[-1]) + 1, count)
        for name, value in diagnostics.items():
            totals[name] = totals.get(name, 0.0) + value * len(rows) / count
    diagnostics |= totals
    return torch.cat(parts)


def levels_table(observation: Entrywise, y: Tensor, space: Space, like: Tensor) -> Tensor:
    """log p(y_i | x_i = l) of every level, nats, (B, D, levels)."""
    one = torch.zeros(1, *space.event_shape, dtype=torch.long, device=like.device)
    each = [observation.log_prob_each(y, one + level).flatten(1) for level in range(space.levels or 0)]
    return torch.stack(each, -1).to(like)


class PerMask(Posterior):
    """Rows that are seen through different masks, each by the engine of its own.

    Args:
        observation: one mask a row.
        y: what is seen, (B, *event_shape).
        given: labels, (B,), or None.
        engine: the posterior of rows that share a mask.
    """

    def __init__(
        self,
        observation: Mask,
        y: Tensor,
        given: Tensor | None,
        engine: Callable[[Mask, Tensor, Tensor | None], Posterior],
    ) -> None:
        super().__init__()
        masks, self.which = observation.seen.flatten(1).unique(dim=0, return_inverse=True)
        self.rows = [(self.which == k).nonzero().flatten() for k in range(len(masks))]
        self.parts = [
            engine(Mask(mask.view(y.shape[1:])), y[rows], None if given is None else given[rows])
            for mask, rows in zip(masks, self.rows, strict=True)
        ]
        self.kind, self.method = self.parts[0].kind, self.parts[0].method
        self._gather()

    def _gather(self) -> None:
        for name in self.parts[0].diagnostics:
            weighted = [p.diagnostics[name] * len(r) for p, r in zip(self.parts, self.rows, strict=True)]
            self.diagnostics[name] = sum(weighted) / len(self.which)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        drawn = torch.cat([part.sample(n, generator=generator) for part in self.parts])
        self._gather()
        return drawn[torch.cat(self.rows).argsort()]

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | y), exact, nats, (B,)."""
        each = [part.log_prob(x[rows]) for part, rows in zip(self.parts, self.rows, strict=True)]
        return torch.cat(each)[torch.cat(self.rows).argsort()]


def effective_size(log_w: Tensor) -> Tensor:
    """Kish's effective sample size (sum w)^2 / sum w^2 of weights (B, n), (B,); between 1 and n.

    >>> effective_size(torch.zeros(1, 4))
    tensor([4.])
    """
    return torch.exp(2 * torch.logsumexp(log_w, -1) - torch.logsumexp(2 * log_w, -1))
