"""Ways of looking at samples and real rows side by side; each sees other defects."""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor

from priorcraft.metrics.relabel import Relabelled, auc
from priorcraft.metrics.standard import commonest
from priorcraft.metrics.values import Values

Figures = Callable[[Relabelled], Tensor]  # a figure for every choice of who is a sample, (1 + R,) or (1 + R, D)

RIDGE = 0.1
WIDTH = 0.5  # of the kernel, in median squared distances
NEIGHBOURS = 5
TREES, LEAVES = 100, 15
MOST_STATES = 254  # of a column of words, for the trees


def differences(figures: Tensor) -> Figures:
    """The difference of means of each figure of (N, D) in its standard errors, (1 + R, D)."""
    centred = figures - figures.mean(0)
    spread = centred.std(0, correction=0)
    scaled = torch.where(spread > 1e-6, centred / spread.clamp_min(1e-12), torch.zeros_like(centred))

    def figure(who: Relabelled) -> Tensor:
        n = int(who.drawn[:, 0].sum())
        return (who.contrast.T @ scaled).abs() / (1 / n + 1 / (len(scaled) - n)) ** 0.5

    return figure


def scored(scores: Tensor) -> Figures:
    """AUC of scores (N,) that do not depend on who is a sample, (1 + R,)."""
    return lambda who: auc(scores[:, None], who.drawn)


def kernel_regression(f: Tensor) -> Figures:
    """AUC of a kernel ridge regression of who is a sample, each row answered by the fit to all others, (1 + R,).

    With G = (K + ridge I)^-1, the answer for row i is y_i - (G y)_i / G_ii: no refitting is needed, whoever the samples
    are. k(f, f') = exp(-|f - f'|^2 / width), for vectors f (N, D).
    """
    distances = torch.cdist(f, f).square_()
    middle = distances[: len(f) // 2, len(f) // 2 :].median().clamp_min(1e-6)
    K = distances.div_(-WIDTH * middle).exp_()
    G = torch.cholesky_inverse(torch.linalg.cholesky(K + RIDGE * torch.eye(len(K))))

    def figure(who: Relabelled) -> Tensor:
        y = who.contrast * len(f)
        return auc(y - (G @ y) / G.diag()[:, None], who.drawn)

    return figure


def neighbours(f: Tensor) -> Figures:
    """How often the nearest of the vectors f (N, D) are of the same side, 1/2 where sides are alike, (1 + R,).

    The nearest-neighbour test (Schilling 1986; Henze 1988), each side weighing as much as the other. Far below 1/2,
    samples lie where real rows lie, closer than those lie to one another: they repeat them.
    """
    distances = torch.cdist(f, f)
    distances.fill_diagonal_(torch.inf)
    near = distances.topk(min(NEIGHBOURS, len(f) - 1), largest=False).indices

    def figure(who: Relabelled) -> Tensor:
        c = who.contrast
        around = torch.stack([c[near[:, k]] for k in range(near.shape[1])]).mean(0)
        n = int(who.drawn[:, 0].sum())
        most = 1 / n + 1 / (len(f) - n)  # if all neighbours were of the same side
        return 0.5 + 0.5 * (c * around).sum(0) / most

    return figure


def boosted_trees(known: Values, samples: Values, pooled: Values) -> Tensor:
    """How much gradient-boosted trees, grown to tell samples from other real rows, take each row for a sample, (N,).

    Args:
        known: real rows that are not compared.
        samples: some of the samples; the trees are grown on both.
        pooled: the other samples and the real rows that they are compared with, of which the trees know nothing.
    """
    both, n = samples.beside(known), len(samples)
    words = [commonest(column, MOST_STATES) for column in both.words.T]
    grown = _matrix(both, words)
    is_word = np.arange(grown.shape[1]) >= pooled.numbers.shape[1]
    trees = HistGradientBoostingClassifier(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        categorical_features=is_word,
        class_weight="balanced",
        random_state=0,
    ).fit(grown, np.arange(len(grown)) < n)
    return torch.from_numpy(trees.decision_function(_matrix(pooled, words)))


def _matrix(values: Values, words: list[Tensor]) -> np.ndarray:
    """Raw values as the trees take them: nan where empty, words by their place among those known, 0 for others."""
    coded = [values.numbers]
    for column, known in zip(values.words.T, words, strict=True):
        place = (column[:, None] == known).double() @ torch.arange(1.0, len(known) + 1).double()
        coded.append(torch.where(column < 0, torch.nan, place)[:, None])
    return torch.cat(coded, 1).numpy()
