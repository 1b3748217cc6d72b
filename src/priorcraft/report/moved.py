"""Codes that were moved while x was watched: what the answers of `interpolate`, `traverse` and `analogy` share."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from torch import Tensor

from priorcraft.answer import ARRAY, Answer, Facts, Picture, Piece, Sentence
from priorcraft.datasets.splits import Splits
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.latent import nearest
from priorcraft.outputs import packed
from priorcraft.report.sheet import Line, Sheet

MOST = 64  # steps of a path, or lines of a sheet
NEAREST = "nearest real"


@dataclass(frozen=True, kw_only=True)
class Moved(Answer):
    """Points decoded from codes that were moved.

    Args:
        method: how the codes were found from which they start.
        reconstruction_error: root mean square of decode(z) - x, as a share of the range of x.
        nearest: numbers of the training rows nearest to each x (Euclidean); None where they were not asked for.
        x: decoded points, the means of p(x | z).
        u: their codes, in units of p(z).
        y: the classes by number under which they were decoded; None without classes.
        classes: their names.
        sheet: how they are shown.
        nearest_files: the image files of the nearest rows, if they were files.
    """

    writes: ClassVar = {"out": (".png", ".npz")}

    method: str
    reconstruction_error: float
    nearest: tuple[int, ...] | None
    x: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    u: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    y: Tensor | None = field(repr=False, compare=False, metadata=ARRAY)
    classes: tuple[str, ...] | None = field(repr=False, compare=False, metadata=ARRAY)
    sheet: Sheet = field(repr=False, compare=False, metadata=ARRAY)
    nearest_files: tuple[str, ...] = ()

    def shown(self) -> list[Piece]:
        """The figures, and the sheet if there are images."""
        facts = {key: value for key, value in self.to_dict().items() if key not in ("nearest", "nearest_files", "out")}
        named = dict.fromkeys(self.nearest_files)
        near = [Sentence("nearest real images: " + ", ".join(named))] if named else []
        return [
            Facts(facts),
            *near,
            *([Picture(self.sheet.png, self.sheet.title)] if self.sheet.space.is_image else []),
        ]

    def _bytes(self, what: str, suffix: str) -> bytes:
        if suffix == ".npz":
            names = {} if self.classes is None else {"y": np.array(self.classes)}
            return packed({"x": self.x.numpy(), "u": self.u.numpy()} | names)
        if not self.sheet.space.is_image:
            raise UsageError("a picture needs images, and these are rows: write an .npz.")
        return self.sheet.png()


@dataclass(frozen=True)
class Neighbours:
    """The training rows nearest to some points.

    Args:
        numbers: of the rows.
        x: the rows, (B, *event_shape).
        files: the image files that they were read from; () if they were not files.
    """

    numbers: tuple[int, ...]
    x: Tensor
    files: tuple[str, ...]

    @classmethod
    def of(cls, x: Tensor, data: Splits) -> "Neighbours":
        """The nearest of the training rows, Euclidean distance, for each x (B, *event_shape)."""
        numbers = nearest(x.cpu(), data.train.x)
        return cls(tuple(numbers.tolist()), data.train.x[numbers], data.named(data.train.where(numbers)))


def beside(near: Neighbours | None) -> list[Line]:
    """A line of neighbours below the line of a path between two images."""
    return [] if near is None else [Line(NEAREST, [None, *near.x, None])]


def title_of(words: str, classes: tuple[str, ...] | None) -> str:
    """A title that names the classes of the images, if they have any."""
    return words if classes is None else f"{words}   (class {' to '.join(list(dict.fromkeys(classes))[:2])})"


def shares(steps: int) -> list[str]:
    """How much of a path each of its steps has gone.

    >>> shares(3)
    ['0 %', '50 %', '100 %']
    """
    return [f"{100 * i / (steps - 1):.0f} %" for i in range(steps)]


def check_between(name: str, value: int, least: int) -> None:
    """Raises a UsageError if a number of steps is too small or too large for a picture."""
    if not least <= value <= MOST:
        raise UsageError(f"{name} must lie in {least} ... {MOST}, not {value:,}.")
