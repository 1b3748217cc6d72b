"""Rows with holes: each is an image with holes, and the same engines fill it in."""

import torch
from torch import Generator, Tensor

from priorcraft.condition.restoration import Restoration, restore
from priorcraft.core import Generative
from priorcraft.observe import Mask


def impute(
    model: Generative,
    x: Tensor,
    seen: Tensor,
    n: int,
    *,
    draws: int = 64,
    given: Tensor | None = None,
    generator: Generator,
) -> Restoration:
    """n draws of every row's missing entries from p(missing | seen): multiple imputation (Rubin 1987).

    Args:
        model: a fitted model.
        x: rows, (B, *event_shape); missing entries may hold anything, nan too.
        seen: True where x is there, (B, *event_shape).
        n: imputations of each row.
        draws: how many the mean and spread are taken over, n if that is more.
        given: labels, (B,), -1 where not known; None if none is.
        generator: source of randomness.
    """
    filled = torch.where(seen, x, torch.zeros_like(x))
    filled = filled if model.space.levels is None else model.space.check(filled)
    same = bool((seen == seen[:1]).all())
    observation = Mask(seen[0] if same else seen)
    return restore(model, observation, filled, n, draws=draws, given=given, generator=generator)
