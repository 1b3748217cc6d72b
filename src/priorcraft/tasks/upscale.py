"""Larger images from small ones: every block keeps its mean."""

from torch import Generator, Tensor

from priorcraft.core import Generative, Space
from priorcraft.errors import UsageError
from priorcraft.observe import BlockMean
from priorcraft.tasks.restore import Restoration, restore


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
    draws: int = 64,
    given: Tensor | None = None,
    generator: Generator,
) -> Restoration:
    """n larger images for each small one, whose blocks have exactly these sums.

    Args:
        model: a fitted model of images with integer pixels.
        sums: points of `small_space`, (B, C, H / factor, W / factor).
        factor: side of a block.
        n: images for each.
        draws: how many the mean and spread are taken over, n if that is more.
        given: labels, (B,), or None.
        generator: source of randomness.
    """
    sums = small_space(model.space, factor).check(sums, "sums")
    y = sums.float() / factor**2
    return restore(model, BlockMean(factor), y, n, draws=draws, given=given, generator=generator)
