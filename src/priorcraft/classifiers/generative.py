"""Any density of the classes is a classifier, by Bayes' theorem."""

import torch
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.answer import Kind
from priorcraft.core import UNLABELLED, Approximate, Classifier, Exact, Generative
from priorcraft.errors import NoDensity, UsageError

BATCH = 512


class GenerativeClassifier(Classifier):
    """p(c | x) = p(x | c) p(c) / p(x) from a model that was fitted with labels.

    Exact for an exact model. For an approximate one, the bound on log p(x | c) stands for it: an approximation whose
    error is the difference between the gaps of two classes, and has no known sign.

    Args:
        model: the joint p(x, c).
        log_prior: replaces the model's log p(c), (K,).
        samples: k of the bound, for approximate models.
        seed: of the bound's draws.

    Raises:
        NoDensity: an implicit model.
        UsageError: a model that was fitted without labels, or a prior that is none.
    """

    def __init__(self, model: Generative, log_prior: Tensor | None = None, *, samples: int = 64, seed: int = 0) -> None:
        if not isinstance(model, Exact | Approximate):
            raise NoDensity(
                f"{type(model).__name__} has no density, and Bayes' theorem needs p(x | c); use a model that is exact "
                "or approximate."
            )
        if not model.classes:
            raise UsageError("classification needs p(x | c), and this model saw data without labels of two classes.")
        self.model, self.samples, self.seed = model, samples, seed
        self.log_prior = model.log_prior if log_prior is None else checked_prior(log_prior, model.classes)

    @property
    def kind(self) -> Kind:
        """Exact, or a lower bound where a bound stands for the likelihood."""
        return Kind.EXACT if isinstance(self.model, Exact) else Kind.LOWER_BOUND

    def log_posterior(self, x: Tensor) -> Tensor:
        """log p(c | x) by Bayes' theorem, nats, (B, K). Exact, or approximate, as `kind` says."""
        return self.posterior(x)[0]

    @torch.no_grad()
    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log p(c | x), (B, K), and the evidence log p(x), (B,)."""
        return probability.posterior(self.log_prior.to(self.model.log_prior), self.log_likelihood(x))

    @torch.no_grad()
    def log_likelihood(self, x: Tensor) -> Tensor:
        """log p(x | c) of every class, or its lower bound, nats, (B, K)."""
        return torch.cat([self._log_likelihood(rows) for rows in x.split(BATCH)])

    def _log_likelihood(self, x: Tensor) -> Tensor:
        if isinstance(self.model, Exact):
            return self.model.log_joint(x) - self.model.log_prior
        labels = torch.arange(self.model.classes, device=x.device)
        return torch.stack([self._bound(x, c.expand(len(x))) for c in labels], 1)

    def _bound(self, x: Tensor, given: Tensor) -> Tensor:
        # the same noise for every class: their differences are what decides
        generator = runtime.keyed(self.seed, "classify", device=x.device)
        return self.model.bound(x, self.samples, given, generator=generator)


@torch.no_grad()
def drawn_labels(model: Generative, x: Tensor, given: Tensor | None, *, generator: Generator) -> Tensor | None:
    """Labels for draws of incomplete rows: those that are known, the others drawn from p(c | x).

    With x from p(missing | seen), summed over the classes, a pair (x, c) is a draw of p(missing, c | seen).

    Args:
        model: the joint p(x, c).
        x: draws of each row, (B, n, *event_shape).
        given: labels, (B,), -1 where not known; None where none is.
        generator: source of randomness.

    Returns:
        Labels, (B, n); None for a model without classes or without a density.
    """
    if not isinstance(model, Exact | Approximate) or not model.classes:
        return None
    b, n = x.shape[:2]
    labels = (torch.full((b,), UNLABELLED) if given is None else given.cpu())[:, None].repeat(1, n)
    unknown = labels == UNLABELLED
    if bool(unknown.any()):
        log_p = GenerativeClassifier(model).log_posterior(x[unknown.to(x.device)])
        labels[unknown] = runtime.categorical(log_p.cpu(), generator=generator)
    return labels


def checked_prior(log_prior: Tensor, classes: int) -> Tensor:
    """log p(c), (K,), if it is one.

    Raises:
        UsageError: another length, or probabilities that do not sum to 1.

    >>> checked_prior(torch.tensor([0.25, 0.75]).log(), 2).exp()
    tensor([0.2500, 0.7500])
    """
    if tuple(log_prior.shape) != (classes,):
        raise UsageError(f"the prior must hold {classes} probabilities, one a class, not {log_prior.numel()}.")
    total = float(log_prior.double().exp().sum())
    if not abs(total - 1) < 1e-3:
        raise UsageError(f"the prior must sum to 1, not to {total:.4g}; divide its entries by their sum.")
    return log_prior


def with_likeliest(model: Exact | Approximate, x: Tensor, given: Tensor | None) -> Tensor:
    """The label of each row, or where it is not known the most probable class, (B,).

    Args:
        model: the joint p(x, c).
        x: rows, (B, *event_shape).
        given: labels, (B,), -1 where not known; None where none is.
    """
    if given is not None and not bool((given == UNLABELLED).any()):
        return given
    likely = GenerativeClassifier(model).log_posterior(x).argmax(1)
    return likely if given is None else torch.where(given == UNLABELLED, likely, given)
