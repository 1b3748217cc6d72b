"""Peers for tables, in an environment of their own that is made once; this file is also what runs in there.

    python benchmarks/table_peers.py JOB.pkl    (in that environment; `ask` does it)

Peers get the rows as frames and give frames or arrays back. Every one runs with the settings that it comes with.
"""

import os
import pickle
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Frame = Any  # of pandas
PACKAGES = ("lightgbm", "miceforest", "arfpy", "copulas", "scikit-learn", "pandas", "pyarrow")
PLACE = Path(os.environ.get("PRIORCRAFT_PEERS", Path.home() / ".cache" / "priorcraft" / "table-peers"))
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


class Absent(Exception):
    """A peer that could not be had, and why."""


def python_of_peers() -> Path:
    """The interpreter of the environment, made on first use.

    Raises:
        Absent: pip could not fill it.
    """
    found = PLACE / "bin" / "python"
    if not (PLACE / "ready").exists():
        venv.create(PLACE, with_pip=True, clear=True)
        command = [found, "-m", "pip", "install", "-q", "-c", CONSTRAINTS, *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Absent(f"the environment of the peers could not be made: {done.stderr.strip().splitlines()[-1]}")
        (PLACE / "ready").touch()
    return found


def ask(peer: str, **given: Any) -> tuple[Any, float]:
    """What a peer answers, and the CPU seconds that it took.

    Raises:
        Absent: it failed, with its last words.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder, "job.pkl")
        job.write_bytes(pickle.dumps({"peer": peer, "given": given}))
        clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        command = [python_of_peers(), "-W", "ignore", __file__, job]
        done = subprocess.run(command, capture_output=True, text=True, env=clean, check=False)
        if done.returncode:
            raise Absent(f"{peer}: {(done.stderr.strip().splitlines() or ['no word'])[-1]:.120}")
        return pickle.loads(Path(folder, "answer.pkl").read_bytes())


def chain(
    train: np.ndarray, valid: np.ndarray, test: np.ndarray, sizes: list[int], ordered: list[bool]
) -> dict[str, np.ndarray]:
    """-log p of test rows by a chain of LightGBM classifiers over columns of integers, the first the class, nats.

    Each column is told by all earlier ones, with 200 rounds at most, stopped by the validation rows, and mixed with an
    even distribution by the share that is best on them. Also log p(c | x), by the sum rule over the first column.
    """
    import lightgbm as lgb  # pyright: ignore[reportMissingImports]

    states = sizes[0]
    tries = (
        test
        if states == 1
        else np.concatenate([np.column_stack([np.full(len(test), c), test[:, 1:]]) for c in range(states)])
    )
    held, asked = np.zeros(len(valid)), np.zeros(len(tries))
    for i, size in enumerate(sizes):
        known, codes = np.unique(train[:, i], return_inverse=True)
        p = {}
        if i == 0 or len(known) == 1:
            share = np.bincount(codes, minlength=len(known)) / len(codes)
            p = {name: np.tile(share, (len(rows), 1)) for name, rows in (("valid", valid), ("asked", tries))}
        else:
            inside = np.isin(valid[:, i], known)
            options = {"objective": "multiclass", "num_class": len(known), "verbose": -1, "num_threads": 1}
            options |= {"learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 10, "seed": 0}
            words = [j for j in range(i) if not ordered[j] and sizes[j] > 2]
            data = lgb.Dataset(train[:, :i], codes, categorical_feature=words, free_raw_data=False)
            held_out = data.create_valid(valid[inside, :i], np.searchsorted(known, valid[inside, i]))
            model = lgb.train(
                options, data, 200, valid_sets=[held_out], callbacks=[lgb.early_stopping(10, verbose=False)]
            )
            p = {"valid": model.predict(valid[:, :i]), "asked": model.predict(tries[:, :i])}
        full = {name: np.zeros((len(values), size)) for name, values in p.items()}
        for name, values in p.items():
            full[name][:, known] = values
        shares = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1)
        each = [np.log((1 - e) * full["valid"][np.arange(len(valid)), valid[:, i]] + e / size) for e in shares]
        best = int(np.argmax([values.mean() for values in each]))
        held += each[best]
        asked += np.log((1 - shares[best]) * full["asked"][np.arange(len(tries)), tries[:, i]] + shares[best] / size)
    joint = asked.reshape(states, len(test)).T
    own = joint[np.arange(len(test)), test[:, 0]] if states > 1 else joint[:, 0]
    top = joint.max(1, keepdims=True)
    return {"nats": -own, "posterior": joint - top - np.log(np.exp(joint - top).sum(1, keepdims=True))}


def arf(train: Frame, n: int) -> Frame:
    """Rows of an adversarial random forest (Watson, Blesch, Kapar & Wright 2023), arfpy."""
    from arfpy import arf as forest  # pyright: ignore[reportMissingImports]

    setattr(np, "in1d", np.isin)  # noqa: B010 - what arfpy still calls it

    whole = train.dropna().reset_index(drop=True)
    words = [name for name in whole.columns if not pd.api.types.is_numeric_dtype(whole[name])]
    whole[words] = whole[words].astype("category")
    model = forest.arf(x=whole, num_trees=30, verbose=False)
    model.forde()
    return model.forge(n=n)


def copula(train: Frame, n: int) -> Frame:
    """Rows of a Gaussian copula (`copulas`, what SDV's GaussianCopula is made of); words by their shares in order."""
    from copulas.multivariate import GaussianMultivariate  # pyright: ignore[reportMissingImports]

    rng, kept, numbers = np.random.default_rng(0), {}, train.dropna().reset_index(drop=True).copy()
    for name in numbers.columns:
        if not pd.api.types.is_numeric_dtype(numbers[name]):
            words, codes = np.unique(numbers[name].astype(str), return_inverse=True)
            ends = np.concatenate([[0], np.cumsum(np.bincount(codes)) / len(codes)])
            kept[name] = words, ends
            numbers[name] = ends[codes] + rng.uniform(size=len(codes)) * np.diff(ends)[codes]
    model = GaussianMultivariate()
    model.fit(numbers)
    drawn = model.sample(n)
    for name, (words, ends) in kept.items():
        drawn[name] = words[np.searchsorted(ends[1:-1], drawn[name].to_numpy(), side="right")]
    return drawn[list(train.columns)]


def mice(train: Frame, holes: Frame, draws: int) -> list[Frame]:
    """Several imputations by chained forests (`miceforest`), fitted to the training rows."""
    import lightgbm as lgb  # pyright: ignore[reportMissingImports]
    import miceforest  # pyright: ignore[reportMissingImports]

    own = lgb.Booster._Booster__inner_predict  # miceforest gives the argument by its place
    lgb.Booster._Booster__inner_predict = lambda booster, i: own(booster, data_idx=i)
    words = [name for name in train.columns if not pd.api.types.is_numeric_dtype(train[name])]
    kinds = {name: pd.CategoricalDtype(sorted(train[name].dropna().unique())) for name in words}
    both = pd.concat([train, holes], ignore_index=True).astype(kinds)
    kernel = miceforest.ImputationKernel(both, num_datasets=draws, random_state=0)
    kernel.mice(3, num_threads=1)
    return [kernel.complete_data(i).iloc[len(train) :].reset_index(drop=True) for i in range(draws)]


PEERS: dict[str, Callable[..., Any]] = {"chain": chain, "arf": arf, "copula": copula, "mice": mice}


if __name__ == "__main__":
    place = Path(sys.argv[1])
    asked = pickle.loads(place.read_bytes())
    began = time.process_time()
    found = PEERS[asked["peer"]](**asked["given"])
    (place.parent / "answer.pkl").write_bytes(pickle.dumps((found, time.process_time() - began)))
