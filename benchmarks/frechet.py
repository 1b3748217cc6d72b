"""Frechet distance on a judge's features, of the samples of any runs, beside the floor of real against real rows.

    priorcraft fit mnist gan --out runs/gan --minutes 30
    priorcraft fit mnist vae --out runs/vae --minutes 30
    python benchmarks/frechet.py runs/gan runs/vae --judge judges

The runs may be of MNIST or Fashion-MNIST, or of any other labelled grey images of 28 x 28 pixels; the judge of each
data set is trained once and kept in --judge. All distances are of as many rows against as many, for they are biased.
"""

import argparse
from pathlib import Path

from torch import Tensor

import priorcraft as pc
from judge import Judge, samples
from priorcraft.datasets import Splits, open_data
from priorcraft.metrics.frechet import frechet
from priorcraft.metrics.two_sample import TwoSampleTest
from priorcraft.run import Run


class Scene:
    """One data set: its judge, its test rows' features and its floor.

    Args:
        splits: the data.
        folder: of the judges.
        rows: of each side of every distance.
    """

    def __init__(self, splits: Splits, folder: Path, rows: int) -> None:
        self.rows = min(rows, len(splits.test), len(splits.valid))
        self.judge = Judge(splits, folder / f"judge-{splits.fingerprint[:12]}.safetensors")
        self.test = self.judge.features(splits.test.x[: self.rows])
        self.floor = frechet(self.judge.features(splits.valid.x[: self.rows]), self.test)
        self.tell = TwoSampleTest(splits)

    def of(self, x: Tensor) -> float:
        """The distance of as many samples."""
        return frechet(self.judge.features(x[: self.rows]), self.test)


def main() -> None:
    """Prints a row a run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--judge", type=Path, default=Path("judges"))
    parser.add_argument("--rows", type=int, default=10_000)
    options = parser.parse_args()
    scenes = dict[str, Scene]()
    print("| data | run | model | minutes | Frechet distance | class kept | two-sample AUC |")
    print("|---|---|---|---|---|---|---|")
    for path in options.runs:
        run = pc.load(path)
        source = str(run.data["source"])
        if source not in scenes:
            splits = open_data(source, seed=int(run.data["seed"]))
            scene = scenes[source] = Scene(splits, options.judge, options.rows)
            low, high = scene.tell.test(splits.valid.x, power=False).floor or (float("nan"),) * 2
            print(
                f"| {source} | real against real | | | {scene.floor:.2f} | {scene.judge.accuracy:.4f} | "
                f"{low:.3f} to {high:.3f} |",
                flush=True,
            )
        print(row(run, source, scenes[source]), flush=True)


def row(run: Run, source: str, scene: Scene) -> str:
    """One run, judged."""
    x, given = samples(run, scene.rows)
    kept = "" if given is None else f"{float((scene.judge.classes(x) == given).float().mean()):.4f}"
    auc = scene.tell.test(x).auc or float("nan")
    minutes = run.seconds / 60
    return f"| {source} | {run.path.name} | {run.name} | {minutes:.1f} | {scene.of(x):.2f} | {kept} | {auc:.3f} |"


if __name__ == "__main__":
    main()
