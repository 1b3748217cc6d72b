"""The rules of the game, as pure functions of the critic's logits, and the penalties on its gradient.

`real` and `fake` are D(x) and D(G(z)), (..., B), paired row by row; every loss is its mean over the last axis, so that
leading axes are independent games. A logit of a non-saturating critic estimates log p(x) - log q(x), that of a
relativistic one the same up to a constant; neither is ever a density.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """What each player makes small.

    Args:
        name: how the literature calls it, as `--set loss=` takes it.
        critic: (D(x), D(G(z))) -> the critic's loss.
        generator: (D(x), D(G(z))) -> the generator's loss.
    """

    name: str
    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]


def relativistic(better: Tensor, worse: Tensor) -> Tensor:
    """E[-log sigmoid(better - worse)], nats: log 2 where it cannot tell.

    (Jolicoeur-Martineau 2018, arXiv:1807.00734)

    >>> relativistic(torch.zeros(3), torch.zeros(3))
    tensor(0.6931)
    """
    return F.softplus(worse - better).mean(-1)


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigmoid(D(x)) - E log(1 - sigmoid(D(G(z)))), nats: 2 log 2 where the critic cannot tell."""
    return F.softplus(-real).mean(-1) + F.softplus(fake).mean(-1)


RELATIVISTIC = Loss("relativistic", relativistic, lambda real, fake: relativistic(fake, real))
"""The default: with zero-centred penalties it has no bad basins (Huang et al. 2024, arXiv:2501.05441)."""

NON_SATURATING = Loss("non-saturating", cross_entropy, lambda real, fake: F.softplus(-fake).mean(-1))
"""The first GAN (Goodfellow et al. 2014, arXiv:1406.2661)."""

LEAST_SQUARES = Loss(
    "least-squares",
    lambda real, fake: 0.5 * ((real - 1).square() + fake.square()).mean(-1),
    lambda real, fake: 0.5 * (fake - 1).square().mean(-1),
)
"""Regression on 1 for real and 0 for fake (Mao et al. 2016, arXiv:1611.04076)."""

WASSERSTEIN = Loss("wasserstein", lambda real, fake: (fake - real).mean(-1), lambda real, fake: -fake.mean(-1))
"""The Kantorovich dual; its critic must be held 1-Lipschitz (Arjovsky et al. 2017, arXiv:1701.07875)."""

LOSSES = (RELATIVISTIC, NON_SATURATING, LEAST_SQUARES, WASSERSTEIN)


def squared_gradient(logits: Tensor, u: Tensor) -> Tensor:
    """|dD/du|^2 at each row: at real rows the terms of R1, at fakes those of R2.

    (Mescheder, Geiger & Nowozin 2018, arXiv:1801.04406)

    Args:
        logits: D(u), (..., B), each computed from its own row.
        u: where, (..., B, *event_shape); must require gradients.

    Returns:
        (..., B); itself differentiable, so that it can be made small.

    >>> u = torch.tensor([[1.0, 2.0]], requires_grad=True)
    >>> squared_gradient((u**2).sum(-1), u).item()
    20.0
    """
    (gradient,) = torch.autograd.grad(logits.sum(), u, create_graph=True)
    return gradient.flatten(logits.dim()).square().sum(-1)


def between(real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Points on the lines from fakes to real rows, (..., B, *event_shape), where WGAN-GP looks at the gradient.

    Args:
        real, fake: (..., B, *event_shape).
        share: how near to real, uniform on [0, 1), (..., B).
    """
    share = share.reshape(*share.shape, *(1,) * (real.dim() - share.dim()))
    return fake.lerp(real, share).detach().requires_grad_()


def one_centred(logits: Tensor, u: Tensor) -> Tensor:
    """E (|dD/du| - 1)^2, WGAN-GP's penalty, to be taken `between` (Gulrajani et al. 2017, arXiv:1704.00028)."""
    return ((squared_gradient(logits, u) + 1e-12).sqrt() - 1).square().mean(-1)
