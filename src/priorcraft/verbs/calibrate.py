"""`calibrate`: whether the uncertainty of a run's answers is right, found out on truths that it has drawn itself."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import ARRAY, Answer, Facts, Piece, Sentence
from priorcraft.answer import Rows as Table
from priorcraft.classifiers.generative import GenerativeClassifier
from priorcraft.condition.restoration import complaints_of
from priorcraft.condition.simulation import simulate
from priorcraft.core import UNLABELLED, Generative, Observation
from priorcraft.errors import DataError, UsageError
from priorcraft.metrics.simulated import BINS, Calibration, Covered, Verdict, calibration, calibration_of_classes
from priorcraft.observe import BlockMean, Mask
from priorcraft.observe.named import named_mask
from priorcraft.outputs import packed
from priorcraft.report.ranks import rank_plot
from priorcraft.run import Run
from priorcraft.run.data import data_of, opened

Question = Literal["inpaint", "upscale", "impute", "classify", "translate"]
AT_ONCE = 25  # simulated sets


@dataclass(frozen=True)
class Calibrated(Answer):
    """How right the uncertainty of one kind of question is.

    Args:
        question: what was asked.
        told: the verdict in a sentence.
        verdict: "no fault found", or what is wrong: too narrow, too wide, shifted.
        p: of a deviation as large as the largest of the ranks', for a right posterior.
        coverage: of sets of 50, 80 and 90 %.
        histogram: how many ranks of the mean fell into each tenth of (0, 1).
        sets, draws: how many truths, and draws of each.
        of: what the truths are: draws of the model, or rows of the data.
        method: of the engine that answered.
        notes: what the engine says of itself.
        seconds: that it took.
        ranks: of every figure, (sets, figures).
    """

    writes: ClassVar = {"out": (".png", ".npz")}

    question: str
    told: str
    verdict: Verdict
    p: float
    coverage: tuple[Covered, ...]
    histogram: tuple[int, ...]
    sets: int
    draws: int
    of: str
    method: str
    notes: tuple[str, ...]
    seconds: float
    ranks: Tensor = field(repr=False, compare=False, metadata=ARRAY)

    def shown(self) -> list[Piece]:
        """The sentence, the coverage, and the rank plot."""
        lines = [
            {"sets of": f"{c.level:.0%}", "hold": c.entries, "from": c.low, "to": c.high, "as a whole": c.joint}
            for c in self.coverage
        ]
        low, high = expected(self.sets)
        tallest = max(*self.histogram, 1)
        bars = "".join(" ▁▂▃▄▅▆▇█"[round(8 * count / tallest)] for count in self.histogram)
        told = f"ranks of the truth in tenths: {bars} ({' '.join(map(str, self.histogram))}; {low} to {high} expected)"
        facts = {"question": self.question, "truths": self.of, "method": self.method}
        return [Sentence(self.told), Facts(facts), Table(lines), Sentence(told)]

    def _bytes(self, what: str, suffix: str) -> bytes:
        if suffix == ".png":
            return rank_plot(self.histogram, expected(self.sets), self.told)
        return packed({"ranks": self.ranks.numpy()})


def calibrate(
    run: str | Path | Run,
    *,
    question: Question = "inpaint",
    mask: str = "bottom",
    factor: int = 2,
    sets: int = 200,
    draws: int = 63,
    on_test_rows: bool = False,
    seed: int = 0,
) -> Calibrated:
    """Check that answers are as uncertain as they should be: ranks of known truths, and coverage of sets.

    Truths are drawn from the model, seen as the question sees them, and asked for again (simulation-based calibration,
    Talts et al. 2018, arXiv:1804.06788; TARP, Lemos et al. 2023, arXiv:2302.03026). That checks the engine; test rows
    in the place of the model's draws check model and engine together.

    Args:
        run: the run folder, or what `fit` and `load` return.
        question: inpaint, upscale, impute, classify or translate.
        mask: what inpaint hides: bottom, top, left, right, centre or random:SHARE; impute hides random:0.3 unless told.
        factor: how much smaller an image upscale sees.
        sets: how many truths; those of test rows at most as many as there are.
        draws: of the answer to each.
        on_test_rows: take test rows of the run's own data as truths.
        seed: of every random draw: the same seed gives the same answer.

    Writes:
        out: .png of the rank plot, .npz of the ranks.

    Returns:
        The verdict, coverage with intervals, and the ranks.

    Raises:
        UsageError: a question that the run cannot be asked.
        DataError, ImpossibleEvidence: as their names say.
    """
    began = time.perf_counter()
    fitted, where = opened(run, translates=question == "translate")
    if not 2 <= sets <= 10_000 or not 2 <= draws <= 10_000:
        raise UsageError(f"sets and draws must lie in 2 ... 10,000, not {sets:,} and {draws:,}.")
    generator = runtime.keyed(seed, "calibrate", device=where)
    of = "test rows" if on_test_rows else "draws of the model"
    ties = runtime.keyed(seed, "ties")
    if question == "classify":
        found, method, notes = classes(fitted, sets, generator, ties, on_test_rows), "Bayes' rule", ()
    elif question == "translate":
        found, notes = translated(fitted, sets, draws, generator, ties)
        method, of = "p(b | a)", "test rows"
    else:
        observation = seen_by(question, fitted, mask, factor, seed)
        truth = data_of(fitted, None).test.x[:sets].to(where) if on_test_rows else None
        found, method, notes = restored(fitted.model, observation, sets, draws, truth, generator, ties)
    histogram = torch.histc(found.ranks[:, 0].float(), BINS, 0, 1).long().tolist()
    return Calibrated(
        question=question,
        told=found.told,
        verdict=found.verdict,
        p=found.p,
        coverage=found.covered,
        histogram=tuple(histogram),
        sets=len(found.ranks),
        draws=found.draws,
        of=of,
        method=method,
        notes=notes,
        seconds=round(time.perf_counter() - began, 3),
        ranks=found.ranks,
    )


def seen_by(question: str, run: Run, mask: str, factor: int, seed: int) -> Observation:
    """What the question sees of a truth."""
    space = run.model.space
    if question == "upscale":
        if not space.is_image:
            raise UsageError(f"upscale needs images, and the run {run.path} is not of images.")
        return BlockMean(factor)
    name = "random:0.3" if question == "impute" and not mask.startswith("random") else mask
    return Mask(named_mask(name, space, seed=seed))


def restored(
    model: Generative,
    observation: Observation,
    sets: int,
    draws: int,
    truth: Tensor | None,
    generator: Generator,
    ties: Generator,
) -> tuple[Calibration, str, tuple[str, ...]]:
    """The calibration of what an observation hides, the method, and what the engine says of itself."""
    count = sets if truth is None else len(truth)
    parts = []
    for some in torch.arange(count).split(AT_ONCE):
        own = None if truth is None else truth[some]
        parts.append(simulate(model, observation, len(some), draws, truth=own, generator=generator))
    space = model.space
    hidden = ~observation.seen if isinstance(observation, Mask) else torch.ones(space.event_shape, dtype=torch.bool)
    x, drawn, around = (torch.cat([getattr(part, name) for part in parts]) for name in ("truth", "draws", "around"))
    last = parts[-1]
    found = calibration(x, drawn, hidden, around, generator=ties)
    return found, last.method, tuple(complaints_of(last.kind, last.method, last.diagnostics))


def classes(run: Run, sets: int, generator: Generator, ties: Generator, on_test_rows: bool) -> Calibration:
    """The calibration of p(class | x).

    Raises:
        NoDensity, UsageError: a model that is no classifier.
    """
    model = run.model
    judge = GenerativeClassifier(model)
    if on_test_rows:
        rows = data_of(run, None).test
        if rows.y is None:
            raise DataError(f"the test rows of {run.path} have no labels.")
        known = (rows.y != UNLABELLED).nonzero()[:sets, 0]
        x, y = rows.x[known], rows.y[known]
    else:
        y = runtime.categorical(model.log_prior.expand(sets, -1), generator=generator)
        x = model.sample(sets, given=y, generator=generator)
    answers = judge.log_posterior(x.to(model.log_prior.device)).cpu()
    return calibration_of_classes(answers, y.cpu(), generator=ties)


def translated(
    run: Run, sets: int, draws: int, generator: Generator, ties: Generator
) -> tuple[Calibration, tuple[str, ...]]:
    """The calibration of p(b | a) on test pairs."""
    model, data = run.model, data_of(run, None)
    a = data.test.context
    if model.context is None or a is None:
        raise UsageError(f"the run {run.path} does not translate; fit it with --pairs, or to labelled data.")
    b, a = data.test.x[:sets].cpu(), a[:sets].to(model.log_prior.device)
    with torch.no_grad():
        drawn = torch.stack([model.sample(len(a), given=a, generator=generator).cpu() for _ in range(draws)], 1)
    everywhere = torch.ones(b.shape[1:], dtype=torch.bool)
    around = b.roll(1, 0)
    return calibration(b, drawn, everywhere, around, generator=ties), ()


def expected(sets: int) -> tuple[int, int]:
    """Between how many ranks fall into one tenth, 95 %, if they are uniform."""
    spread = 1.96 * math.sqrt(sets * (1 / BINS) * (1 - 1 / BINS))
    return max(0, math.floor(sets / BINS - spread)), math.ceil(sets / BINS + spread)
