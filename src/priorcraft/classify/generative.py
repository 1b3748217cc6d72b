"""Any exact density of the classes is a classifier, by Bayes' theorem."""

from torch import Tensor

from priorcraft import bayes
from priorcraft.core import Classifier, Exact


class GenerativeClassifier(Classifier):
    """p(c | x) = p(x | c) p(c) / p(x) from any exact model that was fitted with labels.

    Args:
        model: the joint p(x, c).
        log_prior: replaces the model's log p(c), (K,).
    """

    def __init__(self, model: Exact, log_prior: Tensor | None = None) -> None:
        self.model = model
        self.log_prior = model.log_prior if log_prior is None else log_prior

    def log_posterior(self, x: Tensor) -> Tensor:
        """log p(c | x) by Bayes' theorem, exact, nats, (B, K)."""
        return self.posterior(x)[0]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log p(c | x), (B, K), and the evidence log p(x), (B,)."""
        log_likelihood = self.model.log_joint(x) - self.model.log_prior
        return bayes.posterior(self.log_prior, log_likelihood)
