"""`latent_map`: z in two dimensions."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from priorcraft.answer import ARRAY, Answer, Facts, Picture, Piece
from priorcraft.datasets import Splits
from priorcraft.explicit.approximate.latent import decoded, principal_axes
from priorcraft.outputs import packed
from priorcraft.report.moved import check_between
from priorcraft.report.plane import Frame, Plane
from priorcraft.run import Run
from priorcraft.run.codes import class_names, code_labels, coded, latent_model
from priorcraft.run.data import Given, opened
from priorcraft.run.images import points_of


@dataclass(frozen=True, kw_only=True)
class LatentMap(Answer):
    """Where rows lie in z, and what is decoded there.

    Args:
        n: rows.
        latent: length of a code.
        share: of the variance of the codes, of the two axes.
        method: how the codes were found.
        reconstruction_error: root mean square of decode(z) - x, as a share of the range of x.
        nearest: None: the rows are real themselves.
        points: the codes in the plane, (n, 2).
        y: classes of the rows by number, (n,); None without classes.
        classes: their names, "" where not known.
        x: what is decoded from a grid over the plane, from its upper left, (tiles, tiles, *event_shape).
        plane: how they are shown.
    """

    writes: ClassVar = {"out": (".png", ".npz")}

    n: int
    latent: int
    share: tuple[float, float]
    method: str
    reconstruction_error: float
    nearest: None = None
    points: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    y: Tensor | None = field(repr=False, compare=False, metadata=ARRAY)
    classes: tuple[str, ...] | None = field(repr=False, compare=False, metadata=ARRAY)
    x: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    plane: Plane = field(repr=False, compare=False, metadata=ARRAY)

    def shown(self) -> list[Piece]:
        """The figures, and the map."""
        facts = {key: value for key, value in self.to_dict().items() if key != "out"}
        return [Facts(facts), Picture(self.plane.png, "where rows lie in z, and what is decoded there")]

    def _bytes(self, what: str, suffix: str) -> bytes:
        if suffix == ".png":
            return self.plane.png()
        names = {} if self.classes is None else {"y": np.array(self.classes)}
        return packed({"points": self.points.numpy(), "x": self.x.numpy()} | names)


def latent_map(
    run: str | Path | Run,
    *,
    data: str | Path | Splits | None = None,
    limit: int = 1000,
    tiles: int = 12,
    given: Given | None = None,
    seed: int = 0,
) -> LatentMap:
    """Where rows lie in z, in two dimensions, and what is decoded there.

    The two axes are those along which the codes of the rows spread most.

    Args:
        run: the run folder, or what `fit` and `load` return.
        data: whose test rows; the run's own data without it.
        limit: test rows at most.
        tiles: decoded images a side; each in the class of the row that lies nearest in the plane.
        given: label=CLASS: code and decode all rows as of this class.
        seed: of a search for z.

    Writes:
        out (required): .png for the map (dots coloured by class, and the decoded images), .npz for the numbers, points,
            y and x.

    Returns:
        The places of the rows, what is decoded, and how much of the spread of z the map shows.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    check_between("tiles", tiles, 2)
    fitted, _ = opened(run)
    model, named = latent_model(fitted.model), points_of(fitted, (), data, limit)
    rows = coded(fitted, named.x, code_labels(fitted, given, named.y, len(named.x)), seed)
    axes, z = principal_axes(rows.z.detach()), rows.z.detach()
    points = axes.coordinates(z)
    edge = 0.03 * (points.amax(0) - points.amin(0)).clamp_min(1e-6)
    (left, lower), (right, upper) = (points.amin(0) - edge).tolist(), (points.amax(0) + edge).tolist()
    frame = (left, right, lower, upper)
    places = grid_of(frame, tiles).to(points)
    labels = None if rows.y is None else rows.y[torch.cdist(places, points).argmin(1)]
    x = decoded(model, axes.at(places), labels).unflatten(0, (tiles, tiles)).cpu()
    first, second = axes.share.tolist()
    names = [f"axis {i + 1} ({value:.0%} of the spread of z)" for i, value in enumerate((first, second))]
    y, space = rows.y if named.y is None or given else named.y, fitted.model.space
    y = None if y is None else y.cpu()
    return LatentMap(
        n=len(z),
        latent=z.shape[1],
        share=(round(first, 3), round(second, 3)),
        method=rows.method,
        reconstruction_error=round(rows.error, 4),
        points=points.cpu(),
        y=y,
        classes=class_names(fitted, y),
        x=x,
        plane=Plane(points.cpu(), y, fitted.classes, x if space.is_image else None, space, frame, (names[0], names[1])),
    )


def grid_of(frame: Frame, n: int) -> Tensor:
    """The centres of n x n cells that fill a frame (left, right, lower, upper), from the upper left, (n n, 2)."""
    left, right, lower, upper = frame
    at = (torch.arange(n) + 0.5) / n
    return torch.cartesian_prod(upper - at * (upper - lower), left + at * (right - left)).flip(1)
