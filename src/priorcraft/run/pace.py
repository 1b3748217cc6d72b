"""What a budget of time will be spent on, from short measurements before the first step."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from priorcraft import runtime, zoo
from priorcraft.core import Generative
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.errors import DataError, UsageError
from priorcraft.metrics.likelihood import Score, score
from priorcraft.train.likelihood import ExpectationMaximisation
from priorcraft.train.loop import VALIDATION_ROWS, VALIDATIONS, Budget, spread, taken, validation_nats
from priorcraft.train.objective import Objective
from priorcraft.train.team import Team

ENOUGH = 200  # steps, fewer of which make no model
VALIDATION_SHARE, SCORE_SHARE = 0.1, 0.1  # of the budget that looking at validation rows, and the last score, may take
ADVICE_SHARE, ADVICE_SECONDS = 0.05, 5.0  # of the budget, or seconds, that a quicker model is looked for
EARLY_LOOKS = 8  # looks beside the regular ones: after 1, 2, 4 ... epochs
FEWEST = 8  # rows of a look or a score, however slow they are
TRIAL_ROWS = 512  # rows that a measurement starts from
BOUND_DRAWS = 8  # k of the bound in the last score
SCORED_ROWS, SAY = 1000, 1.0  # rows of the last score at most, and seconds between two lines about it
SCORE_SECONDS = 10.0  # that the last score may take after any budget


@dataclass(frozen=True)
class Pace:
    """Seconds that a model takes on this machine.

    Args:
        step: of one update by gradient; None for models that are fitted by counting.
        look: of one validation row.
        scored: of one row of the last score, which sums over classes.
    """

    step: float | None
    look: float
    scored: float

    def looked_at(self, budget: Budget) -> int:
        """Rows of one look at the validation rows, so that all looks take at most a tenth of the budget."""
        if budget.seconds is None:
            return VALIDATION_ROWS
        each = VALIDATION_SHARE * budget.seconds / (VALIDATIONS + EARLY_LOOKS)
        return min(VALIDATION_ROWS, max(FEWEST, int(each / self.look)))

    def steps(self, budget: Budget) -> int | None:
        """Updates that the budget has time for; None where they are not counted in hundreds."""
        if budget.seconds is None or self.step is None:
            return budget.steps
        return int(budget.seconds * (1 - VALIDATION_SHARE) / self.step)


def measured(model: Generative, objective: Objective, data: Splits, budget: Budget) -> Pace:
    """The pace of a model that is not used for anything else: a step, a look and a score use it up.

    Raises:
        DataError, UsageError: as the model's own start.
    """
    rows, device = spread_rows(data.train, TRIAL_ROWS), model.device
    start, held = (taken(part, torch.arange(len(part)), device) for part in (rows, spread_rows(data.valid, FEWEST)))
    model.initialise(start.x, start.given, generator=runtime.keyed("pace"))
    objective.prepare(held)
    few, patience = spread_rows(data.valid, FEWEST), 0.02 * (budget.seconds or 0.0)
    step = _seconds(lambda: _step(objective, data.train), patience) if by_gradient(objective) else None
    look = _seconds(lambda: validation_nats(model, few, 0), patience) / len(few)
    last = _seconds(lambda: score(model, few, samples=BOUND_DRAWS, generator=runtime.keyed("pace")), patience)
    return Pace(step, max(look, 1e-9), max(last / len(few), 1e-9))


def by_gradient(objective: Objective) -> bool:
    """Whether it makes many small steps, or few large ones in closed form."""
    return not isinstance(objective, ExpectationMaximisation)


def _step(objective: Objective, rows: Rows) -> None:
    own = objective.parts[-1] if isinstance(objective, Team) else objective
    index = torch.arange(own.rows_at(0.5) or len(rows)) % len(rows)
    own.step(taken(rows, index, own.model.device), progress=0.5, key=("pace", 0))


def _seconds(action: Callable[[], object], patience: float) -> float:
    """The time that an action takes; the first time does not count, unless it took longer than one has patience."""

    def once() -> float:
        began = time.perf_counter()
        action()
        return time.perf_counter() - began

    first = once()
    return first if first > patience else once()


def last_score(
    model: Generative, valid: Rows, pace: Pace | None, budget: Budget, say: Callable[[int, int], None]
) -> Score:
    """The score at the end of a training, on at most 1,000 validation rows and in a stated time.

    Args:
        model: what was trained.
        valid: rows, of which those that count lie evenly apart.
        pace: what was measured before; None measures nothing and lets the clock decide.
        budget: of the training: a tenth of it, or ten seconds, may go into the score.
        say: told now and then how many of how many rows are done.
    """
    most = max(SCORE_SECONDS, SCORE_SHARE * (budget.seconds or 0.0))
    rows = spread_rows(valid, SCORED_ROWS if pace is None else min(SCORED_ROWS, max(FEWEST, int(most / pace.scored))))
    batch = 512 if pace is None else min(512, max(1, int(1.0 / pace.scored)))
    began = told = time.monotonic()

    def go_on(done: int) -> bool:
        nonlocal told
        now = time.monotonic()
        if now - told > SAY:
            told = now
            say(done, len(rows))
        return now - began < 2 * most or done < FEWEST

    generator = runtime.keyed(0, "score", device=model.device)
    return score(model, rows, samples=BOUND_DRAWS, batch=batch, generator=generator, go_on=go_on)


def spread_rows(rows: Rows, count: int) -> Rows:
    """At most `count` of the rows, evenly apart."""
    return rows if len(rows) <= count else rows.where(spread(len(rows), count))


def narrowed(data: Splits, rows: int | None) -> Splits:
    """The same with at most so many validation rows, evenly apart; as they are if None."""
    return data if rows is None else replace(data, valid=spread_rows(data.valid, rows))


def advice(name: str, pace: Pace, data: Splits, budget: Budget, *, seed: int = 0) -> list[str]:
    """A sentence if the budget is too short for this model, and a model for which it is not."""
    steps = pace.steps(budget)
    if budget.seconds is None or steps is None or steps >= ENOUGH:
        return []
    other = quicker(name, data, budget, seed)
    minutes = budget.seconds / 60
    return [
        f"{name} takes about {pace.step:.2g} s a step here: {steps:,} steps in {minutes:g} minutes, and fewer than "
        f"{ENOUGH} make no model. Give it {ENOUGH * (pace.step or 0) / 54:.0f} minutes or more, or take {other}."
    ]


def quicker(name: str, data: Splits, budget: Budget, seed: int) -> str:
    """A model that learns within the budget, in words: of the same family if there is one; found within a while."""
    n, seconds, counted = len(data.train), budget.seconds or 1.0, ""
    deadline = time.monotonic() + max(ADVICE_SECONDS, ADVICE_SHARE * seconds)
    own = zoo.entry(name, data.space, n)[1]
    others = {key: row for key, row in zoo.ZOO.items() if row.model is not own.model}
    for key in sorted(others, key=lambda key: (others[key].family != own.family, others[key].share == 0)):
        if counted and (others[key].share == 0 or time.monotonic() > deadline):
            continue
        try:
            model, objective = zoo.build(key, data.space, data.context, n, {}, seed=seed)
            if not by_gradient(objective):
                counted = counted or f"{key}, which is counted and needs no steps"
            if not by_gradient(objective) or isinstance(objective, Team):  # a team begins with all that its members do
                continue
            with runtime.within_time(deadline - time.monotonic()):
                steps = measured(model, objective, data, Budget(seconds=0.02 * seconds)).steps(budget)
        except (UsageError, DataError, runtime.OutOfTime):  # not for such data, or not for such a while
            continue
        if steps is not None and steps >= ENOUGH:
            return f"{key}, which makes {steps:,}"
    return counted or "fewer or smaller rows (--limit, --size)"
