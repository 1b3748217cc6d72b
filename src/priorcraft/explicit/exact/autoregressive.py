"""Autoregressive models: p(x) = prod_i p(x_i | what comes earlier), in an order that the user chooses."""

import math
from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Exact, Likelihood, Space, Trainable
from priorcraft.errors import UsageError
from priorcraft.likelihoods import CATEGORICAL_LIMIT, head_for
from priorcraft.nn.masked import MaskedMLP


class Autoregressive(Exact):
    """The chain rule in any order, and the exact ensemble over several orders.

    log p(x) = log 1/O sum_o exp sum_i log p(x_o(i) | x_o(1) ... x_o(i-1))

    An order is a permutation: order[i] is the number of the entry that comes i-th.

    Args:
        space, context: as in `Generative`.
        orders: size O of the ensemble; the first order is raster, the others are drawn from `order_seed`.
        order_seed: source of the orders.
    """

    orders: Tensor

    def __init__(self, space: Space, context: Space | None = None, *, orders: int = 8, order_seed: int = 0) -> None:
        super().__init__(space, context)
        if orders < 1:
            raise UsageError(f"orders must be at least 1, not {orders}.")
        self.register_buffer("orders", ensemble(space.dims, orders, order_seed))

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
        x = self._empty(n)
        for o in member.unique().tolist():
            rows = (member == o).to(x.device).nonzero().squeeze(1)
            x[rows] = self.fill(x[rows], self.orders[o], 0, u[rows], None if given is None else given[rows])
        return x.view(n, *self.space.event_shape)

    def _empty(self, n: int) -> Tensor:
        dtype = self.log_prior.dtype if self.space.levels is None else torch.long
        return torch.zeros(n, self.space.dims, dtype=dtype, device=self.orders.device)

    @torch.no_grad()
    def fill(self, x: Tensor, order: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        """Draws the entries order[start], order[start + 1] ... one after another, given the earlier ones.

        The naive sampler: one pass of the whole network an entry. Exact; the oracle for faster ones.

        Args:
            x: (B, D); the entries before `start` in the order are kept.
            u: uniforms, (B, D), one an entry: the same uniforms give the same x.
        """
        x = x.clone()
        for i in order[start:].tolist():
            x[:, i] = self.conditionals(x, order, given).quantile(u)[:, i]
        return x


def ensemble(dims: int, orders: int, seed: int) -> Tensor:
    """Raster order and orders-1 random permutations, int64, (orders, dims)."""
    drawn = [torch.randperm(dims, generator=runtime.keyed(seed, "order", i)) for i in range(1, orders)]
    return torch.stack([torch.arange(dims), *drawn])


class MaskedAutoregressive(Autoregressive, Trainable):
    """A masked perceptron trained on a new random order at every step, so that any order can be asked of it.

    (Germain, Gregor, Murray & Larochelle 2015, arXiv:1502.03509; Uria, Murray & Larochelle 2014, arXiv:1310.1757)

    Args:
        space, context, orders, order_seed: as in `Autoregressive`.
        width, depth: hidden units and residual blocks of the network.
        dropout: share of hidden units left out in training.
    """

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        orders: int = 8,
        order_seed: int = 0,
        width: int = 512,
        depth: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(space, context, orders=orders, order_seed=order_seed)
        self.head = head_for(space)
        self.one_hot = space.levels is not None and 2 < space.levels <= CATEGORICAL_LIMIT
        features = space.levels if self.one_hot and space.levels else 1
        code = 0 if context is None else (self.classes or context.dims)
        self.net = MaskedMLP(space.dims, features, self.head.width, width, depth, code, dropout)

    def conditionals(self, x: Tensor, order: Tensor, given: Tensor | None) -> Likelihood:
        """p(x_i | the entries before i in `order`) for every entry at once, over x flattened to (B, D)."""
        return self.head(self.net(self._code(x), order.argsort(), self._context_code(given)))

    def _code(self, x: Tensor) -> Tensor:
        dtype = self.log_prior.dtype
        if self.one_hot and self.space.levels:
            return F.one_hot(x.long(), self.space.levels).to(dtype)
        return self.space.to_network(x, dtype).unsqueeze(-1)

    def _context_code(self, given: Tensor | None) -> Tensor | None:
        if given is None or self.context is None:
            return None
        if self.classes:
            return F.one_hot(given, self.classes).to(self.log_prior.dtype)
        return self.context.to_network(given, self.log_prior.dtype).flatten(1)

    def loss_terms(
        self, x: Tensor, given: Tensor | None, *, progress: float, generator: Generator
    ) -> dict[str, Tensor]:
        """-log p(x) in one random order: an upper bound on -log p(x), unbiased for its mean over orders."""
        order = torch.randperm(self.space.dims, generator=generator, device=generator.device)
        return {"loss": -self.log_prob_in(x, order, given).mean()}
