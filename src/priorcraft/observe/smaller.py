"""Fewer numbers than x has: smaller images, blurred ones, grey ones."""

import torch
import torch.nn.functional as F
from torch import Tensor

from priorcraft.core import LinearObservation
from priorcraft.errors import UsageError
from priorcraft.observe.mask import check_divides, check_factor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class BlockMean(LinearObservation):
    """The mean of each block of factor x factor pixels: a smaller image.

    Args:
        factor: side of a block.

    >>> BlockMean(2).forward(torch.tensor([[[[1, 2], [4, 5]]]]))
    tensor([[[[3.]]]])
    """

    def __init__(self, factor: int) -> None:
        self.factor = check_factor(factor)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / factor, W / factor), floating point."""
        check_divides(self.factor, x)
        return F.avg_pool2d(x if x.is_floating_point() else x.float(), self.factor)

    def adjoint(self, v: Tensor) -> Tensor:
        """Each entry of v spread evenly over its block."""
        return v.repeat_interleave(self.factor, -1).repeat_interleave(self.factor, -2) / self.factor**2


class Blur(LinearObservation):
    """Convolution of each channel with one kernel, zeros outside.

    Args:
        kernel: (height, width), both odd.
    """

    def __init__(self, kernel: Tensor) -> None:
        if kernel.dim() != 2 or not all(side % 2 for side in kernel.shape):
            raise UsageError(f"kernel must be (height, width), both odd, not {tuple(kernel.shape)}.")
        self.kernel = kernel

    @classmethod
    def gaussian(cls, sigma: float) -> "Blur":
        """A normal kernel of standard deviation sigma, in pixels, cut off at 3 sigma."""
        if not sigma > 0:
            raise UsageError(f"sigma must be above 0, not {sigma}.")
        reach = max(1, round(3 * sigma))
        bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
        return cls(torch.outer(bell, bell) / bell.sum().square())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), floating point."""
        return self._convolved(x, self.kernel)

    def adjoint(self, v: Tensor) -> Tensor:
        """Convolution with the kernel turned by 180 degrees."""
        return self._convolved(v, self.kernel.flip(0, 1))

    def _convolved(self, x: Tensor, kernel: Tensor) -> Tensor:
        x = x if x.is_floating_point() else x.float()
        weight = kernel.to(x).expand(x.shape[1], 1, *kernel.shape)
        return F.conv2d(x, weight, padding=(kernel.shape[0] // 2, kernel.shape[1] // 2), groups=x.shape[1])


class GreyFromColour(LinearObservation):
    """The luma of an RGB image, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 1, H, W), floating point."""
        if x.dim() != 4 or x.shape[1] != 3:
            raise UsageError(f"grey from colour needs images of 3 channels, not {tuple(x.shape[1:])}.")
        x = x if x.is_floating_point() else x.float()
        return (x * self._luma(x)).sum(1, keepdim=True)

    def adjoint(self, v: Tensor) -> Tensor:
        """v times the luma of each channel."""
        return v * self._luma(v)

    def _luma(self, x: Tensor) -> Tensor:
        return torch.tensor(LUMA, dtype=x.dtype, device=x.device).view(3, 1, 1)
