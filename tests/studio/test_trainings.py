"""Trainings outlive the page and the server."""

import json
import signal
import time
from pathlib import Path

import pytest

from priorcraft.studio.rooms.trainings import Fitting
from priorcraft.studio.trainings import Trainings
from priorcraft.studio.uploads import Uploads
from priorcraft.studio.workspace import Workspace
from studio.conftest import Server

JSON = {"Content-Type": "application/json"}
PATIENCE = 120  # seconds; a machine may be busy


def begin(server: Server, **asked) -> str:
    body = {"data": "digits", "model": "gan", "minutes": 5, **asked}
    status, found = server.request("POST", "/api/fit", json.dumps(body), headers=JSON)
    assert status == 202, found
    return json.loads(found)["run"]


def state(server: Server, run: str) -> str:
    runs = json.loads(server.request("GET", "/api/runs")[1])
    return next((info["state"] for info in runs if info["id"] == run), "none")


def wait_for(server: Server, run: str, wanted: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while state(server, run) != wanted:
        assert time.monotonic() < deadline, state(server, run)
        time.sleep(0.3)


@pytest.mark.slow
def test_a_training_survives_its_server_is_found_again_stopped_and_resumed(tmp_path: Path):
    server = Server(tmp_path / "runs").start()
    run = begin(server)
    wait_for(server, run, "running")
    server.process.kill()
    server.process.wait()
    again = Server(tmp_path / "runs").start()
    try:
        assert state(again, run) == "running"
        assert again.request("POST", f"/api/runs/{run}/stop")[0] == 202
        wait_for(again, run, "stopped")
        assert again.request("POST", f"/api/runs/{run}/stop")[0] == 400
        assert again.request("POST", f"/api/runs/{run}/resume")[0] == 202
        wait_for(again, run, "running")
        assert again.request("POST", f"/api/runs/{run}/stop")[0] == 202
        wait_for(again, run, "stopped")
        status, events = again.request("GET", f"/api/runs/{run}/events")
        assert status == 200
        assert b"event: state" in events
    finally:
        again.stop(signal.SIGINT)


def test_a_training_that_cannot_begin_says_why(server: Server):
    run = begin(server, model="vae", settings={"latent": "-3"})
    status, events = server.request("GET", f"/api/runs/{run}/events")
    assert status == 200
    last = json.loads(events.decode().strip().splitlines()[-1].removeprefix("data: "))
    assert last["state"] == "failed"
    assert "latent" in last["error"]


def test_the_column_that_is_the_class_goes_along_and_an_upload_keeps_its_name(tmp_path: Path, monkeypatch):
    trainings, begun = Trainings(Workspace(tmp_path)), list[list[str]]()
    monkeypatch.setattr(trainings, "_spawn", lambda run, words: begun.append(words))
    upload = Uploads(tmp_path).begin("../my birds (2).csv")
    assert upload.startswith("my-birds-2-")
    (tmp_path / "uploads" / upload / "birds.csv").write_text("kind\na\n")
    settings = {"latent": 16, "alpha": 1.5, "on": True}
    asked = {"data": upload, "model": "chow-liu", "steps": 1, "label": "--kind", "size": 16, "settings": settings}
    asked = Fitting.model_validate_json(json.dumps(asked))
    trainings.begin(asked.data, asked.model, asked.options())
    assert begun[0][3:] == [
        "--steps=1",
        "--label=--kind",
        "--size=16",
        "--set",
        "latent=16",
        "--set",
        "alpha=1.5",
        "--set",
        "on=true",
    ]
    assert begun[0][1].endswith("birds.csv")


def test_what_is_no_training_is_refused(server: Server):
    for asked in ({"model": "nothing"}, {"data": "/etc"}, {"data": "../x"}, {"minutes": 0}, {"minutes": None},
                  {"settings": {"--out": "/tmp/x"}}, {"settings": {"latent": "8\n--out"}},
                  {"steps": 3}, {"label": "a\nb"}):  # fmt: skip
        body = {"data": "digits", "model": "gan", "minutes": 5, **asked}
        assert server.request("POST", "/api/fit", json.dumps(body), headers=JSON)[0] in (400, 422), asked
