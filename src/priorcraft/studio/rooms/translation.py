"""Translate: an image of one domain as images of another, or under another label, and how well that does."""

from typing import Annotated

import torch
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.datasets import Rows
from priorcraft.errors import UsageError
from priorcraft.metrics.calibration import wilson
from priorcraft.run import Run
from priorcraft.studio.rooms.classifiers import learner
from priorcraft.studio.rooms.floor import Asked, Flat, Floor, Page, label_of, point
from priorcraft.studio.wire import answer, pictures
from priorcraft.studio.workspace import image_space
from priorcraft.verbs.translate import with_label

JUDGED = 100  # held-out rows that the proof translates
ANSWERS = 8  # for each pair, whose mean is held against the partner
SHOWN = 24


class Translating(Asked):
    """An image to be translated; `label` is the class that it is of.

    Args:
        x: its entries.
        to: number of the class that it shall be of; -1 for a run of pairs or domains.
        n: answers.
        seed: of the answers.
    """

    x: Flat
    to: Annotated[int, Field(ge=-1, le=10_000)] = -1
    n: Annotated[int, Field(ge=1, le=16)] = 8
    seed: int = 0


class Proving(Asked):
    """A translation to be proved.

    Args:
        to: as in `Translating`.
    """

    to: Annotated[int, Field(ge=-1, le=10_000)] = -1


class Proof(BaseModel):
    """On held-out rows, how often the translation does what it shall.

    Args:
        how: "class" if a classifier that never saw the model takes the answers for the class; "partner" if the mean
            answer lies nearer to the row's own partner than to another's, which chance does half the time.
        hits, n: of so many rows.
        low, high: the 95 % interval of the share (Wilson).
        before: hits of the rows as they were; None for partners.
    """

    how: str
    hits: int
    n: int
    low: float
    high: float
    before: int | None


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["translate"])

    @router.get("/runs/{run}/domain")
    async def domain(run: str) -> Response:
        """The first held-out images of the domain that a run of pairs or domains translates from."""
        return await floor.ask("", "", lambda: shown(floor, floor.run(run)), long=True)

    @router.post("/translate")
    async def translate(asked: Translating, page: Page = "") -> Response:
        """Answers to one image, draws of p(b | a), or of p(x | z, class) with its z."""
        return await floor.ask("translate", page, translated, floor, asked)

    @router.post("/translate/proof")
    async def proof(asked: Proving) -> Proof:
        """The translation of held-out rows, judged by what never saw the model."""
        return await floor.ask("", "", lambda: proved(floor, floor.run(asked.run), asked.to), long=True)

    return router


def shown(floor: Floor, run: Run) -> Response:
    """Images of the domain that is translated from, as numbers and as pictures."""
    seen, rows = context_of(run), floor.workspace.data_of(run, paired=True).test.first(SHOWN)
    a = partners(rows)
    return answer({"shape": seen.event_shape, "levels": seen.levels}, x=a.int(), pictures=pictures(a, seen))


def partners(rows: Rows) -> Tensor:
    """What the rows go with, (N, *its shape).

    Raises:
        UsageError: rows without partners.
    """
    if rows.partner is None:
        raise UsageError("these rows have no partners.")
    return rows.partner


def context_of(run: Run) -> Space:
    """Where the images that a run of p(b | a) translates live.

    Raises:
        UsageError: a run of another kind.
    """
    context = run.model.context
    if context is None or context.is_label:
        raise UsageError("this run translates no images; choose one that was fitted to pairs or domains.")
    return image_space(context)


def translated(floor: Floor, asked: Translating) -> Response:
    """Some answers to one image."""
    run, generator = floor.run(asked.run), runtime.keyed(asked.seed, "studio translate")
    space = image_space(run.model.space)
    if asked.to < 0:
        a = point(asked.x, context_of(run)).repeat_interleave(asked.n, 0)
        return answer({}, pictures=pictures(run.model.sample(asked.n, given=a, generator=generator), space))
    label_of(run, max(asked.to, asked.label))  # a class that there is not is refused here
    was = run.classes[asked.label] if asked.label >= 0 else None
    x = point(asked.x, space).repeat_interleave(asked.n, 0)
    return answer({}, pictures=pictures(with_label(run, x, run.classes[asked.to], was, generator), space))


def proved(floor: Floor, run: Run, to: int) -> Proof:
    """What held-out rows say."""
    if to >= 0:
        label_of(run, to)
        return of_class(floor, run, to)
    return of_partners(floor, run)


def of_class(floor: Floor, run: Run, to: int) -> Proof:
    """How many rows of other classes a classifier takes for the class, before and after."""
    rows, judge = floor.workspace.data_of(run).test, learner(floor, run, "logistic")
    others = rows.where(rows.labels != to)
    x, y = others.x[:JUDGED], others.labels[:JUDGED]
    made = torch.cat([relabelled(run, x[y == c], c, to) for c in y.unique().tolist()])
    before, after = (int((judge.log_posterior(rows).argmax(1) == to).sum()) for rows in (x, made))
    return counted("class", after, len(x), before)


def relabelled(run: Run, x: Tensor, was: int, to: int) -> Tensor:
    """Rows of one class as rows of another."""
    generator = runtime.keyed("studio proof", was, to)
    return with_label(run, run.model.space.check(x), run.classes[to], run.classes[was], generator)


def of_partners(floor: Floor, run: Run) -> Proof:
    """How many mean answers lie nearer to their own partner than to that of the next row.

    Raises:
        UsageError: domains without partners.
    """
    if run.data.get("form") != "pairs":
        raise UsageError("these domains have no partners, so nothing says which answer is right; look at the answers.")
    rows: Rows = floor.workspace.data_of(run, paired=True).test
    a, b = partners(rows)[:JUDGED], rows.x[:JUDGED].flatten(1).double()
    generator = runtime.keyed("studio proof")
    answers = run.model.sample(ANSWERS * len(a), given=a.repeat_interleave(ANSWERS, 0), generator=generator)
    mean = answers.flatten(1).double().unflatten(0, (len(a), ANSWERS)).mean(1)
    own, other = ((mean - rows).square().sum(1) for rows in (b, b.roll(1, 0)))
    return counted("partner", int((own < other).sum()), len(a), None)


def counted(how: str, hits: int, n: int, before: int | None) -> Proof:
    """Hits with the interval of their share."""
    low, high = wilson(hits, n)
    return Proof(how=how, hits=hits, n=n, low=low, high=high, before=before)
