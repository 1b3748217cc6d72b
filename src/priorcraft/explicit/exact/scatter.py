"""Moments of rows, which may be summed anywhere, and the covariance that they make, drawn to a simpler one."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from priorcraft.core.abilities import AT_ONCE


@dataclass(frozen=True)
class Scatter:
    """Weighted products of rows around their mean: their covariance, and how far it may be off.

    Args:
        weight: how much the rows count together, ().
        products: sum of w x x', (D, D).
        fourth: sum of w |x|^4, ().
    """

    weight: Tensor
    products: Tensor
    fourth: Tensor

    def __add__(self, other: "Scatter") -> "Scatter":
        return Scatter(self.weight + other.weight, self.products + other.products, self.fourth + other.fourth)

    @property
    def covariance(self) -> Tensor:
        """The mean product, (D, D)."""
        return self.products / self.weight.clamp_min(1e-12)

    def shrunk(self, target: Tensor) -> Tensor:
        """The covariance drawn to `target` by Ledoit and Wolf's share, (D, D).

        r = min(1, E |S - Sigma|^2 / |S - T|^2),   E |S - Sigma|^2 ~ (mean |x|^4 - |S|^2) / N
        """
        covariance, n = self.covariance, self.weight.clamp_min(1e-12)
        error = (self.fourth / n - covariance.square().sum()).clamp_min(0) / n
        distance = (covariance - target).square().sum()
        share = 1.0 if float(n) < 2 else float((error / distance.clamp_min(1e-300)).clamp_max(1))
        return torch.lerp(covariance, target, share)


class Moments(NamedTuple):
    """Weighted sums over y = x - o_z, where the origin o_z of a class or component lies near its rows.

    weight: sum of w, (Z,).
    first: sum of w y, (Z, D).
    second: sum of w y y', (Z, D, D).
    third: sum of w |y|^2 y, (Z, D).
    fourth: sum of w |y|^4, (Z,).
    """

    weight: Tensor
    first: Tensor
    second: Tensor
    third: Tensor
    fourth: Tensor

    @classmethod
    def of(cls, x: Tensor, weights: Tensor, origins: Tensor) -> Self:
        """Of some rows.

        Args:
            x: rows, (N, D).
            weights: how much each counts in each class, (N, Z).
            origins: o, (Z, D).
        """
        each = list[tuple[Tensor, ...]]()
        for weight, origin in zip(weights.T, origins, strict=True):
            rows = weight > 0
            y, w = x[rows] - origin, weight[rows]
            square, weighted = y.square().sum(1), y * w.unsqueeze(1)
            each.append((w.sum(), weighted.sum(0), weighted.T @ y, square @ weighted, w @ square.square()))
        return cls(*map(torch.stack, zip(*each, strict=True)))

    def overall(self, origins: Tensor) -> Tensor:
        """The mean of all rows, (D,), where a row's weights come to one."""
        return (self.first + self.weight.unsqueeze(1) * origins).sum(0) / self.weight.sum()

    def means(self, origins: Tensor, few: float) -> Tensor:
        """The mean of each class, with so many imagined rows at the mean of all, (Z, D)."""
        away = self.overall(origins) - origins
        return origins + (self.first + few * away) / (self.weight + few).unsqueeze(1)

    def about(self, moved: Tensor) -> list[Scatter]:
        """Products around the points o_z + moved_z of each class, moved being (Z, D)."""
        return [self._about(z, away) for z, away in enumerate(moved)]

    def _about(self, z: int, d: Tensor) -> Scatter:
        """Sums of w (y - d)(y - d)' and w |y - d|^4, multiplied out."""
        n, s, products, third, fourth = (each[z] for each in self)
        cross, far = torch.outer(d, s), d.square().sum()
        around = products - cross - cross.T + n * torch.outer(d, d)
        fourth = fourth + 4 * d @ products @ d - 4 * d @ third
        fourth = fourth + far * (2 * products.trace() - 4 * d @ s + n * far)
        return Scatter(n, around, fourth.clamp_min(0))


def origins(x: Tensor, given: Tensor | None, classes: int) -> Tensor:
    """A point near the rows of each class, (max(K, 1), D): the mean of those among at most 16,384 rows, evenly apart.

    Args:
        x: rows, (N, *event_shape).
        given: labels, -1 where not known, (N,), or None.
        classes: K; a class of which no label is known gets the mean of all.
    """
    some = torch.arange(AT_ONCE) * len(x) // AT_ONCE if len(x) > AT_ONCE else torch.arange(len(x))
    flat = x[some].flatten(1).double()
    middle = flat.mean(0).repeat(max(classes, 1), 1)
    if given is None or not classes:
        return middle
    share = torch.nn.functional.one_hot(given[some].clamp_min(-1) + 1, classes + 1)[:, 1:].to(flat)
    known = share.sum(0).unsqueeze(1)
    return torch.where(known > 0, share.T @ flat / known.clamp_min(1), middle)
