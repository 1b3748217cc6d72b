"""Autoregressive models of any order: what is seen comes first."""

import math

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.condition.components import class_weights
from priorcraft.condition.evidence import ExactPosterior, possible
from priorcraft.explicit.exact.autoregressive import Autoregressive, evidence_first
from priorcraft.observe import Mask

ENTRIES = 2**20  # numbers of x in one pass


class EvidenceFirst(ExactPosterior):
    """The chain rule with the seen entries first: the hidden ones follow by sampling, exactly.

    p(h | s) = sum_oc p(o, c | s) p_o(h | s, c),   p(o, c | s) ∝ p(c) p_o(s | c)

    The orders o are the model's own ensemble, each with its seen entries moved to the front. A density that was
    learned in many orders is not quite the same in each of them: this posterior is exact for the mean of p_o over
    these orders, which takes the place of the mean over the model's own orders.
    (Uria, Murray & Larochelle 2014, arXiv:1310.1757; Jain, Abbeel & Pathak 2020, arXiv:2006.12486)

    Args:
        model: p(x), or the joint p(x, c); the class is summed out where it is not known.
        observation: the mask that all rows share.
        y: what is seen, (B, *event_shape).
        given: labels, (B,), -1 where not known.
    """

    method = "evidence first in the order"

    def __init__(self, model: Autoregressive, observation: Mask, y: Tensor, given: Tensor | None) -> None:
        super().__init__()
        self.model, self.y, self.seen = model, y.flatten(1), observation.seen.flatten().to(y.device)
        self.start = int(self.seen.sum())
        self.orders = evidence_first(model.orders, self.seen)
        self.given = given if model.context is not None else model._check_context(given, len(y))
        self.joint = self._log_joint(self.y, self.start)  # log p(o, c, s), (B, O * C)
        self.log_evidence = possible(self.joint.logsumexp(-1), self.method)

    def _classes(self, order: Tensor, x: Tensor, count: int) -> Tensor:
        """log p(c) + log p_o(first entries | c) of every class that may be, -inf of the others, (B, max(C, 1))."""
        if not self.model.classes:
            return self._density(x, order, self.given, count).unsqueeze(1)
        labels = torch.arange(self.model.classes, device=x.device).repeat(len(x))
        each = self._density(x.repeat_interleave(self.model.classes, 0), order, labels, count)  # one pass for all
        return each.view(len(x), -1) + class_weights(self.model, len(x), self.given)

    def _density(self, x: Tensor, order: Tensor, given: Tensor | None, count: int) -> Tensor:
        if not count:
            return self.model.log_prior.new_zeros(len(x))
        step = max(1, ENTRIES // x.shape[1])
        parts = []
        for i in range(0, len(x), step):
            c = None if given is None else given[i : i + step]
            parts.append(self.model.log_prob_first(x[i : i + step], order, count, c))
        return torch.cat(parts)

    @torch.no_grad()
    def _log_joint(self, x: Tensor, count: int) -> Tensor:
        """log p(o) p(c) p_o(the first entries | c), (B, O * C)."""
        each = torch.stack([self._classes(order, x, count) for order in self.orders], 1)
        return each.flatten(1) - math.log(len(self.orders))

    def _sample(self, n: int, generator: Generator) -> Tensor:
        x = self.y.repeat_interleave(n, 0)
        member = runtime.categorical(self.joint.repeat_interleave(n, 0), generator=generator)
        classes = max(self.model.classes, 1)
        given = member % classes if self.model.classes else self.given
        if not self.model.classes and given is not None:
            given = given.repeat_interleave(n, 0)
        u = runtime.uniform(tuple(x.shape), generator=generator, like=self.model.log_prior)
        drawn = x.clone()
        for o, order in enumerate(self.orders):
            rows = (member // classes == o).nonzero().flatten()
            for some in rows.split(max(1, ENTRIES // x.shape[1])):
                c = None if given is None else given[some]
                drawn[some] = self.model.draw(x[some], order, self.start, u[some], c)
        return torch.where(self.seen, x, drawn).view(len(self.y), n, *self.model.space.event_shape)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(hidden | seen) of x (B, *event_shape) that agree with what is seen; exact, nats, (B,)."""
        flat = self.model.space.check(x).flatten(1)
        wrong = ((flat != self.y) & self.seen).any(1)
        whole = self._log_joint(flat, flat.shape[1]).logsumexp(-1)
        return (whole - self.log_evidence).masked_fill(wrong, -torch.inf)
