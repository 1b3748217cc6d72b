"""VAE: the encoder up, the decoder down, the bound and its gap, and which numbers of z carry something."""

import math
from typing import Annotated

import torch
from fastapi import APIRouter, Response
from pydantic import Field
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.run import Run
from priorcraft.studio.rooms.floor import Asked, Flat, Floor, Page, label_of, point
from priorcraft.studio.rooms.latent import most_likely
from priorcraft.studio.wire import answer, pictures

MANY = 1000  # draws of the tightest bound
LADDER = (1, 10, 100, MANY)
ROWS = 200
DEAD = 0.05  # nats: a number of z below carries nothing


class Up(Asked):
    """An x whose posterior is looked at.

    Args:
        x: its entries.
    """

    x: Flat


class Down(Asked):
    """A code to be decoded.

    Args:
        z: its numbers.
    """

    z: Annotated[list[float], Field(max_length=10_000)]


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router = APIRouter(tags=["vae"])

    @router.post("/vae/up")
    async def up(asked: Up, page: Page = "") -> Response:
        """q(z | x) beside p(z), the reconstruction, and the bound on log p(x) as its draws become more (≤)."""
        return await floor.ask("up", page, looked_up, floor, asked)

    @router.post("/vae/down")
    async def down(asked: Down, page: Page = "") -> Response:
        """The mean of p(x | z) and a draw from it."""
        return await floor.ask("down", page, looked_down, floor, asked)

    @router.post("/vae/active")
    async def active(asked: Asked) -> Response:
        """Nats that each number of z carries, the mean of KL(q(z_i | x) || p(z_i)) over test rows, exact."""
        return await floor.ask("", "", lambda: carried(floor, floor_vae(floor, asked.run)))

    return router


def floor_vae(floor: Floor, run: str) -> tuple[Run, VAE]:
    """A run whose model is a VAE with one layer of z."""
    found = floor.run(run)
    if not isinstance(found.model, VAE):
        raise UsageError("this room opens VAEs with one layer of z; fit flat-vae.")
    return found, found.model


def label_for(run: Run, x: Tensor, label: int) -> Tensor | None:
    """The class, the most probable one where it is not known."""
    given = label_of(run, label)
    return most_likely(run.model, x) if given is not None and int(given) < 0 else given  # pyright: ignore[reportArgumentType]


def divergences(model: VAE, x: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Mean and deviation of q(z | x), of p(z), and KL(q || p) of each number, all (B, latent).

    Where p(z) is a mixture it is taken as one normal of its mean and spread.
    """
    q, p = model.posterior(x, given), model.p_z.normal(given, len(x))
    if p is None:
        z = model.prior(500, given=None if given is None else given[:1].expand(500), generator=runtime.keyed("p(z)"))
        loc, scale = z.mean(0).expand_as(q.loc), z.std(0).expand_as(q.loc)
    else:
        loc, scale = p.loc, p.log_scale.exp()
    mean, deviation = q.loc, q.log_scale.exp()
    kl = (scale / deviation).log() + (deviation.square() + (mean - loc).square()) / (2 * scale.square()) - 0.5
    return mean, deviation, loc, scale, kl


def looked_up(floor: Floor, asked: Up) -> Response:
    """The posterior of one x, and the bound."""
    run, model = floor_vae(floor, asked.run)
    x = point(asked.x, model.space)
    given = label_for(run, x, asked.label)
    mean, deviation, loc, scale, kl = divergences(model, x, given)
    log_w = model.log_weights(x, MANY, given, generator=runtime.keyed("studio bound"))[:, 0].double()
    bounds = [float((log_w.view(-1, k).logsumexp(1) - math.log(k)).mean()) for k in LADDER]
    values = {
        "label": -1 if given is None else int(given),
        "draws": LADDER,
        "bounds": bounds,
        "gap": bounds[-1] - bounds[0],
        "kl": float(kl.sum()),
        "kl_kind": "estimate" if model.p_z.normal(given, 1) is None else "exact",
        "reconstruction": -bounds[0] - float(kl.sum()),
        "kind": "lower bound",
    }
    z = {"mean": mean[0], "deviation": deviation[0], "prior_mean": loc[0], "prior_deviation": scale[0], "kl": kl[0]}
    if model.space.is_image:
        z["picture"] = torch.from_numpy(pictures(model.decode(mean, given), model.space)[0])
    return answer(values, **z)


def looked_down(floor: Floor, asked: Down) -> Response:
    """What a code stands for."""
    run, model = floor_vae(floor, asked.run)
    z = torch.tensor([asked.z])
    if z.shape[1] != model.latent or not bool(torch.isfinite(z).all()):
        raise UsageError(f"z must hold {model.latent} finite numbers.")
    given = label_of(run, max(asked.label, 0) if model.classes else -1)
    draw = model.draw(z, given, generator=runtime.keyed("studio draw"))
    space: Space = model.space
    return answer({}, picture=pictures(model.decode(z, given), space)[0], draw=pictures(draw, space)[0])


def carried(floor: Floor, found: tuple[Run, VAE]) -> Response:
    """Nats of each number of z."""
    run, model = found
    rows = floor.workspace.data_of(run).test
    x = model.space.check(rows.x[:ROWS])
    given = None
    if model.classes:
        given = rows.y[:ROWS] if rows.y is not None else most_likely(model, x)
    kl = divergences(model, x, given)[4].mean(0)
    settings = {name: run_settings(model).get(name) for name in ("free_bits", "beta", "latent")}
    return answer({"active": int((kl > DEAD).sum()), "latent": model.latent, "settings": settings}, kl=kl)


def run_settings(model: VAE) -> dict[str, object]:
    """The settings with which a model was made."""
    return dict(model.config)
