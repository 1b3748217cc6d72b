"""From features to pixels: independent given z, or one after another within a small window."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.likelihoods import Head
from priorcraft.nn.conv import LocalContext


class PixelDecoder(nn.Module):
    """p(x | h) = prod_i p(x_i | h, earlier pixels in a window), in rows (Chen et al. 2016, arXiv:1611.02731).

    Args:
        space: where the image lives.
        head: the likelihood of an entry.
        features: channels of h, which has half the image's size, rounded up.
        width: channels at the full size.
        reach: of the window; 0 makes the pixels independent given h.
    """

    def __init__(self, space: Space, head: Head, features: int, width: int, reach: int) -> None:
        super().__init__()
        self.space, self.head = space, head
        channels = space.event_shape[0]
        self.enlarge = nn.Conv2d(features, 4 * width, 3, padding=1)
        self.window = LocalContext(channels, width, reach) if reach else None
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.leave = nn.Linear(width, channels * head.width)
        nn.init.zeros_(self.second.weight)

    def _enlarged(self, h: Tensor) -> Tensor:
        """(B, features, h, w) to (B, height, width of the image, channels), every pixel to a square of four."""
        height, width = self.space.event_shape[1:]
        squares = self.enlarge(F.silu(h)).movedim(1, -1).unflatten(-1, (-1, 2, 2))
        return squares.permute(0, 1, 4, 2, 5, 3).flatten(3, 4).flatten(1, 2)[:, :height, :width]

    def at_pixels(self, f: Tensor) -> Tensor:
        """(..., width) to (..., channels * parameters), pixel by pixel."""
        f = F.silu(f)
        return self.leave(F.silu(f + self.second(F.silu(self.first(f)))))

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        """Parameters of every entry of x, (k B, channels, height, width, parameters), for k B rows of h to B of x."""
        f = self._enlarged(h)
        if self.window is not None:
            around = self.window(self.space.to_network(x, self.leave.weight.dtype))
            f = (f.unflatten(0, (-1, len(x))) + around.movedim(1, -1)).flatten(0, 1)
        parameters = self.at_pixels(f)
        return parameters.unflatten(-1, (self.space.event_shape[0], -1)).movedim(-2, 1)

    def sample(self, h: Tensor, generator: Generator) -> Tensor:
        """One draw of x, (B, channels, height, width)."""
        u = runtime.uniform((len(h), *self.space.event_shape), generator=generator, like=h)
        return self.quantile(h, u)

    def quantile(self, h: Tensor, u: Tensor) -> Tensor:
        """The x that the uniforms u (B, channels, height, width) stand for, pixel after pixel."""
        return self.completed(h, u, torch.zeros_like(u), torch.zeros(u.shape[1:], dtype=torch.bool, device=u.device))

    @torch.no_grad()
    def completed(self, h: Tensor, u: Tensor, y: Tensor, seen: Tensor) -> Tensor:
        """y where it is seen, and what the uniforms stand for given the earlier pixels elsewhere.

        Args:
            h: features, (B, features, h, w).
            u: uniforms, (B, channels, height, width).
            y: of the shape of u.
            seen: True where y is seen, (channels, height, width).
        """
        f = self._enlarged(h)
        x = torch.zeros(u.shape, dtype=torch.long if self.space.levels else u.dtype, device=u.device)
        if self.window is None:
            entries = self.at_pixels(f).unflatten(-1, (u.shape[1], -1)).movedim(-2, 1)
            return torch.where(seen, y.to(x), self.head(entries).quantile(u))
        known, kernel, r = self.window.padded(torch.zeros_like(u)), self.window.kernel.flatten(1), self.window.reach
        all_seen = seen.all(0).tolist()
        for i in range(u.shape[2]):
            for j in range(u.shape[3]):
                x[:, :, i, j] = y[:, :, i, j]
                if not all_seen[i][j]:
                    patch = known[:, :, i : i + r + 1, j : j + 2 * r + 1].flatten(1)
                    entries = self.at_pixels(f[:, i, j] + patch @ kernel.T).unflatten(-1, (u.shape[1], -1))
                    drawn = self.head(entries).quantile(u[:, :, i, j])
                    x[:, :, i, j] = torch.where(seen[:, i, j], x[:, :, i, j], drawn)
                known[:, :, i + r, j + r] = self.space.to_network(x[:, :, i, j], u.dtype)
        return x

    def mean(self, h: Tensor, draws: int) -> Tensor:
        """E[x | h]: exact without a window, otherwise the mean of `draws` draws with noise that is always the same."""
        if self.window is None:
            f = self.at_pixels(self._enlarged(h))
            return self.head(f.unflatten(-1, (self.space.event_shape[0], -1)).movedim(-2, 1)).mean()
        u = runtime.uniform((draws, 1, *self.space.event_shape), generator=runtime.keyed("decode"), like=h)
        return torch.stack([self.quantile(h, one.expand(len(h), -1, -1, -1)).to(h.dtype) for one in u]).mean(0)
