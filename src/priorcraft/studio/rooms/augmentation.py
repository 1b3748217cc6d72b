"""Augment: samples of p(x | c) added to a training set, and whether a classifier gains by them."""

from typing import Annotated, Any, Literal

import torch
from fastapi import APIRouter, Response
from pydantic import Field

from priorcraft.studio.rooms.floor import Asked, Floor
from priorcraft.studio.wire import MEDIA, answer, pictures
from priorcraft.verbs.augment import Augmented, augment

MOST = 500  # samples of a class
SHOWN = 40


class Adding(Asked):
    """A proof to be made.

    Args:
        per_class: samples to add to each class.
        classifier: who shall gain.
        repeats: paired draws of the added rows.
        seed: of every random draw.
    """

    per_class: Annotated[int, Field(ge=1, le=MOST)] = 50
    classifier: Literal["logistic", "svm"] = "logistic"
    repeats: Annotated[int, Field(ge=2, le=20)] = 3
    seed: int = 0


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["augment"])

    @router.post("/augment")
    async def prove(asked: Adding) -> Response:
        """The gain on held-out real rows with its 95 % interval, each training set's accuracy, and some samples."""
        return await floor.desk.ask("", lambda: told(made(floor, asked)), long=True)

    @router.post("/augment/file", responses={200: {"content": {MEDIA: {}}}})
    async def file(asked: Adding) -> Response:
        """The training set with the samples, as .npz, each row marked with where it comes from."""
        found = await floor.desk.ask("", lambda: made(floor, asked).training_set.npz(), long=True)
        return Response(found, media_type=MEDIA)

    return router


def made(floor: Floor, asked: Adding) -> Augmented:
    """The samples and their proof, made once."""
    run = floor.run(asked.run)
    data, how = floor.workspace.data_of(run), (asked.classifier, asked.per_class, asked.repeats, asked.seed)
    return floor.kept(
        run,
        f"augment {how}",
        lambda: augment(data, run, classifier=how[0], per_class=how[1], repeats=how[2], seed=how[3]),
    )


def told(found: Augmented) -> Response:
    """The proof in numbers, and the first samples."""
    values: dict[str, Any] = {
        "verdict": str(found.verdict),
        "gain": found.gain.mean,
        "interval": found.gain.interval,
        "arms": [arm.to_dict() for arm in found.table],
        "per_class": found.per_class,
        "n": found.n,
        "rejected": found.refused.suspected + found.refused.doubted,
        "rows": found.held_out.rows,
    }
    x, y, space = found.added.x, found.added.labels, found.training_set.splits.space
    some = torch.linspace(0, len(x) - 1, min(SHOWN, len(x))).long() if len(x) else torch.zeros(0, dtype=torch.long)
    arrays = {"pictures": pictures(x[some], space)} if space.is_image else {}
    return answer(values, y=y[some], **arrays)
