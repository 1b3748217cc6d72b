"""The chain rule in any order: p(x) = prod_i p(x_i | what comes earlier), and exact samples by the same rule."""

import copy
import math
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Exact, Likelihood, Space
from priorcraft.errors import UsageError
from priorcraft.settings import DRAWS, whole


@dataclass(frozen=True)
class SamplingReport:
    """What a sampling took.

    Args:
        method: name of the sampler.
        network_evaluations: how often each activation of the network was computed; in the order that took most.
        seconds: wall time of the sampling.
        forward_seconds: wall time of one pass of the network over as many points.
    """

    method: str
    network_evaluations: int
    seconds: float
    forward_seconds: float

    @property
    def forward_ratio(self) -> float:
        """Time of the sampling over the time of one forward pass."""
        return self.seconds / self.forward_seconds


Density = Callable[[Tensor, Tensor | None], Tensor]  # log p(x | c) of x (B, *event_shape) and labels or None


class Autoregressive(Exact):
    """The chain rule in any order, and the exact ensemble over several orders.

    log p(x) = log 1/O sum_o exp sum_i log p(x_o(i) | x_o(1) ... x_o(i-1))

    An order is a permutation: order[i] is the number of the entry that comes i-th.

    Args:
        space, context: as in `Generative`.
        orders: (O, D), the orders of the ensemble, one a row.
    """

    orders: Tensor
    sampler = "sequential"  # the name of what `draw` does

    def __init__(self, space: Space, context: Space | None, orders: Tensor) -> None:
        super().__init__(space, context)
        self.register_buffer("orders", orders)

    def with_orders(self, orders: Tensor) -> Self:
        """The same model and weights as the exact ensemble over other orders.

        Args:
            orders: permutations of the entries, int64, (O, D).

        Raises:
            UsageError: one that is no permutation.
        """
        checked = torch.stack([self.check_order(order) for order in orders])
        other = copy.copy(self)  # shares every tensor but this one
        other._buffers = {**self._buffers, "orders": checked}
        return other

    @abstractmethod
    def conditionals(self, x: Tensor, order: Tensor, given: Tensor | None) -> Likelihood:
        """p(x_i | the entries before i in `order`) for every entry at once, over x flattened to (B, D)."""

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        each = torch.stack([self._log_prob_in(x.flatten(1), order, given) for order in self.orders])
        return torch.logsumexp(each, 0) - math.log(len(self.orders))

    def _log_prob_in(self, x: Tensor, order: Tensor, given: Tensor | None) -> Tensor:
        return self.conditionals(x, order, given).log_prob(x).sum(-1)

    def log_prob_first(self, x: Tensor, order: Tensor, count: int, given: Tensor | None) -> Tensor:
        """log p of the first `count` entries of the order, x flattened to (B, D). Exact, nats, (B,)."""
        return self.conditionals(x, order, given).log_prob(x)[:, order[:count]].sum(-1)

    def log_prob_in(self, x: Tensor, order: Tensor, given: Tensor | None = None) -> Tensor:
        """log p(x) by the chain rule in one order alone. Exact, nats, (B,).

        Raises:
            UsageError: `order` is no permutation of the entries.
        """
        order = self.check_order(order)
        return self._over_classes(lambda x, c: self._log_prob_in(x.flatten(1), order, c), self.space.check(x), given)

    def _loss(self, density: Density, x: Tensor, given: Tensor | None) -> Tensor:
        """The mean of -log p(x | c) for training: products in bfloat16, everything else in full."""
        with runtime.bfloat16_products(self.log_prior):
            return -self._over_classes(density, self.space.check(x), given).mean()

    def check_order(self, order: Tensor) -> Tensor:
        """`order` itself, if it is a permutation of 0 ... D-1."""
        if order.shape != (self.space.dims,) or not bool(
            (order.sort()[0].cpu() == torch.arange(self.space.dims)).all()
        ):
            raise UsageError(
                f"order must be a permutation of 0 ... {self.space.dims - 1}; got {order.tolist()[:12]} ..."
            )
        return order.to(self.orders.device)

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        return self._sample_by(Method.AUTO, n, given, generator)[0]

    def _sample_by(
        self, method: "Method", n: int, given: Tensor | None, generator: Generator
    ) -> tuple[Tensor, str, int]:
        """The draws, the name of the sampler, and its evaluations; by every method the same draws."""
        member = torch.randint(len(self.orders), (n,), generator=generator, device=generator.device)
        u = runtime.uniform((n, self.space.dims), generator=generator, like=self.log_prior)
        x, name, evaluations = self._draw_members(member.to(u.device), u, given, method)
        return x.view(n, *self.space.event_shape), name, evaluations

    def _draw_members(
        self, member: Tensor, u: Tensor, given: Tensor | None, method: "Method"
    ) -> tuple[Tensor, str, int]:
        """Row r drawn in the order of member[r]; members are drawn side by side, in groups of equal size."""
        present, counts = member.unique(return_counts=True)
        by_member = member.argsort(stable=True)
        within = torch.arange(len(member), device=member.device) - (counts.cumsum(0) - counts).repeat_interleave(counts)
        rows = by_member.new_zeros(len(present), int(counts.max()))  # short groups are filled up with row 0
        taken = rows.bool().index_put_((member[by_member].unique(return_inverse=True)[1], within), torch.tensor(True))
        rows[taken] = by_member
        start = self._empty(rows.numel()).view(*rows.shape, -1)
        context = None if given is None else given[rows]
        drawn, name, evaluations = self._draw_by(method, start, self.orders[present], u[rows], context)
        x = self._empty(len(member))
        x[by_member] = drawn[taken]
        return x, name, evaluations

    def _draw_by(
        self, method: "Method", x: Tensor, orders: Tensor, u: Tensor, given: Tensor | None
    ) -> tuple[Tensor, str, int]:
        """Draws (O, n, D), the name of the sampler, and the evaluations for the order that took most."""
        if method is Method.AUTO:
            method = Method.JACOBI if x.device.type == "cuda" else Method.FAST
        if method is Method.FAST:
            own = type(self)._draw is not Autoregressive._draw
            return self._draw(x, orders, 0, u, given), self.sampler, 1 if own else self.space.dims
        each = [(x[o], order, 0, u[o], None if given is None else given[o]) for o, order in enumerate(orders)]
        if method is Method.NAIVE:
            return torch.stack([self.fill(*one) for one in each]), "naive", self.space.dims
        drawn, rounds = zip(*(self.iterate(*one) for one in each), strict=True)
        return torch.stack(drawn), "jacobi", max(rounds)

    def _empty(self, n: int) -> Tensor:
        dtype = self.log_prior.dtype if self.space.levels is None else torch.long
        return torch.zeros(n, self.space.dims, dtype=dtype, device=self.orders.device)

    @torch.no_grad()
    def sample_report(
        self,
        n: int,
        *,
        given: Tensor | None = None,
        generator: Generator | None = None,
        method: "Method | None" = None,
    ) -> tuple[Tensor, SamplingReport]:
        """As `sample`, by a method of choice, with an account of what it took.

        Args:
            n, given, generator: as in `sample`.
            method: `Method.AUTO` if None; the same generator gives the same draws by any of them.

        Returns:
            The draws (n, *event_shape), and the report.
        """
        n = whole("n", n, DRAWS)
        generator = runtime.fresh(generator)
        began = time.perf_counter()
        context = self.contexts(n, given, generator=generator)
        x, name, evaluations = self._sample_by(method or Method.AUTO, n, context, generator)
        x = x.cpu()
        seconds = time.perf_counter() - began
        return x, SamplingReport(name, evaluations, seconds, self.forward_seconds(x, context))

    @torch.no_grad()
    def forward_seconds(self, x: Tensor, given: Tensor | None) -> float:
        """Wall time of one pass of the network over x (B, *event_shape), in one order; the better of two."""
        x, times = x.to(self.orders.device).flatten(1), []
        for _ in range(2):
            began = time.perf_counter()
            self.conditionals(x, self.orders[0], given).log_prob(x).cpu()
            times.append(time.perf_counter() - began)
        return min(times)

    @torch.no_grad()
    def draw(self, x: Tensor, order: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        """Draws the entries order[start], order[start + 1] ... given the earlier ones, as fast as the model can. Exact.

        Args:
            x: (B, D); the entries before `start` in the order are kept.
            u: uniforms, (B, D), one an entry: the same uniforms give the same x, that of `fill`.
        """
        if not len(x):
            return x
        return self._draw(x[None], order[None], start, u[None], None if given is None else given[None])[0]

    def _draw(self, x: Tensor, orders: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        """`draw` for O orders with n rows each, (O, n, D)."""
        parts = [
            self.fill(x[o], order, start, u[o], None if given is None else given[o]) for o, order in enumerate(orders)
        ]
        return torch.stack(parts)

    @torch.no_grad()
    def fill(self, x: Tensor, order: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        """`draw` in the plain way, one pass of the whole network an entry: the oracle for faster ones. Exact."""
        x = x.clone()
        for i in order[start:].tolist():
            x[:, i] = self.conditionals(x, order, given).quantile(u)[:, i]
        return x

    @torch.no_grad()
    def iterate(self, x: Tensor, order: Tensor, start: int, u: Tensor, given: Tensor | None) -> tuple[Tensor, int]:
        """`draw` by Jacobi's fixed-point iteration: all hidden entries anew in every round, until none changes. Exact.

        x <- quantile(p(x_i | earlier entries of x), u_i). After k rounds at least k entries are final, and mostly many
        more; a round that changes nothing is the last.
        (Song, Meng, Liao & Ermon 2021, arXiv:2002.03629)

        Returns:
            x, and the number of rounds, each one pass of the whole network.
        """
        hidden, rounds = torch.zeros(x.shape[1], dtype=torch.bool, device=x.device), 0
        hidden[order[start:]] = True
        while rounds <= len(order) - start:
            new, rounds = torch.where(hidden, self.conditionals(x, order, given).quantile(u), x), rounds + 1
            if torch.equal(new, x):
                break
            x = new
        return x, rounds


class Method(StrEnum):
    """How to draw: `FAST` is the model's own sampler, `AUTO` that one on a CPU and `JACOBI` on a GPU."""

    AUTO = "auto"
    FAST = "fast"
    JACOBI = "jacobi"
    NAIVE = "naive"


def ensemble(dims: int, orders: int, seed: int) -> Tensor:
    """Raster order and orders-1 random permutations, int64, (orders, dims).

    >>> ensemble(4, 2, 0)[0].tolist()
    [0, 1, 2, 3]
    """
    if orders < 1:
        raise UsageError(f"orders must be at least 1, not {orders}.")
    drawn = [torch.randperm(dims, generator=runtime.keyed(seed, "order", i)) for i in range(1, orders)]
    return torch.stack([torch.arange(dims), *drawn])


def evidence_first(orders: Tensor, seen: Tensor) -> Tensor:
    """Orders (O, D) with the seen entries moved to the front, both parts as they were.

    >>> evidence_first(torch.tensor([[0, 1, 2, 3]]), torch.tensor([False, True, False, True])).tolist()
    [[1, 3, 0, 2]]
    """
    hidden = (~seen).long()[orders]
    return orders.gather(1, hidden.argsort(dim=1, stable=True)).unique(dim=0)
