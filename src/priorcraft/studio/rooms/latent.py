"""Latent: z is moved, and x is watched."""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from fastapi import APIRouter, Response
from pydantic import Field
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Approximate, Encoder, Exact, LatentVariable
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.latent import line, liveliest, principal_axes
from priorcraft.explicit.exact.mixture import FiniteMixture
from priorcraft.run import Run
from priorcraft.studio.rooms.floor import Asked, Floor, Page, known_label, label_of
from priorcraft.studio.wire import answer, pictures
from priorcraft.studio.workspace import image_space

POINTS = 600  # rows on the map
BATCH = 256


class Walk(Asked):
    """A place in z.

    Args:
        at: a point of the map, (2,); or
        z: a code, (latent,).
    """

    at: Annotated[list[float] | None, Field(min_length=2, max_length=2)] = None
    z: Annotated[list[float] | None, Field(max_length=100_000)] = None


class Between(Asked):
    """Two rows, and how many steps from one to the other.

    Args:
        a, b: numbers of test rows.
        steps: ends included.
    """

    a: Annotated[int, Field(ge=0)]
    b: Annotated[int, Field(ge=0)]
    steps: Annotated[int, Field(ge=2, le=32)] = 9


class Component(Asked):
    """A value of a discrete z.

    Args:
        z: its number.
        n: draws of p(x | z).
        seed: of the draws.
    """

    z: Annotated[int, Field(ge=0, le=100_000)]
    n: Annotated[int, Field(ge=1, le=64)] = 8
    seed: int = 0


@dataclass(frozen=True)
class Map:
    """A plane through z, and where some rows lie in it.

    Args:
        origin, directions: of the plane, (latent,) and (latent, 2).
        points: (N, 2).
        y: labels, (N,); None without.
        share: of the spread of the codes, of each axis; () for the two numbers of z that change x most.
    """

    origin: Tensor
    directions: Tensor
    points: Tensor
    y: Tensor | None
    share: tuple[float, ...]

    def code(self, at: list[float]) -> Tensor:
        """The z of a point of the plane, (1, latent)."""
        return (self.origin + self.directions @ torch.tensor(at).to(self.origin)).unsqueeze(0)

    def label_near(self, at: list[float]) -> int:
        """The class of the nearest row; -1 without classes."""
        if self.y is None:
            return -1
        return int(self.y[(self.points - torch.tensor(at)).square().sum(1).argmin()])


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["latent"])

    @router.post("/latent/map")
    async def map_(asked: Asked) -> Response:
        """Where rows lie in z: on their principal axes with an encoder, on the liveliest two numbers without."""
        return await floor.ask("", "", lambda: mapped(floor, floor.run(asked.run, "latent")))

    @router.post("/latent/walk")
    async def walk(asked: Walk, page: Page = "") -> Response:
        """The mean of p(x | z) at a place of the map, or of a code."""
        return await floor.ask("walk", page, walked, floor, asked)

    @router.post("/latent/component")
    async def component(asked: Component, page: Page = "") -> Response:
        """Draws of p(x | z) of a mixture, whose z is one of a few."""
        return await floor.ask("component", page, drawn, floor, asked)

    @router.post("/latent/between")
    async def between(asked: Between, page: Page = "") -> Response:
        """The means of p(x | z) on the line between two rows."""
        return await floor.ask("between", page, interpolated, floor, asked)

    return router


def one(given: Tensor | None) -> Tensor | None:
    """The context of a single row as one that all rows share."""
    return None if given is None else given[0]


def mapped(floor: Floor, run: Run) -> Response:
    """The map of a run; of a mixture, its components."""
    model: Any = run.model
    space = image_space(model.space)
    if isinstance(model, FiniteMixture):
        z = torch.arange(model.used)
        weights = (
            model.log_weights[:, : model.used] + model.log_prior[:, None]
            if model.classes
            else model.log_weights[:, : model.used]
        )
        shares = weights.exp().sum(0) if model.classes else weights.exp()[0]
        return answer({"discrete": True}, pictures=pictures(model.decode(z), space), shares=shares)
    found = map_of(floor, run)
    spread = found.points.std(0)
    values = {"discrete": False, "latent": len(found.origin), "share": found.share, "spread": spread.tolist()}
    arrays = {} if found.y is None else {"y": found.y}
    return answer(values, points=found.points, **arrays)


def drawn(floor: Floor, asked: Component) -> Response:
    """Draws of one component.

    Raises:
        UsageError: a model without components, or without this one.
    """
    run = floor.run(asked.run, "mixture")
    model: Any = run.model
    if asked.z >= model.used:
        raise UsageError(f"z must lie in 0 ... {model.used - 1}, not {asked.z}.")
    z = torch.full((asked.n,), asked.z)
    x = model.components.sample(z, runtime.keyed(asked.seed, "studio component"))
    return answer({}, pictures=pictures(x.view(asked.n, *model.space.event_shape), image_space(model.space)))


def map_of(floor: Floor, run: Run) -> Map:
    """The run's map, made once."""
    return floor.kept(run, "map", lambda: make_map(floor, run))


def make_map(floor: Floor, run: Run) -> Map:
    """The plane of the principal axes of the rows' codes; without an encoder, of the two numbers that change x most."""
    model: Any = run.model
    if not isinstance(model, Encoder):
        generator = runtime.keyed("studio map")
        z = model.prior(POINTS, generator=generator)
        lively = liveliest(model, torch.zeros_like(z[0]), 2, 2.0, given=one(known_label(run, -1, "map")))
        directions = torch.eye(z.shape[1])[:, lively]
        return Map(torch.zeros_like(z[0]), directions, z @ directions, None, ())
    rows = floor.workspace.data_of(run).test
    x, y = run.model.space.check(rows.x[:POINTS]), None if rows.y is None else rows.y[:POINTS]
    z = codes(run, x, y)
    axes = principal_axes(z)
    share = tuple(axes.share.tolist())
    return Map(axes.origin, axes.directions, axes.coordinates(z), y, share)


def codes(run: Run, x: Tensor, y: Tensor | None) -> Tensor:
    """E[z | x, c] of rows, by the most probable class where none is known, (N, latent)."""
    model: Any = run.model
    if model.classes and (y is None or bool((y < 0).any())):
        likely = most_likely(model, x)
        y = likely if y is None else torch.where(y < 0, likely, y)
    given = y if model.classes else None
    parts = [None] * len(x) if given is None else given.split(BATCH)
    return torch.cat([model.encode(rows, c) for rows, c in zip(x.split(BATCH), parts, strict=False)])


def most_likely(model: Exact | Approximate, x: Tensor) -> Tensor:
    """The most probable class of rows, (N,)."""
    if isinstance(model, Exact):
        return model.log_joint(x).argmax(-1)
    each = [model.bound(x, 4, c.expand(len(x)), generator=runtime.keyed("likely")) for c in torch.arange(model.classes)]
    return (torch.stack(each, 1) + model.log_prior).argmax(-1)


def walked(floor: Floor, asked: Walk) -> Response:
    """One picture at one place of z."""
    run = floor.run(asked.run, "latent")
    model: Any = run.model
    space, place = image_space(model.space), None if isinstance(model, FiniteMixture) else map_of(floor, run)
    if place is None or (asked.at is None) == (asked.z is None):
        raise UsageError("give a place of the map or a code, and a model whose z is continuous.")
    z = place.code(asked.at) if asked.at is not None else code(asked.z or [], place)
    label = asked.label if asked.label >= 0 or asked.at is None else place.label_near(asked.at)
    given = label_of(run, label)
    if given is not None and int(given) < 0:
        given = torch.zeros(1, dtype=torch.long)
    return answer(
        {"label": -1 if given is None else int(given)}, picture=pictures(model.decode(z, given), space)[0], z=z[0]
    )


def code(numbers: list[float], place: Map) -> Tensor:
    """A code from the page, (1, latent)."""
    z = torch.tensor(numbers, dtype=place.origin.dtype)
    if z.shape != place.origin.shape or not bool(torch.isfinite(z).all()):
        raise UsageError(f"z must hold {len(place.origin)} finite numbers, not {len(numbers)}.")
    return z.unsqueeze(0)


def interpolated(floor: Floor, asked: Between) -> Response:
    """Pictures on the line between two rows, in units of p(z | c)."""
    run = floor.run(asked.run, "encoder")
    model: Any = run.model
    rows = floor.workspace.data_of(run).test
    if max(asked.a, asked.b) >= len(rows):
        raise UsageError(f"there are {len(rows)} rows, numbered from 0.")
    index = torch.tensor([asked.a, asked.b])
    x, y = model.space.check(rows.x[index]), None if rows.y is None else rows.y[index]
    z = codes(run, x, y)
    given = None if not model.classes else (y if y is not None else most_likely(model, x))
    ends = model.standardised(z, given)
    walked = line(ends[0], ends[1], asked.steps)
    half = None if given is None else given[(torch.linspace(0, 1, asked.steps) > 0.5).long()]
    moved: LatentVariable = model
    x = moved.decode(moved.unstandardised(walked, half), half)
    return answer({}, pictures=pictures(x, image_space(model.space)))
