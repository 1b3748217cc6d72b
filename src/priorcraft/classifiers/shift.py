"""When the classes are as frequent elsewhere as they are not here: another prior, and its estimate."""

import torch
from torch import Tensor

ROUNDS = 1000
TOLERANCE = 1e-9


def reweighted(log_posterior: Tensor, log_prior: Tensor, new: Tensor) -> Tensor:
    """log p'(c | x) where p'(c) takes the place of p(c): p'(c | x) ~ p(c | x) p'(c) / p(c). Exact, (B, K).

    >>> p = torch.tensor([[0.5, 0.5]]).log()
    >>> reweighted(p, torch.tensor([0.5, 0.5]).log(), torch.tensor([0.9, 0.1]).log()).exp()
    tensor([[0.9000, 0.1000]])
    """
    return (log_posterior - log_prior + new).log_softmax(1)


def estimated_prior(log_posterior: Tensor, log_prior: Tensor) -> Tensor:
    """log p'(c) of unlabelled rows whose p(x | c) is unchanged, by EM: the maximum of their likelihood, (K,).

    p'(c) <- mean_n p'(c | x_n)      (Saerens, Latinne & Decaestecker 2002)

    Args:
        log_posterior: log p(c | x) of the rows under the old prior, (B, K).
        log_prior: the old log p(c), (K,).
    """
    ratio, p = (log_posterior - log_prior).double(), log_prior.double().exp()
    for _ in range(ROUNDS):
        new = (ratio + p.log()).softmax(1).mean(0)
        done = float((new - p).abs().max()) < TOLERANCE
        p = new
        if done:
            break
    return p.clamp_min(torch.finfo(log_prior.dtype).tiny).log().to(log_prior)
