"""A block as a model expects it, entry after entry, and what that makes of the sum of the entries that are open."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 3.0  # times the variances: those after means alone are too small, and wide tails keep weights bounded


@dataclass(frozen=True)
class Rollout:
    """Entries of a block, each taken at the mean that a model expects after those before it.

    Args:
        taken: whole numbers near those means, (B, m).
        mean, variance: of each entry's own distribution, (B, m).
        weights: by how much the mean of an entry (row) moves with one before it (column), (m, m).
    """

    taken: Tensor
    mean: Tensor
    variance: Tensor
    weights: Tensor

    def log_left(self, drawn: Tensor, later: Tensor, left: Tensor, levels: int) -> Tensor:
        """log p~(left - l) of a sum of later entries, for every level l of the entry that is next, (B, levels).

        With W the weights and e errors of these variances, what later entries are beyond their means is
        (1 - W)^-1 (W d + e), where d says how far the entries before them are from what was taken. Their sum has a
        mean that is linear in l, and a variance; p~ is a logistic.

        Args:
            drawn: the first i entries, (B, i).
            later: which entries are in the sum, (k,), all above i.
            left: what the next one and the sum have together, (B,).
            levels: of an entry.
        """
        i, level = drawn.shape[1], torch.arange(levels, device=left.device)
        rows, eye = self.weights[i + 1 :], torch.eye(len(self.weights) - i - 1, device=left.device)
        share = torch.linalg.inv(eye - rows[:, i + 1 :])[later - i - 1].sum(0)
        known = (drawn - self.taken[:, :i]) @ (share @ rows[:, :i])
        expected = (self.mean[:, later].sum(1) + known)[:, None]
        expected = expected + (share @ rows[:, i]) * (level - self.taken[:, i : i + 1])
        variance = MARGIN * self.variance[:, i + 1 :] @ share.square() + 1 / 12
        rest = left[:, None] - level
        gap = (rest - expected).abs() * math.pi / (3 * variance[:, None]).sqrt()
        inside = (rest >= 0) & (rest <= len(later) * (levels - 1))
        return (-gap - 2 * F.softplus(-gap)).masked_fill(~inside, -math.inf)
