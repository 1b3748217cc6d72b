"""Moving z while x is watched: paths, traversals, arithmetic and maps, for any model with z."""

from typing import NamedTuple

import torch
from torch import Tensor

from priorcraft.core import Encoder, LatentVariable
from priorcraft.errors import UsageError


@torch.no_grad()
def interpolate(model: Encoder, a: Tensor, b: Tensor, steps: int = 9, *, given: Tensor | None = None) -> Tensor:
    """What lies between two points: x decoded from the straight line between their z, in units of p(z).

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
    u = _codes(model, torch.stack([a, b]), given)
    return shown(model, line(u[0], u[1], steps), _contexts(given, steps))


def shown(model: LatentVariable, u: Tensor, given: Tensor | None = None) -> Tensor:
    """x decoded from codes in units of p(z), see `LatentVariable.standardised`, (B, *event_shape)."""
    return model.decode(model.unstandardised(u, given), given)


def _codes(model: Encoder, x: Tensor, given: Tensor | None) -> Tensor:
    contexts = _contexts(given, len(x))
    return model.standardised(model.encode(x, contexts), contexts)


def line(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Equal steps from a to b, ends included, (steps, latent).

    >>> line(torch.zeros(2), torch.tensor([2.0, 4.0]), 3)
    tensor([[0., 0.],
            [1., 2.],
            [2., 4.]])
    """
    return a + torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device).unsqueeze(1) * (b - a)


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
        entries: which entries to move; None moves the ten that change x most, see `liveliest`.
        steps: values of each.
        span: how far to both sides of z, in standard deviations of p(z).
        given: one context for all.

    Returns:
        (entries, steps, *event_shape), means of p(x | z).

    Raises:
        UsageError: an entry that z does not have, or no step.
    """
    chosen = liveliest(model, z, 10, span, given=given) if entries is None else entries
    if steps < 1 or not chosen or not 0 <= min(chosen) <= max(chosen) < len(z):
        raise UsageError(f"entries must lie in 0 ... {len(z) - 1} and steps be at least 1; got {chosen} and {steps}.")
    u = model.standardised(z.unsqueeze(0), _contexts(given, 1))[0]
    x = shown(model, traversal(u, chosen, steps, span).flatten(0, 1), _contexts(given, len(chosen) * steps))
    return x.unflatten(0, (len(chosen), steps))


def traversal(z: Tensor, entries: list[int], steps: int, span: float) -> Tensor:
    """z with one entry at a time moved from -span to span around where it is, (entries, steps, latent).

    >>> traversal(torch.ones(2), [1], 3, 2.0)
    tensor([[[ 1., -1.],
             [ 1.,  1.],
             [ 1.,  3.]]])
    """
    moved = z.repeat(len(entries), steps, 1)
    for row, entry in enumerate(entries):
        moved[row, :, entry] += torch.linspace(-span, span, steps, dtype=z.dtype, device=z.device)
    return moved


@torch.no_grad()
def liveliest(model: LatentVariable, z: Tensor, n: int, span: float, *, given: Tensor | None = None) -> list[int]:
    """The n entries of z that change x most when they are moved by `span` deviations of p(z) to both
    sides, most first.

    Args:
        z: where to stand, (latent,).
        given: one context for all.
    """
    u, steps = model.standardised(z.unsqueeze(0), _contexts(given, 1)), span * torch.eye(len(z)).to(z)
    x = shown(model, torch.cat([u - steps, u + steps]), _contexts(given, 2 * len(z)))
    low, high = x.flatten(1).double().chunk(2)
    return (high - low).square().sum(1).argsort(descending=True, stable=True)[:n].tolist()


@torch.no_grad()
def analogy(model: Encoder, a: Tensor, b: Tensor, c: Tensor, *, given: Tensor | None = None) -> Tensor:
    """a is to b as c is to what? x decoded from z_c + z_b - z_a, (*event_shape).

    Args:
        a, b, c: one point each, (*event_shape).
        given: one context for all.
    """
    u = _codes(model, torch.stack([a, b, c]), given)
    return shown(model, (u[2] + u[1] - u[0]).unsqueeze(0), _contexts(given, 1))[0]


class Axes(NamedTuple):
    """A plane through z along which the codes of some points spread most.

    Args:
        origin: their mean, (latent,).
        directions: two orthonormal columns, (latent, 2).
        share: of the variance of the codes, of each direction, (2,).
    """

    origin: Tensor
    directions: Tensor
    share: Tensor

    def coordinates(self, z: Tensor) -> Tensor:
        """Where codes (B, latent) lie in the plane, (B, 2)."""
        return (z - self.origin) @ self.directions

    def at(self, coordinates: Tensor) -> Tensor:
        """The codes (B, latent) of points of the plane (B, 2)."""
        return self.origin + coordinates @ self.directions.T


def principal_axes(z: Tensor) -> Axes:
    """The two principal axes of codes (B, latent); the entries themselves where z has one or two.

    Raises:
        UsageError: fewer than 3 codes.
    """
    if len(z) < 3:
        raise UsageError(f"a map needs at least 3 points, not {len(z)}.")
    centred = (z - z.mean(0)).double()
    if z.shape[1] <= 2:
        variance, directions = centred.var(0), torch.eye(z.shape[1], 2, dtype=z.dtype, device=z.device)
        padded = torch.nn.functional.pad(variance, (0, 2 - z.shape[1]))
        return Axes(torch.zeros_like(z[0]), directions, padded / variance.sum())
    variance, directions = torch.linalg.eigh(centred.T @ centred)
    return Axes(z.mean(0), directions[:, -2:].flip(1).to(z.dtype), variance[-2:].flip(0) / variance.sum())


@torch.no_grad()
def latent_map(model: Encoder, x: Tensor, given: Tensor | None = None) -> Tensor:
    """Where the points lie in z: the means of q(z | x), on their two principal axes, (B, 2).

    Args:
        x: points, (B, *event_shape), at least 3.
        given: their contexts.
    """
    z = model.encode(x, given)
    return principal_axes(z).coordinates(z)


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
