"""A masked perceptron as a density of vectors, tables and small images."""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import Likelihood, Space, Trainable
from priorcraft.explicit.exact.chain import Autoregressive, ensemble
from priorcraft.explicit.exact.digits import Digits
from priorcraft.explicit.exact.entries import Entries
from priorcraft.nn.masked import MaskedMLP
from priorcraft.nn.triangular import TriangularSteps
from priorcraft.settings import Depth, Dropout, Range, Seed, Share, Width

DIRECT_LIMIT = 4_000_000  # weights that direct connections may take


class MaskedAutoregressive(Autoregressive, Trainable):
    """A masked perceptron trained in the orders of its ensemble and in random ones, so that any order can be asked for.

    (Germain, Gregor, Murray & Larochelle 2015, arXiv:1502.03509; Uria, Murray & Larochelle 2014, arXiv:1310.1757)

    Args:
        space, context: as in `Generative`.
        orders: size O of the ensemble; the first order is raster, the others are drawn from `order_seed`.
        order_seed: source of the orders.
        width, depth: hidden units and residual blocks of the network.
        dropout: share of hidden units left out in training.
        any_order: share of the training steps that take a random order in place of one of the ensemble's.
    """

    sampler = "triangular"

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        orders: Annotated[int, Range(1, 64)] = 8,
        order_seed: Seed = 0,
        width: Width = 256,
        depth: Depth = 1,
        dropout: Dropout = 0.2,
        any_order: Share = 0.25,
    ) -> None:
        super().__init__(space, context, ensemble(space.dims, orders, order_seed))
        self.any_order = any_order
        self.entries, self.digits = Entries(space), Digits(space)
        features, outputs = self.entries.features, self.entries.outputs
        length = 0 if context is None else (self.classes or context.dims)
        direct = space.dims**2 * features * outputs <= DIRECT_LIMIT
        self.net = MaskedMLP(space.dims, features, outputs, width, depth, length, dropout, direct)

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Sets p(c) and the marginal distribution of each entry, in each class: training starts from naive Bayes."""
        super().initialise(x, given, generator=generator)
        self.entries.initialise(x.flatten(1))
        if self.net.context_out is not None and self.classes and given is not None and self.entries.tabular:
            weight = self.entries.class_outputs(x.flatten(1), given, self.classes)
            self.net.context_out.weight.data.copy_(weight.t())

    def conditionals(self, x: Tensor, order: Tensor, given: Tensor | None) -> Likelihood:
        """p(x_i | the entries before i in `order`) for every entry at once, over x flattened to (B, D)."""
        position = order.argsort()
        outputs = self.net(self.entries.code(x), position, self._context_code(given))
        likelihood = self.entries.likelihood(outputs, self.entries.marginal)
        return self.digits.held(likelihood, self.digits.allowed(x, position)) if len(self.digits) else likelihood

    def _context_code(self, given: Tensor | None) -> Tensor | None:
        if given is None or self.context is None:
            return None
        if self.classes:
            return F.one_hot(given, self.classes).to(self.entries.marginal.dtype)
        return self.context.to_network(given, self.entries.marginal.dtype).flatten(-len(self.context.event_shape))

    def loss_terms(
        self, x: Tensor, given: Tensor | None, *, progress: float, generator: Generator
    ) -> dict[str, Tensor]:
        """-log p(x) in one order: an upper bound on -log p(x) of the ensemble, unbiased for its mean over orders."""
        order = self._training_order(generator)
        return {"loss": self._loss(lambda x, c: self._log_prob_in(x.flatten(1), order, c), x, given)}

    def _training_order(self, generator: Generator) -> Tensor:
        u, member = torch.rand(2, generator=generator, device=generator.device).tolist()
        if u < self.any_order:
            return torch.randperm(self.space.dims, generator=generator, device=generator.device)
        return self.orders[int(member * len(self.orders))]

    def _draw(self, x: Tensor, orders: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        """Exact; each activation is computed once, so the cost is about one pass of the network, and a sequence."""
        steps = TriangularSteps(self.net, orders, x.shape[1], self._context_code(given))
        x, u = _by_position(x, orders), _by_position(u, orders).movedim(-1, 0).contiguous()
        if start:
            steps.push(self.entries.code(x[..., :start]), 0)
        marginal = self.entries.marginal[orders].movedim(1, 0)[:, :, None]
        position = orders.argsort(1)
        with runtime.plain_products():
            for p in range(start, self.space.dims):
                likelihood = self.entries.likelihood(steps.parameters(p), marginal[p])
                if len(self.digits):
                    likelihood = self.digits.held(likelihood, self.digits.allowed_at(x, position, p))
                drawn = likelihood.quantile(u[p])
                x[..., p] = drawn
                steps.push(self.entries.code(drawn[..., None]), p)
        return torch.zeros_like(x).scatter_(-1, orders[:, None].expand_as(x), x)


def _by_position(x: Tensor, orders: Tensor) -> Tensor:
    """(O, n, D) with entries in their order."""
    return x.gather(-1, orders[:, None].expand_as(x))
