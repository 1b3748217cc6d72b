"""A game that is watched while it is played."""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.datasets import Splits
from priorcraft.datasets.splits import Rows
from priorcraft.errors import Diverged, UsageError
from priorcraft.implicit.detectors import WINDOW, judge
from priorcraft.implicit.gan import GAN
from priorcraft.metrics.sharpness import gradient
from priorcraft.studio.wire import packed, pictures
from priorcraft.train.game import Game
from priorcraft.train.loop import draw, whole
from priorcraft.train.objective import Batch

FRAMES = 15  # a second at most
SHARE = 0.05  # of the computing that pictures may take
ABANDONED = 20.0  # seconds without a look, and the game waits
SHOWN, IMAGES, JUDGED, SIDE = 400, 24, 128, 32  # points, images, beliefs of each kind, places a side of the landscape
REACH = 1.5  # half the side of the plane that is shown
HORIZON_POINTS, HORIZON_IMAGES = 6000, 4000  # steps over which a recipe is annealed
LAST = 0.85  # share of the recipe at which a game goes on for ever
KEPT = ("loss", "critic_loss", "critic_real", "critic_fake", "critic_valid", "diversity", "gradient_norm_c")


@dataclass(frozen=True)
class Controls:
    """What can be done to a game; None leaves a thing as it is.

    Args:
        playing: whether it goes on by itself.
        pace: steps a second at most; 0 as fast as it can.
        once: one step of "critic", "generator" or "both".
        freeze: the player that does not learn: "critic", "generator" or "nobody".
        faster: factor on both learning rates.
    """

    playing: bool | None = None
    pace: float | None = None
    once: str | None = None
    freeze: str | None = None
    faster: float | None = None


class LiveGame:
    """A generator and a critic in a thread of their own; `frame` is the newest picture of their game.

    Args:
        rows: what is imitated.
        held_out: rows that the critic does not learn from.
        space: where they live.
        classes: labels' number of values; 0 without.
        loss: name of the rules.
        seed: of everything random.
    """

    def __init__(self, rows: Rows, held_out: Rows, space: Space, loss: str, seed: int) -> None:
        with runtime.borrowed_global_generator(seed, "weights"):
            self.gan = GAN(space)
        self.rows, self.held_out, self.seed = rows, whole(held_out, torch.device("cpu")), seed
        start = whole(rows, torch.device("cpu"))
        self.gan.initialise(start.x, None, generator=runtime.keyed(seed, "start"))
        self.game = Game(self.gan, loss=loss)
        self.game.prepare(self.held_out)
        self.rate = self.game.generator.lr
        self.z = self.gan.prior(max(SHOWN, IMAGES), generator=runtime.keyed(seed, "shown"))
        self.real_sharpness = gradient(rows.x[:500], space) if space.is_image else None
        self.horizon = HORIZON_IMAGES if space.is_image else HORIZON_POINTS
        self.controls = Controls(playing=False, pace=0.0, freeze="nobody", faster=1.0)
        self.wake, self.closed, self.number, self.frame = threading.Condition(), False, 0, b""
        self.steps, self.seconds = 0, 0.0  # of the clock
        self.worked, self.drawing = 0.0, 0.0  # seconds of computing, of steps and of pictures
        self.looked = self.looked_at = time.monotonic()
        self.recent: deque[dict[str, float]] = deque(maxlen=WINDOW)
        self.fresh: deque[dict[str, float]] = deque(maxlen=WINDOW)
        self.error = ""
        self._picture()
        threading.Thread(target=self._play, name="game", daemon=True).start()

    @classmethod
    def on_points(cls, numbers: list[float], loss: str, seed: int) -> "LiveGame":
        """A game on points of the plane, x and y one after another; every tenth is held out."""
        x = torch.tensor(numbers)
        if len(x) % 2 or not bool(torch.isfinite(x).all()) or float(x.abs().max()) > REACH:
            raise UsageError(f"points must be pairs of numbers between -{REACH} and {REACH}.")
        x = x.view(-1, 2)
        x = x[torch.randperm(len(x), generator=runtime.keyed(seed, "points"))]
        part = max(len(x) // 10, 1)
        return cls(Rows(x[part:]), Rows(x[:part]), Space((2,)), loss, seed)

    @classmethod
    def on_images(cls, splits: Splits, loss: str, seed: int) -> "LiveGame":
        """A game on the images of a data set, without its labels."""
        if not splits.space.is_image:
            raise UsageError("the game is shown on images or on points that are drawn; these data are a table.")
        return cls(Rows(splits.train.x), Rows(splits.valid.x), splits.space, loss, seed)

    def change(self, controls: Controls) -> None:
        """Does what a move says."""
        with self.wake:
            given = {name: value for name, value in vars(controls).items() if value is not None}
            self.controls = replace(self.controls, **given)
            self.game.generator.lr = self.game.critic.lr = self.rate * (self.controls.faster or 1.0)
            self.looked = time.monotonic()
            self.wake.notify()

    def watched(self) -> None:
        """Somebody looks: the game goes on."""
        with self.wake:
            self.looked = time.monotonic()
            self.wake.notify()

    def close(self) -> None:
        """Ends the game."""
        with self.wake:
            self.closed = True
            self.wake.notify()

    def _play(self) -> None:
        while True:
            with self.wake:
                self.wake.wait_for(self._may_go_on)
                if self.closed:
                    return
                once, pace = self.controls.once, self.controls.pace
                self.controls = replace(self.controls, once=None)
            began, worked = time.monotonic(), time.thread_time()
            self._turn(once)
            self.seconds += time.monotonic() - began
            self.worked += time.thread_time() - worked
            if once or self._picture_due():
                self._picture()
            if pace and not once:
                with self.wake:
                    self.wake.wait(max(1 / pace - (time.monotonic() - began), 0))

    def _may_go_on(self) -> bool:
        alone = time.monotonic() - self.looked > ABANDONED
        return self.closed or bool(self.controls.once) or (bool(self.controls.playing) and not alone and not self.error)

    def _turn(self, once: str | None) -> None:
        """One step of those who play."""
        progress, key = min(self.steps / self.horizon, LAST), (self.seed, self.steps)
        size = self.game.rows_at(progress)
        batch = draw(self.rows, size, self.seed, self.steps, torch.device("cpu"))
        try:
            record = self._step(once, batch, progress, key)
        except Diverged as error:
            self.error = str(error)
            self._picture()
            return
        self.steps += 1
        said = {name: float(record[name]) for name in KEPT if name in record and math.isfinite(record[name])}
        self.fresh.append({"step": self.steps, **said})
        if {"critic_real", "critic_loss", "r2"} <= record.keys():
            self.recent.append({name: float(value) for name, value in record.items()})

    def _step(self, once: str | None, batch: Batch, progress: float, key: tuple[int, int]) -> dict[str, float]:
        if once == "critic":
            return self.game.teach_critic(batch, progress, key)
        if once == "generator":
            return self.game.teach_generator(batch, progress, key)
        return self.game.step(batch, progress=progress, key=key, frozen=self.controls.freeze)

    def _picture_due(self) -> bool:
        """Whether the last picture is old enough, and pictures have not taken more than their share."""
        late = time.monotonic() - self.looked_at > 1 / FRAMES
        slow = time.monotonic() - self.looked_at > 0.5
        return late and (slow or self.drawing <= SHARE * (self.worked + 0.5))

    @torch.no_grad()
    def _picture(self) -> None:
        began = time.thread_time()  # what a busy machine does meanwhile is not the pictures' cost
        values = {
            "step": self.steps,
            "playing": bool(self.controls.playing),
            "records": list(self.fresh),
            "warnings": list(judge(list(self.recent)).items()),
            "error": self.error,
            "cost": self.drawing / max(self.worked, 1e-9),
            "rate": self.steps / max(self.seconds, 1e-9),
        }
        self.fresh.clear()
        arrays = self._on_images(values) if self.gan.space.is_image else self._on_points()
        self.frame, self.number = packed({**values, "number": self.number + 1}, **arrays), self.number + 1
        self.looked_at = time.monotonic()
        self.drawing += time.thread_time() - began

    def _on_points(self) -> dict[str, Tensor]:
        """Fakes from the same z at all times, the critic's landscape, and its beliefs."""
        fake = self.gan.decode(self.z[:SHOWN])
        at = torch.linspace(-REACH, REACH, SIDE)
        grid = torch.cartesian_prod(at.flip(0), at).flip(1)
        beliefs = self._beliefs(fake, grid)
        return {"fake": fake, **beliefs, "landscape": beliefs["landscape"].view(SIDE, SIDE)}

    def _on_images(self, values: dict[str, object]) -> dict[str, Tensor]:
        """Fakes from the same z, the critic's beliefs, and how sharp they are."""
        space = self.gan.space
        fake = space.clamp(self.gan.decode(self.z[:IMAGES])).round().long()
        if self.real_sharpness:
            values["sharpness"] = gradient(fake, space) / self.real_sharpness
        return {"pictures": torch.from_numpy(pictures(fake, space))} | self._beliefs(fake)

    def _beliefs(self, fake: Tensor, landscape: Tensor | None = None) -> dict[str, Tensor]:
        """The critic's logits of real, held-out and fake rows, and of places, all judged together."""
        asked = {"real": self.rows.x[:JUDGED], "held_out": self.held_out.x[:JUDGED], "of_fake": fake[:JUDGED]}
        if landscape is not None:
            asked["landscape"] = landscape
        logits = self.gan.critic(torch.cat([self.gan.to_network(x) for x in asked.values()]), None)
        return dict(zip(asked, logits.split([len(x) for x in asked.values()]), strict=True))
