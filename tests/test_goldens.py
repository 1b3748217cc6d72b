"""The JSON of every command keeps its keys: what a script reads today it can read tomorrow.

`PRIORCRAFT_GOLDENS=write python -m pytest -m slow tests/test_goldens.py`
freezes them anew; a key may come, none may go.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from priorcraft.cli import main

FOLDER = Path(__file__).parent / "goldens"
QUICK = ["--steps", "3", "--quiet"]
PETS = "kind,weight,legs\n" + "".join(
    f"{('cat', 'dog', 'hen')[i % 3]},{3 + i % 7 + i % 3 * 4}.5,{(4, 4, 2)[i % 3]}\n" for i in range(120)
)
HOLES = "kind,weight,legs\ncat,,4\n,9.5,\nhen,7.5,2\n"
PAIRS = ["--pairs", "--steps", "2", "--quiet", "--set", "width=8"]

# name -> the words of the command; {} is the folder of the runs and files of this module
COMMANDS: dict[str, list[str]] = {
    "fit": ["fit", "digits", "naive-bayes", "--out", "{}/nb", *QUICK],
    "fit-vae": ["fit", "digits", "flat-vae", "--out", "{}/vae", *QUICK, "--set", "width=16", "--set", "latent=4"],
    "fit-ar": ["fit", "digits", "masked-mlp", "--out", "{}/ar", *QUICK, "--set", "width=64"],
    "fit-gan": ["fit", "digits", "gan", "--out", "{}/gan", *QUICK],
    "fit-table": ["fit", "{}/pets.csv", "chow-liu", "--label", "kind", "--out", "{}/pets", *QUICK],
    "fit-pairs": ["fit", "{}/pairs.npz", "masked-mlp", "--out", "{}/t", *PAIRS],
    "sample": ["sample", "{}/nb", "-n", "4", "--out", "{}/x.npz"],
    "sample-table": ["sample", "{}/pets", "-n", "4", "--out", "{}/more.csv"],
    "score": ["score", "{}/nb", "--limit", "20"],
    "score-bound": ["score", "{}/vae", "--limit", "20", "--samples", "10", "--check"],
    "score-none": ["score", "{}/gan", "--limit", "20"],
    "score-order": ["score", "{}/ar", "--limit", "20", "--order", "reverse"],
    "classify": ["classify", "{}/nb", "--beside", "logistic", "--calibrate", "--risk", "0.1", "--out", "{}/c.npz"],
    "classify-table": ["classify", "{}/pets"],
    "unusual": ["unusual", "{}/nb", "--against", "digits", "--out", "{}/u.npz"],
    "inpaint": ["inpaint", "{}/nb", "--data", "digits", "--limit", "3", "--mask", "bottom", "-n", "2", "--draws", "4"],
    "inpaint-file": ["inpaint", "{}/nb", "{}/image.png", "--mask", "left", "-n", "2", "--out", "{}/i.npz"],
    "upscale": ["upscale", "{}/nb", "--data", "digits", "--limit", "2", "-n", "2", "--draws", "4"],
    "impute": ["impute", "{}/nb", "{}/holes.npz", "-n", "2", "--draws", "4", "--out", "{}/filled.npz"],
    "impute-table": ["impute", "{}/pets", "{}/holes.csv", "-n", "1", "--draws", "4", "--out", "{}/filled.csv"],
    "translate": ["translate", "{}/t", "{}/pairs.npz", "-n", "2", "--out", "{}/b.npz"],
    "translate-label": ["translate", "{}/vae", "{}/image.png", "--to", "5", "-n", "2", "--out", "{}/five.png"],
    "augment": ["augment", "digits", "{}/nb", "--per-class", "3", "--repeats", "1", "--classifier", "logistic",
                "--sizes", "--out", "{}/added.npz"],
    "encode": ["encode", "{}/vae", "--limit", "5", "--out", "{}/z.npz"],
    "decode": ["decode", "{}/vae", "{}/z.npz", "--out", "{}/d.npz"],
    "interpolate": ["interpolate", "{}/vae", "0", "7", "--out", "{}/strip.png"],
    "traverse": ["traverse", "{}/vae", "3", "--latents", "0,1", "--out", "{}/sheet.png"],
    "analogy": ["analogy", "{}/vae", "1", "2", "3", "--out", "{}/analogy.png"],
    "latent-map": ["latent-map", "{}/vae", "--limit", "30", "--tiles", "3", "--out", "{}/map.npz"],
    "evaluate": ["evaluate", "{}/x.npz", "digits"],
    "evaluate-table": ["evaluate", "{}/more.csv", "{}/pets.csv", "--label", "kind"],
    "compare": ["compare", "digits", "--models", "naive-bayes,gan", "--steps", "2", "--out", "{}/compared", "--quiet"],
    "bayes": ["bayes", "docs/data/disease.csv", "--query", "disease", "--given", "test=positive"],
    "models": ["models"],
    "data": ["data"],
    "data-source": ["data", "digits"],
    "data-table": ["data", "{}/pets.csv", "--label", "kind"],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that the commands ask about."""
    path = tmp_path_factory.mktemp("goldens")
    (path / "pets.csv").write_text(PETS)
    (path / "holes.csv").write_text(HOLES)
    x = np.random.default_rng(0).integers(0, 17, (40, 1, 8, 8))
    np.savez(path / "pairs.npz", a=x, b=16 - x, levels=17)
    np.savez(path / "holes.npz", x=np.where(np.arange(64).reshape(1, 8, 8) < 32, np.nan, x[:3]))
    from PIL import Image

    Image.fromarray((x[0, 0] * 15).astype("uint8")).save(path / "image.png")
    return path


def shape(value: Any) -> Any:
    """The keys and types of a JSON value; of a list its first entry, of numbers that they are numbers."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def missing(golden: Any, found: Any, place: str = "") -> list[str]:
    """Where `found` has not what `golden` has."""
    if isinstance(golden, dict) and isinstance(found, dict):
        gone = [f"{place}.{key} is gone" for key in golden.keys() - found.keys()]
        return gone + [
            m for key in golden.keys() & found.keys() for m in missing(golden[key], found[key], f"{place}.{key}")
        ]
    if isinstance(golden, list) and isinstance(found, list):
        return missing(golden[0], found[0], f"{place}[]") if golden and found else []
    return [] if golden == found or "NoneType" in (golden, found) else [f"{place} was {golden} and is {found}"]


@pytest.mark.slow
def test_no_key_of_any_command_is_lost(folder, capsys):
    lost = []
    for name, words in COMMANDS.items():
        main([*(word.format(folder) for word in words), "--json"])
        found = shape(json.loads(capsys.readouterr().out))
        golden = FOLDER / f"{name}.json"
        if os.environ.get("PRIORCRAFT_GOLDENS") == "write":
            golden.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        lost += [f"{name}: {place}" for place in missing(json.loads(golden.read_text()), found)]
    assert not lost, "\n".join(lost)
