"""Stacked MNIST: three digits as the colours of one image, 1000 modes; how many does a GAN find, and how evenly?

    OMP_NUM_THREADS=2 python benchmarks/stacked.py mnist.npz --minutes 30 --seeds 3 --out stacked

A judge names the three digits of each of 26,000 samples (Metz et al. 2017, arXiv:1611.02163). The reverse KL is from
the shares of the modes among samples to those of the training images, in nats; biased upwards by about 999 / 52,000
= 0.019 for the samples and a little more for the training images, which the row of real images shows.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

import priorcraft as pc
from judge import Judge, samples
from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.datasets import Splits, open_data

SAMPLES, MODES = 26_000, 1000
ROWS = {"train": 50_000, "valid": 2_000, "test": SAMPLES}
PUBLISHED = {  # modes, reverse KL
    "DCGAN (Metz et al. 2017)": (99.0, 3.40),
    "VEEGAN (Srivastava et al. 2017)": (150.0, 2.95),
    "PacDCGAN-2 (Lin et al. 2018)": (1000.0, 0.06),
}


def drawn(digits: Splits, part: str) -> Tensor:
    """The numbers of the three digits of every image of a part, drawn independently, (N, 3)."""
    return torch.randint(len(digits.rows(part)), (ROWS[part], 3), generator=runtime.keyed("stacked", part))


def modes(classes: Tensor) -> Tensor:
    """Three digits (N, 3) as 0 ... 999, (N,)."""
    return classes.long() @ torch.tensor([100, 10, 1])


def read(judge: Judge, x: Tensor) -> Tensor:
    """The modes that the judge reads in images (N, 3, 28, 28), (N,)."""
    return modes(judge.classes(x.flatten(0, 1).unsqueeze(1)).view(-1, 3))


def shares(found: Tensor) -> Tensor:
    """Of each mode, (1000,)."""
    return found.bincount(minlength=MODES).double() / len(found)


def judged(found: Tensor, real: Tensor) -> tuple[int, float]:
    """Modes covered, and KL of the samples' shares from the real ones in nats; infinite where a mode is not real."""
    p, q = shares(found), shares(real)
    kl = torch.where(p > 0, p * (p.clamp_min(1e-12).log() - q.log()), 0.0).sum()
    return int((p > 0).sum()), float(kl)


def play(x: dict[str, Tensor], seed: int, options: argparse.Namespace) -> Tensor:
    """Samples of a GAN that `fit` has trained."""
    data = open_data({f"x_{part}": rows.numpy() for part, rows in x.items()} | {"levels": 256})
    begin = time.process_time()
    budget = {"steps": options.steps} if options.steps else {"minutes": options.minutes}
    settings = dict(pair.split("=", 1) for pair in options.set)
    run = pc.fit(data, "gan", out=options.out / f"seed-{seed}", seed=seed, overwrite=True, **budget, settings=settings)
    rows = int(settings.get("batch_size", 64))
    seconds = time.process_time() - begin
    rate = run.steps * rows / run.seconds
    print(f"seed {seed}: {run.steps} steps, {seconds:.0f} CPU s, {rate:.0f} images/s; {' '.join(run.notes)}")
    return samples(run, SAMPLES)[0]


def main() -> None:
    """Prints a row a seed, beside what others published and what real images score."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("mnist", help="an .npz of MNIST, or a name that open_data knows")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of the gan")
    parser.add_argument("--out", type=Path, default=Path("stacked"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    digits = open_data(options.mnist)
    assert digits.space == Space((1, 28, 28), 256), f"{options.mnist} must hold grey images of 28 x 28 pixels"
    judge = Judge(digits, options.out / "judge.safetensors")
    print(f"judge: {judge.accuracy:.4f} of real test digits right (0.99 is asked for)")
    index = {part: drawn(digits, part) for part in ROWS}
    real = modes(digits.rows("train").y[index["train"]])
    held_out = modes(judge.classes(digits.test.x)[index["test"]])
    table = dict(PUBLISHED) | {"held-out real images": judged(held_out, real)}
    x = {part: digits.rows(part).x[rows].squeeze(2) for part, rows in index.items()}
    for seed in range(options.first, options.first + options.seeds):
        table[f"ours, seed {seed}"] = judged(read(judge, play(x, seed, options)), real)
    print("| | modes of 1000 | reverse KL |\n|---|---|---|")
    for name, (covered, kl) in table.items():
        print(f"| {name} | {covered:.0f} | {kl:.3f} |")


if __name__ == "__main__":
    main()
