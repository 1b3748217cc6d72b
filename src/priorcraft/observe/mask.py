"""Some entries are seen as they are, the others not at all."""

import torch
from torch import Tensor

from priorcraft.core import Entrywise, LinearObservation
from priorcraft.errors import DataError, UsageError


class Mask(LinearObservation, Entrywise):
    """y_i = x_i where seen, and 0 where hidden.

    Args:
        seen: True where x is seen; one mask for all rows, (*event_shape), or one a row, (B, *event_shape).

    >>> observation = Mask(torch.tensor([True, False]))
    >>> observation.forward(torch.tensor([[5, 7]]))
    tensor([[5, 0]])
    >>> observation.log_prob(torch.tensor([[5, 0], [5, 0]]), torch.tensor([[5, 7], [6, 7]]))
    tensor([0., -inf])
    """

    def __init__(self, seen: Tensor) -> None:
        if seen.dtype != torch.bool:
            raise UsageError(f"seen must be a boolean mask, True where x is seen, not {seen.dtype}.")
        self.seen = seen

    def forward(self, x: Tensor) -> Tensor:
        """x with zeros where it is hidden."""
        if tuple(self.seen.shape) not in (tuple(x.shape), tuple(x.shape[1:])):
            raise DataError(f"the mask has shape {tuple(self.seen.shape)}, but one x has {tuple(x.shape[1:])}.")
        return torch.where(self.seen, x, torch.zeros_like(x))

    def adjoint(self, v: Tensor) -> Tensor:
        """v with zeros where x is hidden: A is its own adjoint."""
        return self.forward(v)

    def log_prob_each(self, y: Tensor, x: Tensor) -> Tensor:
        """0 where hidden or equal, -inf where y contradicts x."""
        wrong = self.seen & (y != x)
        return torch.zeros(wrong.shape, dtype=torch.float64, device=x.device).masked_fill(wrong, -torch.inf)

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """0 where y agrees with x, -inf elsewhere, (B,)."""
        return Entrywise.log_prob(self, y, x).float()


class Choice(LinearObservation):
    """Of each block of factor x factor pixels, the first one is seen.

    Args:
        factor: side of a block.

    >>> Choice(2).forward(torch.arange(16).view(1, 1, 4, 4))
    tensor([[[[ 0,  2],
              [ 8, 10]]]])
    """

    def __init__(self, factor: int) -> None:
        self.factor = check_factor(factor)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / factor, W / factor)."""
        check_divides(self.factor, x)
        return x[..., :: self.factor, :: self.factor]

    def adjoint(self, v: Tensor) -> Tensor:
        """v in the first pixel of each block, zeros elsewhere."""
        x = v.new_zeros(*v.shape[:-2], v.shape[-2] * self.factor, v.shape[-1] * self.factor)
        x[..., :: self.factor, :: self.factor] = v
        return x

    def as_mask(self, y: Tensor) -> tuple[Mask, Tensor]:
        """The same as a mask, and y spread over it."""
        seen = self.adjoint(torch.ones_like(y[0], dtype=torch.uint8)).bool()
        return Mask(seen), self.adjoint(y)


def check_factor(factor: int) -> int:
    """`factor` itself, if it is at least 2."""
    if factor < 2:
        raise UsageError(f"factor must be at least 2, not {factor}.")
    return factor


def check_divides(factor: int, x: Tensor) -> None:
    """Raises a UsageError if images (..., H, W) do not fall into blocks."""
    if x.dim() < 4 or x.shape[-1] % factor or x.shape[-2] % factor:
        raise UsageError(f"factor {factor} does not divide images of shape {tuple(x.shape[1:])}.")
