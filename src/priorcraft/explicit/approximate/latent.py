"""Moving z while x is watched: paths, traversals, arithmetic and maps, for any model with z."""

import torch
from torch import Tensor

from priorcraft.core import Encoder, LatentVariable
from priorcraft.errors import UsageError


@torch.no_grad()
def interpolate(model: Encoder, a: Tensor, b: Tensor, steps: int = 9, *, given: Tensor | None = None) -> Tensor:
    """What lies between two points: x decoded from the straight line between their z.

    Args:
        a, b: one point each, (*event_shape).
        steps: points on the line, ends included.
        given: one context for both ends, (*context shape).

    Returns:
        (steps, *event_shape), means of p(x | z).

    Raises:
        UsageError: fewer than 2 steps.
    """
    if steps < 2:
        raise UsageError(f"steps must be at least 2, the two ends, not {steps}.")
    z = model.encode(torch.stack([a, b]), _contexts(given, 2))
    share = torch.linspace(0, 1, steps, dtype=z.dtype, device=z.device).unsqueeze(1)
    return model.decode(z[0] + share * (z[1] - z[0]), _contexts(given, steps))


@torch.no_grad()
def traverse(
    model: LatentVariable,
    z: Tensor,
    entries: list[int] | None = None,
    steps: int = 9,
    span: float = 2.5,
    *,
    given: Tensor | None = None,
) -> Tensor:
    """Moves one entry of z at a time, and leaves the others where they are.

    Args:
        z: where to start, (latent,), for example `model.encode(x)[0]`.
        entries: which entries to move; None moves the first ten.
        steps: values of each.
        span: how far to both sides of z.
        given: one context for all.

    Returns:
        (entries, steps, *event_shape), means of p(x | z).

    Raises:
        UsageError: an entry that z does not have, or no step.
    """
    chosen = list(range(min(10, len(z)))) if entries is None else entries
    if steps < 1 or not chosen or not 0 <= min(chosen) <= max(chosen) < len(z):
        raise UsageError(f"entries must lie in 0 ... {len(z) - 1} and steps be at least 1; got {chosen} and {steps}.")
    moved = z.repeat(len(chosen), steps, 1)
    for row, entry in enumerate(chosen):
        moved[row, :, entry] += torch.linspace(-span, span, steps, dtype=z.dtype, device=z.device)
    x = model.decode(moved.flatten(0, 1), _contexts(given, len(chosen) * steps))
    return x.unflatten(0, (len(chosen), steps))


@torch.no_grad()
def analogy(model: Encoder, a: Tensor, b: Tensor, c: Tensor, *, given: Tensor | None = None) -> Tensor:
    """a is to b as c is to what? x decoded from z_c + z_b - z_a, (*event_shape).

    Args:
        a, b, c: one point each, (*event_shape).
        given: one context for all.
    """
    z = model.encode(torch.stack([a, b, c]), _contexts(given, 3))
    return model.decode((z[2] + z[1] - z[0]).unsqueeze(0), _contexts(given, 1))[0]


@torch.no_grad()
def latent_map(model: Encoder, x: Tensor, given: Tensor | None = None) -> Tensor:
    """Where the points lie in z: the means of q(z | x), on their two principal axes, (B, 2).

    Args:
        x: points, (B, *event_shape), at least 3.
        given: their contexts.
    """
    z = model.encode(x, given)
    if len(z) < 3:
        raise UsageError(f"a map needs at least 3 points, not {len(z)}.")
    if z.shape[1] <= 2:
        return torch.nn.functional.pad(z, (0, 2 - z.shape[1]))
    centred = (z - z.mean(0)).double()
    _, axes = torch.linalg.eigh(centred.T @ centred)
    return (centred @ axes[:, -2:].flip(1)).to(z.dtype)


@torch.no_grad()
def plane(model: LatentVariable, steps: int = 15, *, given: Tensor | None = None) -> Tensor:
    """x decoded from a grid over a z of two numbers, at equal steps of the normal's distribution function.

    Returns:
        (steps, steps, *event_shape), rows from high to low z_2.

    Raises:
        UsageError: z has not exactly two numbers.
    """
    z = model.prior(1, given=_contexts(given, 1))
    if z.shape[1] != 2:
        raise UsageError(f"the plane needs a z of 2 numbers, not {z.shape[1]}; fit with latent=2.")
    at = torch.special.ndtri((torch.arange(steps, dtype=torch.float64) + 0.5) / steps).to(z)
    grid = torch.cartesian_prod(at.flip(0), at).flip(1)
    return model.decode(grid, _contexts(given, steps * steps)).unflatten(0, (steps, steps))


def nearest(x: Tensor, rows: Tensor) -> Tensor:
    """Numbers of the rows nearest to each x, Euclidean distance, (B,).

    >>> nearest(torch.tensor([[0.9], [4.0]]), torch.tensor([[0], [1], [5]]))
    tensor([1, 2])
    """
    return torch.cdist(x.flatten(1).double(), rows.flatten(1).double()).argmin(1)


def _contexts(given: Tensor | None, n: int) -> Tensor | None:
    return None if given is None else given.expand(n, *given.shape)
