"""One model of a comparison, with everything that is said of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from priorcraft.answer import ARRAY, Answer
from priorcraft.metrics.copies import CopyCheck
from priorcraft.metrics.likelihood import Score
from priorcraft.metrics.two_sample import TwoSample
from priorcraft.report.completed import Completed


@dataclass(frozen=True)
class Compared(Answer):
    """A model, measured beside others on the same test rows.

    Args:
        name: by which it was asked for.
        family: exact, approximate or implicit.
        run: its run folder.
        score: -log p(x) of test rows, with the kind of number it is.
        fidelity: share of its samples that a judge sees in the class they should be of; None without classes.
        two_sample: whether a classifier tells its samples from test rows.
        copies: whether its samples repeat training rows.
        sharpness: of its samples against real images; None but for images of integers.
        fit_seconds: of its training.
        sample_ms: of drawing one sample.
        parameters: numbers that it consists of.
        steps: of its training.
        completions: what it makes of the same evidence.
        samples: that all of this rests on, (N, *event_shape), of the classes of the test rows.
        events: of its training.
    """

    name: str
    family: str
    run: str
    score: Score
    fidelity: float | None
    two_sample: TwoSample
    copies: CopyCheck
    sharpness: float | None
    fit_seconds: float
    sample_ms: float
    parameters: int
    steps: int
    completions: tuple[Completed, ...]
    samples: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    events: tuple[Mapping[str, Any], ...] = field(repr=False, compare=False, metadata=ARRAY)

    def line(self) -> dict[str, Any]:
        """A line of a table of models."""
        return {
            "model": self.name,
            "family": self.family,
            self.unit: f"{self.score}",
            "fidelity": self.fidelity,
            "told from real?": self.two_sample.verdict,
            "copies": self.copies.verdict,
            "fit s": self.fit_seconds,
            "ms/sample": self.sample_ms,
        }

    @property
    def unit(self) -> str:
        """What its score is counted in; that of the others where it has none."""
        return "nats" if self.score.nats is not None and self.score.bits_per_dim is None else "bits/dim"

    def told(self, kind: str) -> list[str]:
        """What its training said: events of the kind "note" or "warning"."""
        return [str(event["message"]) for event in self.events if event["kind"] == kind]
