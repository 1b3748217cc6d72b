"""What each row is like, one number after another, each with a name: what a defect of one column shows in."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from priorcraft.metrics.relabel import middle_ranks, places
from priorcraft.metrics.standard import Standard
from priorcraft.metrics.values import Values

FEW = 64  # columns up to which each gets its finer characters
PAIRS = 20  # columns up to which pairs are looked at
MOST_SPREADS = 10.0  # in the square: a cell farther out counts no more


@dataclass(frozen=True)
class Characters:
    """Figures of rows, (N, D), and what each of them is called."""

    figures: Tensor
    names: list[str]

    @classmethod
    def joined(cls, parts: "list[Characters]") -> "Characters":
        """All of them."""
        return cls(torch.cat([p.figures for p in parts], 1), [name for p in parts for name in p.names])


def characters(pooled: Values, standard: Standard) -> Characters:
    """Of samples and real rows together, so that no figure knows which is which.

    For each number: its rank and powers of it (location, spread, shape: Neyman's smooth test, 1937), how many rows
    share its value, its decimals, whether it is empty; for each word an indicator; pairs of columns; each entry beside
    its regression on the others; how many rows are equal to the row.
    """
    count = pooled.numbers.shape[1]
    ranks, names = middle_ranks(pooled.numbers).float(), pooled.names
    few = count <= FEW and not standard.pixels
    parts = [Characters(p, [f"'{n}': {what}" for n in names[:count]]) for what, p in _powers(ranks, few).items()]
    if few:
        first, last = places(pooled.numbers)
        shared = (last - first + 1).float().log().where(~pooled.numbers.isnan(), torch.zeros(()))
        parts.append(Characters(shared, [f"'{n}': values that repeat" for n in names[:count]]))
        parts.append(Characters(_decimals(pooled.numbers), [f"'{n}': decimals" for n in names[:count]]))
    parts += [_words(column, name) for column, name in zip(pooled.words.T, names[count:], strict=True)]
    empty = torch.cat([pooled.numbers.isnan(), pooled.words < 0], 1)
    gaps = empty.any(0)
    parts.append(
        Characters(empty[:, gaps].float(), [f"'{n}': empty cells" for n, g in zip(names, gaps, strict=True) if g])
    )
    parts += [_pairs(ranks, names)] if 1 < count <= PAIRS else []
    parts += _regressions(*standard.beside_others(pooled))
    parts.append(Characters(_equal_rows(pooled), ["rows that repeat"]))
    return Characters.joined(parts)


def _powers(r: Tensor, shape: bool) -> dict[str, Tensor]:
    """Legendre's polynomials of ranks in (-1, 1): each is a change of the distribution that the earlier ones miss."""
    found = {"location": r, "spread": 1.5 * r * r - 0.5}
    if shape:
        found |= {"skewness": 2.5 * r**3 - 1.5 * r, "tails and middle": (35 * r**4 - 30 * r * r + 3) / 8}
    return found


def _decimals(x: Tensor) -> Tensor:
    """How many decimals each number is written with, up to 6, (N, P)."""
    written = [(x.round(decimals=k) - x).abs() > 1e-9 * (1 + x.abs()) for k in range(6)]
    return torch.stack(written).sum(0).float()


def _regressions(fitted: Tensor, left: Tensor) -> list[Characters]:
    """Each entry beside its regression on the others: what is left, how large that is, and how well it follows."""
    told, count = "each column beside the others", left.shape[1]
    powers = _powers(middle_ranks(left.double()).float(), False)
    follows = (fitted * (fitted + left)).clamp(-MOST_SPREADS, MOST_SPREADS)
    size = middle_ranks(left.double().square().sum(1, keepdim=True)).float()
    return [
        *(Characters(p, [f"{told}: {what}"] * count) for what, p in powers.items()),
        Characters(follows, [f"{told}: dependence"] * count),
        Characters(size, ["rows as a whole, beside the regression of each column on the others"]),
    ]


def _words(column: Tensor, name: str, most: int = 100) -> Characters:
    words, counts = column[column >= 0].unique(return_counts=True)
    kept = words[counts.argsort(descending=True, stable=True)][:most]
    same = (column[:, None] == kept).float()
    rest = ((column >= 0) & (same.sum(1) == 0)).float()[:, None]
    told = [f"'{name}': share of one of its words"] * len(kept)
    return Characters(torch.cat([same, rest], 1), [*told, f"'{name}': share of rare words"])


def _pairs(ranks: Tensor, names: tuple[str, ...]) -> Characters:
    """Products of ranks: Spearman's correlation of each pair."""
    i, j = torch.triu_indices(ranks.shape[1], ranks.shape[1], 1)
    told = [f"'{names[a]}' with '{names[b]}'" for a, b in zip(i.tolist(), j.tolist(), strict=True)]
    return Characters(ranks[:, i] * ranks[:, j], told)


def _equal_rows(pooled: Values) -> Tensor:
    """log of how many rows are equal to each row, (N, 1)."""
    rows = torch.cat([pooled.numbers.nan_to_num(-1e300), pooled.words.double()], 1) + 0.0  # one zero, not two
    whole = rows.numpy().view(np.dtype((np.void, rows.shape[1] * rows.element_size())))[:, 0]
    _, where, counts = np.unique(whole, return_inverse=True, return_counts=True)
    return torch.from_numpy(counts[where]).float().log()[:, None]
