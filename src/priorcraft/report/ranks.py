"""Ranks of truths among draws, as a picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from priorcraft.report.curves import FAKE, REAL, png


def rank_plot(histogram: Sequence[int], expected: tuple[int, int], told: str) -> bytes:
    """How many ranks fell into each part of (0, 1), beside where 95 % of uniform ones would; PNG.

    Args:
        histogram: counts.
        expected: the smallest and the largest count that chance explains.
        told: the verdict.
    """
    figure = Figure(figsize=(4.6, 2.9), layout="constrained")
    axes = figure.add_subplot(xlabel="rank of the truth among the draws", ylabel="truths")
    parts, (low, high) = len(histogram), expected
    places = [(i + 0.5) / parts for i in range(parts)]
    axes.axhspan(low, high, color=REAL, alpha=0.15, lw=0, label="95 % of uniform ranks")
    axes.bar(places, histogram, 0.9 / parts, color=[REAL if low <= n <= high else FAKE for n in histogram])
    axes.set_xlim(0, 1)
    axes.set_title(told.split(";")[0], fontsize=7, loc="left", wrap=True)
    axes.legend(frameon=False, fontsize=7)
    return png(figure)
