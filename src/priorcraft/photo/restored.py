"""Photographs from files, repaired or enlarged, each as a picture of its own kind."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft.errors import UsageError
from priorcraft.photo.enlarging import enlarge, whole
from priorcraft.photo.filling import Drawn, fill
from priorcraft.photo.painted import Painted
from priorcraft.photo.picture import Picture, read_picture

Best = Literal["mean", "draw", "median"]


@dataclass(frozen=True)
class Photograph:
    """A photograph, what was seen of it, and what follows.

    Args:
        file: where it was read from.
        seen: the picture in the file.
        hidden: True for pixels that follow, (H, W) of the result.
        drawn: mean and draws.
        factor: by which it was enlarged; 1 if it was repaired.
        notes: by which rule the mask was read, and what could not be kept.
        seconds: wall time.
    """

    file: Path
    seen: Picture
    hidden: Tensor
    drawn: Drawn
    factor: int
    notes: tuple[str, ...]
    seconds: float

    def picture(self, channels: Tensor) -> Picture:
        """The picture that these channels (C, H, W) make; seen pixels, or means of blocks, exactly as in the file."""
        if self.factor == 1:
            return self.seen.with_channels(channels, self.hidden)
        if not self.seen.transparent:
            small = self.seen.to_channels().long()
            channels = whole(channels, small, self.factor, self.seen.white).float()
        return self.seen.larger(channels)

    def best(self, kind: Best) -> Picture:
        """The posterior mean, the first draw, or the median of the draws in each pixel."""
        if kind == "mean":
            return self.picture(self.drawn.mean)
        draws = self.drawn.draws
        return self.picture(draws[0] if kind == "draw" else draws.median(0).values)

    @property
    def spread(self) -> Tensor | None:
        """Standard deviation of the draws, in shares of the largest value, the mean of the channels, (H, W).

        None of one draw, which has none.
        """
        if len(self.drawn.draws) == 1:
            return None
        return self.drawn.draws.std(0, correction=0).mean(0) / self.seen.white

    @property
    def plain(self) -> Picture:
        """What was seen at the size of the result: hidden pixels in grey, or enlarged bicubically."""
        x = self.seen.to_channels()
        if self.factor == 1:
            return replace(self.seen, palette=None).with_channels(torch.full_like(x, self.seen.white / 2), self.hidden)
        return self.seen.larger(F.interpolate(x[None], scale_factor=self.factor, mode="bicubic", antialias=True)[0])


def repaired(
    file: Path, seen: Picture, mask: Painted, *, n: int, others: Sequence[Picture], generator: Generator
) -> Photograph:
    """A photograph without what a mask hides, from its own windows and those of other pictures.

    Args:
        file, seen: the photograph.
        mask: what of it is hidden.
        n: draws.
        others: pictures whose windows count, too.
        generator: source of randomness.
    """
    began = time.perf_counter()
    x = seen.to_channels()
    drawn = fill(x, mask.hidden, peak=seen.white, n=n, others=_alike(others, x, seen), generator=generator)
    seconds = round(time.perf_counter() - began, 3)
    return Photograph(file, seen, mask.hidden, drawn, 1, (mask.rule, *seen.notes), seconds)


def enlarged(
    file: Path, seen: Picture, factor: int, *, n: int, others: Sequence[Picture], generator: Generator
) -> Photograph:
    """A photograph `factor` times larger, from its own windows and those of other pictures; arguments as above."""
    began = time.perf_counter()
    x = seen.to_channels()
    drawn = enlarge(x, factor, peak=seen.white, n=n, others=_alike(others, x, seen), generator=generator)
    everything = torch.ones(drawn.mean.shape[1:], dtype=torch.bool)
    return Photograph(file, seen, everything, drawn, factor, seen.notes, round(time.perf_counter() - began, 3))


def read_pictures(files: Sequence[Path], top: int | None = None) -> list[Picture]:
    """The pictures in files; `top` as in `read_picture`.

    Raises:
        BadImage: the first that is none.
    """
    return [read_picture(file, top) for file in files]


def _alike(others: Sequence[Picture], x: Tensor, seen: Picture) -> list[Tensor]:
    """Other pictures in the channels x and the range of one that was seen: made grey or repeated where need be."""
    found = []
    for other in others:
        y = other.to_channels() * (seen.white / other.white)
        colours = y[:-1] if other.transparent else y
        alpha = torch.full_like(y[:1], seen.top)
        if len(x) in (1, 2):
            colours = colours.mean(0, keepdim=True)
        y = torch.cat([colours.expand(3 if len(x) > 2 else 1, -1, -1), alpha])[: len(x)]
        if min(y.shape[1:]) < 8:
            raise UsageError("a picture of the prior is smaller than 8 x 8 pixels.")
        found.append(y)
    return found
