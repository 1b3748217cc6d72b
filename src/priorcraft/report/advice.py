"""What a comparison comes to: which model to take for what, each with the figure that speaks for it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from priorcraft.answer import Answer
from priorcraft.metrics import copies, two_sample
from priorcraft.metrics.classification import Contest, Measured
from priorcraft.report.compared import Compared


@dataclass(frozen=True)
class Advice(Answer):
    """Which of the compared models suits a purpose best.

    Args:
        purpose: "filling in", "new samples" or "classifying".
        model: the best one; None if none will do.
        reason: what was measured.
    """

    purpose: str
    model: str | None
    reason: str

    def __str__(self) -> str:
        return f"for {self.purpose}: {self.model or 'none of these'} ({self.reason})"


def advice(models: Sequence[Compared], contest: Contest | None) -> tuple[Advice, ...]:
    """The best model for filling in, for new samples and, with classes, for classifying."""
    found = (filling_in(models), new_samples(models))
    return found if contest is None or not contest.classifiers else (*found, classifying(contest.classifiers))


def in_words(found: Sequence[Advice]) -> str:
    """One sentence.

    >>> in_words([Advice("new samples", "gan", "AUC .52"), Advice("classifying", None, "no density")])
    'for new samples: gan (AUC .52); for classifying: none of these (no density).'
    """
    return "; ".join(map(str, found)) + "."


def filling_in(models: Sequence[Compared]) -> Advice:
    """By the means of completed test images; of other data, the best score of an exact density."""
    purpose = "filling in"
    tried = [(m, [look.psnr for look in m.completions if look.psnr is not None]) for m in models]
    most = max((len(figures) for _, figures in tried), default=0)
    if most:
        best, figures = max(((m, f) for m, f in tried if len(f) == most), key=lambda each: fmean(each[1]))
        return Advice(purpose, best.name, f"its means come nearest to hidden pixels, {fmean(figures):.1f} dB")
    exact = [m for m in models if m.family == "exact" and m.score.nats is not None]
    if not exact:
        return Advice(purpose, None, "no exact density, and no images to try it on")
    best = min(exact, key=lambda m: m.score.nats or 0.0)
    return Advice(purpose, best.name, f"its p(hidden | seen) is exact, and its score is the best: {best.score}")


def new_samples(models: Sequence[Compared]) -> Advice:
    """By how little a classifier tells samples from real rows, among models that do not copy."""
    purpose = "new samples"
    own = [m for m in models if m.copies.verdict is not copies.Verdict.COPIES and m.two_sample.auc is not None]
    own = [m for m in own if m.two_sample.verdict is not two_sample.Verdict.REPEATS]
    if not own:
        return Advice(purpose, None, "too few rows to tell, or only copies")
    best = min(own, key=lambda m: (m.two_sample.verdict is not two_sample.Verdict.SAME, m.two_sample.auc))
    verdict = best.two_sample.verdict.value
    return Advice(purpose, best.name, f"{verdict}: AUC {best.two_sample.auc:.3f}, no rows of the training repeated")


def classifying(classifiers: Sequence[Measured]) -> Advice:
    """By log loss, which counts confidence, too; the best density as well where another kind of classifier wins."""
    best = min(classifiers, key=_loss)
    reason, dense = _account(best), [c for c in classifiers if c.kind != "discriminative"]
    if best.kind == "discriminative" and dense:
        own = min(dense, key=_loss)
        reason += f"; of the densities {own.name}, {_account(own)}"
    return Advice("classifying", best.name, reason)


def _loss(one: Measured) -> float:
    return math.inf if one.log_loss is None else one.log_loss


def _account(one: Measured) -> str:
    loss = "infinite" if one.log_loss is None else f"{one.log_loss:.3f} nats"
    return f"log loss {loss}, accuracy {one.accuracy or 0.0:.1%} of {one.n} rows"
