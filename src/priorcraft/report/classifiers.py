"""Pictures of classifiers: whether their confidence is right, and how much they learn from how many labels."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from priorcraft.classifiers.curve import by_name
from priorcraft.report.curves import HELD_OUT, REAL, png

Bins = Sequence[Mapping[str, float]]
SHADES = (REAL, HELD_OUT, "#1d4ed8", "#c2410c", "#a16207", "#64748b")


def reliability_picture(
    bins: Mapping[str, Sequence[Mapping[str, float]]], calibration_error: Mapping[str, float]
) -> bytes:
    """How often an answer is right, against how sure it was, with 95 % intervals; PNG.

    Args:
        bins: what `metrics.calibration.reliability` gives, by the name of the classifier.
        calibration_error: of each, a share.
    """
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="confidence", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.plot([0, 1], [0, 1], color="#94a3b8", lw=1)
    for (name, own), shade in zip(bins.items(), SHADES, strict=False):
        x, y = [b["confidence"] for b in own], [b["accuracy"] for b in own]
        below, above = [b["accuracy"] - b["low"] for b in own], [b["high"] - b["accuracy"] for b in own]
        errors = [[max(e, 0) for e in below], [max(e, 0) for e in above]]
        label = f"{name}, calibration error {100 * calibration_error[name]:.1f} %"
        axes.errorbar(x, y, yerr=errors, fmt="o-", ms=4, lw=0.8, color=shade, label=label)
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def accuracy_picture(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Test accuracy against labels a class, generative classifiers solid and discriminative ones dashed; PNG.

    Args:
        rows: what `classify.curve.learning_curve` gives.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xscale="log", xlabel="labels a class", ylabel="test accuracy")
    for (name, own), shade in zip(by_name(rows).items(), SHADES, strict=False):
        x, style = [row["per_class"] for row in own], "o-" if name.startswith("Bayes") else "s--"
        axes.plot(x, [row["accuracy"] for row in own], style, color=shade, label=name)
        axes.fill_between(x, [r["lowest"] for r in own], [r["highest"] for r in own], color=shade, alpha=0.12, lw=0)
    axes.set_xticks(sorted({row["per_class"] for row in rows}))
    axes.get_xaxis().set_major_formatter("{x:.0f}")
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    return png(figure)
