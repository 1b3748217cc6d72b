"""Figures of tables that no model has a say in: frames in, numbers out."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

Frame = Any  # of pandas, or one of its columns; its stubs allow far more
WORDS, SHARES = 50, 10  # most words of a column whose pairs are looked at; parts of a number in pairs


def is_words(column: Frame) -> bool:
    """Whether a column holds words."""
    return not pd.api.types.is_numeric_dtype(column)


def coded(frames: list[Frame]) -> list[np.ndarray]:
    """Cells as numbers for trees: numbers as they are, words by their place in the alphabet, holes nan."""
    found = [np.full(frame.shape, np.nan) for frame in frames]
    for j, name in enumerate(frames[0].columns):
        if any(is_words(frame[name]) for frame in frames):
            words = sorted({str(word) for frame in frames for word in frame[name].dropna()})
            numbers = {word: k for k, word in enumerate(words)}
            for frame, out in zip(frames, found, strict=True):
                out[:, j] = [np.nan if pd.isna(cell) else numbers[str(cell)] for cell in frame[name]]
        else:
            for frame, out in zip(frames, found, strict=True):
                out[:, j] = frame[name].to_numpy(dtype=float, na_value=np.nan)
    return found


def trees(seed: int = 0) -> HistGradientBoostingClassifier:
    """The boosted trees that judge."""
    return HistGradientBoostingClassifier(max_iter=100, learning_rate=0.1, min_samples_leaf=10, random_state=seed)


def c2st(real: Frame, drawn: Frame, seeds: int = 3) -> float:
    """Area under the curve of boosted trees that tell drawn rows from real ones, 5-fold; 0.5 is perfect.

    (Lopez-Paz & Oquab 2017, arXiv:1610.06545)
    """
    found = []
    for seed in range(seeds):
        n = min(len(real), len(drawn))
        x = np.concatenate(coded([real.sample(n, random_state=seed), drawn.sample(n, random_state=seed)]))
        y = np.repeat([0, 1], n)
        order = np.random.default_rng(seed).permutation(2 * n)
        p = np.asarray(cross_val_predict(trees(seed), x[order], y[order], cv=5, method="predict_proba"))[:, 1]
        found.append(roc_auc_score(y[order], p))
    return float(np.mean(found))


def auc(p: np.ndarray, y: np.ndarray, classes: np.ndarray) -> float:
    """Area under the curve, the mean over classes."""
    if len(classes) == 2:
        return float(roc_auc_score(y == classes[1], p[:, 1]))
    there = [k for k, name in enumerate(classes) if 0 < (y == name).sum() < len(y)]
    return float(np.mean([roc_auc_score(y == classes[k], p[:, k]) for k in there]))


def tstr(drawn: Frame, test: Frame, label: str) -> float:
    """Area under the curve, on real rows, of boosted trees that saw drawn rows alone; nan where a class is lost."""
    drawn = drawn.dropna(subset=[label])
    x, asked = coded([drawn.drop(columns=label), test.drop(columns=label)])
    known, y = np.unique(drawn[label].astype(str)), test[label].astype(str).to_numpy()
    if set(y) - set(known):
        return float("nan")
    model = trees().fit(x, drawn[label].astype(str))
    return auc(model.predict_proba(asked), y, model.classes_)


def pair_trends(real: Frame, drawn: Frame) -> float:
    """Likeness of pairs of columns, 1 at best: of two numbers 1 - |difference of correlations| / 2, else of shares."""
    parts_real, parts_drawn = parts(real, real), parts(drawn, real)
    found = []
    for a, b in combinations(real.columns, 2):
        if not is_words(real[a]) and not is_words(real[b]):
            each = [frame[[a, b]].astype(float).corr().iloc[0, 1] for frame in (real, drawn)]
            found.append(1 - abs(each[0] - each[1]) / 2)
        else:
            shares = [pd.crosstab(part[a], part[b], normalize="all").stack() for part in (parts_real, parts_drawn)]
            both = pd.concat(shares, axis=1).fillna(0)
            found.append(1 - (both.iloc[:, 0] - both.iloc[:, 1]).abs().sum() / 2)
    return float(np.nanmean(found))


def parts(frame: Frame, like: Frame) -> Frame:
    """Words as they are, numbers by the tenth of `like` that they fall in, holes as a word."""
    found = {}
    for name in like.columns:
        if is_words(like[name]):
            found[name] = frame[name].astype(object).where(frame[name].notna(), "").astype(str)
        else:
            ends = np.unique(np.nanquantile(like[name].astype(float), np.linspace(0, 1, SHARES + 1)[1:-1]))
            found[name] = np.searchsorted(ends, frame[name].astype(float), side="right")
    return pd.DataFrame(found)


def impossible(known: Frame, drawn: Frame) -> float:
    """Share of drawn rows with two words that no known row has together."""
    names = [name for name in known.columns if is_words(known[name]) and known[name].nunique() <= WORDS]
    wrong = np.zeros(len(drawn), dtype=bool)
    for a, b in combinations(names, 2):
        there = set(zip(known[a].astype(str), known[b].astype(str), strict=True))
        wrong |= [
            not (pd.isna(u) or pd.isna(v)) and (str(u), str(v)) not in there
            for u, v in zip(drawn[a], drawn[b], strict=True)
        ]
    return float(wrong.mean())


def crps(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of m draws (m, N), fair in m: E|X - y| - E|X - X'| / 2."""
    m = len(draws)
    near = np.abs(draws - truth).mean(0)
    if m == 1:
        return near
    ordered = np.sort(draws, 0)
    weight = (2 * np.arange(1, m + 1) - m - 1)[:, None]
    return near - (weight * ordered).sum(0) / (m * (m - 1))
