"""`encode`: from x to z, through any model that has a continuous z."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import Tensor

from priorcraft.answer import ARRAY, Answer
from priorcraft.datasets import Splits
from priorcraft.outputs import packed
from priorcraft.run import Run
from priorcraft.run.codes import class_names, code_labels, coded
from priorcraft.run.data import Given, opened
from priorcraft.run.images import Point, points_of


@dataclass(frozen=True)
class Encoded(Answer):
    """Codes of points.

    Args:
        n: how many.
        latent: length of a code; a hierarchy puts all its layers in a row, the coarsest first.
        method: how they were found.
        reconstruction_error: root mean square of decode(z) - x, as a share of the range of x.
        z: codes, (n, latent).
        y: classes by number under which they were coded, (n,); None without classes.
        classes: their names.
    """

    writes: ClassVar = {"out": (".npz",)}

    n: int
    latent: int
    method: str
    reconstruction_error: float
    z: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    y: Tensor | None = field(repr=False, compare=False, metadata=ARRAY)
    classes: tuple[str, ...] | None = field(repr=False, compare=False, metadata=ARRAY)

    def _bytes(self, what: str, suffix: str) -> bytes:
        return packed({"z": self.z.numpy()} | ({} if self.classes is None else {"y": np.array(self.classes)}))


def encode(
    run: str | Path | Run,
    images: Sequence[Point] = (),
    *,
    data: str | Path | Splits | None = None,
    limit: int = 1000,
    given: Given | None = None,
    seed: int = 0,
) -> Encoded:
    """The latent codes z of images or rows.

    A VAE encodes; for a GAN, which has no encoder, the z that comes nearest is searched for.

    Args:
        run: the run folder, or what `fit` and `load` return.
        images: image files, or numbers of test rows; without any, the first test rows.
        data: whose test rows; the run's own data without it.
        limit: test rows at most, where no images are named.
        given: label=CLASS for all; else the class of the row, and for files the most probable one.
        seed: of a search.

    Writes:
        out (required): .npz of z, and of y, the names of the classes, where the model has classes.

    Returns:
        The codes, how they were found, and how near they come to the images.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    fitted, _ = opened(run)
    named = points_of(fitted, images, data, limit)
    found = coded(fitted, named.x, code_labels(fitted, given, named.y, len(named.x)), seed)
    y, classes = None if found.y is None else found.y.cpu(), class_names(fitted, found.y)
    n, latent = found.z.shape
    return Encoded(n, latent, found.method, round(found.error, 4), found.z.detach().cpu(), y, classes)
