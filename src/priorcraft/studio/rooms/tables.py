"""Bayes: the joint table of a file of the user's own; everything else is worked out in the page."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from priorcraft.errors import DataError, UsageError
from priorcraft.probability import Table
from priorcraft.studio.rooms.floor import Floor

MOST_CELLS = 20_000  # that a page turns over in a frame


class Source(BaseModel):
    """A table to be counted.

    Args:
        source: id of an upload with one file of comma-separated values.
        variables: the columns to keep; all if None.
    """

    source: Annotated[str, Field(max_length=100)]
    variables: Annotated[list[str] | None, Field(max_length=60)] = None


class Joint(BaseModel):
    """A joint probability table p(a, b, ...), exact counts divided by their sum.

    Args:
        axes: the states of each variable, in the order of `p`.
        p: probabilities, the last variable fastest.
    """

    axes: dict[str, list[str]]
    p: list[float]


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["bayes"])

    @router.post("/bayes")
    async def joint(asked: Source) -> Joint:
        """The joint table of a file: a column a variable, a row an observation."""
        return await floor.ask("bayes", "", lambda: counted(floor, asked))

    return router


def counted(floor: Floor, asked: Source) -> Joint:
    """The table of an upload's file."""
    files = list(floor.uploads.path(asked.source).rglob("*.[ct]sv"))
    if len(files) != 1:
        raise UsageError(f"one table as .csv is needed, not {len(files)} of them.")
    table = Table.from_csv(files[0], variables=asked.variables)
    if table.log_p.numel() > MOST_CELLS:
        raise DataError(
            f"this table has {table.log_p.numel():,} cells, {MOST_CELLS:,} are the most here; leave out columns, or "
            "those with a value of its own in every row."
        )
    return Joint(
        axes={name: list(states) for name, states in table.axes.items()}, p=table.log_p.exp().flatten().tolist()
    )
