"""The least that can make two domains alike: a symmetry of the square, and the negative."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 1000  # of each domain that are looked at
SHUFFLES = 99
NEGLIGIBLE = 0.005  # share of 2 E|x - y|: other writers of the same digits differ by 0.004, their mirror images by 0.02


@dataclass(frozen=True)
class Alignment:
    """u -> (-1)^negative rot90^turns flip^mirrored u; a blank one makes every image zero.

    Args:
        turns: quarter turns against the clock.
        mirrored: whether left and right are exchanged first.
        negative: whether dark and light are exchanged.
        blank: whether nothing is kept.

    >>> Alignment(turns=1)(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).flatten().tolist()
    [2.0, 4.0, 1.0, 3.0]
    """

    turns: int = 0
    mirrored: bool = False
    negative: bool = False
    blank: bool = False

    def __call__(self, u: Tensor) -> Tensor:
        """Images on the network's range, (B, C, H, W); odd turns exchange H and W."""
        u = torch.rot90(u.flip(-1) if self.mirrored else u, self.turns, (-2, -1))
        return u * (0.0 if self.blank else -1.0 if self.negative else 1.0)

    def __str__(self) -> str:
        """In words."""
        turned = f"turned by {90 * self.turns} degrees" if self.turns else ""
        parts = ["mirrored" * self.mirrored, turned, "negative" * self.negative]
        return "blank" if self.blank else ", ".join(part for part in parts if part) or "as it is"

    def onto(self, u: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The same as an image of the other domain, (B, *shape): resized, its channels averaged where they differ."""
        return recoloured(resized(self(u), shape[1:]), shape[0])


SYMMETRIES = tuple(Alignment(turns, mirrored) for mirrored in (False, True) for turns in range(4))
ALIGNMENTS = (*SYMMETRIES, *(Alignment(s.turns, s.mirrored, True) for s in SYMMETRIES), Alignment(blank=True))
BLANK = len(ALIGNMENTS) - 1


def resized(u: Tensor, size: tuple[int, ...]) -> Tensor:
    """Images at another height and width: averaged over boxes where they shrink, bilinear where they grow."""
    if tuple(u.shape[-2:]) == tuple(size):
        return u
    shrinks = u.shape[-2] >= size[0] and u.shape[-1] >= size[1]
    return F.interpolate(u, size=tuple(size), mode="area" if shrinks else "bilinear")


def recoloured(u: Tensor, channels: int) -> Tensor:
    """Images with another number of channels: their mean, in each of them."""
    return u if u.shape[1] == channels else u.mean(1, keepdim=True).expand(-1, channels, -1, -1)


def closest(a: Tensor, b: Tensor) -> int:
    """Which of `ALIGNMENTS` brings a nearest to its partner b, by mean absolute error; blank if b's median is nearer.

    Args:
        a, b: pairs on the network's range, (B, C, H, W) each.
    """
    a, b = a[:ROWS], b[:ROWS]
    error = [float((found.onto(a, tuple(b.shape[1:])) - b).abs().mean()) for found in ALIGNMENTS[:BLANK]]
    best = min(range(BLANK), key=error.__getitem__)
    return best if error[best] < float((b - b.median(0).values).abs().mean()) else BLANK


def energy(x: Tensor, y: Tensor) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'|, zero if and only if the distributions agree; biased upwards, V-statistic.

    (Szekely & Rizzo 2013)

    Args:
        x, y: rows, (N, ...) and (M, ...).
    """
    x, y = x.flatten(1), y.flatten(1)
    return float(2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean())


def sufficient(x: Tensor, y: Tensor, *, generator: torch.Generator) -> bool:
    """Whether the energy distance of x and y is negligible, or within what shuffling gives at a level of 1 %.

    Not to be told apart by this test is no proof of equality; it is what the simplest explanation is accepted on.
    """
    n, both = len(x), torch.cat([x, y]).flatten(1)
    distance = torch.cdist(both, both)
    found, between = _energy_of(distance, torch.arange(len(both)), n)
    if found <= NEGLIGIBLE * 2 * between:
        return True
    shuffled = [torch.randperm(len(both), generator=generator) for _ in range(SHUFFLES)]
    return found <= max(_energy_of(distance, order, n)[0] for order in shuffled)


def _energy_of(distance: Tensor, order: Tensor, n: int) -> tuple[float, float]:
    """The energy distance of the first n rows in this order from the others, and the mean distance between them."""
    i, j = order[:n], order[n:]
    between, within = distance[i][:, j].mean(), distance[i][:, i].mean() + distance[j][:, j].mean()
    return float(2 * between - within), float(between)


def simplest(a: Tensor, b: Tensor, *, generator: torch.Generator) -> Alignment | None:
    """The alignment that makes the domains equal, as far as the energy distance can tell; None if none does.

    Args:
        a, b: images of both domains, unpaired, on the network's range; B's values are those of a finite grid.
    """
    a, b = (u[torch.randperm(len(u), generator=generator)[:ROWS]] for u in (a, b))
    shape = tuple(b.shape[1:])
    best = min(ALIGNMENTS[:BLANK], key=lambda found: energy(found.onto(a, shape), b))
    return best if sufficient(best.onto(a, shape), b, generator=generator) else None
