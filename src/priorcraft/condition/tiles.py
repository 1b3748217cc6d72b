"""Filling in what a mask hides, also in images larger than the model."""

import time

from torch import Generator, Tensor

from priorcraft.condition import posterior
from priorcraft.condition.restoration import DRAWS, Restoration, averaged, restore
from priorcraft.core import Generative, Space
from priorcraft.errors import DataError
from priorcraft.observe import Mask


def inpaint(
    model: Generative,
    x: Tensor,
    seen: Tensor,
    n: int,
    *,
    draws: int | None = None,
    given: Tensor | None = None,
    generator: Generator,
) -> Restoration:
    """n completions of each image; seen pixels come back bit for bit.

    Args:
        model: a fitted model.
        x: images, (B, *event_shape), or (B, C, H, W) larger than the model's; hidden entries may hold anything.
        seen: True where x is seen, (*shape of one x) or one a row.
        n: completions of each.
        draws: how many the mean and spread are taken over; without it 64, for larger images n.
        given: labels, (B,), or None.
        generator: source of randomness.

    Raises:
        DataError: images that are smaller than the model's, or have other channels.
    """
    observation = Mask(seen)
    y = observation.forward(x)
    if tuple(x.shape[1:]) == model.space.event_shape:
        return restore(model, observation, y, n, draws=draws or DRAWS, given=given, generator=generator)
    return _tiled(model, y, seen.expand_as(y), n, max(n, draws or n), given, generator)


def _tiled(
    model: Generative, y: Tensor, seen: Tensor, n: int, draws: int, given: Tensor | None, generator: Generator
) -> Restoration:
    """Window after window, each conditioned on what is seen in it and on what earlier ones filled in. Approximate."""
    began, methods, diagnostics = time.perf_counter(), set[str](), list[dict[str, float]]()
    x = y.repeat_interleave(draws, 0)
    labels = None if given is None else given.repeat_interleave(draws, 0)
    known = seen.repeat_interleave(draws, 0).clone()
    check_larger(tuple(y.shape[1:]), model.space)
    while (window := next_window(known, model.space)) is not None:
        mask = known[window]
        mask = mask[0] if bool((mask == mask[0]).all()) else mask
        engine = posterior(model, Mask(mask), Mask(mask).forward(x[window]), given=labels)
        x[window] = engine.sample(1, generator=generator)[:, 0].to(x.dtype)
        known[window] = True
        methods.add(engine.method)
        diagnostics.append(engine.diagnostics)
    method = f"window after window, each by {' or '.join(sorted(methods)) or 'nothing: all was seen'}"
    drawn, space = x.unflatten(0, (len(y), draws)).cpu(), Space(tuple(y.shape[1:]), model.space.levels)
    how = ("approximate", method, averaged(diagnostics))
    return Restoration.of(drawn, n, space, how, time.perf_counter() - began)


def check_larger(shape: tuple[int, ...], space: Space) -> None:
    """Raises a DataError unless images of `shape` are at least as large as the model's."""
    if (
        not space.is_image
        or shape[0] != space.event_shape[0]
        or any(a < b for a, b in zip(shape, space.event_shape, strict=True))
    ):
        raise DataError(f"images must have shape {space.event_shape}, or be larger; found {tuple(shape)}.")


def next_window(known: Tensor, space: Space) -> tuple[slice, ...] | None:
    """The model's window around the first pixel that is not known in every image; None if all are.

    A quarter of the window lies above that pixel, and half of it to its left, inside the image.

    >>> import torch
    >>> known = torch.ones(1, 1, 6, 9).bool()
    >>> known[..., 3, 4] = False
    >>> next_window(known, Space((1, 4, 4), 2))
    (slice(None, None, None), slice(None, None, None), slice(2, 6, None), slice(2, 6, None))
    """
    hidden = (~known).flatten(0, 1).any(0).nonzero()
    if not len(hidden):
        return None
    (row, column), (height, width) = hidden[0].tolist(), space.event_shape[1:]
    top = min(max(row - height // 4, 0), known.shape[2] - height)
    left = min(max(column - width // 2, 0), known.shape[3] - width)
    return slice(None), slice(None), slice(top, top + height), slice(left, left + width)
