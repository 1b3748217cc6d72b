"""The chain rule in any order: p(x) = prod_i p(x_i | what comes earlier), and exact samples by the same rule."""

import math
import time
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Exact, Likelihood, Space
from priorcraft.errors import UsageError


@dataclass(frozen=True)
class SamplingReport:
    """What a sampling took.

    Args:
        method: name of the sampler.
        network_evaluations: how often each activation of the network was computed.
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

    @abstractmethod
    def conditionals(self, x: Tensor, order: Tensor, given: Tensor | None) -> Likelihood:
        """p(x_i | the entries before i in `order`) for every entry at once, over x flattened to (B, D)."""

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        each = torch.stack([self._log_prob_in(x.flatten(1), order, given) for order in self.orders])
        return torch.logsumexp(each, 0) - math.log(len(self.orders))

    def _log_prob_in(self, x: Tensor, order: Tensor, given: Tensor | None) -> Tensor:
        return self.conditionals(x, order, given).log_prob(x).sum(-1)

    def log_prob_in(self, x: Tensor, order: Tensor, given: Tensor | None = None) -> Tensor:
        """log p(x) by the chain rule in one order alone. Exact, nats, (B,).

        Raises:
            UsageError: `order` is no permutation of the entries.
        """
        order = self.check_order(order)
        return self._over_classes(lambda x, c: self._log_prob_in(x.flatten(1), order, c), self.space.check(x), given)

    def _loss_in(self, order: Tensor, x: Tensor, given: Tensor | None) -> Tensor:
        """The mean of -log p(x) in one order, for training: products in bfloat16, everything else in full."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.log_prior.dtype == torch.float32):
            return -self.log_prob_in(x, order, given).mean()

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
        member = torch.randint(len(self.orders), (n,), generator=generator, device=generator.device)
        u = runtime.uniform((n, self.space.dims), generator=generator, like=self.log_prior)
        return self._draw_members(member.to(u.device), u, given).view(n, *self.space.event_shape)

    def _draw_members(self, member: Tensor, u: Tensor, given: Tensor | None) -> Tensor:
        """Row r drawn in the order of member[r]; members are drawn side by side, in groups of equal size."""
        present, counts = member.unique(return_counts=True)
        by_member = member.argsort(stable=True)
        within = torch.arange(len(member), device=member.device) - (counts.cumsum(0) - counts).repeat_interleave(counts)
        rows = by_member.new_zeros(len(present), int(counts.max()))  # short groups are filled up with row 0
        taken = rows.bool().index_put_((member[by_member].unique(return_inverse=True)[1], within), torch.tensor(True))
        rows[taken] = by_member
        start = self._empty(rows.numel()).view(*rows.shape, -1)
        drawn = self._draw(start, self.orders[present], 0, u[rows], None if given is None else given[rows])
        x = self._empty(len(member))
        x[by_member] = drawn[taken]
        return x

    def _empty(self, n: int) -> Tensor:
        dtype = self.log_prior.dtype if self.space.levels is None else torch.long
        return torch.zeros(n, self.space.dims, dtype=dtype, device=self.orders.device)

    @torch.no_grad()
    def sample_report(
        self, n: int, *, given: Tensor | None = None, generator: Generator | None = None
    ) -> tuple[Tensor, SamplingReport]:
        """As `sample`, with an account of what it took.

        Returns:
            The draws (n, *event_shape), and the report.
        """
        generator = runtime.fresh(generator)
        given = self._context_for(n, given, generator)
        began = time.perf_counter()
        x = self.sample(n, given=given, generator=generator).cpu()
        seconds = time.perf_counter() - began
        evaluations = self.space.dims if self.sampler == Autoregressive.sampler else 1
        return x, SamplingReport(self.sampler, evaluations, seconds, self._forward_seconds(x, given))

    def _forward_seconds(self, x: Tensor, given: Tensor | None) -> float:
        x = x.to(self.orders.device)
        began = time.perf_counter()
        self.conditionals(x.flatten(1), self.orders[0], given).log_prob(x.flatten(1)).cpu()
        return time.perf_counter() - began

    @torch.no_grad()
    def draw(self, x: Tensor, order: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        """Draws the entries order[start], order[start + 1] ... given the earlier ones, as fast as the model can. Exact.

        Args:
            x: (B, D); the entries before `start` in the order are kept.
            u: uniforms, (B, D), one an entry: the same uniforms give the same x, that of `fill`.
        """
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
