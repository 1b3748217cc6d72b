"""Ensembles: each member's posterior, weighted by how well the member foresaw what was seen."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.condition.evidence import ExactPosterior, possible


class Pooled(ExactPosterior):
    """p(x | y) = sum_m p(m | y) p_m(x | y),   p(m | y) ∝ w_m p_m(y).

    Args:
        log_weights: log w_m, (M,).
        parts: the members' posteriors.
    """

    def __init__(self, log_weights: Tensor, parts: Sequence[ExactPosterior]) -> None:
        super().__init__()
        self.parts = parts
        self.method = "ensemble of " + ", ".join(part.method for part in parts)
        each = torch.stack([part.log_evidence for part in parts], -1)
        self.member, log_evidence = probability.posterior(log_weights, each.to(log_weights))
        self.log_evidence = possible(log_evidence, self.method)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        chosen = runtime.categorical(self.member.unsqueeze(1).expand(-1, n, -1), generator=generator)
        drawn = torch.stack([part.sample(n, generator=generator) for part in self.parts])
        return drawn.gather(0, chosen.view(1, *chosen.shape, *[1] * (drawn.dim() - 3)).expand(1, *drawn.shape[1:]))[0]

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | y), exact, nats, (B,)."""
        return torch.logsumexp(self.member + torch.stack([part.log_prob(x) for part in self.parts], -1), -1)
