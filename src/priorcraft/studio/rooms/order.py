"""Order: the order of the pixels is chosen, drawn by the pen, and put to the test."""

import math
import time
from typing import Annotated, Any

import torch
from fastapi import APIRouter, Response
from pydantic import Field
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.chain import Autoregressive
from priorcraft.likelihoods.discrete import Discrete
from priorcraft.run import Run
from priorcraft.studio.rooms.floor import Asked, Flat, Floor, Page, known_label
from priorcraft.studio.wire import answer, pictures
from priorcraft.studio.workspace import image_space

ROWS = 100  # on which orders are compared
MOST_PASSES = 4096  # of the network, for one drawing in blocks


class Ordered(Asked):
    """An order, and how many entries are drawn at once.

    Args:
        order: order[i] is the number of the entry that comes i-th.
        block: entries of a block, which are drawn without a look at each other; 1 follows the chain rule.
        seed: of the draw.
    """

    order: Flat
    block: Annotated[int, Field(ge=1, le=256)] = 1
    seed: int = 0


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["order"])

    @router.post("/order/draw")
    async def draw(asked: Ordered, page: Page = "") -> Response:
        """A sample in this order, and the table p(x_i | earlier entries) from which each entry was drawn.

        `seconds` are those of the draw, `evaluation` those of one pass of the network over a whole row.
        """
        return await floor.ask("draw", page, drawn, floor, asked)

    @router.post("/order/score")
    async def score(asked: Ordered, page: Page = "") -> Response:
        """-log p(x | c) of test rows by the sampler of this order and block: exact, nats, mean and standard error.

        log p of each row comes, too, so that the page averages orders: p(x) = mean over orders of p(x | order).
        """
        return await floor.ask("score", page, scored, floor, asked)

    return router


def opened(floor: Floor, asked: Ordered) -> tuple[Run, Autoregressive, Tensor]:
    """A run with an order, and the order, checked."""
    run = floor.run(asked.run, "order")
    model: Any = run.model
    if asked.block > 1 and model.space.dims > MOST_PASSES:
        raise UsageError("images of this size are not drawn in blocks here; choose one pixel at a time.")
    image_space(model.space)
    return run, model, model.check_order(torch.tensor(asked.order))


def swapped(order: Tensor, block: int, j: int) -> Tensor:
    """The order in which the j-th entry of every block comes first in it; blocks keep their entries.

    >>> swapped(torch.arange(5), 2, 1).tolist()
    [1, 0, 3, 2, 4]
    """
    moved, starts = order.clone(), torch.arange(0, len(order), block)
    starts = starts[starts + j < len(order)]
    moved[starts], moved[starts + j] = order[starts + j], order[starts]
    return moved


def tables(model: Autoregressive, x: Tensor, order: Tensor, block: int, given: Tensor | None) -> Tensor:
    """log p(x_i | entries of earlier blocks) of every level, (B, D, levels); one pass for each place in a block."""
    found = None
    for j in range(min(block, len(order))):
        moved = swapped(order, block, j)
        likelihood = model.conditionals(x, moved, given)
        assert isinstance(likelihood, Discrete)
        table, first = likelihood.table(), moved[torch.arange(0, len(order) - j, block)]
        found = torch.empty_like(table) if found is None else found
        found[:, first] = table[:, first]
    assert found is not None
    return found


def drawn(floor: Floor, asked: Ordered) -> Response:
    """One sample, by the chain rule or block by block."""
    run, model, order = opened(floor, asked)
    given = known_label(run, asked.label, f"label {asked.seed}")
    generator = runtime.keyed(asked.seed, "studio order")
    u = runtime.uniform((1, model.space.dims), generator=generator, like=model.log_prior)
    x, began = torch.zeros(1, model.space.dims, dtype=torch.long), time.perf_counter()
    x = model.draw(x, order, 0, u, given) if asked.block == 1 else in_blocks(model, x, order, asked.block, u, given)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    model.conditionals(x, order, given)
    one = time.perf_counter() - began
    log_p = tables(model, x, order, asked.block, given)
    nats = -float(log_p.gather(2, x.unsqueeze(2)).sum())
    picture = pictures(x.view(1, *model.space.event_shape), model.space)[0]
    values = {"label": -1 if given is None else int(given), "nats": nats, "kind": "exact"}
    return answer({**values, "seconds": seconds, "evaluation": one}, x=x[0], picture=picture, p=log_p[0].exp())


def in_blocks(model: Autoregressive, x: Tensor, order: Tensor, block: int, u: Tensor, given: Tensor | None) -> Tensor:
    """A draw whose blocks are products of their entries' distributions given the earlier blocks."""
    for start in range(0, len(order), block):
        part, drawn = order[start : start + block], x.clone()
        for j, entry in enumerate(part.tolist()):
            likelihood = model.conditionals(x, swapped_at(order, start, j), given)
            drawn[:, entry] = likelihood.quantile(u)[:, entry]
        x = drawn
    return x


def swapped_at(order: Tensor, start: int, j: int) -> Tensor:
    """The order with the entry at `start` + j brought to `start`."""
    moved = order.clone()
    moved[start], moved[start + j] = order[start + j], order[start]
    return moved


def scored(floor: Floor, asked: Ordered) -> Response:
    """Nats of test rows in this order."""
    run, model, order = opened(floor, asked)
    rows = floor.workspace.data_of(run).test
    x = model.space.check(rows.x[:ROWS]).flatten(1)
    given = labels(model, x, None if rows.y is None else rows.y[:ROWS])
    log_p = tables(model, x, order, asked.block, given).gather(2, x.unsqueeze(2)).flatten(1).sum(1).double()
    values = {
        "nats": -float(log_p.mean()),
        "error": float(log_p.std() / math.sqrt(len(x))),
        "n": len(x),
        "kind": "exact",
    }
    return answer(values, log_p=log_p)


def labels(model: Autoregressive, x: Tensor, y: Tensor | None) -> Tensor | None:
    """The rows' classes; the most probable ones where they are not known."""
    if not model.classes:
        return None
    if y is None or bool((y == UNLABELLED).any()):
        return model.log_joint(x.view(len(x), *model.space.event_shape)).argmax(1)
    return y
