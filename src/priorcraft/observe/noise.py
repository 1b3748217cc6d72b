"""Entries that are seen with an error."""

import math

import torch
from torch import Tensor

from priorcraft.core import Entrywise, LinearObservation
from priorcraft.errors import UsageError


class GaussianNoise(LinearObservation, Entrywise):
    """y = x + noise * e, with e ~ N(0, I).

    Args:
        noise: standard deviation, in the units of x.

    >>> round(float(GaussianNoise(1.0).log_prob(torch.zeros(1, 1), torch.zeros(1, 1))), 4)
    -0.9189
    """

    def __init__(self, noise: float) -> None:
        if not 0 < noise < math.inf:
            raise UsageError(f"noise must be above 0 and finite, not {noise}.")
        self.noise = noise

    def forward(self, x: Tensor) -> Tensor:
        """x itself, floating point."""
        return x if x.is_floating_point() else x.float()

    def adjoint(self, v: Tensor) -> Tensor:
        """v itself."""
        return v

    def log_prob_each(self, y: Tensor, x: Tensor) -> Tensor:
        """log N(y_i; x_i, noise^2), exact, nats, (B, *event_shape)."""
        return -0.5 * ((y - x) / self.noise).square() - math.log(self.noise) - 0.5 * math.log(2 * math.pi)


class Quantisation(Entrywise):
    """y = floor(x / step): only the cell that x lies in is seen.

    Args:
        step: width of a cell, in the units of x.

    >>> Quantisation(4).forward(torch.tensor([[3, 4, 16]]))
    tensor([[0, 1, 4]])
    """

    def __init__(self, step: float) -> None:
        if not 0 < step < math.inf:
            raise UsageError(f"step must be above 0 and finite, not {step}.")
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """The number of the cell of each entry, int64."""
        return torch.div(x, self.step, rounding_mode="floor").long()

    def log_prob_each(self, y: Tensor, x: Tensor) -> Tensor:
        """0 where x_i lies in cell y_i, -inf elsewhere."""
        wrong = self.forward(x) != y
        return torch.zeros(wrong.shape, device=x.device).masked_fill(wrong, -math.inf)
