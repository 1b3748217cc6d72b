"""What a run folder says of itself is checked before anything is built, and never believed."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

import priorcraft as pc
from priorcraft import zoo
from priorcraft.core import Space
from priorcraft.errors import CheckpointError, PriorcraftError, UsageError
from priorcraft.run import load
from priorcraft.train.loop import Record
from priorcraft.train.watch import Watch


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, digits) -> Path:
    """A small VAE."""
    path = tmp_path_factory.mktemp("io") / "vae"
    pc.fit(digits, "vae", out=path, steps=2, settings={"latent": 2, "hidden": 8, "depth": 1})
    return path


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(run, tmp_path / "run"))


def tamper(run: Path, **changes: object) -> None:
    """Edits config.json."""
    record = json.loads((run / "config.json").read_text())
    record["config"].update(changes)
    (run / "config.json").write_text(json.dumps(record))


SPOILT = {
    "unknown key": ({"callbacks": []}, "no key 'config.json: config.callbacks'"),
    "class path": ({"member": "os.system"}, "there is no model 'os.system'"),
    "unknown setting": ({"settings": {"latnet": 2}}, "did you mean 'latent'"),
    "setting of another type": ({"settings": {"latent": "two"}}, "of type int"),
    "space of another type": ({"space": "digits"}, "config.json: config.space must be an object"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_config_that_was_tampered_with_is_refused(case, copy):
    changes, sentence = SPOILT[case]
    tamper(copy, **changes)
    with pytest.raises(UsageError, match=sentence):
        load(copy)


def test_weights_of_another_model_are_refused_with_their_shapes(copy):
    tamper(copy, settings={"latent": 3, "hidden": 8, "depth": 1})
    with pytest.raises(CheckpointError, match=r"\(.*\)"):
        load(copy)


def test_one_flipped_byte_is_refused(copy):
    for weights in copy.glob("checkpoints/*/model.safetensors"):
        data = bytearray(weights.read_bytes())
        data[-5] ^= 1
        weights.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"SHA-256.*priorcraft verify"):
        load(copy)
    with pytest.warns(UserWarning, match="SHA-256"), pytest.raises(CheckpointError, match="no complete checkpoint"):
        load(copy, fall_back=True)


def test_a_pickle_is_never_opened(copy, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "canary",))

    for weights in copy.glob("checkpoints/*/*.safetensors"):
        weights.write_bytes(pickle.dumps(Bomb()))
    with pytest.warns(UserWarning, match="passed over"), pytest.raises(PriorcraftError):
        load(copy, fall_back=True)
    assert not (tmp_path / "canary").exists()


def test_a_run_says_everything_that_it_was_made_with(run):
    config = json.loads((run / "config.json").read_text())["config"]
    member, entry = zoo.entry("vae", Space((1, 8, 8), 17), 1000)
    assert config["member"] == member
    assert set(config["settings"]) == set(zoo.keywords(entry.model)) | set(zoo.keywords(entry.objective))
    assert config["settings"]["latent"] == 2
    assert pc.score(run, samples=1).kind == "lower bound"


def test_collapse_is_said_once_and_health_never():
    def told(values: dict) -> list[str]:
        watch, said = Watch(), []
        for step in range(400):
            said += watch(Record("step", step, 0.5, 1.0, {"loss": 1.0} | values))
            said += watch(Record("validation", step, 0.5, 1.0, {})) if step % 50 == 0 else []
        return said

    assert len(told({"kl": 0.01})) == 1
    assert "0.010 nats" in told({"kl": 0.01})[0]
    assert told({"kl": 12.0}) == []
    game = {"critic_real": 0.1, "critic_fake": 0.0, "critic_loss": 0.7, "r1": 1.0, "r2": 1.0}
    assert told(game | {"diversity": 0.95}) == []
    assert any("mode collapse" in sentence for sentence in told(game | {"diversity": 0.1}))


def test_the_global_generator_is_untouched_by_a_training(digits, tmp_path):
    before = torch.get_rng_state()
    pc.fit(digits, "gan", out=tmp_path / "gan", steps=2, settings={"hidden": 8, "latent": 2})
    assert torch.equal(torch.get_rng_state(), before)
