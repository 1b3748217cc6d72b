"""How near a restored image comes to the true one, and whether its uncertainty means what it says."""

import math

import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime


def psnr(x: Tensor, truth: Tensor, scored: Tensor, peak: float) -> float:
    """Peak signal-to-noise ratio, dB, over all scored entries of all images together; infinite if they are equal.

    10 log10 peak^2 / mean (x - truth)^2

    Args:
        x, truth: (B, *event_shape).
        scored: True where the entry counts, broadcast to the shape of x.
        peak: largest value.

    >>> import torch
    >>> round(psnr(torch.zeros(1, 4), torch.ones(1, 4), torch.ones(4).bool(), 10), 2)
    20.0
    """
    error = (x.double() - truth.double()).square()[scored.expand(x.shape)]
    mean = float(error.mean()) if len(error) else 0.0
    return 10 * math.log10(peak**2 / mean) if mean else math.inf


def ssim(x: Tensor, truth: Tensor, peak: float) -> float:
    """Structural similarity (Wang, Bovik, Sheikh & Simoncelli 2004), mean over windows of 7 x 7 pixels and images.

    Windows lie inside the image, and shrink to its smaller side; each channel counts by itself.

    Args:
        x, truth: images, (B, C, H, W).
        peak: largest value.

    >>> import torch
    >>> ssim(torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8), 16)
    1.0
    """
    side = min(7, *x.shape[-2:])
    side -= 1 - side % 2

    def mean(v: Tensor) -> Tensor:
        return F.avg_pool2d(v, side, 1)

    a, b, pixels = x.double(), truth.double(), side**2
    unbiased = pixels / max(pixels - 1, 1)
    a_mean, b_mean = mean(a), mean(b)
    a_var, b_var = unbiased * (mean(a * a) - a_mean**2), unbiased * (mean(b * b) - b_mean**2)
    both = unbiased * (mean(a * b) - a_mean * b_mean)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    top = (2 * a_mean * b_mean + c1) * (2 * both + c2)
    return float((top / ((a_mean**2 + b_mean**2 + c1) * (a_var + b_var + c2))).mean())


def coverage(draws: Tensor, truth: Tensor, scored: Tensor, share: float = 0.9, *, generator: Generator) -> float:
    """Share of scored entries whose truth lies in the central credible set of that share, by its rank among n draws.

    r = (#{draws < truth} + u (#{draws = truth} + 1)) / (n + 1),   covered if |r - 1/2| < share / 2,   u uniform

    Ties are broken at random, so that draws from the true posterior cover `share` exactly, on integers too
    (randomised rank statistic: Czado, Gneiting & Held 2009).

    Args:
        draws: (B, n, *event_shape).
        truth: (B, *event_shape).
        scored: True where the entry counts, broadcast to the shape of truth.
        share: of the posterior's mass.
        generator: of the ties.
    """
    one = truth.unsqueeze(1)
    less, equal = (draws < one).sum(1).double(), (draws == one).sum(1).double()
    u = runtime.uniform(tuple(truth.shape), generator=generator, like=less)
    rank = (less + u * (equal + 1)) / (draws.shape[1] + 1)
    inside = ((rank - 0.5).abs() < share / 2)[scored.expand(truth.shape)]
    return float(inside.double().mean()) if len(inside) else math.nan
