"""The contact sheet of completions: an image a row."""

import torch
from torch import Tensor

from priorcraft.condition.restoration import Restoration
from priorcraft.core import Space

COMPLETIONS, ROWS = 8, 12  # on a sheet at most


def contact_sheet(
    done: Restoration, seen: Tensor, shown: Tensor, truth: Tensor | None, space: Space
) -> tuple[Tensor, list[str]]:
    """Cells of a sheet with one image a row: seen · completions · mean · uncertainty · truth.

    Args:
        done: completions.
        seen: True where `shown` is seen, broadcast to (B, *event_shape).
        shown: what was seen, at the size of x, (B, *event_shape).
        truth: (B, *event_shape), if known.
        space: where x lives.

    Returns:
        Points of the space, (rows, columns, *event_shape), and a head for each column. Hidden pixels are chequered; the
        uncertainty is the standard deviation of several draws, white at half the range.
    """
    top = 1.0 if space.levels is None else float(space.levels - 1)
    height, width = space.event_shape[-2:] if space.is_image else (1, space.dims)
    chequer = ((torch.arange(height)[:, None] + torch.arange(width)) % 2 * 0.2 + 0.3) * top
    with_holes = torch.where(seen, shown.double(), chequer.view(-1, *space.event_shape[1:]).double())
    draws = done.x[:, :COMPLETIONS].unbind(1)
    named = [("seen", with_holes), *((f"draw {i + 1}", draw) for i, draw in enumerate(draws))]
    named += [("mean", done.mean)]
    named += [("uncertainty", (2 * done.std).clamp_max(top))] if done.coverage_draws.shape[1] > 1 else []
    named += [] if truth is None else [("truth", truth)]
    cells = torch.stack([column[:ROWS].double() for _, column in named], 1)
    return (cells if space.levels is None else cells.round().long()), [head for head, _ in named]
