"""Masked perceptrons, whose outputs see only what comes earlier in an order."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedLinear(nn.Module):
    """A linear map of which a mask, given with each call, leaves out connections.

    Args:
        inputs, outputs: lengths.
        gain: scale of the initial weights relative to 1 / sqrt(inputs).
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * gain / math.sqrt(max(inputs, 1)))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs), through weight * mask with mask (outputs, inputs)."""
        return F.linear(x, self.weight * mask, self.bias)


class MaskedMLP(nn.Module):
    """A residual perceptron that is autoregressive in any order given with the call.

    Every hidden unit has a degree d, and sees the entries at positions 0 ... d; the output for the entry at position
    p sees the units of degree below p (Germain, Gregor, Murray & Larochelle 2015, arXiv:1502.03509). Units are kept in
    the order of their degrees, so that hidden masks are lower triangular.

    Args:
        entries: number of entries D.
        features: numbers that code one entry at the input.
        outputs: numbers given for one entry.
        width: hidden units.
        depth: residual blocks.
        context: length of a vector that every unit sees.
        dropout: share of hidden units left out in training.
        direct: connect entries with the outputs of later ones without a hidden unit between.
    """

    degrees: Tensor

    def __init__(
        self,
        entries: int,
        features: int,
        outputs: int,
        width: int,
        depth: int,
        context: int = 0,
        dropout: float = 0.0,
        direct: bool = True,
    ) -> None:
        super().__init__()
        self.entries, self.features, self.outputs = entries, features, outputs
        self.enter = MaskedLinear(entries * features, width)
        self.blocks = nn.ModuleList(
            nn.ModuleList([MaskedLinear(width, width), MaskedLinear(width, width, gain=0.0)]) for _ in range(depth)
        )
        self.leave = MaskedLinear(width, entries * outputs, gain=0.1)
        self.direct = MaskedLinear(entries * features, entries * outputs, gain=0.0) if direct else None
        self.context = nn.Linear(context, width, bias=False) if context else None
        self.context_out = nn.Linear(context, entries * outputs, bias=False) if context else None
        if self.context_out is not None:
            nn.init.zeros_(self.context_out.weight)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("degrees", torch.arange(width) * max(entries - 1, 1) // width)

    def masks(self, position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Input, hidden and output masks for an order in which entry i comes at position[i]."""
        dtype = self.enter.weight.dtype
        enter = (self.degrees[:, None] >= position[None, :]).to(dtype).repeat_interleave(self.features, 1)
        hidden = (self.degrees[:, None] >= self.degrees[None, :]).to(dtype)
        leave = (position[:, None] > self.degrees[None, :]).to(dtype).repeat_interleave(self.outputs, 0)
        return enter, hidden, leave

    def direct_mask(self, position: Tensor) -> Tensor:
        """The mask between entries and outputs: earlier ones only."""
        earlier = (position[:, None] > position[None, :]).to(self.enter.weight.dtype)
        return earlier.repeat_interleave(self.outputs, 0).repeat_interleave(self.features, 1)

    def forward(self, x: Tensor, position: Tensor, context: Tensor | None = None) -> Tensor:
        """Codes (B, D, features) to parameters (B, D, outputs); entry i sees the entries at earlier positions."""
        enter, hidden, leave = self.masks(position)
        h = self.enter(x.flatten(1), enter)
        if self.context is not None and context is not None:
            h = h + self.context(context)
        for first, second in self.blocks:  # pyright: ignore[reportGeneralTypeIssues]
            h = h + second(self.dropout(F.silu(first(F.silu(h), hidden))), hidden)
        out = self.leave(self.dropout(F.silu(h)), leave)
        if self.direct is not None:
            out = out + self.direct(x.flatten(1), self.direct_mask(position))
        if self.context_out is not None and context is not None:
            out = out + self.context_out(context)
        return out.unflatten(1, (-1, self.outputs))
