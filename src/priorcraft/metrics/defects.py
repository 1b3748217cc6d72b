"""Faults planted in real rows: what a test must find, and how small a fault it still finds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft.metrics.values import Values

Image = tuple[int, int, int]
MOST_DECIMALS = 6


@dataclass(frozen=True)
class Real:
    """Real rows in which faults are planted.

    Args:
        values: the rows.
        group: the class of each row, or the group of alike rows that it belongs to, (N,).
        image: (channels, height, width) if the numbers are pixels.
        classes: whether groups are classes.
        linked: columns of numbers that depend on the others; where there is none, any column stands for them.
    """

    values: Values
    group: Tensor
    image: Image | None = None
    classes: bool = False
    linked: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Tensor) -> "Real":
        return replace(self, values=self.values[rows], group=self.group[rows])


@dataclass(frozen=True)
class Defect:
    """One kind of fault, of any size.

    Args:
        plant: (real rows, size, generator) -> rows with the fault.
        sizes: from the smallest to the largest.
        told: the fault in words, with {size} in it.
    """

    plant: Callable[[Real, float, Generator], Values]
    sizes: tuple[float, ...]
    told: str

    def words(self, size: float) -> str:
        """The fault of that size, in words."""
        return self.told.format(size=size)


def without_group(real: Real, share: float, generator: Generator) -> Values:
    """So large a share of the rows left out, all of one group (all of the group, if it is no larger)."""
    sizes = real.group.bincount()
    fits = (sizes >= share * len(real)).nonzero()[:, 0]
    g = fits[torch.randint(len(fits), (1,), generator=generator)] if len(fits) else sizes.argmax()
    lot = torch.rand(len(real), generator=generator) + (real.group != g)
    kept = lot.argsort()[round(share * len(real)) :]
    return real.values[kept[torch.randperm(len(kept), generator=generator)]]


def shifted(real: Real, size: float, generator: Generator) -> Values:
    """One column of numbers moved by so many of its standard deviations; all pixels, if these are images."""
    x = real.values.numbers
    spread = _spread(x)
    move = spread.mean() if real.image else spread * (torch.arange(len(spread)) == _one_of(len(spread), generator))
    return _with_numbers(real, x + size * move)


def repeated(real: Real, share: float, generator: Generator) -> Values:
    """So large a share of the rows replaced by copies of others among them."""
    n = len(real)
    order = torch.randperm(n, generator=generator)
    k = round(share * n)
    if k:
        order[:k] = order[k:][torch.randint(max(n - k, 1), (k,), generator=generator)] if k < n else order[0]
    return real.values[order]


def independent(real: Real, share: float, generator: Generator) -> Values:
    """In so large a share of the rows, a column that depends on others, or every pixel, comes from another row."""
    n, count = len(real), real.values.numbers.shape[1]
    x, w = real.values.numbers.clone(), real.values.words.clone()
    rows = torch.randperm(n, generator=generator)[: round(share * n)]
    if real.image:
        other = torch.rand(len(rows), count, generator=generator).argsort(0)
        return Values(x.index_copy(0, rows, x[rows].gather(0, other)), w, real.values.names)
    columns = real.linked or range(count + w.shape[1])
    j, other = columns[_one_of(len(columns), generator)], rows[torch.randperm(len(rows), generator=generator)]
    if j < count:
        x[rows, j] = x[other, j]
    else:
        w[rows, j - count] = w[other, j - count]
    return Values(x, w, real.values.names)


def blurred(real: Real, sigma: float, generator: Generator) -> Values:
    """Images through a Gaussian of sigma pixels; the numbers of other rows with noise of sigma of their spreads."""
    x = real.values.numbers
    if real.image:
        return _with_numbers(real, smoothed(x.view(-1, *real.image).float(), sigma).double().flatten(1))
    return _with_numbers(real, x + sigma * _spread(x) * torch.randn(x.shape, generator=generator, dtype=x.dtype))


def shuffled(real: Real, generator: Generator) -> Values:
    """Every column in an order of its own: each is as it was, and independent of all others."""
    x, w = real.values.numbers, real.values.words
    x, w = (part.gather(0, torch.rand(part.shape, generator=generator).argsort(0)) for part in (x, w))
    return Values(x, w, real.values.names)


def structureless(real: Real, generator: Generator) -> Values:
    """Numbers uniform between the smallest and the largest of their column, words as likely as any other."""
    x, w = real.values.numbers, real.values.words
    low, high = x.nan_to_num(torch.inf).amin(0), x.nan_to_num(-torch.inf).amax(0)
    drawn = low + (high - low) * torch.rand(x.shape, generator=generator, dtype=x.dtype)
    kinds = [column.unique() for column in w.T]
    words = [kind[(torch.rand(len(w), generator=generator) * len(kind)).long()] for kind in kinds]
    words = torch.stack(words, 1) if words else w
    return Values(_with_numbers(real, drawn.nan_to_num(0.0)).numbers, words, real.values.names)


def smoothed(x: Tensor, sigma: float) -> Tensor:
    """Images (B, C, H, W) through a Gaussian of sigma pixels."""
    reach = max(1, round(3 * sigma))
    t = torch.arange(-reach, reach + 1).float()
    weights = (-0.5 * (t / sigma).square()).exp()
    weights = weights / weights.sum()
    flat = x.flatten(0, 1)[:, None]
    flat = F.conv2d(F.pad(flat, (reach, reach, 0, 0), "replicate"), weights.view(1, 1, 1, -1))
    flat = F.conv2d(F.pad(flat, (0, 0, reach, reach), "replicate"), weights.view(1, 1, -1, 1))
    return flat.view_as(x)


def defects(real: Real) -> tuple[Defect, ...]:
    """The faults that these rows can have."""
    shares = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
    spreads = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
    group = "a class" if real.classes else "a group of alike rows"
    largest = float(real.group.bincount().max()) / max(len(real), 1)
    parts = (*(part for part in (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25) if part < largest), largest)
    found = [
        Defect(without_group, parts, group + " missing from {size:.0%} of the rows"),
        Defect(repeated, shares, "{size:.0%} of the rows repeating others among them"),
    ]
    if real.image:
        return (
            *found,
            Defect(shifted, spreads, "brightness shifted by {size:g} standard deviations of a pixel"),
            Defect(blurred, (0.2, 0.25, 0.3, 0.4, 0.6, 1.0), "a blur of {size:g} pixels"),
            Defect(independent, shares, "{size:.0%} of the images with pixels independent of one another"),
        )
    if real.values.numbers.shape[1]:
        found.append(Defect(shifted, spreads, "one column shifted by {size:g} of its standard deviations"))
        found.append(Defect(blurred, spreads, "noise of {size:g} standard deviations on the numbers"))
    if len(real.values.names) > 1:
        found.append(
            Defect(independent, (*shares, 1.0), "one column independent of the rest in {size:.0%} of the rows")
        )
    return tuple(found)


def _one_of(count: int, generator: Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator))


def _spread(x: Tensor) -> Tensor:
    """Standard deviations of the columns, empty cells aside, (P,)."""
    return (x - x.nanmean(0)).square().nanmean(0).sqrt().nan_to_num(0.0)


def _with_numbers(real: Real, x: Tensor) -> Values:
    """The rows with other numbers, written with as many decimals as before and, in images, between the same levels."""
    old = real.values.numbers
    kept = x.clone()
    for decimals in range(MOST_DECIMALS, -1, -1):
        same = ((old.round(decimals=decimals) - old).abs().nan_to_num(0.0) < 1e-9).all(0)
        kept[:, same] = x[:, same].round(decimals=decimals)
    if real.image:
        kept = kept.clamp(float(old.min()), float(old.max()))
    return Values(kept, real.values.words, real.values.names)
