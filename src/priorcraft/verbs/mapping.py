"""`latent_map`: z in two dimensions."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft.datasets import Splits
from priorcraft.explicit.approximate.latent import principal_axes
from priorcraft.outputs import check_out
from priorcraft.report.plane import latent_plane
from priorcraft.run import Run
from priorcraft.run.data import opened
from priorcraft.verbs.codes import coded, decoded, labelled, latent_model, points_of
from priorcraft.verbs.moved import Given, account, check_between, delivered


def latent_map(
    run: str | Path | Run,
    *,
    data: str | Path | Splits | None = None,
    limit: int = 1000,
    tiles: int = 12,
    given: Given = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Where test rows lie in z, on the two axes along which their codes spread most, and what is decoded there.

    Args:
        run: a run folder, or what `load` returned.
        data: whose test rows; the run's own data if None.
        limit: test rows at most.
        tiles: decoded images a side; each in the class of the row that lies nearest in the plane.
        given: {"label": class}: code and decode all rows as of this class.
        out: .png (dots coloured by class, and the decoded images) or .npz (points, y, x).
        overwrite, seed, device: as in `interpolate`.

    Returns:
        "n", "latent", "share" (of the variance of the codes, of the two axes), "method", "reconstruction_error", "out",
        and points (B, 2), y, x (tiles, tiles, ...) as tensors if `out` is None.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    check_between("tiles", tiles, 2)
    target = None if out is None else check_out(out, (".png", ".npz"), overwrite=overwrite)
    fitted, _ = opened(run, device)
    x, y, _ = points_of(fitted, (), data, limit)
    rows = coded(fitted, x, labelled(fitted, given, y, len(x)), seed)
    axes, model = principal_axes(rows.z), latent_model(fitted.model)
    points = axes.coordinates(rows.z)
    edge = 0.03 * (points.amax(0) - points.amin(0)).clamp_min(1e-6)
    (left, lower), (right, upper) = (points.amin(0) - edge).tolist(), (points.amax(0) + edge).tolist()
    places = grid_of((left, right, lower, upper), tiles).to(points)
    labels = None if rows.y is None else rows.y[torch.cdist(places, points).argmin(1)]
    shown = decoded(model, axes.at(places), labels).unflatten(0, (tiles, tiles))
    share = [round(value, 3) for value in axes.share.tolist()]
    answer: dict[str, Any] = {"n": len(x), "latent": rows.z.shape[1], "share": share, **account(rows, None)}
    names = [f"axis {i + 1} ({value:.0%} of the spread of z)" for i, value in enumerate(axes.share.tolist())]
    colours = rows.y if y is None or given else y
    arrays = {"points": points, "y": colours, "x": shown}
    space = fitted.model.space
    return delivered(
        answer,
        arrays,
        target,
        lambda: latent_plane(
            points.detach(),
            colours,
            fitted.classes,
            shown if space.is_image else None,
            space,
            (left, right, lower, upper),
            (names[0], names[1]),
        ),
    )


def grid_of(frame: tuple[float, float, float, float], n: int) -> Tensor:
    """The centres of n x n cells that fill a frame (left, right, lower, upper), from the upper left, (n n, 2)."""
    left, right, lower, upper = frame
    at = (torch.arange(n) + 0.5) / n
    return torch.cartesian_prod(upper - at * (upper - lower), left + at * (right - left)).flip(1)
