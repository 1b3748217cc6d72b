"""Exact likelihood for the computing time, beside classical models and published methods: same rows, threads and clock.

    PRIORCRAFT_DATA=folder python benchmarks/exact.py --seconds 240 dna mushrooms digits mnist_bits fashion-mnist

`folder` holds dna.npz, mushrooms.npz and mnist_bits.npz with the keys x_train, x_valid, x_test and levels; a name may
also be a path. Labels are left out, so that every model sees the same bits. The peers are `benchmarks/peers.py`: a MADE
of one hidden layer and a raster PixelCNN, minimal but faithful; the mixture is our own, by EM. Every row is -log p(x)
of the same first test rows, exact.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

import priorcraft as pc
from peers import MADE, PixelCNN, fitted, nats
from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.datasets import Rows, Splits

BUILT_IN = ("digits", "mnist", "fashion-mnist")
SMALL = 400  # entries up to which trees are tried
VALID = 1000  # validation rows that the peers look at


def data(name: str) -> Splits:
    """A built-in data set, a path, or a file in PRIORCRAFT_DATA; without labels."""
    path = Path(os.environ.get("PRIORCRAFT_DATA", ".")) / f"{name}.npz"
    splits = pc.open_data(name if name in BUILT_IN or Path(name).exists() else path)
    bare = {part: Rows(splits.rows(part).x) for part in ("train", "valid", "test")}
    return replace(splits, classes=(), **bare)


def ours(space: Space) -> list[str]:
    """The models that such data allow in short time."""
    if space.levels is not None and space.levels > 32:
        return ["autoregressive"]
    trees = ["chow-liu", "latent-tree"] if space.dims <= SMALL else []
    return ["mixture", *trees, "masked-mlp", "autoregressive"]


def peers(space: Space) -> dict[str, torch.nn.Module]:
    """Published methods for such data."""
    levels, found = space.levels or 2, {}
    if levels <= 32:
        hidden = 500 if space.dims <= SMALL else 2000
        found[f"MADE, {hidden} units"] = MADE(space.dims, levels, hidden)
    if space.is_image and space.event_shape[0] == 1:
        found["PixelCNN, h = 32, 7 blocks"] = PixelCNN(levels, 32, 7)
    return found


def told(name: str, found: float, splits: Splits, seconds: float) -> float:
    """Prints one line, returns the nats."""
    bits = found / (splits.space.dims * 0.693147)
    print(f"  {name:28} = {found:9.3f} nats, {bits:.3f} bits/dim, {seconds:.0f} s", flush=True)
    return found


def own(splits: Splits, model: str, seconds: float, limit: int) -> float:
    """One of ours."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run = pc.fit(splits, model, out=f"{folder}/run", minutes=seconds / 60)
        took = time.perf_counter() - start
        return told(model, pc.score(run, splits, limit=limit).nats, splits, took)


def peer(splits: Splits, name: str, model: torch.nn.Module, seconds: float, limit: int) -> float:
    """One of the peers."""
    start = time.perf_counter()
    kept = fitted(model, splits.train.x, splits.valid.x[:VALID], seconds)
    took = time.perf_counter() - start
    return told(name, nats(kept, splits.test.x[:limit]), splits, took)


def main() -> None:
    """Prints one block a data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["digits"])
    parser.add_argument("--seconds", type=float, default=240.0, help="for each model that trains by gradient")
    parser.add_argument("--rows", type=int, default=1000, help="test rows")
    given = parser.parse_args()
    runtime.tune()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {given.seconds:g} s a model at most")
    for name in given.names:
        splits = data(name)
        print(f"{name}: {len(splits.train)} training rows, test = the first {min(len(splits.test), given.rows)}")
        torch.manual_seed(0)
        others = [peer(splits, *one, given.seconds, given.rows) for one in peers(splits.space).items()]
        found = {model: own(splits, model, given.seconds, given.rows) for model in ours(splits.space)}
        best = min([*others, *(n for model, n in found.items() if model != "autoregressive")])
        print(f"  autoregressive / best of the others: {found['autoregressive'] / best:.4f}")


if __name__ == "__main__":
    main()
