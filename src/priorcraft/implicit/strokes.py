"""What a drawing shows whoever drew it: the directions of its edges, in a common pose."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from priorcraft.implicit.alignment import resized

SIDE, SPREAD = 16, 0.45  # of the common pose: pixels, and standard deviation of the ink on -1 ... 1
THIN = 0.45  # least share of its height that a drawing's width is taken to be
DIRECTIONS, CELL, STRIDE = 8, 6, 2
LENGTH = DIRECTIONS * 64


def strokes(u: Tensor) -> Tensor:
    """Oriented gradients in a common pose, vectors of length 1, (B, 512).

    Histograms of gradient directions (Dalal & Triggs 2005) of the ink, which was brought to one mean and one
    covariance without slant. Thickness, slant, size, place, dark on light or light on dark hardly change them.

    Args:
        u: images on the network's range, (B, C, H, W).

    >>> dark = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> bool(torch.allclose(strokes(dark), strokes(-dark), atol=0.05))
    True
    """
    found = gradients(posed(ink(u))).sqrt()
    return found / found.norm(dim=1, keepdim=True).clamp_min(1e-6)


def ink(u: Tensor) -> Tensor:
    """How far each pixel is from the border's median, (B, 1, H, W), at a side of 16 ... 32 pixels."""
    border = torch.cat([u[..., 0, :], u[..., -1, :], u[..., 0], u[..., -1]], -1).median(-1).values
    away = (u - border[..., None, None]).abs().mean(1, keepdim=True)
    side = min(away.shape[-2:])
    if 16 <= side <= 32:
        return away
    scale = (24 if side < 16 else 28) / side
    return resized(away, tuple(max(2, round(scale * s)) for s in away.shape[-2:]))


def posed(ink: Tensor) -> Tensor:
    """The ink with zero mean place, no slant, and the same spread each way, (B, 1, 16, 16)."""
    y, x = (torch.linspace(-1 + 1 / n, 1 - 1 / n, n, dtype=ink.dtype, device=ink.device) for n in ink.shape[-2:])
    p = ink[:, 0] + 1e-6
    p = p / p.sum((1, 2), keepdim=True)
    my, mx = (p.sum(2) @ y), (p.sum(1) @ x)
    dy, dx = y - my[:, None], x - mx[:, None]
    vy, vx = (p.sum(2) * dy**2).sum(1), (p.sum(1) * dx**2).sum(1)
    slant = (p * dy[:, :, None] * dx[:, None, :]).sum((1, 2)) / vy
    tall = vy.sqrt() / SPREAD
    wide = ((vx - slant**2 * vy).clamp_min(1e-4).sqrt() / SPREAD).maximum(THIN * tall)
    zero = torch.zeros_like(mx)
    theta = torch.stack([torch.stack([wide, slant * tall, mx], 1), torch.stack([zero, tall, my], 1)], 1)
    places = F.affine_grid(theta, [len(ink), 1, SIDE, SIDE], align_corners=False)
    return F.grid_sample(ink, places, align_corners=False)


def gradients(v: Tensor) -> Tensor:
    """How much gradient there is in each of 8 directions around each of 8 x 8 places, (B, 512)."""
    gy, gx = F.pad(v, (0, 0, 1, 1)).diff(dim=2), F.pad(v, (1, 1, 0, 0)).diff(dim=3)
    gy, gx = gy[:, :, 1:] + gy[:, :, :-1], gx[..., 1:] + gx[..., :-1]
    size, angle = (gx**2 + gy**2).sqrt(), torch.atan2(gy, gx) * (DIRECTIONS / (2 * math.pi))
    bins = torch.arange(DIRECTIONS, dtype=v.dtype, device=v.device).view(-1, 1, 1)
    away = ((angle - bins + DIRECTIONS / 2).remainder(DIRECTIONS) - DIRECTIONS / 2).abs()
    return F.avg_pool2d(F.pad((1 - away).clamp_min(0) * size, (2, 2, 2, 2)), CELL, STRIDE).flatten(1)
