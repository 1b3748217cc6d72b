"""What all rooms stand on: runs, rows, and points that the page sends."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

import torch
from fastapi import Header
from pydantic import BaseModel, Field
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Space
from priorcraft.errors import UsageError
from priorcraft.run import Run
from priorcraft.studio.desk import Desk
from priorcraft.studio.uploads import Uploads
from priorcraft.studio.workspace import ABILITIES, Workspace

MOST_ENTRIES = 200_000  # of one x that the page sends
Answer = TypeVar("Answer")
Page = Annotated[str, Header(alias="x-page", max_length=64, description="which open page asks")]
Flat = Annotated[list[int], Field(max_length=MOST_ENTRIES)]


class Asked(BaseModel):
    """A question to a run.

    Args:
        run: its id.
        label: number of the class; -1 where it is not known.
    """

    run: Annotated[str, Field(max_length=100)]
    label: Annotated[int, Field(ge=-1, le=10_000)] = UNLABELLED


class Reading(BaseModel):
    """How data are read.

    Args:
        label: of a table, the column that is the class.
        size: of a folder, the side of the square that its images are brought to.
    """

    label: Annotated[str | None, Field(max_length=200, pattern=r"^[^\x00-\x1f]+$")] = None
    size: Annotated[int | None, Field(ge=2, le=512)] = None

    def reading(self) -> dict[str, str | int]:
        """What is said, as `open_data` takes it."""
        return {name: value for name in ("label", "size") if (value := getattr(self, name)) is not None}


class Floor:
    """The workspace, the threads that work, and what every room does with them.

    Args:
        workspace: runs and data.
        desk: where the work is done.
    """

    def __init__(self, workspace: Workspace, desk: Desk) -> None:
        self.workspace, self.desk = workspace, desk
        self.uploads = Uploads(workspace.folder)

    async def ask(
        self, room: str, page: str, work: Callable[..., Answer], *arguments: Any, long: bool = False
    ) -> Answer:
        """The answer of `work(*arguments)`; of one room and page only the newest question is answered."""
        return await self.desk.ask(f"{room} {page}" if page else "", partial(quietly, work, *arguments), long=long)

    def run(self, name: str, ability: str | None = None) -> Run:
        """A fitted run that can be asked what a room asks.

        Raises:
            UsageError: no such run, or another kind of model.
        """
        run = self.workspace.load(name)
        if ability is not None and not isinstance(run.model, ABILITIES[ability]):
            raise UsageError(f"{run.name} is no model for this question; choose another run.")
        return run

    def kept(self, run: Run, what: str, make: Callable[[], Answer]) -> Answer:
        """What a room works out once for a run."""
        return self.workspace.made.get((str(run.path), run.steps, what), make)


def quietly(work: Callable[..., Answer], *arguments: Any) -> Answer:
    """`work(*arguments)` without gradients."""
    with torch.no_grad():
        return work(*arguments)


def point(numbers: list[int], space: Space) -> Tensor:
    """One x from the page, (1, *event_shape).

    Raises:
        UsageError: another number of entries.
    """
    if len(numbers) != space.dims:
        raise UsageError(f"x must have {space.dims} entries for this run, not {len(numbers)}.")
    return space.check(torch.tensor(numbers).view(1, *space.event_shape))


def label_of(run: Run, label: int) -> Tensor | None:
    """The class as a context for one row, (1,); None for a model without classes.

    Raises:
        UsageError: a class that there is not.
    """
    if not run.model.classes:
        return None
    if not UNLABELLED <= label < run.model.classes:
        raise UsageError(f"label must lie in -1 ... {run.model.classes - 1}, not {label}.")
    return torch.tensor([label])


def known_label(run: Run, label: int, key: str) -> Tensor | None:
    """The class, or one drawn from p(c) where it is not known, (1,)."""
    given = label_of(run, label)
    if given is None or int(given) != UNLABELLED:
        return given
    return runtime.categorical(run.model.log_prior.expand(1, -1), generator=runtime.keyed(key))
