"""Game: two players, watched as they learn."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from priorcraft.datasets import Splits
from priorcraft.errors import UsageError
from priorcraft.studio.live import Controls, LiveGame
from priorcraft.studio.rooms.floor import Floor
from priorcraft.studio.wire import MEDIA

MOST_GAMES, SIDE = 2, 16  # side by side; pixels a side, which a game of a folder's images may have
WAIT = 2.0  # seconds that a frame is waited for


class Begin(BaseModel):
    """A game to be begun.

    Args:
        points: x and y of points one after another, the distribution that was drawn; None plays on images.
        data: the images, where no points are given.
        loss: relativistic, non-saturating, least-squares or wasserstein.
        seed: of everything random.
    """

    points: Annotated[list[float] | None, Field(min_length=64, max_length=20_000)] = None
    data: Annotated[str, Field(max_length=400)] = "digits"
    loss: Literal["relativistic", "non-saturating", "least-squares", "wasserstein"] = "relativistic"
    seed: int = 0


class Begun(BaseModel):
    """A game.

    Args:
        game: its number.
    """

    game: int


class Move(BaseModel):
    """What is done to a game.

    Args:
        playing: whether it goes on by itself.
        pace: steps a second at most; 0 as fast as it can.
        once: one step of one player, or of both.
        freeze: the player that no longer learns.
        faster: factor on both learning rates, 1 is the recipe's.
    """

    playing: bool | None = None
    pace: Annotated[float | None, Field(ge=0, le=1000)] = None
    once: Literal["critic", "generator", "both"] | None = None
    freeze: Literal["critic", "generator", "nobody"] | None = None
    faster: Annotated[float | None, Field(gt=0, le=1000)] = None


class Games:
    """The newest games by their numbers; older ones end."""

    def __init__(self) -> None:
        self.open = dict[int, LiveGame]()

    def add(self, game: LiveGame) -> int:
        """Keeps a game; returns its number."""
        number = max(self.open, default=0) + 1
        self.open[number] = game
        for old in sorted(self.open)[:-MOST_GAMES]:
            self.end(old)
        return number

    def of(self, number: int) -> LiveGame:
        """The game of a number.

        Raises:
            UsageError: it is over.
        """
        if number not in self.open:
            raise UsageError("this game is over; begin another.")
        return self.open[number]

    def end(self, number: int) -> None:
        """Ends a game, if it goes on."""
        if number in self.open:
            self.open.pop(number).close()


def routes(floor: Floor) -> APIRouter:
    """The room's part of the API."""
    router, games = APIRouter(tags=["game"]), Games()

    @router.post("/game", status_code=201)
    async def begin(asked: Begin) -> Begun:
        """Begins a game, which waits for its first move."""
        return Begun(game=games.add(await floor.desk.ask("", lambda: begun(floor, asked))))

    @router.post("/game/{game}", status_code=202)
    async def move(game: int, asked: Move) -> Begun:
        """Plays, pauses, makes one step, or sabotages."""
        games.of(game).change(Controls(**asked.model_dump()))
        return Begun(game=game)

    @router.get("/game/{game}")
    async def frame(game: int, after: int = 0) -> Response:
        """The next picture of the game; 204 if there is none within two seconds."""
        live, deadline = games.of(game), asyncio.get_running_loop().time() + WAIT
        live.watched()
        while live.number <= after and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        if live.number <= after:
            return Response(status_code=204)
        return Response(live.frame, media_type=MEDIA)

    @router.delete("/game/{game}", status_code=204)
    async def end(game: int) -> None:
        """Ends a game."""
        games.end(game)

    return router


def begun(floor: Floor, asked: Begin) -> LiveGame:
    """A game on points or on images."""
    if asked.points is not None:
        return LiveGame.on_points(asked.points, asked.loss, asked.seed)
    return LiveGame.on_images(small(floor, asked.data), asked.loss, asked.seed)


def small(floor: Floor, name: str) -> Splits:
    """Images as they are played on: those of a folder are brought to `SIDE` x `SIDE` if they are larger."""
    splits, folder = floor.workspace.open(name), Path(floor.workspace.source(name)).is_dir()
    large = splits.space.is_image and max(splits.space.event_shape[1:]) > SIDE
    return floor.workspace.open(name, size=SIDE) if folder and large else splits
