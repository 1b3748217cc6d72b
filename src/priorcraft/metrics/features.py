"""The numbers by which two rows are compared: one meaning of distance for every metric."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.datasets.splits import Rows, Splits


class Features:
    """Rows as vectors, by a rule that depends on the training rows alone.

    Pixels are scaled to [0, 1]; other integers become indicators of their categories (bits stay as they are);
    real numbers are standardised by the mean and standard deviation of the training rows.

    Args:
        splits: the data set.
    """

    def __init__(self, splits: Splits) -> None:
        self.space = splits.space
        if self.space.levels is None:
            x = splits.train.x.flatten(1)
            spread = x.std(0, correction=0)
            self.mean, self.spread = x.mean(0), torch.where(spread > 0, spread, torch.ones_like(spread))

    def __call__(self, x: Tensor) -> Tensor:
        """x (B, *event_shape) as float32 vectors, (B, D), on the CPU."""
        x = x.detach().cpu().flatten(1)
        if self.space.levels is None:
            return ((x - self.mean) / self.spread).float()
        if self.space.is_image or self.space.levels == 2:
            return x.float() / max(self.space.levels - 1, 1)
        return F.one_hot(x.long(), self.space.levels).flatten(1).float()


def draw(rows: Rows, n: int, *, generator: Generator) -> Rows:
    """At most n rows, drawn without replacement."""
    keep = torch.randperm(len(rows), generator=generator)[:n]
    return Rows(rows.x[keep], None if rows.y is None else rows.y[keep])


def noise(splits: Splits, n: int, *, generator: Generator) -> Tensor:
    """n points without any structure: uniform over the levels, or over the box that holds the training rows."""
    space, x = splits.space, splits.train.x
    if space.levels is not None:
        return space.uniform(n, generator=generator)
    low, high = x.amin(0), x.amax(0)
    return low + (high - low) * runtime.uniform((n, *space.event_shape), generator=generator, like=x)
