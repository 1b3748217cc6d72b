"""Annealed importance sampling: an estimate of log p(x) that does not depend on how good q(z | x) is."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.errors import UsageError

ACCEPTANCE = 0.65  # the rate at which Hamiltonian Monte Carlo is most efficient (Beskos et al. 2013)
LogDensity = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Path:
    """Densities between one that can be drawn from and the joint, f_b = start^(1 - b) target^b.

    Args:
        start: z (N, latent) to log density, normalised, (N,).
        target: z (N, latent) to log p(x, z), (N,); its integral over z is p(x).
        step_sizes: of the transition at each temperature, (T,); they fix T.
        leapfrog: leapfrog steps a transition.
    """

    start: LogDensity
    target: LogDensity
    step_sizes: Tensor
    leapfrog: int = 5

    @property
    def temperatures(self) -> Tensor:
        """b from 0 to 1, T + 1 of them, dense at both ends: a sigmoid schedule (Wu et al. 2016, arXiv:1611.04273)."""
        ramp = torch.sigmoid(torch.linspace(-4, 4, len(self.step_sizes) + 1, dtype=torch.float64))
        return (ramp - ramp[0]) / (ramp[-1] - ramp[0])

    def at(self, b: float) -> LogDensity:
        """log f_b."""
        return lambda z: (1 - b) * self.start(z) + b * self.target(z)

    def gain(self, z: Tensor) -> Tensor:
        """d log f_b / d b, (N,)."""
        with torch.no_grad():
            return self.target(z) - self.start(z)


def _slope(log_f: LogDensity, z: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        value = log_f(z)
        (slope,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), slope


def transition(
    log_f: LogDensity, z: Tensor, step_size: float, leapfrog: int, generator: Generator
) -> tuple[Tensor, float]:
    """One step of Hamiltonian Monte Carlo, which leaves f unchanged (Neal 2011, arXiv:1206.1901).

    Args:
        log_f: z (N, latent) to unnormalised log density, (N,).
        z: where the N chains are.

    Returns:
        Where they go, and the mean probability of acceptance.
    """
    momentum = runtime.normal(tuple(z.shape), generator=generator, like=z)
    before, slope = _slope(log_f, z)
    moved, p, after = z, momentum, before
    for _ in range(leapfrog):
        p = p + 0.5 * step_size * slope
        moved = moved + step_size * p
        after, slope = _slope(log_f, moved)
        p = p + 0.5 * step_size * slope
    log_ratio = after - before + 0.5 * (momentum.square() - p.square()).sum(-1)
    accept = log_ratio.nan_to_num(-torch.inf).clamp_max(0).exp()
    chosen = runtime.uniform((len(z),), generator=generator, like=z) < accept
    return torch.where(chosen.unsqueeze(-1), moved, z), float(accept.mean())


def tuned(path: Path, z: Tensor, generator: Generator) -> Path:
    """The path with step sizes at which about 65 % of the moves are accepted.

    They are found on chains of their own, so that those of the estimate have fixed transitions and stay unbiased.

    Args:
        z: draws from the start, (N, latent).
    """
    size, sizes = float(path.step_sizes[0]), []
    for b in path.temperatures[1:].tolist():
        z, accepted = transition(path.at(b), z, size, path.leapfrog, generator)
        size *= 1.05 if accepted > ACCEPTANCE else 0.9
        sizes.append(size)
    return Path(path.start, path.target, torch.tensor(sizes), path.leapfrog)


def forward(path: Path, z: Tensor, generator: Generator) -> Tensor:
    """Annealed importance weights whose mean is p(x); their log is a stochastic lower bound, nats, (N,).

    log w = sum_t (b_t - b_{t-1}) [log p(x, z_{t-1}) - log start(z_{t-1})]   (Neal 2001, arXiv:physics/9803008)

    Args:
        z: draws from the start, (N, latent).
    """
    b, log_w = path.temperatures.tolist(), torch.zeros(len(z), dtype=z.dtype, device=z.device)
    for t, size in enumerate(path.step_sizes.tolist()):
        log_w = log_w + (b[t + 1] - b[t]) * path.gain(z)
        z, _ = transition(path.at(b[t + 1]), z, size, path.leapfrog, generator)
    return log_w


def reverse(path: Path, z: Tensor, generator: Generator) -> Tensor:
    """The same path from an exact draw of p(z | x) down: a stochastic upper bound on log p(x), nats, (N,).

    Such a z is known for simulated data, z ~ p(z), x ~ p(x | z) (bidirectional Monte Carlo: Grosse, Ghahramani &
    Adams 2015, arXiv:1511.02543).

    Args:
        z: exact draws from p(z | x), (N, latent).
    """
    b, log_w = path.temperatures.tolist(), torch.zeros(len(z), dtype=z.dtype, device=z.device)
    for t in reversed(range(len(path.step_sizes))):
        z, _ = transition(path.at(b[t + 1]), z, float(path.step_sizes[t]), path.leapfrog, generator)
        log_w = log_w + (b[t + 1] - b[t]) * path.gain(z)
    return log_w


def untuned(start: LogDensity, target: LogDensity, steps: int, leapfrog: int = 5) -> Path:
    """A path of `steps` temperatures whose step sizes wait for `tuned`.

    Raises:
        UsageError: fewer than 1 step.
    """
    if steps < 1 or leapfrog < 1:
        raise UsageError(f"steps and leapfrog must be at least 1; found {steps} and {leapfrog}.")
    return Path(start, target, torch.full((steps,), 0.1), leapfrog)
