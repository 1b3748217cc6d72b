"""Evidence: some pixels are seen, the others follow, in several ways."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Annotated, Literal

import torch
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import Field
from torch import Tensor

from priorcraft import runtime
from priorcraft.condition import posterior
from priorcraft.core import Observation, Posterior
from priorcraft.errors import PriorcraftError, UsageError
from priorcraft.observe import BlockMean, Mask
from priorcraft.run import Run
from priorcraft.studio.desk import Stale
from priorcraft.studio.rooms.floor import Asked, Flat, Floor, Page, label_of, point, quietly
from priorcraft.studio.wire import MEDIA, packed, pictures
from priorcraft.studio.workspace import image_space


class Evidence(Asked):
    """What is seen of one x.

    Args:
        x: its entries; those that are hidden are not looked at.
        hidden: 1 where a pixel is hidden, one number a pixel, (height * width).
        seen: "mask" hides pixels; "small" sees block means of `factor` x `factor` pixels.
        factor: side of a block.
        n: draws.
        seed: of the draws.
    """

    x: Flat
    hidden: Flat = Field(default_factory=list)
    seen: Literal["mask", "small"] = "mask"
    factor: Annotated[int, Field(ge=2, le=16)] = 2
    n: Annotated[int, Field(ge=1, le=16)] = 8
    seed: int = 0


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["evidence"])

    @router.post("/evidence", response_class=StreamingResponse)
    async def evidence(asked: Evidence, request: Request, page: Page = "") -> StreamingResponse:
        """Draws from p(x | what is seen), as messages: the first with one draw, the second with the others."""
        key = f"evidence {page}"
        ticket = floor.desk.ticket(key)
        begun = await floor.desk.ask(key, partial(quietly, prepared, floor, asked), ticket)

        async def ask(work: Callable[[], Tensor]) -> Tensor:
            return await floor.desk.ask(key, work, ticket)

        return StreamingResponse(draws(ask, asked, begun, request), media_type=MEDIA)

    return router


def prepared(floor: Floor, asked: Evidence) -> tuple[Run, Posterior]:
    """The engine that the types of model and observation call for."""
    run = floor.run(asked.run)
    space = image_space(run.model.space)
    x = point(asked.x, space)
    observation = observed(asked, space.event_shape)
    return run, posterior(run.model, observation, observation.forward(x), given=label_of(run, asked.label))


def observed(asked: Evidence, shape: tuple[int, ...]) -> Observation:
    """What is seen, as p(y | x)."""
    if asked.seen == "small":
        return BlockMean(asked.factor)
    _, height, width = shape
    if len(asked.hidden) != height * width:
        raise UsageError(f"hidden must hold {height * width} numbers, one a pixel, not {len(asked.hidden)}.")
    return Mask((torch.tensor(asked.hidden).view(1, height, width) == 0).expand(shape))


async def draws(
    ask: Callable[..., Awaitable[Tensor]], asked: Evidence, begun: tuple[Run, Posterior], request: Request
) -> AsyncIterator[bytes]:
    """One draw as soon as it is there, then the rest; none that nobody waits for."""
    run, engine = begun
    generator = runtime.keyed(asked.seed, "studio evidence")
    for n in parts(asked.n):
        if await request.is_disconnected():
            return
        try:
            x = (await ask(partial(engine.sample, n, generator=generator)))[0]
        except Stale:
            return
        except PriorcraftError as error:
            yield packed({"refused": str(error)})
            return
        yield message(x, run, engine)


def parts(n: int) -> Iterator[int]:
    """One, then the others."""
    yield 1
    if n > 1:
        yield n - 1


def message(x: Tensor, run: Run, engine: Posterior) -> bytes:
    """Some draws, with how they were made."""
    space = run.model.space
    diagnostics = {name: round(float(value), 4) for name, value in engine.diagnostics.items() if value == value}
    values = {"kind": engine.kind, "method": engine.method, "diagnostics": diagnostics}
    return packed(values, x=x.flatten(1).int(), pictures=pictures(x, space))
