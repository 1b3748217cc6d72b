"""Mixtures of independent entries, naive Bayes among them: the posterior in closed form."""

import torch
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.condition.evidence import ExactPosterior, levels_table, possible
from priorcraft.core import UNLABELLED, Entrywise, Exact
from priorcraft.explicit.exact.mixture import FiniteMixture, Mixture
from priorcraft.explicit.exact.naive_bayes import NaiveBayes

NUMBERS = 2**24  # of one table


def product_components(model: Mixture | NaiveBayes, rows: int, given: Tensor | None) -> tuple[Tensor, Tensor]:
    """The model as a mixture of products: log p(k) of each row, (B, K), and log p(x_i = l | k), (K, D, levels)."""
    if isinstance(model, NaiveBayes):
        return class_weights(model, rows, given), model.log_table
    return component_weights(model, rows, given), model.components.log_table  # pyright: ignore[reportReturnType]


def class_weights(model: Exact, rows: int, given: Tensor | None) -> Tensor:
    """log p(c), or one-hot where the label is known, (B, max(C, 1))."""
    if not model.classes:
        model._check_context(given, rows)
        return model.log_prior.new_zeros(rows, 1)
    log_c = model.log_prior.expand(rows, -1)
    if given is None:
        return log_c
    model._check_context(given.clamp_min(0), rows)
    known = torch.nn.functional.one_hot(given.clamp_min(0), model.classes).to(log_c).log()
    return torch.where((given == UNLABELLED)[:, None], log_c, known)


def component_weights(model: FiniteMixture, rows: int, given: Tensor | None) -> Tensor:
    """log p(z | label), the class summed out where it is not known, (B, Z)."""
    return torch.logsumexp(class_weights(model, rows, given)[:, :, None] + model.log_weights, 1)


class Components(ExactPosterior):
    """Draw the component given what is seen, then each entry by itself.

    p(x | y) = sum_k p(k | y) prod_i p(x_i | k, y_i),   p(k | y) ∝ p(k) prod_i sum_l p(l | k) p(y_i | l)

    Args:
        model: integers.
        observation: each entry by itself: a mask, noise, quantisation, or several of them.
        y: what is seen.
        given: labels, (B,), -1 where not known; None if none is.
    """

    method = "closed form over components"

    def __init__(self, model: Mixture | NaiveBayes, observation: Entrywise, y: Tensor, given: Tensor | None) -> None:
        super().__init__()
        self.model, self.observation, self.y = model, observation, y
        self.evidence = levels_table(observation, y, model.space, model.log_prior)
        self.prior, self.tables = product_components(model, len(self.evidence), given)
        step = max(1, NUMBERS // self.tables.numel())
        log_y = [self._log_seen(rows) for rows in self.evidence.split(step)]
        self.posterior, log_evidence = probability.posterior(self.prior, torch.cat(log_y))
        self.log_evidence = possible(log_evidence, self.method)

    def _log_seen(self, evidence: Tensor) -> Tensor:
        """log p(y | k), (B, K)."""
        return torch.logsumexp(self.tables + evidence.unsqueeze(1), -1).sum(-1)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        k = runtime.categorical(self.posterior.repeat_interleave(n, 0), generator=generator)
        step = max(1, NUMBERS // self.tables[0].numel())
        row = torch.arange(len(k), device=k.device) // n
        parts = [
            runtime.categorical(self.tables[k[i]] + self.evidence[row[i]], generator=generator)
            for i in torch.arange(len(k), device=k.device).split(step)
        ]
        return torch.cat(parts).view(-1, n, *self.model.space.event_shape)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | y), exact, nats, (B,)."""
        x = self.model.space.check(x).flatten(1)
        own = self.tables[:, torch.arange(x.shape[1], device=x.device), x].sum(-1).T  # log p(x | k), (B, K)
        seen = self.evidence.gather(2, x.unsqueeze(2)).flatten(1).sum(1)
        return torch.logsumexp(self.prior + own, 1) + seen - self.log_evidence
