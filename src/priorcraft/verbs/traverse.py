"""`traverse`: what single numbers of z do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from priorcraft.datasets import Splits
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.latent import liveliest, shown, traversal
from priorcraft.report.moved import MOST, NEAREST, Moved, Neighbours, check_between, title_of
from priorcraft.report.sheet import Line, Sheet
from priorcraft.run import Run
from priorcraft.run.codes import class_names, code_labels, coded, drawn_code, latent_model
from priorcraft.run.data import Given, data_of, opened
from priorcraft.run.images import Point, points_of


@dataclass(frozen=True, kw_only=True)
class Traversed(Moved):
    """An image with one number of z moved at a time; x is (latents, steps, *event_shape).

    Args:
        latents: which numbers of z.
        steps: values of each.
        span: how far to both sides, in standard deviations of p(z).
        method, reconstruction_error, nearest, x, u, y, classes, sheet: as in `Moved`.
    """

    latents: tuple[int, ...]
    steps: int
    span: float


def traverse(
    run: str | Path | Run,
    image: Point | None = None,
    *,
    latents: Sequence[int] = (),
    steps: int = 9,
    span: float = 2.5,
    data: str | Path | Splits | None = None,
    given: Given | None = None,
    neighbours: bool = False,
    seed: int = 0,
) -> Traversed:
    """What single numbers of z do to an image: a line for each, all others kept.

    Args:
        run: the run folder, or what `fit` and `load` return.
        image: an image file, or the number of a test row; without it, a draw from p(z).
        latents: which numbers of z, like 0,3,7; without it the ten that change the image most.
        steps: values of each.
        span: how far to both sides, in standard deviations of p(z).
        data: whose test rows, and whose training rows are the neighbours; the run's own data without it.
        given: label=CLASS; else the class of the row, and for files the most probable one.
        neighbours: put the nearest real training images below each line.
        seed: of the draw, or of a search for z.

    Writes:
        out (required): .png for a sheet, .npz for the numbers, x (lines, steps, ...), y and the codes u.

    Returns:
        The images, and which numbers were moved.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    check_between("steps", steps, 2)
    if not 0 < span < float("inf"):
        raise UsageError(f"span must be above 0 and finite, not {span}.")
    fitted, _ = opened(run)
    model, named = latent_model(fitted.model), None if image is None else points_of(fitted, [image], data)
    if named is None:
        begun = drawn_code(fitted, given, seed)
    else:
        begun = coded(fitted, named.x, code_labels(fitted, given, named.y, 1), seed)
    c, length = None if begun.y is None else begun.y[0], begun.z.shape[1]
    if latents and not (0 <= min(latents) <= max(latents) < length and len(latents) <= MOST):
        raise UsageError(f"latents must be at most {MOST} numbers in 0 ... {length - 1}, not {list(latents)}.")
    chosen = list(latents) or liveliest(model, begun.z[0], 10, span, given=c)
    u = traversal(begun.u[0], chosen, steps, span)
    x = shown(model, u.flatten(0, 1), None if c is None else c.expand(len(chosen) * steps))
    splits = None if named is None else named.splits
    near = Neighbours.of(x, splits or data_of(fitted, data)) if neighbours else None
    lines = list[Line]()
    for i, latent in enumerate(chosen):
        lines.append(Line(f"z{latent}", [None if i else begun.x[0], *x[i * steps : (i + 1) * steps]]))
        if near is not None:
            lines.append(Line(NEAREST, [None, *near.x[i * steps : (i + 1) * steps]]))
    title = title_of("One number of z moved at a time, by so many standard deviations", class_names(fitted, begun.y))
    heads = ["start", *(f"{value:+.2g}" for value in torch.linspace(-span, span, steps).tolist())]
    return Traversed(
        latents=tuple(chosen),
        steps=steps,
        span=span,
        method=begun.method,
        reconstruction_error=round(begun.error, 4),
        nearest=None if near is None else near.numbers,
        nearest_files=() if near is None else near.files,
        x=x.unflatten(0, (len(chosen), steps)).cpu(),
        u=u.cpu(),
        y=None if begun.y is None else begun.y.cpu(),
        classes=class_names(fitted, begun.y),
        sheet=Sheet(title, heads, lines, fitted.model.space),
    )
