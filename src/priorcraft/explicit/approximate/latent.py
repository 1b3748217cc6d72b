"""Moving z while x is watched: paths, traversals, arithmetic and maps, for any model with z."""

from typing import NamedTuple

import torch
from torch import Tensor

from priorcraft.core import Encoder, LatentVariable
from priorcraft.errors import UsageError

BATCH = 256


@torch.no_grad()
def encoded(model: Encoder, x: Tensor, given: Tensor | None = None) -> Tensor:
    """The codes z of points, a batch at a time: the means of q(z | x), (B, latent).

    Args:
        x: points, (B, *event_shape).
        given: their contexts, (B, *context shape).
    """
    parts = [None] * len(x) if given is None else given.split(BATCH)
    return torch.cat([model.encode(rows, c) for rows, c in zip(x.split(BATCH), parts, strict=False)])


@torch.no_grad()
def decoded(model: LatentVariable, z: Tensor, given: Tensor | None = None) -> Tensor:
    """What codes stand for, a batch at a time: the means of p(x | z), (B, *event_shape).

    Args:
        z: codes, (B, latent).
        given: their contexts, (B, *context shape).
    """
    parts = [None] * len(z) if given is None else given.split(BATCH)
    return torch.cat([model.decode(rows, c) for rows, c in zip(z.split(BATCH), parts, strict=False)])


@torch.no_grad()
def shown(model: LatentVariable, u: Tensor, given: Tensor | None = None) -> Tensor:
    """What codes stand for that are in units of p(z), see `LatentVariable.standardised`, (B, *event_shape)."""
    return decoded(model, model.unstandardised(u, given), given)


def line(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Equal steps from a to b, ends included, (steps, latent).

    >>> line(torch.zeros(2), torch.tensor([2.0, 4.0]), 3)
    tensor([[0., 0.],
            [1., 2.],
            [2., 4.]])
    """
    return a + torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device).unsqueeze(1) * (b - a)


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
