"""Perceptrons."""

from torch import Tensor, nn


class Residual(nn.Module):
    """x + f(x), with f normalised at its entrance and zero at the start of training.

    Args:
        width: length of x.
        dropout: share of hidden units left out in training.
    """

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        last = nn.Linear(width, width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.f = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), last)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width) to (B, width)."""
        return x + self.f(x)


def residual_mlp(inputs: int, outputs: int, width: int, depth: int, dropout: float = 0.0) -> nn.Sequential:
    """A linear map, `depth` residual blocks, an activation, a linear map.

    >>> import torch
    >>> residual_mlp(3, 2, 16, 2)(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """
    blocks = [Residual(width, dropout) for _ in range(depth)]
    return nn.Sequential(nn.Linear(inputs, width), *blocks, nn.SiLU(), nn.Linear(width, outputs))
