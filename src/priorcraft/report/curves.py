"""Curves of a training, drawn from its events."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

Events = Sequence[Mapping[str, Any]]
ENOUGH = 10  # points of a curve
INK, REAL, FAKE, HELD_OUT = "#334155", "#0f766e", "#c2410c", "#7c3aed"


def series(events: Events, kind: str, name: str) -> tuple[list[float], list[float]]:
    """Seconds and values of one number in the events of one kind."""
    points = [(e["elapsed"], e[name]) for e in events if e["kind"] == kind and e.get(name) is not None]
    return [t for t, _ in points], [v for _, v in points]


def learning_curve(events: Events, family: str) -> bytes | None:
    """Loss in training, and the score on validation rows where there is a density; PNG, None with too few points."""
    training, validation = series(events, "step", "loss"), series(events, "validation", "valid_nats")
    if len(training[0]) < ENOUGH:
        return None
    figure = Figure(figsize=(4.6, 2.4), layout="constrained")
    axes = figure.add_subplot(xlabel="seconds", ylabel="nats" if family != "implicit" else "loss")
    axes.plot(*training, color=INK, lw=0.8, alpha=0.6, label="generator loss" if family == "implicit" else "training")
    if validation[0]:
        axes.plot(*validation, color=REAL, lw=1.8, label="validation, averaged weights")
        seen = sorted(training[1])[: -len(training[1]) // 20 or None] + validation[1]
        axes.set_ylim(min(seen) - 0.5, max(seen) + 0.5)
    critic = series(events, "step", "critic_loss")
    if critic[0]:
        axes.plot(*critic, color=FAKE, lw=0.8, label="critic loss")
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def critic_view(events: Events) -> bytes | None:
    """What the critic thinks of real, of fake and of held-out real rows while the game goes on; None without one."""
    names = {
        "critic_real": ("real, trained on", REAL),
        "critic_fake": ("fake", FAKE),
        "critic_valid": ("real, held out", HELD_OUT),
    }
    if len(series(events, "step", "critic_real")[0]) < 3:
        return None
    figure = Figure(figsize=(4.6, 2.4), layout="constrained")
    axes = figure.add_subplot(xlabel="seconds", ylabel="mean critic output")
    for name, (label, colour) in names.items():
        axes.plot(*series(events, "step", name), color=colour, lw=1.0, label=label)
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def png(figure: Figure) -> bytes:
    """The figure as PNG."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
