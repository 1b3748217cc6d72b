"""What cells see besides their neighbours: entries that are known before, and the context."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from priorcraft.core import Space


class Surroundings(nn.Module):
    """Features of entries that are known before a stage, seen from every cell around.

    Args:
        features: channels that code a cell.
        channels: of the features.
        depth: residual blocks.
        dropout: share of features left out in training.
    """

    def __init__(self, features: int, channels: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.Conv2d(features, channels, 5, padding=2)
        self.gather = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.mix = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(depth))
        self.dropout = nn.Dropout(dropout)

    def forward(self, codes: Tensor) -> Tensor:
        """(B, features, H, W) to (B, channels, H, W)."""
        h = self.enter(codes)
        for gather, mix in zip(self.gather, self.mix, strict=True):
            h = h + mix(self.dropout(F.silu(gather(F.silu(h)))))
        return h


def context_net(context: Space, channels: int, classes: int) -> nn.Module:
    """A label or vector to (B, channels, 1, 1), an image to (B, channels, H, W)."""
    if context.is_image:
        first = nn.Conv2d(context.event_shape[0], channels, 5, padding=2)
        return nn.Sequential(first, nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))
    return nn.Sequential(nn.Linear(classes or context.dims, channels, bias=False), nn.Unflatten(1, (channels, 1, 1)))


def random_part(space: Space, generator: Generator) -> Tensor:
    """A random share of the pixels, scattered or in squares of a random size, true or false, (C, H, W)."""
    colours, height, width = space.event_shape
    share, size = torch.rand(2, generator=generator, device=generator.device).tolist()
    side = int(max(height, width) ** size)  # of a square
    u = torch.rand(1, 1, -(-height // side), -(-width // side), generator=generator, device=generator.device)
    seen = F.interpolate(u, scale_factor=side)[0, :, :height, :width] < share
    return seen.expand(colours, -1, -1)
