"""A larger photograph from a small one whose pixels are the means of its blocks."""

from collections.abc import Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft.errors import UsageError
from priorcraft.photo.evidence import undecided, verdict
from priorcraft.photo.field import Field
from priorcraft.photo.filling import Drawn
from priorcraft.photo.prior import PatchPrior, noise_of
from priorcraft.photo.rounds import SIDE, STEP, TRIAL_DRAWS, Rounds, colour_basis, everywhere, prior_of, turned
from priorcraft.photo.windows import corners, hits, taken

SIZES = (32, 32)  # Gaussians of the prior in each round
TILE, MARGIN = 128, 16  # pixels that are settled together; pixels around them that move along and are settled again
STEPS = 30  # of conjugate gradients in a tile
TRIAL = 2  # factor of a trial at most: the copy of a copy that is smaller still has few windows, and errs too much
LEAST = 6  # pixels: side of a picture on which a trial tells something
AROUND = 8  # pixels to each side over which it is asked how much of the detail a smaller picture keeps
LOST, ALL_LOST = 0.25, 0.5  # share of the variance that it loses: from here on less is believed, and from here nothing
FAR, TOO_FAR = 0.5, 1.0  # square of a step beside that of bicubic interpolation's error: likewise


@torch.no_grad()
def enlarge(
    small: Tensor, factor: int, *, peak: float, n: int = 8, others: Sequence[Tensor] = (), generator: Generator
) -> Drawn:
    """A photograph `factor` times larger, the means of whose blocks are the small one. Approximate; spread calibrated.

    Small windows of a photograph look like those of a larger one: a mixture of Gaussians is fitted to windows of the
    small picture, and its field settles in the larger one, starting from bicubic interpolation, among the pictures with
    these block means alone. The same is done with the small picture made smaller still: how well it is met gives each
    round its weight in the mean, and the spread its scale. Where the picture made smaller loses its own detail (fine
    stripes), nothing is known of the scale between, and bicubic interpolation stays.

    Args:
        small: (C, H, W).
        factor: side of a block.
        peak: largest value.
        n: draws.
        others: further pictures (C, H, W) whose windows count, too.
        generator: source of randomness.

    Raises:
        UsageError: a factor below 2.

    >>> small = torch.arange(12.0).expand(1, 12, 12) * 20
    >>> large = enlarge(small, 2, peak=255, generator=torch.Generator().manual_seed(0)).mean
    >>> large.shape, bool((F.avg_pool2d(large, 2) - small).abs().max() < 0.01)
    (torch.Size([1, 24, 24]), True)
    """
    if factor < 2:
        raise UsageError(f"factor must be at least 2, not {factor}.")
    basis = colour_basis(small)
    own, *more = [turned(basis, each) for each in (small, *others)]
    by = min(factor, TRIAL)
    tiny, found = F.avg_pool2d(own, by), undecided(len(SIZES) + 1)
    if min(tiny.shape[1:]) >= LEAST:
        truth = own[:, : tiny.shape[1] * by, : tiny.shape[2] * by].flatten(1)
        tried = _rounds(tiny, by, more, peak, generator)
        candidates = torch.stack(tried.pictures).flatten(2)
        found = verdict(candidates, tried.deviations(TRIAL_DRAWS, generator)().flatten(2), truth, basis)
    done = _rounds(own, factor, more, peak, generator)
    start = done.pictures[0]
    step = found.mean(torch.stack(done.pictures)) - start
    mean = start + spread(believed(own[:1], step[:1], factor, noise_of(peak)), factor) * step
    deviations = done.deviations(n, generator)
    weights = tuple(found.weights.tolist())

    def draw() -> Tensor:
        return turned(basis.T, mean + found.stretch * deviations())

    return Drawn(turned(basis.T, mean), weights, found.stretch, draw)


def _rounds(small: Tensor, factor: int, more: Sequence[Tensor], peak: float, generator: Generator) -> Rounds:
    """Bicubic interpolation with the right block means, and the rounds after it."""
    side = min(SIDE, *small.shape[1:])
    sources = [everywhere(each, side) for each in (small, *more)]
    start = F.interpolate(small[None], scale_factor=factor, mode="bicubic", antialias=True)[0]
    start = start + spread(small - F.avg_pool2d(start, factor), factor)

    def fitted(size: int, _: Tensor, before: PatchPrior | None) -> PatchPrior:
        return prior_of([small, *more], sources, size, noise_of(peak), side, before, generator)

    return Rounds(start, [partial(fitted, size) for size in SIZES], partial(BlockField, factor=factor, side=side))


def believed(picture: Tensor, step: Tensor, factor: int, noise: float) -> Tensor:
    """How far a step away from bicubic interpolation is believed, pixel by pixel of the small picture, (1, H, W).

    The picture is made smaller and bicubically enlarged again. Around each pixel, the share of the variance that is
    lost then says how much of the detail is finer than the step between the scales, so that they need not be alike; and
    a good step is shorter than the error that bicubic interpolation makes there.

    Args:
        picture: small, (1, H, W).
        step: what shall be added to its bicubic enlargement, (1, factor H, factor W).
        factor: side of a block.
        noise: standard deviation of what means nothing.

    >>> y, step = torch.arange(32.0), torch.ones(1, 64, 64)
    >>> stripes, waves = 100 * (y % 2), 100 * (y / 4).sin()
    >>> [believed(each.expand(1, 32, 32), step, 2, 1.5).mean().item() for each in (stripes, waves)]
    [0.0, 1.0]
    >>> believed(waves.expand(1, 32, 32), 100 * step, 2, 1.5).mean().item()
    0.0
    """
    height, width = picture.shape[1:]
    if min(height, width) < LEAST:
        return torch.ones_like(picture)
    padded = F.pad(picture[None], (0, -width % factor, 0, -height % factor), mode="replicate")
    again = F.interpolate(F.avg_pool2d(padded, factor), scale_factor=factor, mode="bicubic", antialias=True)[0]
    variance = (_around(picture.square()) - _around(picture).square()).clamp_min(0) + noise**2
    error = _around((again[:, :height, :width] - picture).square())
    length = _around(F.avg_pool2d(step.square(), factor))
    kept = ((ALL_LOST - error / variance) / (ALL_LOST - LOST)).clamp(0, 1)
    near = ((TOO_FAR - length / (error + noise**2)) / (TOO_FAR - FAR)).clamp(0, 1)
    return kept * near


def _around(picture: Tensor) -> Tensor:
    """The mean of the pixels around each one of a picture (1, H, W)."""
    by = min(AROUND, *(side - 1 for side in picture.shape[1:]))
    return F.avg_pool2d(F.pad(picture[None], (by, by, by, by), mode="replicate"), 2 * by + 1, 1)[0]


class BlockField:
    """The field of a whole picture whose blocks keep their means, settled tile by tile.

    A tile moves together with a margin around it and is kept without: beyond some windows, a pixel does not matter.

    Args:
        prior: of windows.
        picture: as it stands, (C, H, W).
        factor: side of a block.
        side: of a window.
    """

    def __init__(self, prior: PatchPrior, picture: Tensor, factor: int, side: int) -> None:
        self.prior, self.picture, self.factor, self.side = prior, picture, factor, side

    def settled(self, picture: Tensor) -> Tensor:
        """The picture (C, H, W) with the mean of the field."""
        done = picture.clone()
        for crop, inner, field in self._tiles():
            done[:, *crop][:, *inner] = field.settled(picture[:, *crop], STEPS)[:, *inner]
        return done

    def deviations(self, n: int, generator: Generator) -> Tensor:
        """n draws less the mean, (n, C, H, W): means of blocks are zero."""
        drawn = torch.zeros(n, *self.picture.shape)
        for crop, inner, field in self._tiles():
            drawn[:, :, *crop][:, :, *inner] = field.deviations(n, generator)[:, :, *inner]
        return drawn

    def _tiles(self) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], Field]]:
        """Each tile with its surroundings, where in these it lies, and the field of tile and margin there."""
        tile, margin = (-(-length // self.factor) * self.factor for length in (TILE, MARGIN))
        height, width = self.picture.shape[1:]
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                inner = _grown((top, left), tile, 0, (height, width))
                outer = _grown((top, left), tile, margin, (height, width))
                crop = _grown((top, left), tile, margin + self.side, (height, width))
                yield crop, _within(inner, crop), self._field(self.picture[:, *crop], _within(outer, crop))

    def _field(self, picture: Tensor, outer: tuple[slice, ...]) -> Field:
        hidden = torch.zeros(picture.shape[1:], dtype=torch.bool)
        hidden[outer] = True
        where = corners((picture.shape[1], picture.shape[2]), self.side, STEP)
        where = where[hits(hidden, where, self.side) > 0]
        kinds = self.prior.nearest(taken(picture[0], where, self.side))
        shape = [part.stop - part.start for part in outer]

        def project(change: Tensor) -> Tensor:
            images = change.T.reshape(-1, *shape)
            return (images - spread(F.avg_pool2d(images, self.factor), self.factor)).flatten(1).T

        return Field(self.prior, where, kinds, hidden, self.side, project)


def _grown(corner: tuple[int, int], tile: int, by: int, shape: tuple[int, int]) -> tuple[slice, ...]:
    """The tile at that corner, larger by so many pixels on every side, inside the picture."""
    return tuple(slice(max(c - by, 0), min(c + tile + by, length)) for c, length in zip(corner, shape, strict=True))


def _within(part: tuple[slice, ...], crop: tuple[slice, ...]) -> tuple[slice, ...]:
    """Where a part of a picture lies in a crop of it."""
    return tuple(slice(p.start - c.start, p.stop - c.start) for p, c in zip(part, crop, strict=True))


def spread(v: Tensor, factor: int) -> Tensor:
    """Each entry of v (..., H, W) in every pixel of its block."""
    return v.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def whole(picture: Tensor, small: Tensor, factor: int, top: int) -> Tensor:
    """The picture in integers 0 ... top, near it, the means of whose blocks are exactly the small one, int64.

    Args:
        picture: (..., factor H, factor W).
        small: integers 0 ... top, (..., H, W).
        factor: side of a block.
        top: largest value.

    >>> whole(torch.tensor([[3.4, 3.4], [2.6, 2.6]]), torch.tensor([[3]]), 2, 255).tolist()
    [[3, 3], [3, 3]]
    >>> whole(torch.tensor([[-9.0, 0.0], [4.0, 9.0]]), torch.tensor([[1]]), 2, 255).sum().item()
    4
    """
    blocks = picture.unflatten(-1, (-1, factor)).unflatten(-3, (-1, factor)).transpose(-3, -2).flatten(-2).double()
    goal = small.long() * factor**2
    for _ in range(8):  # what clamping took is given to the other pixels
        blocks = blocks.clamp(0, top)
        blocks = blocks + ((goal - blocks.sum(-1)) / factor**2)[..., None]
    found = blocks.clamp(0, top).round()
    while bool((gap := goal - found.sum(-1)).any()):
        sign = gap.sign()[..., None]
        free = (found + sign >= 0) & (found + sign <= top)
        order = ((blocks - found) * sign).masked_fill(~free, -torch.inf).argsort(-1, descending=True).argsort(-1)
        found = found + sign * (free & (order < gap.abs()[..., None]))
    return found.long().unflatten(-1, (factor, factor)).transpose(-3, -2).flatten(-2).flatten(-3, -2)
