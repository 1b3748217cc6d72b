"""Lower bounds on log p(x), as functions of log p(x, z) and log q(z | x) at draws z ~ q(z | x)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from priorcraft.core import MOST_DRAWS
from priorcraft.errors import UsageError


@dataclass(frozen=True)
class Estimate:
    """A lower bound on log p(x), and how far it can be trusted.

    Args:
        value: the bound, nats, (B,); its expectation rises with the draws towards log p(x).
        standard_error: of `value`, nats, (B,), by the delta method; meaningless where few draws are effective.
        effective: effective sample size, 1 ... draws, (B,).
        draws: how many z were drawn for each x.
    """

    value: Tensor
    standard_error: Tensor
    effective: Tensor
    draws: int


def elbo(log_joint: Tensor, log_q: Tensor) -> Tensor:
    """Evidence lower bound, averaged over the draws. Lower bound, nats, (B,).

    L(x) = E_q(z|x) [log p(x, z) - log q(z | x)] = log p(x) - KL(q(z | x) || p(z | x))   (Jordan et al. 1999)

    Args:
        log_joint: log p(x, z), (k, B).
        log_q: log q(z | x), (k, B).

    >>> elbo(torch.tensor([[-3.0], [-5.0]]), torch.tensor([[-1.0], [-1.0]]))
    tensor([-3.])
    """
    return (log_joint - log_q).mean(0)


def importance_bound(log_joint: Tensor, log_q: Tensor) -> Tensor:
    """Importance-weighted bound. Lower bound, at least the elbo of the same draws, nats, (B,).

    L_k(x) = E log 1/k sum_i p(x, z_i) / q(z_i | x)   (Burda, Grosse & Salakhutdinov 2015, arXiv:1509.00519)

    Args:
        log_joint: log p(x, z), (k, B).
        log_q: log q(z | x), (k, B).

    >>> round(float(importance_bound(torch.tensor([[-3.0], [-5.0]]), torch.tensor([[-1.0], [-1.0]]))), 3)
    -2.566
    """
    return torch.logsumexp(log_joint - log_q, 0) - math.log(len(log_joint))


def nested(log_weights: Tensor, ks: Sequence[int]) -> Tensor:
    """The importance-weighted bound for several k from the same draws. Lower bounds, nats, (len(ks), B).

    L_k is averaged over the groups of k draws; draws that do not fill a group are left out. Where each k divides the
    next and the last is all of them, the result cannot fall from one to the next (Jensen's inequality).

    Args:
        log_weights: log p(x, z) - log q(z | x), (draws, B).
        ks: numbers of draws, none above those there are.

    >>> nested(torch.tensor([[0.0], [2.0]]), [1, 2])
    tensor([[1.0000],
            [1.4338]])
    """
    return torch.stack([_of_groups(log_weights[: len(log_weights) // k * k], k) for k in ks])


def _of_groups(log_weights: Tensor, k: int) -> Tensor:
    return (log_weights.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0)


def powers_of_ten(k: int) -> list[int]:
    """1, 10, 100, ... below k, and k.

    >>> powers_of_ten(5000)
    [1, 10, 100, 1000, 5000]
    """
    return [*(10**i for i in range(len(str(k))) if 10**i < k), k]


def effective_draws(log_weights: Tensor) -> Tensor:
    """Effective sample size (sum w)^2 / sum w^2, 1 ... draws, for log weights (draws, B); (B,).  (Kong 1992)

    >>> effective_draws(torch.tensor([[0.0], [0.0], [-99.0]]))
    tensor([2.])
    """
    return (2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp().clamp(1, len(log_weights))


def doubly_reparametrised(log_joint: Tensor, log_q: Tensor, z: Tensor) -> Tensor:
    """A surrogate whose gradient is that of the importance-weighted bound, with a signal that does not fade with k.

    decoder: sum_i w_i grad log p(x, z_i)      encoder: sum_i w_i^2 grad_z log (p / q) grad z_i
    (Tucker, Lawson, Gu & Maddison 2018, arXiv:1810.04152; unbiased)

    Args:
        log_joint: log p(x, z), (k, B), a function of z and of the decoder.
        log_q: log q(z | x), (k, B), a function of z with the parameters of q detached.
        z: the draws, (k, B, latent), a function of the encoder through reparametrisation.

    Returns:
        the importance-weighted bound, (B,), with the gradient of sum_i w_i log(p / q), w normalised and detached.
    """
    log_w = log_joint - log_q
    w = log_w.detach().softmax(0)
    if z.requires_grad:
        z.register_hook(lambda gradient: w.unsqueeze(-1) * gradient)
    surrogate = (w * log_w).sum(0)
    return surrogate + (importance_bound(log_joint, log_q) - surrogate).detach()


def estimate(log_weights: Callable[[int], Tensor], k: int, step: int) -> Estimate:
    """The importance-weighted bound with its error, from as little memory as `step` draws need.

    Args:
        log_weights: n to log p(x, z) - log q(z | x) at n new draws, (n, B).
        k: number of draws in all.
        step: draws at a time.

    Raises:
        UsageError: k outside 1 ... 10^6.

    >>> draws = estimate(lambda n: torch.zeros(n, 2), 1000, 300)
    >>> draws.value, draws.standard_error, draws.effective
    (tensor([0., 0.]), tensor([0., 0.]), tensor([1000., 1000.]))
    """
    if not 1 <= k <= MOST_DRAWS:
        raise UsageError(f"k must lie in 1 ... {MOST_DRAWS}, not {k}; use fewer draws.")
    first, second = [], []
    for start in range(0, k, step):
        log_w = log_weights(min(step, k - start)).detach()
        first.append(torch.logsumexp(log_w, 0))
        second.append(torch.logsumexp(2 * log_w, 0))
    log_sum, log_squares = torch.stack(first).logsumexp(0), torch.stack(second).logsumexp(0)
    effective = (2 * log_sum - log_squares).exp().clamp(1, k)
    return Estimate(log_sum - math.log(k), (1 / effective - 1 / k).clamp_min(0).sqrt(), effective, k)
