"""Rows with holes: which entries are there, and anything in place of those that are not."""

import torch
from torch import Tensor

from priorcraft.core import Space
from priorcraft.errors import DataError


def seen_points(space: Space, x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """x (B, *event_shape) with zeros where it is missing, and one mask a row.

    Args:
        space: where x lives.
        x: rows; missing entries may hold anything.
        seen: True where x counts, (B, *event_shape), or one mask for all.

    Raises:
        DataError: a mask of another shape or type, or a seen entry outside the space.
    """
    if seen.dtype != torch.bool or tuple(seen.shape[-len(x.shape[1:]) :]) != tuple(x.shape[1:]):
        raise DataError(
            f"seen must be a boolean mask of shape {space.event_shape}, one or one a row of x; "
            f"found {seen.dtype} of shape {tuple(seen.shape)}."
        )
    return space.check(torch.where(seen, x, 0)), seen.expand_as(x)
