"""A density that does not mind small shifts and shears: a mixture over them, summed exactly."""

import math

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Exact
from priorcraft.errors import UsageError


class Deformed(Exact):
    """p(x | c) = 1/T sum_t p0(t(x) | c) over small shifts and shears t of the image; exact.

    Every t moves whole pixels round the border, so it permutes the pixels: it neither makes nor loses volume, and the
    mixture sums to one if p0 does. It says that the class does not change under t; leave it to those who know.

    Args:
        model: p0, an exact model of images.
        shift: largest number of pixels by which an image is shifted, across or down.
        shear: largest number of pixels by which its first row is shifted one way and its last row the other.

    Raises:
        UsageError: points that are not images.
    """

    def __init__(self, model: Exact, *, shift: int = 1, shear: int = 1) -> None:
        super().__init__(model.space, model.context)
        if not model.space.is_image:
            raise UsageError("shifts and shears are for images; these points are not.")
        self.model = model
        self.log_prior.copy_(model.log_prior)
        self.register_buffer("moves", _moves(model.space.event_shape, shift, shear), persistent=False)

    moves: Tensor

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        return self._mean([self.model._log_prob(self._moved(x, move), given) for move in self.moves])

    def _joint(self, density: object, x: Tensor) -> Tensor:
        return self._mean([self.model.log_joint(self._moved(x, move)) for move in self.moves])

    def _mean(self, each: list[Tensor]) -> Tensor:
        return torch.logsumexp(torch.stack(each), 0) - math.log(len(each))

    def _moved(self, x: Tensor, move: Tensor) -> Tensor:
        return x.flatten(1)[:, move].view_as(x)

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        x = self.model._sample(n, given, generator)
        pick = runtime.categorical(torch.zeros(n, len(self.moves), device=x.device), generator=generator)
        back = self.moves.argsort(1)[pick]
        return x.flatten(1).gather(1, back).view_as(x)


def _moves(shape: tuple[int, ...], shift: int, shear: int) -> Tensor:
    """The permutations of the pixels, (T, D): shifts by up to `shift`, and shears by up to `shear` pixels."""
    index = torch.arange(math.prod(shape)).view(shape)
    steps = [s for k in range(1, shift + 1) for s in (-k, k)]
    shifts = [index.roll(s, dim) for dim in (-1, -2) for s in steps]
    shears = [_sheared(index, s) for k in range(1, shear + 1) for s in (-k, k)]
    return torch.stack([index, *shifts, *shears]).flatten(1)


def _sheared(index: Tensor, pixels: int) -> Tensor:
    height = index.shape[-2]
    by = [round(pixels * (2 * row / max(height - 1, 1) - 1)) for row in range(height)]
    return torch.stack([index[..., row, :].roll(by[row], -1) for row in range(height)], -2)
