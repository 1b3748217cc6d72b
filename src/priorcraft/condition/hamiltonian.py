"""Hamiltonian Monte Carlo: moves along the gradient of a density, accepted by Metropolis' rule."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.condition.latent import FromPrior
from priorcraft.explicit.approximate.vae import VAE

AIM = 0.8  # share of moves to accept, at which the length of the steps settles (Neal 2011, arXiv:1206.1901)


def hamiltonian(
    u: Tensor,
    log_p: Callable[[Tensor], Tensor],
    *,
    steps: int,
    leaps: int = 8,
    size: float = 0.2,
    generator: Generator,
) -> tuple[Tensor, float]:
    """Chains that follow exp(log_p), one a row, and the share of moves that they accepted after half of the steps.

    u' = u + size v,  v' = v + size grad log_p(u), in leaps of half a step for v at both ends; accepted with
    min(1, exp(log_p(u') - |v'|^2 / 2 - log_p(u) + |v|^2 / 2))   (Duane et al. 1987; Neal 2011, arXiv:1206.1901)

    In the first half of the steps the size of the leaps is tuned for each chain; from then on it stays, as the
    target's invariance asks.

    Args:
        u: where they begin, (B, D).
        log_p: unnormalised log density, (B, D) to (B,), differentiable; rows do not see each other.
        steps: moves.
        leaps: of one move.
        size: of the first leaps.

    >>> centred = lambda u: -0.5 * (u - 3).square().sum(1)
    >>> u, share = hamiltonian(torch.zeros(2000, 1), centred, steps=40, generator=runtime.keyed(0))
    >>> round(float(u.mean()), 1), round(float(u.std()), 1), share > 0.5
    (3.0, 1.0, True)
    """
    length, shares = torch.full_like(u[:, :1], size), []
    old, slope = value_and_slope(log_p, u)
    for step in range(steps):
        v = runtime.normal(tuple(u.shape), generator=generator, like=u)
        moved, new, new_slope, last = leapt(log_p, u, v, slope, length, leaps)
        gain = (new - 0.5 * last.square().sum(1) - old + 0.5 * v.square().sum(1)).nan_to_num(-torch.inf)
        take = runtime.uniform(tuple(gain.shape), generator=generator, like=gain).log() < gain
        u, slope = torch.where(take[:, None], moved, u), torch.where(take[:, None], new_slope, slope)
        old = torch.where(take, new, old)
        if step < steps // 2:
            length = length * torch.exp(0.4 * (gain.clamp_max(0).exp() - AIM)).unsqueeze(1)
        else:
            shares.append(float(take.float().mean()))
    return u, sum(shares) / max(len(shares), 1)


def leapt(
    log_p: Callable[[Tensor], Tensor], u: Tensor, v: Tensor, slope: Tensor, length: Tensor, leaps: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The end of a path: u, log_p and its gradient there, and v."""
    v = v + 0.5 * length * slope
    value = slope[:, 0]
    for leap in range(leaps):
        u = u + length * v
        value, slope = value_and_slope(log_p, u)
        v = v + (1.0 if leap < leaps - 1 else 0.5) * length * slope
    return u, value, slope, v


def value_and_slope(log_p: Callable[[Tensor], Tensor], u: Tensor) -> tuple[Tensor, Tensor]:
    """log_p (B,) and its gradient (B, D)."""
    with torch.enable_grad():
        u = u.detach().requires_grad_()
        value = log_p(u)
        (slope,) = torch.autograd.grad(value.sum(), u)
    return value.detach(), slope


class HamiltonianChain(FromPrior):
    """Importance resampling of z from the prior, then Hamiltonian Monte Carlo in z, then x ~ p(x | z, c, y).

    log p(z | y, c) = log p(z | c) + log p(y | z, c) + constant; the hidden entries are summed out, where
    Metropolis-within-Gibbs carries them along. The class stays as importance resampling left it.
    """

    method = "Hamiltonian Monte Carlo in z"
    model: VAE

    def _chain(self, z: Tensor, c: Tensor | None, rows: Tensor, generator: Generator) -> Tensor:
        def log_p(u: Tensor) -> Tensor:
            seen = self.given_z.log_seen(self._likelihood(u, c), rows)
            return self.model.p_z.log_prob(u[None], c)[0] + seen.to(u.dtype)

        z, self.diagnostics["acceptance"] = hamiltonian(z, log_p, steps=self.steps, generator=generator)
        return self.given_z.draw(self._likelihood(z, c), rows, generator)
