"""`interpolate`, `traverse` and `analogy`: z is moved, and x is watched."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from priorcraft.datasets import Splits
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.latent import line, liveliest, traversal
from priorcraft.report.sheet import Line, sheet
from priorcraft.run import Run
from priorcraft.verbs.codes import (
    Point,
    latent_model,
    seen_from,
)
from priorcraft.verbs.moved import (
    NEAREST,
    Given,
    account,
    check_between,
    checked_latents,
    delivered,
    ends_of,
    named_classes,
    neighbours_of,
    ready,
    start_of,
)


def interpolate(
    run: str | Path | Run,
    a: Point,
    b: Point,
    *,
    steps: int = 9,
    data: str | Path | Splits | None = None,
    given: Given = None,
    neighbours: bool = True,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """What lies between two images: x decoded along the straight line between their codes.

    Codes are in units of p(z): see `LatentVariable.standardised`.

    Args:
        run: a run folder, or what `load` returned.
        a, b: files, or numbers of test rows.
        steps: points on the line, ends included.
        data: whose test rows, and whose training rows are the neighbours; the run's own data if None.
        given: {"label": class} for the whole way; otherwise the class of the nearer end.
        neighbours: put the nearest real training image below each step.
        out: .png (a strip) or .npz (x, y, and the codes u in units of p(z)).
        overwrite: replace `out` if it is there.
        seed: of a search for z.
        device: auto, cpu, cuda or mps.

    Returns:
        "steps", "distance" (between the two codes, in units of p(z)), "method", "reconstruction_error", "nearest"
        (numbers of training rows), "out", and the arrays as tensors if `out` is None.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    check_between("steps", steps, 2)
    target, fitted = ready(run, out, overwrite, device)
    ends, splits = ends_of(fitted, (a, b), data, given, neighbours, seed)
    u = line(ends.u[0], ends.u[1], steps)
    y = None if ends.y is None else ends.y[(torch.arange(steps) * 2 >= steps).long()]
    x = seen_from(latent_model(fitted.model), u, y)
    near = neighbours_of(x, splits)
    answer = {"steps": steps, "distance": round(float((ends.u[1] - ends.u[0]).norm()), 3), **account(ends, near)}
    heads = ["image A", *(f"{100 * i / (steps - 1):.0f} %" for i in range(steps)), "image B"]
    lines = [Line("decoded", [ends.x[0], *x, ends.x[1]])]
    lines += [] if near is None else [Line(NEAREST, [None, *near[0], None])]
    title = "From A to B in z" + named_classes(fitted, ends.y)
    return delivered(answer, {"x": x, "u": u, "y": y}, target, lambda: sheet(title, heads, lines, fitted.model.space))


def traverse(
    run: str | Path | Run,
    image: Point | None = None,
    *,
    latents: Sequence[int] = (),
    steps: int = 9,
    span: float = 2.5,
    data: str | Path | Splits | None = None,
    given: Given = None,
    neighbours: bool = False,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """What single numbers of z do: one line a latent, all others kept.

    Args:
        run: a run folder, or what `load` returned.
        image: where to start: a file or the number of a test row; without it, a z drawn from p(z).
        latents: which entries of z, numbered from 0; without any, the ten that change x most.
        steps: values of each.
        span: how far to both sides, in standard deviations of p(z).
        data, given, neighbours, out, overwrite, seed, device: as in `interpolate`; .npz holds x (lines, steps, ...).

    Returns:
        "latents", "steps", "span", "method", "reconstruction_error", "nearest", "out", and x and u if `out` is None.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    check_between("steps", steps, 2)
    if not 0 < span < float("inf"):
        raise UsageError(f"span must be above 0 and finite, not {span}.")
    target, fitted = ready(run, out, overwrite, device)
    begun, splits = start_of(fitted, image, data, given, neighbours, seed)
    model, z, y = latent_model(fitted.model), begun.z[0], None if begun.y is None else begun.y[0]
    chosen = checked_latents(latents, len(z)) or liveliest(model, z, 10, span, given=y)
    moved = traversal(begun.u[0], chosen, steps, span)
    x = seen_from(model, moved.flatten(0, 1), None if y is None else y.expand(moved[..., 0].numel()))
    near = neighbours_of(x, splits)
    answer = {"latents": chosen, "steps": steps, "span": span, **account(begun, near)}
    heads = ["start", *(f"{value:+.2g}" for value in torch.linspace(-span, span, steps).tolist())]
    rows = x.unflatten(0, (len(chosen), steps))
    lines = [Line(f"z{latent}", [begun.x[0] if i == 0 else None, *rows[i]]) for i, latent in enumerate(chosen)]
    if near is not None:
        beside = near[0].unflatten(0, (len(chosen), steps))
        lines = [one for i, drawn in enumerate(lines) for one in (drawn, Line(NEAREST, [None, *beside[i]]))]
    title = "One number of z moved at a time, by so many standard deviations" + named_classes(fitted, begun.y)
    arrays = {"x": rows, "u": moved, "y": begun.y}
    return delivered(answer, arrays, target, lambda: sheet(title, heads, lines, fitted.model.space))


def analogy(
    run: str | Path | Run,
    a: Point,
    b: Point,
    c: Point,
    *,
    steps: int = 5,
    data: str | Path | Splits | None = None,
    given: Given = None,
    neighbours: bool = True,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """A is to B as C is to what? x decoded from u_C + t (u_B - u_A), for t from 0 to 1.

    u is z in units of p(z).

    (Mikolov et al. 2013, arXiv:1301.3781, for words; Radford, Metz & Chintala 2016, arXiv:1511.06434, for images)

    Args:
        run: a run folder, or what `load` returned.
        a, b, c: files, or numbers of test rows.
        steps: values of t.
        data, given, neighbours, out, overwrite, seed, device: as in `interpolate`; C keeps its own class.

    Returns:
        "steps", "distance" (how far C is moved in z), "method", "reconstruction_error", "nearest", "out", and x and u
        of C's way if `out` is None.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    check_between("steps", steps, 2)
    target, fitted = ready(run, out, overwrite, device)
    ends, splits = ends_of(fitted, (a, b, c), data, given, neighbours, seed)
    model, (u_a, u_b, u_c) = latent_model(fitted.model), ends.u
    u, shown = line(u_c, u_c + u_b - u_a, steps), line(u_a, u_b, steps)
    y = None if ends.y is None else ends.y[2].expand(steps)
    between = None if ends.y is None else ends.y[(torch.arange(steps) * 2 >= steps).long()]
    x = seen_from(model, u, y)
    near = neighbours_of(x, splits)
    answer = {"steps": steps, "distance": round(float((u_b - u_a).norm()), 3), **account(ends, near)}
    heads = ["real", *(f"{100 * i / (steps - 1):.0f} %" for i in range(steps)), "real"]
    lines = [
        Line("from A to B", [ends.x[0], *seen_from(model, shown, between), ends.x[1]]),
        Line("C, moved likewise", [ends.x[2], *x, None]),
    ]
    lines += [] if near is None else [Line(NEAREST, [None, *near[0], None])]
    title = "A is to B as C is to ..." + named_classes(fitted, ends.y)
    return delivered(answer, {"x": x, "u": u, "y": y}, target, lambda: sheet(title, heads, lines, fitted.model.space))
