"""Samples: what a fitted model produces."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from priorcraft import runtime
from priorcraft.studio.rooms.floor import Asked, Floor, known_label, label_of
from priorcraft.studio.wire import answer, pictures
from priorcraft.verbs.sample import sample


class Drawing(Asked):
    """Samples to draw.

    Args:
        n: how many.
        seed: of the draws.
    """

    n: Annotated[int, Field(ge=1, le=400)] = 20
    seed: int = 0


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["data"])

    @router.post("/sample")
    async def samples(asked: Drawing) -> Response:
        """Samples of a run, of all classes or of one."""
        return await floor.ask("", "", lambda: drawn(floor, asked))

    return router


def drawn(floor: Floor, asked: Drawing) -> Response:
    """Samples as pictures, as rows of a table, or as numbers."""
    run = floor.run(asked.run)
    if run.columns is not None:
        label_of(run, asked.label)  # a class that there is not is refused here
        known = {"label": run.classes[asked.label]} if run.model.classes and asked.label >= 0 else None
        found = sample(run, asked.n, given=known, seed=asked.seed)
        return answer({"columns": run.columns.header, "cells": found.cells})
    generator = runtime.keyed(asked.seed, "studio sample")
    given = None if asked.label < 0 else known_label(run, asked.label, "sample")
    x = run.model.sample(asked.n, given=None if given is None else given[0], generator=generator)
    space = run.model.space
    return answer({}, pictures=pictures(x, space)) if space.is_image else answer({}, x=x.float())
