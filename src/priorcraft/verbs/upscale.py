"""`upscale`: larger images from small ones, by what a fitted model knows of them."""

from collections.abc import Sequence
from pathlib import Path

import torch

from priorcraft import runtime
from priorcraft.condition import enlarged
from priorcraft.core import Space
from priorcraft.datasets import Splits
from priorcraft.observe import BlockMean
from priorcraft.report.restored import Restored, measured
from priorcraft.run import Run
from priorcraft.run.data import Given, labels_of, opened
from priorcraft.run.images import check_size, images_of


def upscale(
    run: str | Path | Run,
    image: str | Path | Sequence[str | Path] | None = None,
    *,
    factor: int = 2,
    n: int = 8,
    draws: int = 64,
    data: str | Path | Splits | None = None,
    limit: int = 450,
    given: Given | None = None,
    seed: int = 0,
) -> Restored:
    """Enlarge images in several ways, each with exactly the block means that were seen.

    The images are draws of p(x | its block means); nothing is trained for the task.

    Args:
        run: the run folder, or what `fit` and `load` return.
        image: image files of one size: the model's divided by factor, or larger, which are enlarged tile by tile.
        factor: side of a block.
        n: enlargements of each image.
        draws: how many the mean and the uncertainty are taken over.
        data: instead of an image: make the test rows of these data smaller, enlarge them, and compare with the truth.
        limit: test rows at most.
        given: label=CLASS, if the class is known.
        seed: of every random draw: the same seed gives the same answer.

    Writes:
        out: .png for a sheet (seen, enlargements, mean, uncertainty, truth), .npz for the numbers (x, mean, std,
            entropy, seen, mask).
        restored: .png of the first enlargement of the first image alone.

    Returns:
        The enlarged images, the kind of engine that made them, and figures where the truth is known.

    Raises:
        UsageError, DataError, ImpossibleEvidence: as their names say.
    """
    fitted, where = opened(run)
    named = images_of(fitted, image, data, limit, enlarged.small_space(fitted.model.space, factor))
    truth, observation = (None if named.splits is None else named.x), BlockMean(factor)
    check_size(n, draws, len(named.x), named.x[0].numel() * (factor**2 if truth is None else 1))
    sums = named.x if truth is None else (observation.forward(truth) * factor**2).round().long()
    generator, labels = runtime.keyed(seed, "upscale", device=where), labels_of(fitted, given, len(sums))
    done = enlarged.upscale(fitted.model, sums.to(where), factor, n, draws=draws, given=labels, generator=generator)
    y = sums.float() / factor**2
    blocks = (observation.adjoint(y) * factor**2).round().long()  # each at its mean
    space = Space(tuple(blocks.shape[1:]), fitted.model.space.levels)
    everything = torch.ones(space.event_shape, dtype=torch.bool)
    found = measured(done, observation, y, truth, everything, named.splits, named.y, seed)
    return Restored.of(done, found, seen=blocks, mask=everything, truth=truth, space=space)
