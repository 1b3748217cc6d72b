"""`decode`: from z to x, through any model that has a z."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from priorcraft.answer import ARRAY, Answer, Facts, Picture, Piece
from priorcraft.core import UNLABELLED, Space
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.latent import decoded
from priorcraft.outputs import packed
from priorcraft.report.grid import picture
from priorcraft.run import Run
from priorcraft.run.codes import checked_codes, code_labels, latent_model, read_codes
from priorcraft.run.data import Given, opened

SHOWN = 40  # images in a notebook


@dataclass(frozen=True)
class Decoded(Answer):
    """What codes stand for.

    Args:
        n: how many.
        mean: of p(x | z), (n, *event_shape).
        x: the nearest points of the data's space, (n, *event_shape).
        space: where x lives.
    """

    writes: ClassVar = {"out": (".png", ".npz")}

    n: int
    mean: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    x: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    space: Space = field(repr=False, compare=False, metadata=ARRAY)

    def shown(self) -> list[Piece]:
        """How many, and the first of them."""
        images = [Picture(lambda: picture(self.mean[:SHOWN], self.space), "decoded")] if self.space.is_image else []
        return [Facts({"n": self.n}), *images]

    def _bytes(self, what: str, suffix: str) -> bytes:
        if suffix == ".png":
            return picture(self.mean, self.space)
        return packed({"mean": self.mean.numpy(), "x": self.x.numpy()})


def decode(run: str | Path | Run, z: str | Path | Tensor, *, given: Given | None = None) -> Decoded:
    """The images or rows that codes z stand for: the mean of p(x | z).

    Args:
        run: the run folder, or what `fit` and `load` return.
        z: .npz with z, and y where the model has classes, as encode writes it; in Python also codes (n, latent).
        given: label=CLASS in place of y.

    Writes:
        out (required): .png for a picture, .npz for the numbers, mean and x.

    Returns:
        The means, and the nearest points of the data's space.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    fitted, where = opened(run)
    model = latent_model(fitted.model)
    codes, y = (z, None) if isinstance(z, Tensor) else read_codes(z, fitted)
    codes, labels = checked_codes(model, codes).to(where), code_labels(fitted, given, y, len(codes))
    if labels is not None and bool((labels == UNLABELLED).any()):
        raise UsageError("decode needs the class of each z: pass --given label=CLASS, or y beside z in the file.")
    space, mean = fitted.model.space, decoded(model, codes, labels).cpu()
    x = mean if space.levels is None else space.clamp(mean).round().long()
    return Decoded(len(mean), mean, x, space)
