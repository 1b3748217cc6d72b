"""What neighbours that come earlier say of each entry of an image: the Gaussian of a small window, conditioned."""

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from priorcraft.core import Space

AT_ONCE = 512  # systems that are solved together
PATTERNS = 50_000  # whose weights are kept
WINDOWS = 200_000  # of the training images, from which the Gaussian is estimated
SPREADS = (0.2, 0.45, 0.8, 1.4, 3.0)  # of the logistics about a prediction, in its standard deviations


@dataclass(frozen=True)
class Foreseen:
    """Linear predictions of entries and their standard deviations, on the network's range [-1, 1].

    Args:
        space: of the image.
        mean: (..., D).
        std: broadcasts against it.
    """

    space: Space
    mean: Tensor
    std: Tensor

    def residual(self, x: Tensor) -> Tensor:
        """How far entries are from their predictions, in standard deviations, on a scale that bends; (..., D, 1)."""
        return torch.asinh((self.space.to_network(x) - self.mean) / self.std).unsqueeze(-1)

    def around(self, outputs: Tensor) -> Tensor:
        """Parameters of a logistic mixture from outputs (..., D, 3M) that count from the prediction, in its units."""
        logits, mean, log_scale = outputs.unflatten(-1, (3, -1)).unbind(-2)
        count = mean.shape[-1]
        spread = torch.linspace(-0.8, 0.8, count, device=mean.device, dtype=mean.dtype)  # that the mixture adds
        scales = torch.linspace(math.log(SPREADS[0]), math.log(SPREADS[-1]), count, device=mean.device)
        unit = self.std.log() + 0.5 * math.log(3) - math.log(math.pi) + 1.5  # of a logistic of that deviation
        at = (self.mean.unsqueeze(-1) + self.std.unsqueeze(-1) * mean - spread, log_scale + scales + unit.unsqueeze(-1))
        return torch.cat([logits, *at], -1)


@dataclass(frozen=True)
class Plan:
    """The predictions of an order: weights on the neighbours of each entry.

    Args:
        space: of the image.
        taps: numbers of the neighbours, (D, K).
        weight: of each, zero for those that come later, (D, K).
        std: (D,).
        mean: of each entry, (D,).
        matrix: the weights as one sparse matrix, (D, D).
    """

    space: Space
    taps: Tensor
    weight: Tensor
    std: Tensor
    mean: Tensor
    matrix: Tensor

    @torch.no_grad()
    def of(self, x: Tensor) -> Foreseen:
        """The predictions of all entries of images (B, D)."""
        with torch.autocast(x.device.type, enabled=False):
            past = self.matrix @ (self.space.to_network(x) - self.mean).t()
        return Foreseen(self.space, self.mean + past.t(), self.std)

    @torch.no_grad()
    def at(self, x: Tensor, entries: Tensor, known: Tensor | None = None) -> Foreseen:
        """Those of some entries (k,), which are (B, k); entries that are not known (D,) count as their mean."""
        near = self.taps[entries]
        past = self.space.to_network(x[:, near]) - self.mean[near]
        weight = self.weight[entries] if known is None else self.weight[entries] * known[near]
        return Foreseen(self.space, self.mean[entries] + (past * weight).sum(-1), self.std[entries])

    def among(self, entries: Tensor) -> Tensor:
        """The weights of some entries (k,) on each other, (k, k): those of entry i on entry j in row i, column j."""
        same = self.taps[entries][:, :, None] == entries
        return (same * self.weight[entries][:, :, None]).sum(1)


class Neighbourhood(nn.Module):
    """A Gaussian of the pixels of a window, the same everywhere: each entry's conditional given its earlier neighbours.

    E[x_i | x_E] = m_i + S_iE S_EE^-1 (x_E - m_E), for the entries E of the window around i that come before i. It holds
    for any order; each pattern of earlier neighbours is solved once.

    Args:
        space: of images.
        window: side of the window, odd.
    """

    mean: Tensor
    cover: Tensor

    def __init__(self, space: Space, window: int) -> None:
        super().__init__()
        side = min(window, *space.event_shape[1:])
        self.space, self.side = space, side - (side + 1) % 2
        size = space.event_shape[0] * self.side**2
        self.register_buffer("mean", torch.zeros(space.event_shape[0]))
        self.register_buffer("cover", torch.eye(size))
        self.taps, self.inside = window_of(space, self.side)
        self.solved = dict[bytes, Tensor]()

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Estimates mean and covariance from images (B, C, H, W); a level counts as noise."""
        some = self.space.to_network(x[: max(1, WINDOWS // math.prod(x.shape[2:]))])
        self.mean.copy_(some.mean((0, 2, 3)))
        windows = F.unfold(some - self.mean[:, None, None], self.side).transpose(1, 2).flatten(0, 1)
        noise = 2 / ((self.space.levels or 256) - 1)
        self.cover.copy_((windows.t() @ windows) / len(windows))
        self.cover.diagonal().add_(noise**2)

    def plan(self, order: Tensor) -> Plan:
        """The predictions in an order of the entries, (D,)."""
        return self._plan(tuple(order.tolist()), (self.cover._version, self.cover.data_ptr()))

    @lru_cache(maxsize=24)  # noqa: B019  (a model keeps one of these for its life)
    def _plan(self, order: tuple[int, ...], fitted: tuple[int, int]) -> Plan:
        position = torch.tensor(order).argsort()
        earlier = self.inside & (position[self.taps] < position[:, None])
        weight, std = self._solve(earlier, fitted)
        rows = torch.arange(len(order))[:, None].expand_as(self.taps)
        index = torch.stack([rows[earlier], self.taps[earlier]])
        device, shape = self.cover.device, (len(order), len(order))
        mean = self.mean.repeat_interleave(len(order) // len(self.mean))
        with warnings.catch_warnings(action="ignore"):  # torch calls its sparse matrices a beta
            matrix = torch.sparse_coo_tensor(index, weight[earlier], shape).coalesce().to_sparse_csr().to(device)
        return Plan(self.space, self.taps.to(device), weight.to(device), std.to(device), mean, matrix)

    def _solve(self, earlier: Tensor, fitted: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Weights (D, K) and standard deviations (D,) for the neighbours that come earlier, (D, K)."""
        channel = torch.arange(len(self.mean)).repeat_interleave(len(earlier) // len(self.mean))
        keys = np.concatenate([np.packbits(earlier.numpy(), 1), channel[:, None].byte().numpy()], 1)
        names, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        prefix = repr(fitted).encode()
        known = [prefix + name.tobytes() for name in names]
        if len(self.solved) > PATTERNS:
            self.solved.clear()
        new = [i for i, name in enumerate(known) if name not in self.solved]
        for some in torch.tensor(new, dtype=torch.long).split(AT_ONCE):
            where = torch.from_numpy(first)[some]
            for i, row in zip(some.tolist(), self._conditional(earlier[where], channel[where]), strict=True):
                self.solved[known[i]] = row
        found = torch.stack([self.solved[name] for name in known])[torch.from_numpy(inverse.reshape(-1))]
        return found[:, :-1], found[:, -1]

    def _conditional(self, earlier: Tensor, channel: Tensor) -> Tensor:
        """Weights and, behind them, the deviation, for each pattern (n, K) of earlier neighbours, (n, K + 1)."""
        cover = self.cover.double().cpu()
        centre = channel * self.side**2 + self.side**2 // 2
        both = earlier[:, :, None] & earlier[:, None]
        system = torch.where(both, cover, torch.eye(len(cover), dtype=torch.float64))
        right = torch.where(earlier, cover[centre], 0.0)
        weight = torch.linalg.solve(system, right)
        left = cover.diagonal()[centre] - (weight * right).sum(1)
        return torch.cat([weight, left.clamp_min(1e-8).sqrt()[:, None]], 1).float()


def window_of(space: Space, side: int) -> tuple[Tensor, Tensor]:
    """The entries in the window around each entry of an image, channel by channel, and whether they are inside it.

    Returns:
        Numbers of entries, 0 for those outside, and which are inside, (D, K) both.
    """
    channels, height, width = space.event_shape
    grid = torch.arange(1, space.dims + 1).view(1, channels, height, width).double()
    near = F.unfold(F.pad(grid, (side // 2,) * 4), side)[0].t().long()  # (H W, K), 0 for outside
    near = near.repeat(channels, 1)
    return (near - 1).clamp_min(0), near > 0
