"""What a classifier gains by samples: digits, ten labels a class, the rest unlabelled.

    OMP_NUM_THREADS=1 python benchmarks/augment.py

Three draws of the labels; for each, the proof of `augment` with a kernel density that learned from the unlabelled rows
too, and its verdict. Then all labels, where augmentation has little left to give.
"""

import tempfile
from pathlib import Path

import numpy as np

import priorcraft as pc
from priorcraft import runtime
from priorcraft.classifiers.curve import hidden
from priorcraft.datasets import open_data

DRAWS = 3


def proof(folder, digits, y, per_class):
    """The answer of `augment` on digits with these labels."""
    parts = {f"x_{p}": digits.rows(p).x.numpy() for p in ("train", "valid", "test")}
    parts |= {"y_train": y.numpy(), "y_valid": digits.valid.y.numpy(), "y_test": digits.test.y.numpy()}
    np.savez(folder / "data.npz", levels=17, **parts)
    data, settings = folder / "data.npz", {"ridge": "0.1"}
    run = pc.fit(data, "kernel", out=folder / "run", steps=3, settings=settings, overwrite=True)
    return pc.augment(data, run, per_class=per_class, repeats=3)


def show(title, answer):
    """One line a proof."""
    accuracies = ", ".join(f"{arm.training} {arm.accuracy:.4f}" for arm in answer.table)
    print(f"{title}: {accuracies}; gain {answer.gain}: {answer.verdict}")


if __name__ == "__main__":
    data, gains = open_data("digits"), []
    with tempfile.TemporaryDirectory() as place:
        for r in range(DRAWS):
            labels = hidden(data.train.y, 10, generator=runtime.keyed("few", r))
            found = proof(Path(place), data, labels, 300)
            gains.append(found.gain.mean)
            show(f"10 labels a class, draw {r}", found)
        print(f"mean gain {sum(gains) / DRAWS:+.4f}")
        show("all labels", proof(Path(place), data, data.train.y, 300))
