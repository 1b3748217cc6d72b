"""Masks by name."""

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.errors import UsageError, did_you_mean

NAMES = ("bottom", "top", "left", "right", "centre", "random:SHARE")


def named_mask(name: str, space: Space, *, seed: int = 0) -> Tensor:
    """Which entries are seen when the named part is hidden; True is seen, (*event_shape).

    Args:
        name: bottom, top, left, right, centre (the middle half of each side), or random:0.5, which hides that share of
            the pixels; all channels of a pixel together.
        space: images; for vectors, random alone.
        seed: of random.

    Raises:
        UsageError: an unknown name, or a share outside 0 ... 1.

    >>> named_mask("left", Space((1, 2, 4), 2)).long().tolist()
    [[[0, 0, 1, 1], [0, 0, 1, 1]]]
    """
    kind, _, share = name.partition(":")
    pixels = space.event_shape[1:] if space.is_image else space.event_shape
    if kind == "random":
        return _random(share, pixels, seed).expand(space.event_shape)
    seen = torch.ones(pixels, dtype=torch.bool)
    if not space.is_image or share or not _hide(kind, seen):
        raise UsageError(
            f"there is no mask '{name}': {did_you_mean(name, NAMES)} A mask can also be an image file, as .png."
        )
    return seen.expand(space.event_shape)


def _random(share: str, pixels: tuple[int, ...], seed: int) -> Tensor:
    try:
        hidden = float(share or 0.5)
    except ValueError:
        hidden = -1.0
    if not 0 <= hidden <= 1:
        raise UsageError(f"a random mask hides a share of the pixels between 0 and 1, like random:0.5, not '{share}'.")
    count = torch.Size(pixels).numel()
    rank = torch.randperm(count, generator=runtime.keyed(seed, "mask"))
    return (rank >= round(hidden * count)).view(pixels)


def _hide(kind: str, seen: Tensor) -> bool:
    """Hides the named part of (H, W); False if there is no such part."""
    height, width = seen.shape
    parts = {
        "bottom": (slice(height // 2, None), slice(None)),
        "top": (slice(0, height // 2), slice(None)),
        "left": (slice(None), slice(0, width // 2)),
        "right": (slice(None), slice(width // 2, None)),
        "centre": (slice(height // 4, height - height // 4), slice(width // 4, width - width // 4)),
    }
    if kind in parts:
        seen[parts[kind]] = False
    return kind in parts
