"""Tables: drawn rows, exact nats, imputation, Bayes' rule and reading, each beside peers on the same rows in one run.

    PRIORCRAFT_DATA=folder python benchmarks/tables.py drawn nats imputed bayes --minutes 0.5 hdma:deny
    python benchmarks/tables.py reading

`folder` holds NAME_train.csv and NAME_test.csv; a table is asked for as NAME:LABEL. Without it, the tables that
scikit-learn bundles: wine:class and breast_cancer:class. Ours trains on 70 % of the training rows, for so many minutes
a model; the peers (`table_peers.py`, an environment of their own; scikit-learn in ours) see all of them. A peer that
cannot be had is named and left out. Floors are the real training rows in the place of drawn ones.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import priorcraft as pc
from priorcraft import runtime
from priorcraft.datasets import open_data
from priorcraft.run import Run
from table_figures import Frame, auc, c2st, coded, crps, impossible, is_words, pair_trends, trees, tstr
from table_peers import Absent, ask

OURS = ("latent-tree", "autoregressive")
DRAWS, HIDDEN = 10, 0.2  # imputations of a row, share of cells that are hidden at random
FEW = 2000  # test rows that are imputed


@dataclass(frozen=True)
class Table:
    """A table in two parts."""

    name: str
    label: str
    train: Frame
    test: Frame

    @property
    def parts(self) -> tuple[Frame, Frame]:
        """Training and test rows without the label."""
        return self.train.drop(columns=self.label), self.test.drop(columns=self.label)


def opened(asked: str) -> Table:
    """The table NAME:LABEL, from the folder or from scikit-learn."""
    from sklearn import datasets

    name, label = asked.split(":")
    folder = Path(os.environ.get("PRIORCRAFT_DATA", "."))
    if (folder / f"{name}_train.csv").exists():
        return Table(name, label, *(pd.read_csv(folder / f"{name}_{part}.csv") for part in ("train", "test")))
    if not hasattr(datasets, f"load_{name}"):
        raise SystemExit(f"{folder} holds no {name}_train.csv; set PRIORCRAFT_DATA to a folder that does.")
    bundled = getattr(datasets, f"load_{name}")(as_frame=True)
    rows = bundled.data.copy()
    rows[label] = bundled.target_names[bundled.target]
    mixed = rows.sample(frac=1, random_state=0).reset_index(drop=True)
    cut = int(0.7 * len(mixed))
    return Table(name, label, mixed[:cut], mixed[cut:].reset_index(drop=True))


def fitted(table: Table, minutes: float, folder: str) -> Iterator[tuple[str, Run, float]]:
    """Each of our models with its CPU seconds."""
    source = Path(folder, f"{table.name}.csv")
    table.train.to_csv(source, index=False)
    for name in OURS:
        began = time.process_time()
        out = Path(folder, f"{table.name}-{name}")
        run = (
            pc.load(out)
            if out.exists()
            else pc.fit(source, name, out=out, minutes=minutes, reading={"label": table.label})
        )
        yield name, run, time.process_time() - began


def told(title: str, **figures: float) -> None:
    """One line of figures."""
    print(
        f"  {title:32}" + "".join(f"  {name.replace('_', ' ')} {value:.3f}" for name, value in figures.items()),
        flush=True,
    )


def tried(answer: Callable[[], None]) -> None:
    """A peer's line, or why there is none."""
    try:
        answer()
    except Absent as why:
        print(f"  left out: {why}", flush=True)


def drawn(table: Table, minutes: float, folder: str) -> None:
    """Rows drawn from each model, judged on their cells beside real rows without holes."""
    train, test = table.train.dropna(), table.test.dropna()
    floor = tstr(train, test, table.label)

    def line(title: str, rows: Frame, cpu: float) -> None:
        rows = rows[list(table.train.columns)]
        told(
            title,
            C2ST=c2st(test, rows),
            TSTR_share=tstr(rows, test, table.label) / floor,
            pairs=pair_trends(test, rows),
            impossible=impossible(pd.concat([train, test]), rows),
            CPU_s=cpu,
        )

    line("real training rows (floor)", train, 0.0)
    for name, run, cpu in fitted(table, minutes, folder):
        line(f"priorcraft {name}", pc.sample(run, len(table.train), seed=1).table.to_pandas(), cpu)
    for peer in ("copula", "arf"):
        tried(lambda peer=peer: line(peer, *ask(peer, train=train, n=len(table.train))))


def nats(table: Table, minutes: float, folder: str) -> None:
    """-log p of the same integers and classes of test rows, exact, beside a chain of LightGBM."""
    runs = {name: run for name, run, _ in fitted(table, minutes, folder)}
    columns = runs[OURS[0]].columns
    assert columns is not None
    splits = open_data(Path(folder, f"{table.name}.csv"), label=table.label, seed=0)
    table.test.to_csv(Path(folder, "test.csv"), index=False)
    rows = open_data(Path(folder, "test.csv"), columns=columns).test
    whole = np.ones(len(rows), dtype=bool) if rows.seen is None else rows.seen.all(1).numpy()
    x, y = rows.x[whole].long(), rows.labels[whole]
    each = {name: minus_log(run.model, x, y) for name, run in runs.items()}
    best = each["autoregressive"]
    parts = {}
    for part in ("train", "valid"):
        own = splits.rows(part)
        seen = np.ones(len(own), dtype=bool) if own.seen is None else own.seen.all(1).numpy()
        parts[part] = np.column_stack([own.labels[seen].numpy(), own.x[seen].numpy()]).astype(int)
    words = {entry for _, kind, entries in columns.entries for entry in entries if kind == "word"}
    ordered = [False, *(entry not in words for entry in range(x.shape[1]))]
    test, sizes = np.column_stack([y.numpy(), x.numpy()]), [len(columns.classes), *columns.sizes]

    def beside() -> None:
        found, _ = ask("chain", **parts, test=test, sizes=sizes, ordered=ordered)
        each["chain of LightGBM"] = found["nats"]

    tried(beside)
    for name, values in each.items():
        difference = values - best
        told(
            name,
            nats=values.mean(),
            over_autoregressive=difference.mean(),
            interval=1.96 * difference.std() / len(x) ** 0.5,
        )


@torch.no_grad()
def minus_log(model: Any, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """-log p(x, c) of every row, nats, exact, (N,)."""
    parts = [model.log_prob(some, c) + model.log_prior[c] for some, c in zip(x.split(1000), y.split(1000), strict=True)]
    return -torch.cat(parts).double().numpy()


def holes(table: Table, kind: str) -> Frame:
    """Test rows in which cells are hidden: at random, or every second column where the first number is large."""
    rng, rows = np.random.default_rng(0), table.test[:FEW].reset_index(drop=True)
    names = [name for name in rows.columns if name != table.label]
    numbers = [name for name in names if not is_words(rows[name]) and rows[name].nunique() > 10]
    rank = rows[numbers[0]].rank(pct=True).fillna(0.5).to_numpy()
    masked = rows.copy()
    for place, name in enumerate(names):
        share = np.full(len(rows), HIDDEN) if kind == "MCAR" else (place % 2) * 0.6 * rank**2
        hide = rng.uniform(size=len(rows)) < (0 if kind == "MAR" and name == numbers[0] else share)
        masked[name] = masked[name].mask(hide)
    return masked


def iterative(table: Table, masked: Frame, kind: str) -> list[Frame]:
    """scikit-learn's IterativeImputer: draws, the mean, or forests in the place of regressions (missForest)."""
    train, rows = coded([table.train, masked])
    draws = DRAWS if kind == "draws" else 1
    found = []
    for seed in range(draws):
        if kind == "forest":
            forest = RandomForestRegressor(100, max_features=0.5, random_state=0)
            imputer = IterativeImputer(forest, max_iter=5, random_state=0)
        else:
            imputer = IterativeImputer(sample_posterior=kind == "draws", random_state=seed)
        filled = np.asarray(imputer.fit(train).transform(rows))
        found.append(frame_of(filled, table, masked))
    return found


def frame_of(filled: np.ndarray, table: Table, masked: Frame) -> Frame:
    """Numbers of `coded` as cells again."""
    out = masked.copy()
    for j, name in enumerate(masked.columns):
        if is_words(table.train[name]):
            words = sorted({str(w) for frame in (table.train, masked) for w in frame[name].dropna()})
            out[name] = np.array(words)[np.rint(filled[:, j]).clip(0, len(words) - 1).astype(int)]
        else:
            out[name] = filled[:, j]
    return out


def imputed(table: Table, minutes: float, folder: str) -> None:
    """Hidden cells of test rows, drawn by each."""
    for kind in ("MCAR", "MAR"):
        masked = holes(table, kind)
        hidden = int((masked.isna() & table.test[:FEW].notna()).to_numpy().sum())
        print(f"  {kind}: {hidden} cells hidden in {len(masked)} rows", flush=True)
        for name, run, _ in fitted(table, minutes, folder):
            began = time.process_time()
            filled = pc.impute(run, masked, n=DRAWS, draws=DRAWS).filled.to_pandas()
            took = time.process_time() - began
            every = [part.reset_index(drop=True) for _, part in filled.groupby(filled.columns[0])]
            judged(f"priorcraft {name}", table, masked, every, took)
        for way, title in (
            ("draws", "IterativeImputer, draws"),
            ("mean", "IterativeImputer, mean"),
            ("forest", "missForest"),
        ):
            began = time.process_time()
            found = iterative(table, masked, way)
            judged(title, table, masked, found, time.process_time() - began)

        def mice(masked: Frame = masked) -> None:
            found, took = ask("mice", train=table.train, holes=masked, draws=DRAWS)
            judged("miceforest", table, masked, found, took)

        tried(mice)


def judged(title: str, table: Table, masked: Frame, draws: list[Frame], cpu: float) -> None:
    """RMSE of the mean, CRPS and coverage of hidden numbers in their standard deviations, accuracy of hidden words."""
    truth, figures = table.test[:FEW].reset_index(drop=True), {"RMSE": [], "CRPS": [], "cover": [], "right": []}
    for name in table.parts[0].columns:
        hidden = (masked[name].isna() & truth[name].notna()).to_numpy()
        if not hidden.any():
            continue
        if is_words(table.train[name]):
            votes = pd.DataFrame([draw.loc[hidden, name].astype(str).to_numpy() for draw in draws]).mode().iloc[0]
            figures["right"].append(votes.to_numpy() == truth.loc[hidden, name].astype(str).to_numpy())
            continue
        scale = table.train[name].astype(float).std()
        every = np.stack([draw.loc[hidden, name].to_numpy(float) for draw in draws]) / scale
        real = truth.loc[hidden, name].to_numpy(float) / scale
        figures["RMSE"].append(np.square(every.mean(0) - real))
        figures["CRPS"].append(crps(every, real))
        if len(draws) > 1:
            low, high = np.quantile(every, (0.05, 0.95), axis=0)
            figures["cover"].append((low <= real) & (real <= high))
    means = {key: float(np.concatenate(values).mean()) for key, values in figures.items() if values}
    told(title, **means | {"RMSE": means["RMSE"] ** 0.5}, CPU_s=cpu)


def bayes(table: Table, minutes: float, folder: str) -> None:
    """p(class | row) on test rows."""
    y = table.test[table.label].astype(str).to_numpy()

    def line(title: str, p: np.ndarray, classes: np.ndarray) -> None:
        right = accuracy_score(y, classes[p.argmax(1)])
        told(title, nll=log_loss(y, p.clip(1e-12), labels=classes), accuracy=right, AUC=auc(p, y, classes))

    for name, run, _ in fitted(table, minutes, folder):
        answer = pc.classify(run, table.test)
        p = answer.log_posterior.exp().double().numpy()
        line(f"priorcraft {name}", p / p.sum(1, keepdims=True), np.array(answer.classes))
    x, asked = coded(list(table.parts))
    known = table.train[table.label].astype(str)
    model = trees().set_params(early_stopping=True).fit(x, known)
    line("boosted trees", model.predict_proba(asked), model.classes_)
    words = [name for name in table.parts[0].columns if is_words(table.train[name])]
    numbers = [name for name in table.parts[0].columns if name not in words]
    each = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), words),
    )
    model = make_pipeline(each, LogisticRegression(max_iter=500)).fit(table.parts[0], known)
    line("logistic regression", model.predict_proba(table.parts[1]), model.classes_)


def reading(rows: int) -> None:
    """A file of so many rows and 12 columns: `data` and its coding beside pyarrow's own read."""
    rng = np.random.default_rng(0)
    frame = {f"n{i}": rng.normal(size=rows).round(3) for i in range(4)}
    frame |= {f"k{i}": rng.poisson(40, rows) for i in range(4)}
    frame |= {f"w{i}": rng.choice(["red", "green", "blue", "grey"], rows) for i in range(4)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.csv")
        pd.DataFrame(frame).to_csv(path, index=False)
        print(f"{rows:,} rows x 12, {path.stat().st_size / 1e6:.0f} MB")
        ours = used([sys.executable, "-m", "priorcraft", "data", str(path), "--json"])
        script = f"import pyarrow.csv; pyarrow.csv.read_csv({str(path)!r})"
        peer = used([sys.executable, "-c", script])
    for title, (cpu, peak) in (("priorcraft data", ours), ("pyarrow's read", peer)):
        told(title, CPU_s=cpu, peak_GB=peak)
    told("ratio", CPU=ours[0] / peer[0], peak=ours[1] / peer[1])


def used(command: list[str]) -> tuple[float, float]:
    """CPU seconds and peak memory, GB, of a command."""
    watch = (
        f"import subprocess, resource; subprocess.run({command!r}, check=True, stdout=subprocess.DEVNULL); "
        "r = resource.getrusage(resource.RUSAGE_CHILDREN); print(r.ru_utime + r.ru_stime, r.ru_maxrss)"
    )
    cpu, peak = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=True).stdout.split()
    return float(cpu), float(peak) * 1024 / 1e9


PARTS: dict[str, Callable[[Table, float, str], None]] = {
    "drawn": drawn,
    "nats": nats,
    "imputed": imputed,
    "bayes": bayes,
}


def main() -> None:
    """Prints one block a table and part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("asked", nargs="+", help="parts: drawn, nats, imputed, bayes, reading; tables: NAME:LABEL")
    parser.add_argument("--minutes", type=float, default=0.5, help="of training, for each of our models")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the file that is read")
    given = parser.parse_intermixed_args()
    runtime.tune()
    names = [name for name in given.asked if ":" in name] or ["wine:class", "breast_cancer:class"]
    asked = [name for name in given.asked if ":" not in name]
    if wrong := [name for name in asked if name not in (*PARTS, "reading")]:
        parser.error(f"there is no part {wrong[0]}; there are {', '.join((*PARTS, 'reading'))}.")
    if "reading" in asked:
        reading(given.rows)
    with tempfile.TemporaryDirectory() as folder:
        for table in map(opened, names) if set(asked) - {"reading"} else ():
            rows = f"{len(table.train)} training rows, {len(table.test)} test rows, {table.train.shape[1]} columns"
            for part in (part for part in PARTS if part in asked):
                print(f"{table.name}, {part}: {rows}, {given.minutes:g} minutes a model of ours", flush=True)
                PARTS[part](table, given.minutes, folder)


if __name__ == "__main__":
    main()
