"""Augmentation of what the critic sees, real and fake alike, so that few images do not teach it by heart.

Every change is differentiable in the image, so that the generator is taught through it (Zhao et al. 2020,
arXiv:2006.10738). Each is made with probability p, and p follows a measured signal of overfitting (Karras et al. 2020,
arXiv:2006.06676): while p stays below one, nothing that is changed hides what was not, and fakes need not look changed.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.errors import UsageError, did_you_mean

SHIFT, HOLE, LIGHT = 1 / 8, 1 / 2, 0.5  # shares of a side, and of the range above or below its middle
MODES = {"auto": None, "never": 0.0, "false": 0.0, "always": 1.0, "true": 1.0}
TARGET = 0.5  # of the lead over fakes that is a lead over held-out rows
PACE = 0.04  # of p, a look: from 0 to its most in 20 looks
MOST = 0.8  # beyond it changed images are taken for the real thing


def augment(u: Tensor, p: float, *, generator: Generator) -> Tensor:
    """Images, of which each is shifted, holed and made lighter or darker with probability p each; p = 0: as they are.

    Args:
        u: images on the network's range [-1, 1], (B, C, H, W).
        p: probability, 0 ... 1.
        generator: of the draws.

    >>> u = torch.rand(2, 1, 8, 8)
    >>> augment(u, 0.0, generator=runtime.keyed(0)) is u
    True
    """
    if p == 0:
        return u
    for change in CHANGES:
        taken = runtime.uniform((len(u), 1, 1, 1), generator=generator, like=u) < p
        u = torch.where(taken, change(u, generator), u)
    return u


def shifted(u: Tensor, generator: Generator) -> Tensor:
    """Each image moved by up to an eighth of its sides, at least a pixel; its border is repeated."""
    y, x = (_moved(u, side, generator) for side in (-2, -1))
    rows = torch.arange(len(u), device=u.device).view(-1, 1, 1)
    return u.permute(0, 2, 3, 1)[rows, y.unsqueeze(2), x.unsqueeze(1)].permute(0, 3, 1, 2)


def _moved(u: Tensor, side: int, generator: Generator) -> Tensor:
    """Which row or column comes where, (B, length)."""
    length = u.shape[side]
    far = min(max(1, round(SHIFT * length)), length - 1)
    by = torch.randint(-far, far + 1, (len(u), 1), generator=generator, device=generator.device).to(u.device)
    return (torch.arange(length, device=u.device) + by).clamp(0, length - 1)


def holed(u: Tensor, generator: Generator) -> Tensor:
    """Each image with a rectangle of half its sides, anywhere, set to the middle of the range."""
    y, x = (_inside(u, side, generator) for side in (-2, -1))
    return u.masked_fill((y.unsqueeze(2) & x.unsqueeze(1)).unsqueeze(1), 0.0)


def _inside(u: Tensor, side: int, generator: Generator) -> Tensor:
    """Which rows or columns the rectangle covers, (B, length)."""
    length = u.shape[side]
    middle = length * runtime.uniform((len(u), 1), generator=generator, like=u)
    return (torch.arange(length, device=u.device) + 0.5 - middle).abs() < HOLE * length / 2


def lit(u: Tensor, generator: Generator) -> Tensor:
    """Each image lighter or darker by up to half of the range's half."""
    return u + LIGHT * (2 * runtime.uniform((len(u), 1, 1, 1), generator=generator, like=u) - 1)


CHANGES: tuple[Callable[[Tensor, Generator], Tensor], ...] = (shifted, holed, lit)


class Augmentation:
    """p, and how it follows the critic.

    r = (E D(train) - E D(held out)) / (E D(train) - E D(fake)): p rises a little while r is above a half, and falls a
    little while it is not. One look is noisy; a signal that is noise alone lets p fall more often than rise.

    Args:
        mode: auto, never, always, or the probability as a number.

    Raises:
        UsageError: no such mode, or a number outside 0 ... 1.
    """

    def __init__(self, mode: str) -> None:
        fixed = probability(mode)
        self.adapts = fixed is None
        self.p = 0.0 if fixed is None else fixed

    @property
    def active(self) -> bool:
        """Whether it may ever change an image."""
        return self.adapts or self.p > 0

    def __call__(self, u: Tensor, *key: runtime.Key) -> Tensor:
        """Images as the critic is to see them; every draw is a function of the key."""
        return augment(u, self.p, generator=runtime.keyed(*key, "augment")) if self.p else u

    def look(self, train: float, held_out: float, fake: float) -> None:
        """Moves p by the critic's means on training rows, held-out rows and fakes, all augmented alike."""
        if self.adapts:
            overfits = train - held_out > TARGET * max(train - fake, 0.0) and train > fake
            self.p = min(max(self.p + (PACE if overfits else -PACE), 0.0), MOST)


def probability(mode: str) -> float | None:
    """What a mode fixes p to; None if p follows the critic.

    >>> probability("auto"), probability("always"), probability("0.3")
    (None, 1.0, 0.3)
    """
    if mode.lower() in MODES:
        return MODES[mode.lower()]
    try:
        p = float(mode)
    except ValueError:
        raise UsageError(
            f"augment must be auto, never, always or a probability, not '{mode}': {did_you_mean(mode, MODES)}"
        ) from None
    if not 0 <= p <= 1:
        raise UsageError(f"augment must be a probability between 0 and 1, not {mode}.")
    return p
