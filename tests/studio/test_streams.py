"""What is streamed to a page that goes away, and in how many pieces."""

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from awaited import awaited
from priorcraft.studio.desk import Desk
from priorcraft.studio.live import SHARE, Controls, LiveGame
from priorcraft.studio.rooms.evidence import Evidence, draws
from priorcraft.studio.trainings import Trainings
from priorcraft.studio.workspace import Cache, Workspace


class Page:
    """A tab that is closed after so many looks."""

    def __init__(self, open_for: int) -> None:
        self.left = open_for

    async def is_disconnected(self) -> bool:
        self.left -= 1
        return self.left < 0


class Engine:
    kind, method, diagnostics = "exact", "none", dict[str, float]()

    def __init__(self) -> None:
        self.drawn = 0

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        self.drawn += n
        return torch.zeros(1, n, 1, 2, 2, dtype=torch.long)


@pytest.mark.parametrize(("looks", "drawn"), [(0, 0), (1, 1), (9, 8)])
def test_nothing_is_drawn_for_a_page_that_is_gone(monkeypatch: pytest.MonkeyPatch, looks: int, drawn: int):
    monkeypatch.setattr("priorcraft.studio.rooms.evidence.message", lambda x, run, engine: b".")
    engine: Any = Engine()

    async def ask(work: Any) -> Any:
        return work()

    async def stream() -> int:
        asked, page = Evidence(run="r", x=[0] * 4), Page(looks)
        return len([piece async for piece in draws(ask, asked, (None, engine), page)])  # pyright: ignore

    assert awaited(stream()) == min(looks, 2)
    assert engine.drawn == drawn


def test_events_that_are_there_come_in_one_piece(tmp_path: Path):
    (tmp_path / "r").mkdir()
    lines = "".join(json.dumps({"step": i}) + "\n" for i in range(50))
    (tmp_path / "r" / "events.jsonl").write_text(lines + '{"step"')

    async def read(after: int) -> list[str]:
        return [piece async for piece in Trainings(Workspace(tmp_path)).events("r", after)]

    first, state = awaited(read(0))
    assert first.count("data: ") == 50
    assert f"id: {len(lines)}\n" in first
    assert "event: state" in state
    assert len(awaited(read(len(lines)))) == 1


def test_a_live_game_judges_all_points_together_and_counts_what_pictures_cost():
    angle = torch.arange(200) / 200 * 6.28
    game = LiveGame.on_points(torch.stack([angle.cos(), angle.sin()], 1).flatten().tolist(), "relativistic", 0)
    try:
        with torch.no_grad():
            both = game._beliefs(game.gan.decode(game.z), torch.zeros(3, 2))
            alone = game.gan.critic(game.gan.to_network(game.held_out.x), None)
        torch.testing.assert_close(both["held_out"], alone)
        assert [len(both[name]) for name in ("real", "of_fake", "landscape")] == [128, 128, 3]
        game.worked, game.drawing, game.looked_at = 10.0, 10 * SHARE + 0.1, time.monotonic() - 0.2
        assert not game._picture_due()
        game.drawing = 0.1
        assert game._picture_due()
        game.change(Controls(once="both"))
    finally:
        game.close()


def test_what_takes_long_keeps_nobody_else_waiting():
    cache, held, made = Cache(2), threading.Event(), list[str]()

    def slow() -> str:
        held.wait(5)
        made.append("slow")
        return "slow"

    async def ask() -> list[str]:
        desk = Desk(1)
        waiting = [asyncio.ensure_future(desk.ask("", lambda: cache.get("a", slow), long=True)) for _ in range(2)]
        quick = await desk.ask("", lambda: cache.get("b", lambda: "quick"))
        held.set()
        return [quick, *await asyncio.gather(*waiting)]

    assert awaited(ask()) == ["quick", "slow", "slow"]
    assert made == ["slow"]
