"""A network from images to images that keeps what is fine and sees what is coarse."""

import math
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from priorcraft.nn.residual import Residual, act, he, sizes


class UNet(nn.Module):
    """Residual blocks down to the smallest size and up again, each size told what it was on the way down.

    (Ronneberger, Fischer & Brox 2015, arXiv:1505.04597.) It ends in zeros: the untrained network changes nothing.

    Args:
        channels: of what comes in.
        code: length of a vector that is told at the smallest size.
        shape: (channels, height, width) of what goes out; the input has this height and width.
        width: channels at the largest size; doubled once at the smaller ones.
        blocks: residual blocks at each size, each way.
        fold: pixels a side that are folded into channels first, for speed; divides height and width.

    >>> import torch
    >>> UNet(2, 3, (1, 9, 8), 4)(torch.zeros(5, 2, 9, 8), torch.zeros(5, 3)).shape
    torch.Size([5, 1, 9, 8])
    """

    def __init__(
        self, channels: int, code: int, shape: tuple[int, ...], width: int, blocks: int = 1, fold: int = 1
    ) -> None:
        super().__init__()
        self.fold = fold
        self.sizes = sizes((shape[0], shape[1] // fold, shape[2] // fold))
        widths = [width] + [2 * width] * (len(self.sizes) - 1)
        branches = 2 * blocks * len(self.sizes)
        self.enter = he(nn.Conv2d(channels * fold**2, width, 3, padding=1))
        self.down = nn.ModuleList(nn.Sequential(*(Residual(w, branches) for _ in range(blocks))) for w in widths)
        self.up = nn.ModuleList(nn.Sequential(*(Residual(w, branches) for _ in range(blocks))) for w in widths)
        self.deepen = nn.ModuleList(he(nn.Conv2d(a, b, 1)) for a, b in pairwise(widths))
        self.flatten = nn.ModuleList(he(nn.Conv2d(b, a, 1), gain=0.5) for a, b in pairwise(widths))
        self.told = he(nn.Linear(code, widths[-1] * math.prod(self.sizes[-1])))
        self.leave = nn.Conv2d(width, shape[0] * fold**2, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, u: Tensor, code: Tensor) -> Tensor:
        """(B, channels, H, W) and (B, code) to (B, *shape)."""
        h = self.enter(F.pixel_unshuffle(u, self.fold))
        passed: list[Tensor] = []
        for i, stage in enumerate(self.down):
            h = stage(self.deepen[i - 1](F.interpolate(h, size=self.sizes[i], mode="bilinear")) if i else h)
            passed.append(h)
        h = h + self.told(code).view_as(h)
        for i in reversed(range(len(self.sizes))):
            h = self.up[i](h)
            if i:
                h = passed[i - 1] + F.interpolate(self.flatten[i - 1](h), size=self.sizes[i - 1], mode="bilinear")
        return F.pixel_shuffle(self.leave(act(h)), self.fold)
