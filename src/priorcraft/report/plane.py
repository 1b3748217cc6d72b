"""A map of z in two dimensions: where rows lie, and what x looks like there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from priorcraft.core import Space
from priorcraft.report.curves import png
from priorcraft.report.grid import pixels

Frame = tuple[float, float, float, float]


@dataclass(frozen=True)
class Plane:
    """Codes coloured by class, and beside them the images that are decoded from a grid over the same plane.

    Args:
        points: codes in the plane, (B, 2).
        labels: their classes, (B,); None draws them in one colour.
        classes: names of the classes.
        tiles: decoded points, (rows, columns, *event_shape), from the upper left; None leaves them out.
        space: where they live.
        frame: left, right, lower and upper end of both pictures.
        axis_names: what the two directions are.
    """

    points: Tensor
    labels: Tensor | None
    classes: Sequence[str]
    tiles: Tensor | None
    space: Space
    frame: Frame
    axis_names: tuple[str, str]

    def png(self) -> bytes:
        """Both pictures side by side, as PNG."""
        figure = Figure(figsize=(6 if self.tiles is None else 12, 5.6), layout="constrained")
        left = figure.add_subplot(1, 1 if self.tiles is None else 2, 1, title="where real rows lie (one dot a row)")
        scatter(left, self.points, self.labels, self.classes)
        frames = [left]
        if self.tiles is not None:
            told = "" if self.labels is None else "\n(as the class of the nearest dot)"
            right = figure.add_subplot(1, 2, 2, title="what is decoded from each place" + told)
            image = mosaic(self.tiles, self.space)
            right.imshow(image, extent=self.frame, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            frames.append(right)
        for axes in frames:
            axes.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1], aspect="auto")
            axes.set(xlim=self.frame[:2], ylim=self.frame[2:])
        return png(figure)


def scatter(axes: Axes, points: Tensor, labels: Tensor | None, classes: Sequence[str]) -> None:
    """Dots, with a legend where there are classes."""
    x, y = points.cpu().numpy().T
    if labels is None or not classes:
        axes.scatter(x, y, s=10, color="#334155")
        return
    found, colours = labels.cpu().numpy(), colormaps["tab10" if len(classes) <= 10 else "turbo"]
    for c, name in enumerate(classes):
        mine = found == c
        colour = colours(c if len(classes) <= 10 else c / (len(classes) - 1))
        axes.scatter(x[mine], y[mine], s=12, color=colour, label=name, alpha=0.8)
    if len(classes) <= 20:
        axes.legend(
            title="class", fontsize=8, markerscale=1.5, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False
        )


def mosaic(tiles: Tensor, space: Space) -> np.ndarray:
    """Tiles (rows, columns, *event_shape) as one image, uint8, with a grey line between them."""
    rows, columns = tiles.shape[:2]
    cells = pixels(tiles.flatten(0, 1), space)
    framed = np.pad(cells, [(0, 0), (0, 1), (0, 1), *[(0, 0)] * (cells.ndim - 3)], constant_values=128)
    return np.vstack([np.hstack(list(framed[i * columns : (i + 1) * columns])) for i in range(rows)])
