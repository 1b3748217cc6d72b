"""What every room says of the runs of the workspace is what it said.

`PRIORCRAFT_GOLDENS=write python -m pytest tests/studio/test_answers.py` where a change is meant.
"""

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from awaited import awaited
from priorcraft.datasets import Splits
from priorcraft.studio.api import create
from priorcraft.studio.desk import Desk
from said import alike, answer, full, golden, measured  # noqa: F401

X, VAE, ORDER, PAIRS = "<x>", {"run": "flat-vae"}, "<order>", {"run": "pairs"}
ASKED: dict[str, dict[str, Any] | None] = {  # address -> the question of a POST; None for a GET
    "about": None,
    "runs/flat-vae/rows?n=4": None,
    "runs/weather/table": None,
    "runs/pairs/domain": None,
    "data": {"source": "digits"},
    "sample": {"run": "mixture", "label": 3, "n": 4},
    "sample gan": {"run": "gan", "n": 4},
    "classify": {"run": "mixture", "x": X},
    "classify/usual": {"run": "mixture"},
    "classify/direct": {"run": "mixture", "x": X},
    "latent/map": VAE,
    "latent/map ppca": {"run": "ppca"},
    "latent/walk": {**VAE, "at": [0.5, -1.0]},
    "latent/walk z": {**VAE, "z": [0.5, -1.0, 0.2, 1.0], "label": 2},
    "latent/component": {"run": "mixture", "z": 2, "n": 3},
    "latent/between": {**VAE, "a": 0, "b": 3, "steps": 4},
    "order/draw": {"run": "masked-mlp", "order": ORDER, "block": 4},
    "order/score": {"run": "masked-mlp", "order": ORDER, "block": 16},
    "vae/up": {**VAE, "x": X},
    "vae/up label": {**VAE, "x": X, "label": 3},
    "vae/down": {**VAE, "z": [0.5, -1.0, 0.2, 1.0]},
    "vae/active": VAE,
    "evidence": {"run": "mixture", "x": X, "hidden": "<hidden>", "n": 4},
    "evidence small": {"run": "mixture", "x": X, "seen": "small", "n": 4},
    "cells": {"run": "weather", "cells": {"sky": "sun", "heat": ""}, "n": 4},
    "translate": {**PAIRS, "x": "<bits>", "n": 2},
    "translate label": {**VAE, "x": X, "label": 1, "to": 5, "n": 2},
    "compare": {"runs": ["mixture", "flat-vae", "gan"]},
    "verbs/score": {"arguments": {"run": "mixture", "limit": 20}},
}


@pytest.fixture(scope="module")
def api(workspace: Path) -> Any:
    """The studio's application in this process."""
    return create(workspace, "digits", None, Desk())


def request(api: Any, address: str, question: dict[str, Any] | None) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    path, _, query = address.partition("?")
    sent, body = list[dict[str, Any]](), b"" if question is None else json.dumps(question).encode()
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": ""}
    scope |= {"method": "GET" if question is None else "POST", "path": f"/api/{path}", "query_string": query.encode()}
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    awaited(api({**scope, "headers": [(b"content-type", b"application/json")]}, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def read(body: bytes, place: Path) -> Any:
    """An answer: JSON, or messages of a header and numbers."""
    if body[:1] in (b"{", b"["):
        return answer(json.loads(body), place)
    found = []
    while body:
        size, head = struct.unpack("<II", body[:8])
        header, numbers = body[8 : 8 + head].decode(), body[8 + head : 4 + size]
        found.append([answer(json.loads(header), place)])
        for _, kind, shape in json.loads(header)["arrays"]:
            array = np.frombuffer(numbers, f"<{kind}", int(np.prod(shape)))
            found[-1].append(measured(array))
            numbers = numbers[array.nbytes + -array.nbytes % 4 :]
        body = body[4 + size :]
    return found


@pytest.mark.parametrize("line", ASKED)
def test_a_room_says_what_it_said(api: Any, workspace: Path, digits: Splits, line: str):
    x = digits.test.x[0].flatten().tolist()
    known = {
        "<x>": x,
        "<order>": [*range(64)][::-1],
        "<hidden>": [int(i < 32) for i in range(64)],
        "<bits>": [1, 0] * 8,
    }
    question = ASKED[line]
    given = None if question is None else {k: known.get(v, v) if isinstance(v, str) else v for k, v in question.items()}
    status, body = request(api, line.partition(" ")[0], given)
    assert status == 200, body
    found = read(body, workspace.parent)
    assert alike(golden("rooms.json", line, found), found, 1e-2), found
