"""Larger images from small ones: every block keeps its mean."""

import itertools
import time
from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from priorcraft.condition import engine_for, posterior
from priorcraft.condition.restoration import DRAWS, Restoration, averaged, restore
from priorcraft.condition.weighted import Importance
from priorcraft.core import Generative, Space
from priorcraft.errors import DataError, UsageError
from priorcraft.observe import BlockMean, Mask, jointly

AT_ONCE = 512  # draws of windows that are completed together


def small_space(space: Space, factor: int) -> Space:
    """The space of the block sums: images `factor` times smaller, with a level for each sum.

    Raises:
        UsageError: no images of integers, or a factor below 2 or that does not divide their sides.

    >>> small_space(Space((1, 8, 8), 17), 2)
    Space(event_shape=(1, 4, 4), levels=65)
    """
    if not space.is_image or space.levels is None:
        raise UsageError("upscale needs a model of images with integer pixels.")
    channels, height, width = space.event_shape
    if factor < 2 or height % factor or width % factor:
        raise UsageError(
            f"factor must be at least 2 and divide the model's {width} x {height} pixels; {factor} does not."
        )
    return Space((channels, height // factor, width // factor), factor**2 * (space.levels - 1) + 1)


def upscale(
    model: Generative,
    sums: Tensor,
    factor: int,
    n: int,
    *,
    draws: int | None = None,
    given: Tensor | None = None,
    generator: Generator,
) -> Restoration:
    """n larger images for each small one, whose blocks have exactly these sums.

    Args:
        model: a fitted model of images with integer pixels.
        sums: points of `small_space`, (B, C, H / factor, W / factor), or of a larger image.
        factor: side of a block.
        n: images for each.
        draws: how many the mean and spread are taken over, n if that is more; without it 64, for larger images n.
        given: labels, (B,), or None.
        generator: source of randomness.

    Raises:
        DataError: images that are smaller than the model's divided by factor, or have other channels.
    """
    small = small_space(model.space, factor)
    check_larger(tuple(sums.shape[1:]), small)
    sums = Space(tuple(sums.shape[1:]), small.levels).check(sums, "sums")
    if tuple(sums.shape[1:]) == small.event_shape:
        y = sums.float() / factor**2
        return restore(model, BlockMean(factor), y, n, draws=draws or DRAWS, given=given, generator=generator)
    return _tiled(model, sums, factor, n, max(n, draws or n), given, generator)


def check_larger(shape: tuple[int, ...], small: Space) -> None:
    """Raises a DataError unless small images of `shape` are at least as large as the model's small ones."""
    wanted = small.event_shape
    if shape[0] != wanted[0] or any(a < b for a, b in zip(shape, wanted, strict=True)):
        raise DataError(f"images must have shape {wanted}, or be larger; found {shape}.")


def _tiled(
    model: Generative, sums: Tensor, factor: int, n: int, draws: int, given: Tensor | None, generator: Generator
) -> Restoration:
    """Windows in four rounds; those of one round do not touch, and each sees its neighbours of earlier rounds.

    Approximate: a window does not see beyond its neighbours. Where the model's engine cannot look at pixels beside
    block means, windows are drawn by themselves.
    """
    began, methods, diagnostics = time.perf_counter(), dict[str, None](), list[dict[str, float]]()
    sums = sums.repeat_interleave(draws, 0)
    labels = None if given is None else given.repeat_interleave(draws, 0)
    x = torch.zeros(*sums.shape[:2], *(factor * side for side in sums.shape[2:]), dtype=torch.long, device=sums.device)
    known = torch.zeros(sums.shape[2:], dtype=torch.bool, device=sums.device)
    side = small_space(model.space, factor).event_shape[1:]
    beside = engine_for(model, jointly(Mask(torch.ones(model.space.event_shape).bool()), BlockMean(factor)))
    for windows in rounds(known, side, max(1, AT_ONCE // len(x))):
        tiles = [large(window, factor) for window in windows]
        y = torch.cat([sums[:, :, *window] for window in windows]).float() / factor**2
        pixels, seen = torch.cat([x[:, :, *tile] for tile in tiles]), wide(known[windows[0]], model.space, factor)
        observation, shown = BlockMean(factor), y
        if bool(seen.any()) and beside is not Importance:
            observation, shown = jointly(Mask(seen), BlockMean(factor)), (pixels, y)
        engine = posterior(model, observation, shown, given=None if labels is None else labels.repeat(len(windows)))
        drawn = torch.where(seen, pixels, engine.sample(1, generator=generator)[:, 0])
        for tile, window, own in zip(tiles, windows, drawn.split(len(x)), strict=True):
            x[:, :, *tile], known[window] = own, True
        methods[engine.method] = None
        diagnostics.append(engine.diagnostics)
    drawn, space = x.unflatten(0, (-1, draws)).cpu(), Space(tuple(x.shape[1:]), model.space.levels)
    alone = " by itself" if beside is Importance else ", beside what is there"
    how = ("approximate", f"window after window{alone}, each by {' or '.join(methods)}", averaged(diagnostics))
    return Restoration.of(drawn, n, space, how, time.perf_counter() - began)


def rounds(known: Tensor, side: tuple[int, ...], at_once: int = 64) -> Iterator[list[tuple[slice, ...]]]:
    """Windows of one size that cover `known`, some at a time: of one round, with the same blocks known in each.

    >>> [len(some) for some in rounds(torch.zeros(4, 10).bool(), (4, 4))]
    [2, 1]
    """
    across = [starts(a, b) for a, b in zip(known.shape, side, strict=True)]
    for i, j in itertools.product((0, 1), repeat=2):
        groups: dict[tuple[bool, ...], list[tuple[slice, ...]]] = {}
        for top, left in itertools.product(across[0][i::2], across[1][j::2]):
            window = (slice(top, top + side[0]), slice(left, left + side[1]))
            groups.setdefault(tuple(known[window].flatten().tolist()), []).append(window)
        for pattern, windows in groups.items():
            for start in range(0, 0 if all(pattern) else len(windows), at_once):
                yield windows[start : start + at_once]


def starts(length: int, side: int) -> list[int]:
    """Where windows begin that overlap by a quarter of their side; the last may overlap more.

    >>> starts(10, 4), starts(4, 4), starts(5, 4)
    ([0, 3, 6], [0], [0, 1])
    """
    step = side - side // 4
    return sorted({min(start, length - side) for start in range(0, length - side + step, step)})


def large(window: tuple[slice, ...], factor: int) -> tuple[slice, ...]:
    """The window in the large image."""
    return tuple(slice(part.start * factor, part.stop * factor) for part in window)


def wide(known: Tensor, space: Space, factor: int) -> Tensor:
    """The known blocks as pixels of the model's space, (*event_shape)."""
    return known.repeat_interleave(factor, 0).repeat_interleave(factor, 1).expand(space.event_shape)
