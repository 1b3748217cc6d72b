"""Minimal references of published methods in plain PyTorch, to stand beside priorcraft on the same bits and threads."""

import copy
import math
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH, LOOKS = 100, 12  # rows a step, and looks at the validation rows in one budget


class MADE(nn.Module):
    """Masked autoencoder in the natural order (Germain, Gregor, Murray & Larochelle 2015, arXiv:1502.03509).

    One hidden layer of rectified units, direct connections, one-hot entries for more than two levels.
    """

    def __init__(self, dims: int, levels: int, hidden: int) -> None:
        super().__init__()
        self.levels, self.width = levels, 1 if levels == 2 else levels
        degrees = torch.arange(hidden) % max(dims - 1, 1)
        entry = torch.arange(dims).repeat_interleave(self.width)
        self.enter, self.leave = nn.Linear(len(entry), hidden), nn.Linear(hidden, len(entry))
        self.direct = nn.Linear(len(entry), len(entry), bias=False)
        self.register_buffer("into", (degrees[:, None] >= entry[None]).float())
        self.register_buffer("out", (entry[:, None] > degrees[None]).float())
        self.register_buffer("past", (entry[:, None] > entry[None]).float())

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exact, nats, (B,)."""
        x = x.flatten(1)
        code = x.float() if self.levels == 2 else F.one_hot(x, self.levels).float().flatten(1)
        h = F.relu(F.linear(code, self.enter.weight * self.into, self.enter.bias))
        out = F.linear(h, self.leave.weight * self.out, self.leave.bias) + F.linear(
            code, self.direct.weight * self.past
        )
        return categorical(out.unflatten(1, (-1, self.width)), x)


class Masked(nn.Conv2d):
    """A convolution that sees what comes earlier in the raster: mask A leaves out its own pixel, B does not."""

    def __init__(self, kind: str, inputs: int, outputs: int, side: int) -> None:
        super().__init__(inputs, outputs, side, padding=side // 2)
        mask = torch.ones(side * side)
        mask[side * side // 2 + (kind == "B") :] = 0
        self.register_buffer("mask", mask.view(side, side))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        return self._conv_forward(x, self.weight * self.mask, self.bias)


class PixelCNN(nn.Module):
    """Masked convolutions in raster order (van den Oord, Kalchbrenner & Kavukcuoglu 2016, arXiv:1601.06759).

    A 7 x 7 convolution of mask A to 2h channels, residual blocks of 1 x 1 to h, 3 x 3 of mask B, 1 x 1 to 2h, then two
    1 x 1 layers; a softmax over the levels. One channel.
    """

    def __init__(self, levels: int, h: int, blocks: int) -> None:
        super().__init__()
        self.levels, width = levels, 1 if levels == 2 else levels
        self.enter = Masked("A", 1, 2 * h, 7)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(), nn.Conv2d(2 * h, h, 1), nn.ReLU(), Masked("B", h, h, 3), nn.ReLU(), nn.Conv2d(h, 2 * h, 1)
            )
            for _ in range(blocks)
        )
        self.leave = nn.Sequential(nn.ReLU(), nn.Conv2d(2 * h, 2 * h, 1), nn.ReLU(), nn.Conv2d(2 * h, width, 1))

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exact, nats, (B,)."""
        h = self.enter(x.float() * (2 / (self.levels - 1)) - 1)
        for block in self.blocks:
            h = h + block(h)
        return categorical(self.leave(h).flatten(2).transpose(1, 2), x.flatten(1))


def categorical(out: Tensor, x: Tensor) -> Tensor:
    """The sum over entries of log p(x_i), from logits (B, D, 1) of bits or (B, D, levels); (B,)."""
    if out.shape[-1] == 1:
        return -F.softplus(out.squeeze(-1) * (1 - 2 * x.float())).sum(1)
    return out.log_softmax(-1).gather(-1, x[..., None]).squeeze(-1).sum(1)


@torch.no_grad()
def nats(model: nn.Module, x: Tensor) -> float:
    """Mean of -log p."""
    return -math.fsum(float(model.log_prob(part.long()).sum()) for part in x.split(BATCH)) / len(x)


def fitted(model: nn.Module, train: Tensor, valid: Tensor, seconds: float, lr: float = 1e-3) -> nn.Module:
    """Adam for so many seconds, the rate falling to zero with them; the weights that did best on validation rows."""
    start, generator = time.monotonic(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), lr)
    best, kept, looks, used = math.inf, copy.deepcopy(model), 0, 0.0
    while used < 1:
        rows = torch.randint(len(train), (BATCH,), generator=generator)
        for group in optimiser.param_groups:
            group["lr"] = lr * 0.5 * (1 + math.cos(math.pi * used))
        optimiser.zero_grad()
        (-model.log_prob(train[rows].long()).mean()).backward()
        optimiser.step()
        used = (time.monotonic() - start) / seconds
        if used * LOOKS >= looks + 1:
            looks, found = int(used * LOOKS), nats(model, valid)
            if found < best:
                best, kept = found, copy.deepcopy(model)
    return kept
