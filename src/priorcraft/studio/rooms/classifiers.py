"""Two kinds of classifier: p(x | c) p(c) / p(x) beside p(c | x) learned directly."""

from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import torch
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from priorcraft.classifiers.generative import GenerativeClassifier
from priorcraft.core import Exact
from priorcraft.errors import UsageError
from priorcraft.run import Run
from priorcraft.studio.rooms.floor import Asked, Flat, Floor, Page, point
from priorcraft.studio.wire import answer

if TYPE_CHECKING:
    from priorcraft.classifiers.discriminative import Discriminative

REFERENCE = 200  # held-out rows to which log p(x) is compared
DENSITIES, PER_CLASS, REPEATS = ("naive-bayes", "qda"), (2, 5, 10, 20, 50), 2  # of the learning curve
DRAWS = 16  # of the bound, for approximate models


class Drawn(Asked):
    """An x to be classified.

    Args:
        x: its entries.
    """

    x: Flat


class Point(BaseModel):
    """One point of a learning curve.

    Args:
        classifier: its name.
        per_class: labels of each class that it saw.
        accuracy: on test rows, an estimate.
    """

    classifier: str
    per_class: int
    accuracy: float


class Direct(Drawn):
    """An x to be classified without p(x).

    Args:
        method: of the discriminative classifier.
    """

    method: Annotated[str, Field(max_length=20)] = "logistic"


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["classifiers"])

    @router.post("/classify")
    async def classify(asked: Drawn, page: Page = "") -> Response:
        """log p(x | c) of every class, log p(c) and log p(x).

        The page applies Bayes' theorem itself, so that a prior can be turned without asking again.
        """
        return await floor.ask("classify", page, classified, floor, asked)

    @router.post("/classify/direct")
    async def direct(asked: Direct, page: Page = "") -> Response:
        """log p(c | x) learned directly, and the log p(c) of the rows that it was learned from."""
        return await floor.ask("direct", page, directly, floor, asked, long=True)

    @router.post("/classify/usual")
    async def usual(asked: Asked) -> Response:
        """log p(x) of held-out rows, the smallest first: how usual a drawing is, is its place among them."""
        return await floor.ask("", "", lambda: referred(floor, floor.run(asked.run)), long=True)

    @router.post("/classify/curve")
    async def curve(asked: Asked) -> list[Point]:
        """Test accuracy of both kinds of classifier with few labels and with more, on the run's own rows."""
        return await floor.desk.ask("", lambda: contrasted(floor, floor.run(asked.run)), long=True)

    return router


def contrasted(floor: Floor, run: Run) -> list[Point]:
    """Both kinds of classifier, each fitted anew to the same few labelled rows; made once."""
    made = import_module("priorcraft.run.contrast")
    how = {"densities": DENSITIES, "per_class": PER_CLASS, "repeats": REPEATS}
    learned = floor.kept(run, "curve", lambda: made.contrast(floor.workspace.data_of(run), **how))
    return [Point(classifier=each.name, per_class=each.per_class, accuracy=each.accuracy) for each in learned]


def classified(floor: Floor, asked: Drawn) -> Response:
    """What the generative classifier says of one x."""
    run = floor.run(asked.run)
    x = point(asked.x, run.model.space)
    log_likelihood = GenerativeClassifier(run.model, samples=DRAWS).log_likelihood(x)[0]
    values = {
        "kind": "exact" if isinstance(run.model, Exact) else "lower bound",
        "log_p": float(torch.logsumexp(log_likelihood + run.model.log_prior, -1)),
    }
    return answer(values, log_likelihood=log_likelihood.float(), log_prior=run.model.log_prior)


def directly(floor: Floor, asked: Direct) -> Response:
    """What the discriminative classifier says of one x."""
    run = floor.run(asked.run)
    x = point(asked.x, run.model.space)
    direct = learner(floor, run, asked.method)
    y = floor.workspace.data_of(run).train.labels
    counts = torch.bincount(y[y >= 0], minlength=run.model.classes) + 1.0
    return answer({}, direct=direct.log_posterior(x)[0].float(), prior=(counts / counts.sum()).log())


def referred(floor: Floor, run: Run) -> Response:
    """log p(x) of held-out rows of the model's own kind, (N,), sorted."""
    return answer({}, log_p=floor.kept(run, "usual", lambda: reference(floor, run)))


def reference(floor: Floor, run: Run) -> torch.Tensor:
    """log p(x) of held-out rows, (N,), the smallest first."""
    x = run.model.space.check(floor.workspace.data_of(run).valid.x[:REFERENCE])
    return GenerativeClassifier(run.model, samples=DRAWS).posterior(x)[1].sort().values


def learner(floor: Floor, run: Run, method: str) -> "Discriminative":
    """A discriminative classifier fitted to the run's training rows, once.

    Raises:
        UsageError: rows without labels, or no such method.
    """
    return floor.kept(run, method, lambda: learned(floor, run, method))


def learned(floor: Floor, run: Run, method: str) -> "Discriminative":
    """As `learner`, anew."""
    kinds = import_module("priorcraft.classifiers.discriminative")  # with scikit-learn, a third of all imports
    rows = floor.workspace.data_of(run).train
    if method not in kinds.METHODS or rows.y is None:
        raise UsageError("a classifier needs labels, and one of the methods of the list.")
    with torch.enable_grad():
        return kinds.Discriminative(method, run.model.space, run.model.classes).fit(rows.x, rows.y)
