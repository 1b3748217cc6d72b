"""The one function that serves tables, classifiers, mixtures and latent chains alike."""

import torch
from torch import Tensor


def posterior(log_prior: Tensor, log_likelihood: Tensor) -> tuple[Tensor, Tensor]:
    """Bayes' theorem over the last axis.

    p(h | e) = p(e | h) p(h) / p(e),   p(e) = sum_h p(e | h) p(h)

    Args:
        log_prior: log p(h), (..., H).
        log_likelihood: log p(e | h), (..., H).

    Returns:
        log p(h | e), (..., H), and the evidence log p(e), (...). Exact, nats. nan and -inf where p(e) = 0.

    >>> log_post, log_e = posterior(torch.tensor([.01, .99]).log(), torch.tensor([.9, .05]).log())
    >>> round(float(log_post[0].exp()), 4), round(float(log_e.exp()), 4)
    (0.1538, 0.0585)
    """
    log_joint = log_prior + log_likelihood
    log_evidence = torch.logsumexp(log_joint, -1)
    return log_joint - log_evidence.unsqueeze(-1), log_evidence
