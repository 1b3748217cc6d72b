"""`analogy`: A is to B as C is to what?"""

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
class Analogy(Moved):
    """C on its way to what it becomes; x is (steps, *event_shape).

    Args:
        steps: shares of the step that are shown.
        distance: how far C is moved, in units of p(z).
        method, reconstruction_error, nearest, x, u, y, classes, sheet: as in `Moved`.
    """

    steps: int
    distance: float


def analogy(
    run: str | Path | Run,
    a: Point,
    b: Point,
    c: Point,
    *,
    steps: int = 5,
    data: str | Path | Splits | None = None,
    given: Given | None = None,
    neighbours: bool = True,
    seed: int = 0,
) -> Analogy:
    """A is to B as C is to what? The step from A to B in z, taken from C.

    x is decoded from u_C + t (u_B - u_A) for t from 0 to 1, where u is z in units of p(z) (Mikolov et al. 2013,
    arXiv:1301.3781, for words; Radford, Metz & Chintala 2016, arXiv:1511.06434, for images).

    Args:
        run: the run folder, or what `fit` and `load` return.
        a: an image file, or the number of a test row.
        b: what A becomes.
        c: what the same step is applied to; it keeps its own class.
        steps: values of t, 0 and 1 included.
        data: whose test rows, and whose training rows are the neighbours; the run's own data without it.
        given: label=CLASS for all three; else each has its own.
        neighbours: put the nearest real training image below each step.
        seed: of a search for z.

    Writes:
        out (required): .png for a sheet, .npz for the numbers, x, y and the codes u of C's way.

    Returns:
        C's way, how far it is, and the real images that are nearest.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    check_between("steps", steps, 2)
    fitted, _ = opened(run)
    model, named = latent_model(fitted.model), points_of(fitted, (a, b, c), data)
    ends = coded(fitted, named.x, code_labels(fitted, given, named.y, 3), seed)
    u_a, u_b, u_c = ends.u
    u, y = line(u_c, u_c + u_b - u_a, steps), None if ends.y is None else ends.y[2].expand(steps)
    between = None if ends.y is None else ends.y[(torch.arange(steps) * 2 >= steps).long()]
    x, example = shown(model, u, y), shown(model, line(u_a, u_b, steps), between)
    near = Neighbours.of(x, named.splits or data_of(fitted, data)) if neighbours else None
    lines = [
        Line("from A to B", [ends.x[0], *example, ends.x[1]]),
        Line("C, moved likewise", [ends.x[2], *x, None]),
        *beside(near),
    ]
    title = title_of("A is to B as C is to ...", class_names(fitted, ends.y))
    return Analogy(
        steps=steps,
        distance=round(float((u_b - u_a).norm()), 3),
        method=ends.method,
        reconstruction_error=round(ends.error, 4),
        nearest=None if near is None else near.numbers,
        nearest_files=() if near is None else near.files,
        x=x.cpu(),
        u=u.cpu(),
        y=None if y is None else y.cpu(),
        classes=class_names(fitted, y),
        sheet=Sheet(title, ["real", *shares(steps), "real"], lines, fitted.model.space),
    )
