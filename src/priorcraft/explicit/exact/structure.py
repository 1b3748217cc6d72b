"""The tree that says most about the data: mutual information and its maximum spanning tree."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from priorcraft.mapped import let_go

COLUMNS = 4096  # of the one-hot table whose Gram matrix holds all pairs; many levels are binned to fit
ROWS = 8192  # counted at once


class Tree(NamedTuple):
    """A rooted tree over D entries: parents (-1 at the root) and depths, (D,) each."""

    parent: list[int]
    depth: list[int]


def chow_liu_tree(x: Tensor, weights: Tensor, levels: int) -> Tree:
    """The tree of greatest likelihood, hung from its centre so that few depths remain.

    argmax over trees of sum_(i,j) I(x_i; x_j | c)   (Chow & Liu 1968; given classes, Friedman et al. 1997)

    Args:
        x: integers, (N, D).
        weights: how much each row counts, in each of C groups, (N, C).
        levels: number of levels; binned where D * levels is beyond a few thousand.
    """
    bins = min(levels, max(2, COLUMNS // x.shape[1]))
    edges = spanning_tree(mutual_information(x, weights, bins, levels))
    return hang(edges, centre(edges))


def mutual_information(x: Tensor, weights: Tensor, bins: int, levels: int | None = None) -> Tensor:
    """I(x_i; x_j | c) = sum_c p(c) KL(p(x_i, x_j | c) || p(x_i | c) p(x_j | c)), nats, (D, D).

    One imagined row per group is spread over the cells of each pair: slightly biased, never infinite.

    Args:
        x: integers, (N, D).
        weights: how much each row counts, in each of C groups, (N, C).
        bins: into which the levels are put.
        levels: of x; as many as bins if None.
    """
    shares = weights.sum(0) / weights.sum()
    counts = (_pair_counts(x, weights[:, c], bins, levels or bins) for c in range(len(shares)))
    return sum(
        (share * _information(pairs, bins) for share, pairs in zip(shares, counts, strict=True)), torch.tensor(0.0)
    )


def _information(pairs: Tensor, bins: int) -> Tensor:
    joint = pairs + 1 / bins**2
    joint = joint / joint.sum((-2, -1), keepdim=True)
    independent = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return torch.xlogy(joint, joint / independent).sum((-2, -1))


def _pair_counts(x: Tensor, weights: Tensor, bins: int, levels: int) -> Tensor:
    """The weight of each pair of bins of each pair of entries, a few rows at a time, (D, D, bins, bins)."""
    counts = torch.zeros(x.shape[1] * bins, x.shape[1] * bins, device=x.device)
    for rows, weight in zip(x.split(ROWS), weights.float().split(ROWS), strict=True):
        code = F.one_hot(rows.long() * bins // levels, bins).flatten(1).float()
        counts += (code * weight.unsqueeze(1)).T @ code
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
