"""Images moved, sheared, turned and scaled by a little."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

# half ranges of a random deformation: shares of half the side, slopes, radians, shares of the size
ACROSS, DOWN, SHEAR, TURN, SCALE = 0.12, 0.08, 0.15, 0.15, 0.1


def affine(across: Tensor, down: Tensor, shear: Tensor, turn: Tensor, wide: Tensor, high: Tensor) -> Tensor:
    """The maps from where a pixel is to where it comes from, (N, 2, 3).

    Args:
        across, down: shifts, in half sides, (N,).
        shear: slope of the columns, (N,).
        turn: radians, (N,).
        wide, high: what a side of 1 is taken from, (N,); below 1 enlarges.
    """
    first = torch.stack([turn.cos() * wide, (shear - turn.sin()) * high, across], 1)
    second = torch.stack([turn.sin() * wide, turn.cos() * high, down], 1)
    return torch.stack([first, second], 1)


def warped(x: Tensor, where: Tensor, mode: str = "bilinear") -> Tensor:
    """Images (N, C, H, W) seen through affine maps (N, 2, 3); what comes in from outside is 0.

    >>> shift = affine(*torch.tensor([[1.0], [0.0], [0.0], [0.0], [1.0], [1.0]]))
    >>> warped(torch.arange(4.0).view(1, 1, 2, 2), shift).flatten().tolist()
    [1.0, 0.0, 3.0, 0.0]
    """
    return F.grid_sample(x, F.affine_grid(where, list(x.shape), align_corners=False), mode=mode, align_corners=False)


def randomly_deformed(x: Tensor, levels: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Images of integers, each deformed at random: another hand's drawing of the same, int64, (N, C, H, W).

    Returns:
        The images, and how each was deformed, (N, 6): shifts, shear, turn and sizes, in half ranges.
    """
    u = torch.rand(6, len(x), generator=generator, device=generator.device).to(x.device) * 2 - 1
    half = torch.tensor([ACROSS, DOWN, SHEAR, TURN, SCALE, SCALE], device=x.device)
    across, down, shear, turn, wide, high = u * half[:, None]
    where = affine(across, down, shear, turn, 1 + wide, 1 + high)
    return warped(x.float(), where, "bicubic").round().clamp(0, levels - 1).long(), u.T
