"""Rows of values as vectors with a distance, by a rule that other real rows have set."""

import torch
import torch.nn.functional as F
from torch import Tensor

from priorcraft.metrics.values import Values

SOFTENING = 0.08  # of the largest spread: keeps a pixel that never varies in real rows from outweighing all others
MOST_WORDS = 32  # of a column with an indicator of their own
RARE = 0.002  # share of the rows below which a word is out of the ordinary
SHRINKAGE = 0.01  # of correlations, times columns over rows


class Standard:
    """Values as vectors whose entries are comparable, and each entry beside what the others make of it.

    Pixels keep their differences; other numbers become their rank among the background's, so that neither units nor
    outliers matter; words become indicators, and so does an empty cell.

    Args:
        background: real rows that are not compared, (N, ...).
        pixels: whether numbers are pixels.
    """

    def __init__(self, background: Values, *, pixels: bool) -> None:
        self.pixels = pixels
        self._sorted = background.numbers.sort(0).values  # nan last
        self._known = (~background.numbers.isnan()).sum(0)
        self._usual = [commonest(column, len(column), RARE) for column in background.words.T]
        places = [(q * (self._known - 1).clamp_min(0)).round().long()[None] for q in (0.005, 0.995)]
        self._middle = [self._sorted.gather(0, place)[0] for place in places]
        self._words = [commonest(column) for column in background.words.T]
        self._gaps = torch.cat([background.numbers.isnan().any(0), (background.words < 0).any(0)])
        raw = self._entries(background)
        self.mean, self.spread = raw.mean(0), raw.std(0, correction=0)
        self.spread = self.spread + SOFTENING * (self.spread.max() if pixels else 0) + 1e-6
        z = (raw - self.mean) / self.spread
        shrunk = torch.eye(z.shape[1]) * SHRINKAGE * (1 + z.shape[1] / len(z))
        self._precision = torch.linalg.inv(z.T @ z / len(z) + shrunk)

    def __call__(self, values: Values) -> Tensor:
        """(N, D), float32."""
        return (self._entries(values) - self.mean) / self.spread

    def beside_others(self, values: Values) -> tuple[Tensor, Tensor]:
        """The linear regression of each entry on all others, fitted to the background, and what it leaves, (N, D) each.

        Both from the inverse P of the correlations: the residual of entry j is (z P)_j / P_jj.
        """
        z = self(values)
        left = z @ self._precision / self._precision.diag()
        return z - left, left

    def beyond(self, values: Values) -> Tensor:
        """Whether a row has a cell out of the ordinary of the background, and whether one is far out, (N, 2).

        A word of fewer than 0.2 % of its rows; a number farther from the middle 99 % than a quarter of their width, or
        than their width. A few rows more in the background would not change that, unlike its smallest and largest.
        """
        x, low, high = values.numbers, *self._middle
        out, far = (((x < low - k * (high - low)) | (x > high + k * (high - low))).any(1) for k in (0.25, 1.0))
        for column, known in zip(values.words.T, self._usual, strict=True):
            out |= (column >= 0) & ~torch.isin(column, known)
        return torch.stack([out, far], 1).float()

    def _entries(self, values: Values) -> Tensor:
        numbers = values.numbers if self.pixels else self._ranks(values.numbers)
        parts = [numbers.nan_to_num(0.0).float()]
        parts += [_indicators(column, known) for column, known in zip(values.words.T, self._words, strict=True)]
        empty = torch.cat([values.numbers.isnan(), values.words < 0], 1)[:, self._gaps]
        return torch.cat([*parts, empty.float()], 1)

    def _ranks(self, x: Tensor) -> Tensor:
        """Share of the background's numbers below, less the share above, (N, P); beyond all of them a little more."""
        found = torch.full(x.shape, torch.nan, dtype=torch.float64)
        for j, (ordered, n) in enumerate(zip(self._sorted.T, self._known.tolist(), strict=True)):
            ordered, column = ordered[:n].contiguous(), x[:, j].contiguous()
            below = torch.searchsorted(ordered, column) + torch.searchsorted(ordered, column, right=True)
            found[:, j] = torch.where(column.isnan(), torch.nan, below / max(n, 1) - 1)
        return found


def commonest(column: Tensor, most: int = MOST_WORDS, share: float = 0.0) -> Tensor:
    """The words with most rows, those with at least such a share of them."""
    words, counts = column[column >= 0].unique(return_counts=True)
    order = counts.argsort(descending=True, stable=True)[:most]
    return words[order][counts[order] >= share * len(column)]


def _indicators(column: Tensor, known: Tensor) -> Tensor:
    """One entry a known word, one for all others, (N, K + 1)."""
    same = column[:, None] == known
    return torch.cat([same, (column >= 0)[:, None] & ~same.any(1, keepdim=True)], 1).float()


def one_hot(column: Tensor) -> Tensor:
    """Indicators of integers 0 ..., (N, K)."""
    return F.one_hot(column, int(column.max()) + 1).float()
