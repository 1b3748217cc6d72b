"""Trees: messages between neighbours carry what is seen to every hidden entry."""

from torch import Generator, Tensor

from priorcraft.condition.evidence import ExactPosterior, possible
from priorcraft.explicit.exact.tree_model import TreeModel
from priorcraft.observe import Mask


class Messages(ExactPosterior):
    """Sum-product and backward sampling on the trees; consistent for every mask. (Pearl 1988)

    Args:
        model: Chow-Liu trees, hidden or not.
        observation: one mask for all rows, or one a row.
        y: what is seen, (B, *event_shape).
        given: labels, (B,), -1 where not known; None if none is.
    """

    method = "message passing on trees"

    def __init__(self, model: TreeModel, observation: Mask, y: Tensor, given: Tensor | None) -> None:
        super().__init__()
        self.model, self.y, self.given = model, y, given
        self.seen = observation.seen.to(y.device).expand_as(y)
        self.log_evidence = possible(model.log_marginal(y, self.seen, given), self.method)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        return self.model.sample_given(self.y, self.seen, n, given=self.given, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(hidden | seen), exact, nats, (B,)."""
        wrong = ((x != self.y) & self.seen).flatten(1).any(1)
        return (self.model.log_prob(x, self.given) - self.log_evidence).masked_fill(wrong, -float("inf"))
