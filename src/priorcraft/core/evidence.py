"""What was seen, p(y | x), and what follows from it, p(x | y)."""

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.errors import NoDensity, UsageError


class Observation(ABC):
    """p(y | x): what is seen of x, and how surely. y is a tensor, or a tuple of them where several things are seen."""

    @abstractmethod
    def forward(self, x: Tensor) -> Any:
        """What there is to see of x (B, *event_shape), before any noise."""

    @abstractmethod
    def log_prob(self, y: Any, x: Tensor) -> Tensor:
        """log p(y | x), exact, nats, (B,); -inf where x contradicts y, 0 where y follows from x without noise."""

    def sample(self, x: Tensor, *, generator: Generator | None = None) -> Any:
        """One draw of y for each x."""
        return self.forward(x)


class LinearObservation(Observation):
    """y = A x + noise * e, with e ~ N(0, I): seen through a matrix A."""

    noise: float = 0.0

    @abstractmethod
    def adjoint(self, v: Tensor) -> Tensor:
        """A' v, for which <A x, v> = <x, A' v>, (B, *event_shape)."""

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """log N(y; A x, noise^2 I); without noise 0 where y = A x up to rounding and -inf elsewhere. Nats, (B,)."""
        distance = (y - self.forward(x)).flatten(1)
        if self.noise:
            scaled = distance / self.noise
            return -0.5 * (scaled.square() + math.log(2 * math.pi)).sum(1) - distance.shape[1] * math.log(self.noise)
        rounding = 1e-4 * (1 + y.abs().flatten(1))
        agrees = (distance.abs() <= rounding).all(1)
        return torch.zeros_like(agrees, dtype=self.forward(x).double().dtype).masked_fill(~agrees, -math.inf)

    def sample(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """One draw of y for each x."""
        y = self.forward(x)
        if not self.noise:
            return y
        y = y if y.is_floating_point() else y.float()
        return y + self.noise * runtime.normal(tuple(y.shape), generator=runtime.fresh(generator), like=y)


class Entrywise(Observation):
    """p(y | x) = prod_i p(y_i | x_i): each entry is seen by itself."""

    @abstractmethod
    def log_prob_each(self, y: Any, x: Tensor) -> Tensor:
        """log p(y_i | x_i) of every entry, exact, nats, (B, *event_shape)."""

    def log_prob(self, y: Any, x: Tensor) -> Tensor:
        """log p(y | x), exact, nats, (B,)."""
        return self.log_prob_each(y, x).flatten(1).sum(1)


class Posterior(ABC):
    """p(x | y): what follows for x from what was seen.

    Args:
        kind: "exact" if the draws come from the model's own p(x | y), "approximate" otherwise.
        method: how it is done, in a few words.
        diagnostics: numbers that say how well it went; approximate ones fill them while they draw.
    """

    kind: str = "exact"
    method: str = ""

    def __init__(self) -> None:
        self.diagnostics: dict[str, float] = {}

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """n draws for each of the B rows of y, (B, n, *event_shape)."""
        if n < 1:
            raise UsageError(f"n must be at least 1, not {n}.")
        return self._sample(n, runtime.fresh(generator))

    @abstractmethod
    def _sample(self, n: int, generator: Generator) -> Tensor: ...

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | y), exact, nats, (B,).

        Raises:
            NoDensity: this method draws from p(x | y), but cannot compute it.
        """
        raise NoDensity(f"log p(x | y) is not known by {self.method}; exact methods alone can compute it.")
