"""A covariance with the share by which it is drawn to a simpler one."""

import torch
from torch import Tensor


class Scatter:
    """Weighted products of rows: their covariance, and how far it may be off.

    Args:
        x: rows around their mean, (N, D).
        weight: how much each row counts, (N,).
    """

    def __init__(self, x: Tensor, weight: Tensor) -> None:
        self.weight = weight.sum()
        self.products = (x * weight.unsqueeze(1)).T @ x
        self.fourth = weight @ x.square().sum(1).square()

    def __add__(self, other: "Scatter") -> "Scatter":
        both = object.__new__(Scatter)
        both.weight, both.fourth = self.weight + other.weight, self.fourth + other.fourth
        both.products = self.products + other.products
        return both

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
