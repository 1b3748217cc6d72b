"""Data that a game is hard put to: it plays, or says in a sentence why not."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import priorcraft as pc
from priorcraft import runtime
from priorcraft.datasets import open_data
from priorcraft.errors import DataError, Stopped
from priorcraft.run import load

TINY = {"hidden": 2, "latent": 2, "layers": 1}


def pictures(n: int, *shape: int) -> dict[str, Any]:
    """Noise, 17 levels."""
    x = torch.randint(17, (n, *shape), generator=runtime.keyed("pictures", n, *shape))
    return {"x": x.numpy(), "levels": 17}


def play(data: dict[str, Any], out: Path, **settings: object) -> torch.Tensor:
    """Three samples of a game of two steps."""
    pc.fit(open_data(data), "gan", out=out / "run", steps=2, settings=TINY | settings)
    return load(out / "run").model.sample(3, generator=runtime.keyed(0))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 8, 8), (1, 9, 7), (1, 28, 28), (1, 25, 24), (3, 1, 150), (3, 64, 64)])
def test_images_of_every_size_can_be_played_for(shape, tmp_path):
    assert play(pictures(30, *shape), tmp_path, augment="always").shape == (3, *shape)


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein"])
def test_fewer_images_than_a_batch_or_than_the_critics_steps(loss, tmp_path):
    assert play(pictures(5, 1, 8, 8), tmp_path, loss=loss).shape == (3, 1, 8, 8)


def test_one_class_alone(tmp_path):
    data = pictures(30, 1, 8, 8) | {"y": torch.zeros(30, dtype=torch.long).numpy()}
    assert play(data, tmp_path).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_images_that_are_all_alike_are_refused(n, tmp_path):
    data = {"x": torch.full((n, 1, 8, 8), 4).numpy(), "levels": 17}
    with pytest.raises(DataError, match=r"no variance|at least") as said:
        play(data, tmp_path)
    assert said.value.exit_code == 3


def test_an_interrupted_game_keeps_its_last_weights_and_goes_on(tmp_path):
    def interrupt(record: object) -> None:
        if getattr(record, "step", 0) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    data, run = open_data(pictures(30, 1, 16, 16)), tmp_path / "run"
    with pytest.raises(Stopped) as said:
        pc.fit(data, "gan", out=run, steps=9, settings=TINY, listen=lambda name: interrupt)
    assert said.value.exit_code == 130
    assert load(run).steps == 5
    assert pc.fit(data, out=run, resume=True).steps == 9
