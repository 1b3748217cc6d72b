"""A masked perceptron as a density of vectors, tables and small images."""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from priorcraft.core import Likelihood, Space, Trainable
from priorcraft.explicit.exact.chain import Autoregressive, ensemble
from priorcraft.likelihoods import CATEGORICAL_LIMIT, head_for
from priorcraft.nn.masked import MaskedMLP
from priorcraft.nn.triangular import TriangularSteps

SMOOTH_CODE, SMOOTH_LOGITS = 4, 6  # numbers that describe a grey value, and the logits of one
DIRECT_LIMIT = 4_000_000  # weights that direct connections may take


class MaskedAutoregressive(Autoregressive, Trainable):
    """A masked perceptron trained in the orders of its ensemble and in random ones, so that any order can be asked for.

    (Germain, Gregor, Murray & Larochelle 2015, arXiv:1502.03509; Uria, Murray & Larochelle 2014, arXiv:1310.1757)

    Entries enter through a code that all of them share. In images, code and logits are smooth functions of the level to
    begin with, and stay of low rank, which says that 7 is near 8.

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
        orders: int = 8,
        order_seed: int = 0,
        width: int = 256,
        depth: int = 1,
        dropout: float = 0.2,
        any_order: float = 0.25,
    ) -> None:
        super().__init__(space, context, ensemble(space.dims, orders, order_seed))
        self.any_order = any_order
        self.head = head_for(space)
        levels = space.levels or 0
        ordinal = space.is_image or levels > CATEGORICAL_LIMIT
        low_rank = ordinal and self.head.width == levels and levels > SMOOTH_LOGITS
        rank = min(levels, SMOOTH_CODE) if ordinal else levels
        self.code = nn.Parameter(cosines(levels, rank)) if levels else None
        self.basis = nn.Parameter(cosines(levels, SMOOTH_LOGITS)) if low_rank else None
        self.marginal = nn.Parameter(torch.zeros(space.dims, self.head.width))
        features = 2 if self.code is None else self.code.shape[1]
        outputs = SMOOTH_LOGITS if low_rank else self.head.width
        length = 0 if context is None else (self.classes or context.dims)
        direct = space.dims**2 * features * outputs <= DIRECT_LIMIT
        self.net = MaskedMLP(space.dims, features, outputs, width, depth, length, dropout, direct)

    @torch.no_grad()
    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Sets p(c), and the logits to the marginal frequencies of each entry, with a tenth of a count a level."""
        super().initialise(x, given, generator=generator)
        levels = self.space.levels
        if levels and levels <= CATEGORICAL_LIMIT:
            counts = torch.stack([(x.flatten(1) == level).sum(0) for level in range(levels)], -1) + 0.1
            log_p = (counts / counts.sum(-1, keepdim=True)).log().to(self.marginal)
            self.marginal.copy_(log_p if self.head.width > 1 else log_p[:, 1:] - log_p[:, :1])

    def conditionals(self, x: Tensor, order: Tensor, given: Tensor | None) -> Likelihood:
        """p(x_i | the entries before i in `order`) for every entry at once, over x flattened to (B, D)."""
        coefficients = self.net(self._code(x), order.argsort(), self._context_code(given))
        return self._likelihood(coefficients, self.marginal)

    def _likelihood(self, coefficients: Tensor, marginal: Tensor) -> Likelihood:
        return self.head(marginal + (coefficients if self.basis is None else coefficients @ self.basis.t()))

    def _code(self, x: Tensor) -> Tensor:
        """What the network sees of each entry, (..., features); one feature says that the entry is there at all."""
        if self.code is not None:
            return F.embedding(x.long(), self.code)
        return torch.stack([torch.ones_like(x), x], -1).to(self.marginal.dtype)

    def _context_code(self, given: Tensor | None) -> Tensor | None:
        if given is None or self.context is None:
            return None
        if self.classes:
            return F.one_hot(given, self.classes).to(self.marginal.dtype)
        return self.context.to_network(given, self.marginal.dtype).flatten(-len(self.context.event_shape))

    def loss_terms(
        self, x: Tensor, given: Tensor | None, *, progress: float, generator: Generator
    ) -> dict[str, Tensor]:
        """-log p(x) in one order: an upper bound on -log p(x) of the ensemble, unbiased for its mean over orders."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.marginal.dtype == torch.float32):
            loss = -self.log_prob_in(x, self._training_order(generator), given).mean()
        return {"loss": loss}

    def _training_order(self, generator: Generator) -> Tensor:
        u, member = torch.rand(2, generator=generator, device=generator.device).tolist()
        if u < self.any_order:
            return torch.randperm(self.space.dims, generator=generator, device=generator.device)
        return self.orders[int(member * len(self.orders))]

    def _draw(self, x: Tensor, orders: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        """Exact; each activation is computed once, so the cost is about one pass of the network, and a sequence."""
        steps = TriangularSteps(self.net, orders, x.shape[1], self._context_code(given))
        x, u = _by_position(x, orders), _by_position(u, orders)
        if start:
            steps.push(self._code(x[..., :start]), 0)
        for p in range(start, self.space.dims):
            likelihood = self._likelihood(steps.parameters(p), self.marginal[orders[:, p], None])
            x[..., p] = likelihood.quantile(u[..., p])
            steps.push(self._code(x[..., p : p + 1]), p)
        return torch.zeros_like(x).scatter_(-1, orders[:, None].expand_as(x), x)


def _by_position(x: Tensor, orders: Tensor) -> Tensor:
    """(O, n, D) with entries in their order."""
    return x.gather(-1, orders[:, None].expand_as(x))


def cosines(levels: int, rank: int) -> Tensor:
    """The first `rank` discrete cosines over the levels, (levels, rank), of mean square 1.

    >>> c = cosines(5, 5)
    >>> bool(torch.allclose(c.t() @ c, 5 * torch.eye(5), atol=1e-5))
    True
    """
    k, level = torch.arange(rank), (torch.arange(levels) + 0.5) / levels
    scale = torch.where(k == 0, 1.0, math.sqrt(2))
    return scale * torch.cos(math.pi * level[:, None] * k)
