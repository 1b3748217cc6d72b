"""What a mask hides in a photograph, from the windows of the photograph itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft.errors import DataError
from priorcraft.photo.evidence import held_out, verdict
from priorcraft.photo.field import Field, smooth
from priorcraft.photo.prior import PatchPrior, noise_of
from priorcraft.photo.rounds import SIDE, STEP, TRIAL_DRAWS, Rounds, colour_basis, everywhere, prior_of, turned
from priorcraft.photo.windows import corners, hits, taken

SIZES = (1, 32, 32, 32)  # Gaussians of the prior in each round
LEAST_SEEN = 64  # pixels


@dataclass(frozen=True)
class Drawn:
    """A photograph whose hidden part follows from what was seen of it.

    Args:
        mean: posterior mean, (C, H, W).
        weights: of the first, smooth picture and of each round's field in the mean.
        stretch: by which factor the spread of the field was multiplied to hold 90 % of the pixels it was tried on.
        draw: makes the draws.
    """

    mean: Tensor
    weights: tuple[float, ...]
    stretch: float
    draw: Callable[[], Tensor] = field(repr=False, compare=False)

    @cached_property
    def draws(self) -> Tensor:
        """(n, C, H, W), made when they are first asked for: the mean does not need them."""
        return self.draw()


@torch.no_grad()
def fill(
    picture: Tensor, hidden: Tensor, *, peak: float, n: int = 8, others: Sequence[Tensor] = (), generator: Generator
) -> Drawn:
    """The hidden pixels of a photograph, by fields of its own windows. Approximate; its spread is calibrated.

    A thin plate (biharmonic) comes first; then, round after round, a mixture of Gaussians is fitted to the windows of
    the picture as it stands, every window takes its most probable Gaussian, and all of them give one Gaussian field
    (Zoran & Weiss 2011, doi:10.1109/ICCV.2011.6126278). The same is done with a share of the seen pixels hidden, too:
    what the rounds make of these gives each its weight in the mean, and the spread its scale.

    Args:
        picture: (C, H, W); hidden pixels may hold anything finite.
        hidden: (H, W), True where hidden.
        peak: largest value.
        n: draws.
        others: further pictures (C, H, W) whose windows count, too.
        generator: source of randomness.

    Raises:
        DataError: fewer than 64 seen pixels, or a picture of one line.

    >>> slope = torch.arange(16.0).expand(1, 16, 16) * 10
    >>> hidden = torch.zeros(16, 16).bool()
    >>> hidden[6:9, 6:9] = True
    >>> filled = fill(slope * ~hidden, hidden, peak=255, generator=torch.Generator().manual_seed(0))
    >>> bool((filled.mean - slope).abs().max() < 1)
    True
    """
    if int((~hidden).sum()) < min(LEAST_SEEN, hidden.numel() // 2):
        raise DataError(
            f"the mask leaves {int((~hidden).sum())} pixels of the photograph; more must be seen to learn from."
        )
    if min(hidden.shape) < 2:
        height, width = hidden.shape
        raise DataError(f"the photograph is {width} x {height}; it needs two pixels each way to have windows.")
    if not bool(hidden.any()):
        return Drawn(picture.float(), (1.0,), 1.0, lambda: picture.float().expand(n, *picture.shape))
    basis = colour_basis(picture, hidden)
    own, *more = [turned(basis, each) for each in (torch.where(hidden, 0, picture), *others)]
    held = held_out(hidden, generator)
    tried = _rounds(own, hidden | held, more, peak, generator, about=held)
    found = verdict(
        torch.stack(tried.pictures)[..., held],
        tried.deviations(TRIAL_DRAWS, generator)()[..., held],
        own[:, held],
        basis,
    )
    done = _rounds(own, hidden, more, peak, generator, tried=tried)
    mean, deviations = found.mean(torch.stack(done.pictures)), done.deviations(n, generator)

    def back(own: Tensor) -> Tensor:
        return torch.where(hidden, turned(basis.T, own).clamp(0, peak), picture.float())

    weights = tuple(found.weights.tolist())
    return Drawn(back(mean), weights, found.stretch, lambda: back(mean + found.stretch * deviations()))


def _rounds(
    own: Tensor,
    hidden: Tensor,
    more: Sequence[Tensor],
    peak: float,
    generator: Generator,
    *,
    about: Tensor | None = None,
    tried: Rounds | None = None,
) -> Rounds:
    """Rounds on a picture.

    Args:
        own, hidden, more, peak, generator: as `fill` takes them, in turned directions of colour.
        about: pixels that are asked about; what is hidden beyond a window of them stays smooth. All without it.
        tried: rounds whose priors are taken.
    """
    side, shape = min(SIDE, *hidden.shape), (hidden.shape[0], hidden.shape[1])
    share = hits(hidden, all_corners := corners(shape, side), side)
    clearest = share.float().sort().values[int(0.3 * (len(share) - 1))]
    sources = [all_corners[share <= clearest], *(everywhere(other, side) for other in more)]
    open_ = hidden if about is None else hidden & _near(about, side)
    where = corners(shape, side, STEP)
    where = where[hits(open_, where, side) > 0]

    def field(prior: PatchPrior, picture: Tensor) -> Field:
        return Field(prior, where, prior.nearest(taken(picture[0], where, side)), open_, side)

    def fitted(size: int, picture: Tensor, before: PatchPrior | None) -> PatchPrior:
        start = before if clearest == 0 else None  # windows that change from round to round are grouped anew
        return prior_of([picture, *more], sources, size, noise_of(peak), side, start, generator)

    return Rounds(smooth(own, hidden), tried.again() if tried else [partial(fitted, size) for size in SIZES], field)


def _near(pixels: Tensor, side: int) -> Tensor:
    """What shares a window with some pixels, (H, W)."""
    return F.max_pool2d(pixels[None].float(), 2 * side - 1, 1, side - 1)[0] > 0
