"""log p(seen): the density of rows with holes, what is missing summed out."""

import torch
from torch import Tensor

from priorcraft.condition.dispatch import posterior
from priorcraft.condition.evidence import ExactPosterior, PerMask
from priorcraft.core import Exact, Posterior
from priorcraft.errors import NoDensity
from priorcraft.observe import Mask

ROWS = 512


@torch.no_grad()
def log_marginal(model: Exact, x: Tensor, seen: Tensor | None, given: Tensor | None = None) -> Tensor:
    """log p(x_seen | given) of every row, exact, nats, float64, (B,); 0 for a row of which nothing is seen.

    Args:
        model: whose engine for masks knows p(seen): trees, mixtures, chains in any order, and ensembles of them.
        x: (B, *event_shape); missing entries may hold anything.
        seen: bool, (B, *event_shape); None if everything is.
        given: labels, (B,), -1 where not known; None if none is.

    Raises:
        NoDensity: a model without such an engine.
    """
    device = model.log_prior.device
    complete = torch.ones(len(x), dtype=torch.bool) if seen is None else seen.flatten(1).all(1)
    found = torch.zeros(len(x), dtype=torch.float64)
    for rows in _parts(complete):
        found[rows] = model.log_prob(x[rows].to(device), _of(given, rows, device)).double().cpu()
    if seen is None:
        return found
    some = ~complete & seen.flatten(1).any(1)
    for rows in _parts(some):
        there = seen[rows].to(device)
        y = torch.where(there, x[rows].to(device), 0).long()
        found[rows] = evidence_of(posterior(model, Mask(there), y, given=_of(given, rows, device))).double().cpu()
    return found


@torch.no_grad()
def log_marginal_by_class(model: Exact, x: Tensor, seen: Tensor | None) -> Tensor:
    """log p(x_seen | c) of every class, exact, nats, float64, (B, K)."""
    labels = torch.arange(model.classes)
    return torch.stack([log_marginal(model, x, seen, label.expand(len(x))) for label in labels], 1)


def evidence_of(source: Posterior) -> Tensor:
    """log p(y) of a posterior that knows it, (B,).

    Raises:
        NoDensity: one that does not.
    """
    if isinstance(source, PerMask):
        each = [evidence_of(part) for part in source.parts]
        return torch.cat(each)[torch.cat(source.rows).argsort()]
    if not isinstance(source, ExactPosterior):
        raise NoDensity(f"rows with holes have no density by {source.method}; fill them in with impute, or fit trees.")
    return source.log_evidence


def _parts(chosen: Tensor) -> list[Tensor]:
    """The numbers of the chosen rows, a few hundred at a time; no part is empty."""
    return [part for part in chosen.nonzero().flatten().split(ROWS) if len(part)]


def _of(given: Tensor | None, rows: Tensor, device: torch.device) -> Tensor | None:
    return None if given is None else given[rows].to(device)
