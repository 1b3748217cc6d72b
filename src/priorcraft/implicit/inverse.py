"""Which z makes this x? A generator has no encoder: z is sought."""

import torch
from torch import Tensor
from torch.optim.adam import adam

from priorcraft import runtime
from priorcraft.core import UNLABELLED
from priorcraft.errors import UsageError
from priorcraft.implicit.gan import GAN

TAU = 0.1  # error of the generator that is forgiven, on the network's range, which is 2 wide
ROWS = 256  # points sought at once


def invert(
    model: GAN,
    x: Tensor,
    given: Tensor | None = None,
    *,
    starts: int = 512,
    descents: int = 4,
    steps: int = 200,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor | None]:
    """The z, and the label where it is not known, whose G(z, c) is nearest to each x: a search, not an inference.

    U(z) = |x - G(z, c)|^2 / 2 tau^2 + |z|^2 / 2   (Creswell & Bharath 2016, arXiv:1611.05644)

    The second term belongs to z ~ N(0, I) and is left out where p(z) is a mixture. What is found is the best of a few
    local minima; how good it is, the distance between x and `model.decode(z, c)` says.

    Args:
        x: points, (B, *event_shape).
        given: labels, (B,), -1 where not known; None if none is.
        starts: draws (z, c) from the prior for each x.
        descents: how many of them, the best, descend.
        steps: of Adam, each descent.
        generator: of the draws.

    Returns:
        z (B, latent), and labels (B,), None without labels.

    Raises:
        UsageError: a number below 1, or more descents than starts.
    """
    if min(descents, steps) < 1 or starts < descents:
        raise UsageError(f"descents and steps must be at least 1, and starts at least {descents}; found {starts}.")
    generator, x = runtime.fresh(generator), model.space.check(x)
    given = torch.full((len(x),), UNLABELLED, device=x.device) if given is None else given
    z = model.prior(starts, generator=generator)  # the same for every x: the same x has the same z in any company
    guesses = runtime.categorical(model.log_prior.expand(starts, -1), generator=generator) if model.classes else None
    parts = zip(model.to_network(x).split(ROWS), given.split(ROWS), strict=True)
    found = [_inverted(model, u, c, z, guesses, descents, steps) for u, c in parts]
    labels = torch.cat([c for _, c in found])
    return torch.cat([z for z, _ in found]), labels if model.classes else None


def _inverted(
    model: GAN, u: Tensor, given: Tensor, starts: Tensor, guesses: Tensor | None, descents: int, steps: int
) -> tuple[Tensor, Tensor]:
    begun = [_start(model, row, c, starts, guesses, descents) for row, c in zip(u, given, strict=True)]
    z, c = torch.cat([z for z, _ in begun]), torch.cat([c for _, c in begun])
    target = u.repeat_interleave(descents, 0)
    z = _descended(model, z, c, target, steps)
    best = _energy(model, z, c, target).view(-1, descents).argmin(1)
    chosen = best + descents * torch.arange(len(u), device=u.device)
    return z[chosen].detach(), c[chosen]


def _energy(model: GAN, z: Tensor, c: Tensor, u: Tensor) -> Tensor:
    """U(z), (B,)."""
    error = (u - model.generator(z, c if model.classes else None)).flatten(1).square().sum(1) / (2 * TAU**2)
    return error if model.generator.prior.centres is not None else error + 0.5 * z.square().sum(1)


@torch.no_grad()
def _start(
    model: GAN, u: Tensor, given: Tensor, z: Tensor, guesses: Tensor | None, descents: int
) -> tuple[Tensor, Tensor]:
    """The best of many draws from the prior for one point, (descents, latent) and their labels."""
    c = guesses if guesses is not None and int(given) == UNLABELLED else given.expand(len(z))
    best = _energy(model, z, c, u.expand(len(z), *u.shape)).argsort()[:descents]
    return z[best], c[best]


def _descended(model: GAN, z: Tensor, c: Tensor, u: Tensor, steps: int) -> Tensor:
    """z after so many steps of Adam, whose rate falls to zero."""
    moments, count = (torch.zeros_like(z), torch.zeros_like(z)), torch.zeros(())
    with torch.enable_grad():
        for step in range(steps):
            z = z.detach().requires_grad_()
            (slope,) = torch.autograd.grad(_energy(model, z, c, u).sum(), z)
            _adam(z, slope, moments, count, 0.1 * (1 - step / steps))
    return z.detach()


@torch.no_grad()
def _adam(z: Tensor, slope: Tensor, moments: tuple[Tensor, Tensor], count: Tensor, lr: float) -> None:
    adam(
        [z],
        [slope],
        [moments[0]],
        [moments[1]],
        [],
        [count],
        amsgrad=False,
        beta1=0.9,
        beta2=0.99,
        lr=lr,
        weight_decay=0.0,
        eps=1e-8,
        maximize=False,
        foreach=False,
    )
