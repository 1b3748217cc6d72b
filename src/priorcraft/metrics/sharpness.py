"""How sharp images are, measured against real ones."""

from torch import Tensor

from priorcraft.core import Space
from priorcraft.datasets.splits import Splits
from priorcraft.errors import DataError, UsageError


def gradient(x: Tensor, space: Space) -> float:
    """Mean length of the gradient of images x (B, C, H, W), in units of the whole range of grey per pixel.

    |grad x| = sqrt((x_right - x)^2 + (x_below - x)^2), by forward differences.
    """
    if not space.is_image or min(space.event_shape[1:]) < 2:
        raise UsageError(f"sharpness needs images of at least 2x2 pixels, not rows of shape {space.event_shape}.")
    x = space.check(x).float() / ((space.levels or 2) - 1)
    corner = x[..., :-1, :-1]
    return float((x[..., :-1, 1:] - corner).hypot(x[..., 1:, :-1] - corner).mean())


def sharpness(x: Tensor, splits: Splits) -> float:
    """Mean gradient length of images x relative to real test images: 1 as sharp as real, less is blurred.

    Noise counts as sharp too: read it beside the two-sample test.

    Args:
        x: images, (B, C, H, W).
        splits: the data set they imitate.

    Raises:
        UsageError: rows that are not images.
        DataError: x outside the space, or constant test images.
    """
    real = gradient(splits.test.x, splits.space)
    if not real:
        raise DataError("splits.test holds constant images only: sharpness cannot be measured against them.")
    return gradient(x, splits.space) / real
