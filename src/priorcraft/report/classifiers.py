"""Pictures of classifiers: whether their confidence is right, and how much they learn from how many labels."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from priorcraft.classifiers.curve import Learned, by_name
from priorcraft.metrics.classification import Measured
from priorcraft.report.curves import HELD_OUT, REAL, png

SHADES = (REAL, HELD_OUT, "#1d4ed8", "#c2410c", "#a16207", "#64748b")


def reliability_picture(classifiers: Sequence[Measured]) -> bytes:
    """How often an answer is right, against how sure it was, with 95 % intervals; PNG.

    Args:
        classifiers: measured on rows with labels; those without are left out.
    """
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="confidence", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.plot([0, 1], [0, 1], color="#94a3b8", lw=1)
    for each, shade in zip(classifiers, SHADES, strict=False):
        bins = each.reliability or ()
        x, y = [b.confidence for b in bins], [b.accuracy for b in bins]
        errors = [[max(b.accuracy - b.low, 0) for b in bins], [max(b.high - b.accuracy, 0) for b in bins]]
        label = f"{each.name}, calibration error {100 * (each.calibration_error or 0):.1f} %"
        axes.errorbar(x, y, yerr=errors, fmt="o-", ms=4, lw=0.8, color=shade, label=label)
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def accuracy_picture(curve: Sequence[Learned]) -> bytes:
    """Test accuracy against labels a class, generative classifiers solid and discriminative ones dashed; PNG.

    Args:
        curve: what `classifiers.curve.learning_curve` gives.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xscale="log", xlabel="labels a class", ylabel="test accuracy")
    for (name, own), shade in zip(by_name(curve).items(), SHADES, strict=False):
        x, style = [learned.per_class for learned in own], "o-" if name.startswith("Bayes") else "s--"
        axes.plot(x, [learned.accuracy for learned in own], style, color=shade, label=name)
        axes.fill_between(x, [r.lowest for r in own], [r.highest for r in own], color=shade, alpha=0.12, lw=0)
    axes.set_xticks(sorted({learned.per_class for learned in curve}))
    axes.get_xaxis().set_major_formatter("{x:.0f}")
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    return png(figure)
