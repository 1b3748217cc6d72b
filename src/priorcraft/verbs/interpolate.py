"""`interpolate`: what lies between two images, in z."""

from dataclasses import dataclass
from pathlib import Path

import torch

from priorcraft.datasets import Splits
from priorcraft.explicit.approximate.latent import line, shown
from priorcraft.report.moved import Moved, Neighbours, beside, check_between, shares, title_of
from priorcraft.report.sheet import Line, Sheet
from priorcraft.run import Run
from priorcraft.run.codes import class_names, code_labels, coded, latent_model
from priorcraft.run.data import Given, data_of, opened
from priorcraft.run.images import Point, points_of


@dataclass(frozen=True, kw_only=True)
class Interpolated(Moved):
    """Points on a line between two codes; x is (steps, *event_shape).

    Args:
        steps: how many, ends included.
        distance: between the two codes, in units of p(z).
        method, reconstruction_error, nearest, x, u, y, classes, sheet: as in `Moved`.
    """

    steps: int
    distance: float


def interpolate(
    run: str | Path | Run,
    a: Point,
    b: Point,
    *,
    steps: int = 9,
    data: str | Path | Splits | None = None,
    given: Given | None = None,
    neighbours: bool = True,
    seed: int = 0,
) -> Interpolated:
    """What lies between two images: x decoded along the straight line between their codes.

    Codes are in units of p(z).

    Args:
        run: the run folder, or what `fit` and `load` return.
        a: an image file, or the number of a test row.
        b: the other end.
        steps: images on the line, ends included.
        data: whose test rows, and whose training rows are the neighbours; the run's own data without it.
        given: label=CLASS for the whole way; else the class of the nearer end.
        neighbours: put the nearest real training image below each step.
        seed: of a search for z.

    Writes:
        out (required): .png for a strip, .npz for the numbers, x, y and the codes u in units of p(z).

    Returns:
        The images on the way, how far it is, and the real images that are nearest.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    check_between("steps", steps, 2)
    fitted, _ = opened(run)
    model, named = latent_model(fitted.model), points_of(fitted, (a, b), data)
    ends = coded(fitted, named.x, code_labels(fitted, given, named.y, 2), seed)
    u = line(ends.u[0], ends.u[1], steps)
    y = None if ends.y is None else ends.y[(torch.arange(steps) * 2 >= steps).long()]
    x = shown(model, u, y)
    near = Neighbours.of(x, named.splits or data_of(fitted, data)) if neighbours else None
    lines = [Line("decoded", [ends.x[0], *x, ends.x[1]]), *beside(near)]
    title = title_of("From A to B in z", class_names(fitted, ends.y))
    return Interpolated(
        steps=steps,
        distance=round(float((ends.u[1] - ends.u[0]).norm()), 3),
        method=ends.method,
        reconstruction_error=round(ends.error, 4),
        nearest=None if near is None else near.numbers,
        nearest_files=() if near is None else near.files,
        x=x.cpu(),
        u=u.cpu(),
        y=None if y is None else y.cpu(),
        classes=class_names(fitted, y),
        sheet=Sheet(title, ["image A", *shares(steps), "image B"], lines, fitted.model.space),
    )
