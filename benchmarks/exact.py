"""Exact likelihood for the computing time, beside the classical models, on the same rows, threads and clock.

    PRIORCRAFT_DATA=folder python benchmarks/exact.py --minutes 4 dna mushrooms digits

`folder` holds dna.npz and mushrooms.npz with the keys x_train, x_valid, x_test and levels.
"""

import argparse
import os
import tempfile
import time

import torch

import priorcraft as pc
from priorcraft.data import Splits
from priorcraft.verbs import fit, load, score

CLASSICAL = ("mixture", "chow-liu", "latent-tree", "masked-mlp")


def data(name: str) -> Splits:
    """A built-in data set, or a file in PRIORCRAFT_DATA."""
    return pc.open_data(name if name == "digits" else f"{os.environ['PRIORCRAFT_DATA']}/{name}.npz")


def row(splits: Splits, model: str, minutes: float) -> float:
    """Fits, prints one line, returns test nats."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        fit(splits, model, out=f"{folder}/run", minutes=minutes)
        seconds = time.perf_counter() - start
        found = score(load(f"{folder}/run"), splits)
    print(
        f"  {model:16} = {found['nats']:.3f} nats ± {found['standard_error'] * splits.space.dims * 0.6931:.3f}, "
        f"{found['bits_per_dim']:.3f} bits/dim, {seconds:.0f} s",
        flush=True,
    )
    return found["nats"]


def main() -> None:
    """Prints one block a data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["digits"])
    parser.add_argument("--minutes", type=float, default=4.0)
    given = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {given.minutes:g} minutes a model at most")
    for name in given.names:
        splits = data(name)
        print(f"{name}: {len(splits.train)} training rows, test = {len(splits.test)}")
        best = min(row(splits, model, given.minutes) for model in CLASSICAL)
        ours = row(splits, "autoregressive", given.minutes)
        print(f"  autoregressive / best of the others: {ours / best:.4f}")


if __name__ == "__main__":
    main()
