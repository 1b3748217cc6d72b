"""Images of one domain as images of another, also larger than the model's: windows that overlap and are blended."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from priorcraft.condition.enlarged import starts
from priorcraft.core import Space
from priorcraft.errors import DataError

Answer = Callable[[Tensor], Tensor]  # of points a of the one space, points b of the other


def by_windows(answer: Answer, a: Tensor, seen: Space, space: Space) -> Tensor:
    """What an answer for images of one size makes of images (B, C, H, W) of that size or larger ones.

    Windows overlap by a quarter of their side; where they do, each counts the less the nearer its edge is. Approximate:
    nothing is known beyond a window.

    Args:
        answer: takes windows (B, *seen.event_shape) and gives (B, *space.event_shape). Randomness should be the same at
            every call, so that windows belong together.
        a: images.
        seen, space: of a window and of its answer, whose sides are as long, or the same multiple.

    Raises:
        DataError: images that are smaller, or sides that do not match.

    >>> a = torch.arange(48).view(1, 1, 6, 8)
    >>> bool((by_windows(lambda x: x, a, Space((1, 4, 4), 48), Space((1, 4, 4), 48)) == a).all())
    True
    """
    if tuple(a.shape[1:]) == seen.event_shape:
        return answer(a)
    (channels, *side), (colours, *answered) = seen.event_shape, space.event_shape
    larger = answered[0] // side[0]
    if a.shape[1] != channels or any(have < least for have, least in zip(a.shape[2:], side, strict=True)):
        raise DataError(f"images must have shape {seen.event_shape}, or be larger; found {tuple(a.shape[1:])}.")
    if larger < 1 or answered != [larger * length for length in side]:
        raise DataError(
            f"images of another size than {side[1]} x {side[0]} need answers that are as large, or a whole multiple; "
            f"this model's are {answered[1]} x {answered[0]}. Resize the images first."
        )
    total = torch.zeros(len(a), colours, *(larger * length for length in a.shape[2:]), device=a.device)
    counted = torch.zeros(total.shape[2:], device=a.device)
    share = _ramp(answered[0])[:, None] * _ramp(answered[1])
    for top, left in itertools.product(*(starts(have, own) for have, own in zip(a.shape[2:], side, strict=True))):
        b = answer(a[:, :, top : top + side[0], left : left + side[1]])
        rows, columns = (slice(larger * at, larger * (at + own)) for at, own in zip((top, left), side, strict=True))
        total[:, :, rows, columns] += share.to(a.device) * b
        counted[rows, columns] += share.to(a.device)
    blended = total / counted
    return blended if space.levels is None else blended.round().long()


def _ramp(length: int) -> Tensor:
    """Weights along a side of a window: rising over its first quarter, falling over its last, (length,)."""
    near = torch.minimum(torch.arange(length), torch.arange(length).flip(0)) + 1.0
    return (near / max(length // 4, 1)).clamp_max(1)
