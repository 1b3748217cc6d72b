"""Two kinds of classifier: p(x | c) p(c) / p(x) beside p(c | x) learned directly."""

from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import torch
from fastapi import APIRouter, Response
from pydantic import Field

from priorcraft.classifiers.generative import GenerativeClassifier
from priorcraft.core import Exact
from priorcraft.errors import UsageError
from priorcraft.run import Run
from priorcraft.studio.rooms.floor import Asked, Flat, Floor, Page, point
from priorcraft.studio.wire import answer

if TYPE_CHECKING:
    from priorcraft.classifiers.discriminative import Discriminative

REFERENCE = 200  # held-out rows to which log p(x) is compared
DRAWS = 16  # of the bound, for approximate models


class Drawn(Asked):
    """An x to be classified.

    Args:
        x: its entries.
        method: of the discriminative classifier.
    """

    x: Flat
    method: Annotated[str, Field(max_length=20)] = "logistic"


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["classifiers"])

    @router.post("/classify")
    async def classify(asked: Drawn, page: Page = "") -> Response:
        """log p(x | c) of every class, log p(c), log p(c | x) learned directly, and how usual log p(x) is.

        The page applies Bayes' theorem itself, so that a prior can be turned without asking again.
        """
        return await floor.ask("classify", page, classified, floor, asked)

    return router


def classified(floor: Floor, asked: Drawn) -> Response:
    """What both kinds of classifier say of one x."""
    run = floor.run(asked.run)
    x = point(asked.x, run.model.space)
    generative = GenerativeClassifier(run.model, samples=DRAWS)
    log_likelihood = generative.log_likelihood(x)[0]
    log_x = float(torch.logsumexp(log_likelihood + run.model.log_prior, -1))
    usual = floor.kept(run, "usual", lambda: reference(floor, run, generative))
    direct, counts = floor.kept(run, asked.method, lambda: learned(floor, run, asked.method))
    values = {
        "kind": "exact" if isinstance(run.model, Exact) else "lower bound",
        "log_p": log_x,
        "quantile": float((usual < log_x).double().mean()),
        "low": float(usual.quantile(0.01)),
        "high": float(usual.quantile(0.99)),
        "middle": float(usual.median()),
    }
    return answer(
        values,
        log_likelihood=log_likelihood.float(),
        log_prior=run.model.log_prior,
        direct=direct.log_posterior(x)[0].float(),
        direct_prior=counts,
    )


def reference(floor: Floor, run: Run, classifier: GenerativeClassifier) -> torch.Tensor:
    """log p(x) of held-out rows of the model's own kind, (N,)."""
    x = floor.workspace.data_of(run).valid.x[:REFERENCE]
    return classifier.posterior(run.model.space.check(x))[1].double()


def learned(floor: Floor, run: Run, method: str) -> tuple["Discriminative", torch.Tensor]:
    """A discriminative classifier fitted to the run's training rows, and the log p(c) that it has seen."""
    kinds = import_module("priorcraft.classifiers.discriminative")  # with scikit-learn, a third of all imports
    rows = floor.workspace.data_of(run).train
    if method not in kinds.METHODS or rows.y is None:
        raise UsageError("a classifier needs labels, and one of the methods of the list.")
    with torch.enable_grad():
        direct = kinds.Discriminative(method, run.model.space, run.model.classes).fit(rows.x, rows.y)
    counts = torch.bincount(rows.y[rows.y >= 0], minlength=run.model.classes) + 1.0
    return direct, (counts / counts.sum()).log()
