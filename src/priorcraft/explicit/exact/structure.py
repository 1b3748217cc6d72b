"""The tree that says most about the data: mutual information and its maximum spanning tree."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from priorcraft.mapped import let_go

COLUMNS = 4096  # of the one-hot table whose Gram matrix holds all pairs; many levels are binned to fit
ROWS = 8192  # counted at once
LOST = 2**24  # rows, beyond which one more is lost in a sum of 32 bits
Weights = Tensor | Callable[[slice], Tensor]


class Tree(NamedTuple):
    """A rooted tree over D entries: parents (-1 at the root) and depths, (D,) each."""

    parent: list[int]
    depth: list[int]


def chow_liu_tree(x: Tensor, weights: Weights, levels: int, together: tuple[Tensor, Tensor] | None = None) -> Tree:
    """The tree of greatest likelihood, hung from its centre so that few depths remain.

    argmax over trees of sum_(i,j) I(x_i; x_j | c)   (Chow & Liu 1968; given classes, Friedman et al. 1997)

    Args:
        x: integers, (N, D).
        weights: how much each row counts, in each of C groups, (N, C), or what says it of a stretch of rows.
        levels: number of levels; binned where D * levels is beyond a few thousand.
        together: pairs of entries that must be neighbours, no entry in two of them.
    """
    bins = min(levels, max(2, COLUMNS // x.shape[1]))
    information = mutual_information(x, weights, bins, levels)
    if together is not None:
        first, second = together
        information[first, second] = information[second, first] = information.max() + 1
    edges = spanning_tree(information)
    return hang(edges, centre(edges))


def mutual_information(x: Tensor, weights: Weights, bins: int, levels: int | None = None) -> Tensor:
    """I(x_i; x_j | c) = sum_c p(c) KL(p(x_i, x_j | c) || p(x_i | c) p(x_j | c)), nats, (D, D).

    One imagined row per group is spread over the cells of each pair: slightly biased, never infinite.
    Takes memory for 8,192 rows, however many there are.

    Args:
        x: integers, (N, D).
        weights: how much each row counts, in each of C groups, (N, C), or what says it of a stretch of rows.
        bins: into which the levels are put.
        levels: of x; as many as bins if None.
    """
    of = weights.__getitem__ if isinstance(weights, Tensor) else weights
    stretches = [slice(start, start + ROWS) for start in range(0, len(x), ROWS)]
    total = torch.stack([_weight(x, of(rows)) for rows in stretches]).sum(0)
    counts = (
        _pair_counts(x, stretches, lambda rows, c=c: of(rows)[:, c], bins, levels or bins) for c in range(len(total))
    )
    shares = (total / total.sum()).float()
    return sum(
        (share * _information(pairs, bins) for share, pairs in zip(shares, counts, strict=True)), torch.tensor(0.0)
    )


def _weight(x: Tensor, weights: Tensor) -> Tensor:
    let_go(x)
    return weights.double().sum(0)


def _information(pairs: Tensor, bins: int) -> Tensor:
    joint = pairs + 1 / bins**2
    joint = joint / joint.sum((-2, -1), keepdim=True)
    independent = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return torch.xlogy(joint, joint / independent).sum((-2, -1))


def _pair_counts(
    x: Tensor, stretches: list[slice], weight: Callable[[slice], Tensor], bins: int, levels: int
) -> Tensor:
    """The weight of each pair of bins of each pair of entries, a few rows at a time, (D, D, bins, bins)."""
    width = x.shape[1] * bins
    counts = torch.zeros(width, width, device=x.device, dtype=torch.float if len(x) < LOST else torch.double)
    first = torch.arange(x.shape[1], device=x.device) * bins
    for rows in stretches:
        code = torch.zeros(len(x[rows]), width, device=x.device)
        code.scatter_(1, first + x[rows].long() * bins // levels, 1.0)
        counts += (code * weight(rows).float().unsqueeze(1)).T @ code
        let_go(x)
    return counts.view(x.shape[1], bins, x.shape[1], bins).transpose(1, 2)


def spanning_tree(weight: Tensor) -> list[tuple[int, int]]:
    """The D-1 edges of the maximum spanning tree of a complete graph, weights (D, D) (Prim 1957)."""
    best, source = weight[0].clone(), torch.zeros(len(weight), dtype=torch.long, device=weight.device)
    best[0] = -math.inf
    edges = []
    for _ in range(len(weight) - 1):
        i = int(best.argmax())
        edges.append((int(source[i]), i))
        outside = ~best.isneginf()
        better = outside & (weight[i] > best)
        best[better], source[better] = weight[i][better], i
        best[i] = -math.inf
    return edges


def hang(edges: list[tuple[int, int]], root: int) -> Tree:
    """The tree with these edges, hung from `root`."""
    near: list[list[int]] = [[] for _ in range(len(edges) + 1)]
    for i, j in edges:
        near[i].append(j)
        near[j].append(i)
    parent, depth, order = [-1] * len(near), [0] * len(near), [root]
    for i in order:
        for j in near[i]:
            if j != parent[i]:
                parent[j], depth[j] = i, depth[i] + 1
                order.append(j)
    return Tree(parent, depth)


def centre(edges: list[tuple[int, int]]) -> int:
    """The middle of a longest path: the root with the fewest depths below it."""
    depth = hang(edges, 0).depth
    tree = hang(edges, depth.index(max(depth)))
    node = tree.depth.index(max(tree.depth))
    for _ in range(max(tree.depth) // 2):
        node = tree.parent[node]
    return node
