"""Rows with holes: trees learn from what is there, everything else from rows that a tree has filled in."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.explicit.exact.latent_tree import LatentTree

ROWS = 20_000  # that the tree is fitted to
ROUNDS = 12  # of EM, before and after its structure is found again
LATENTS, MEMBERS = 8, 2


def filled(splits: Splits, *, seed: int, parts: Sequence[str] = ("train", "valid")) -> Splits:
    """The same data with a draw in each hole of the training and validation rows, which stay marked as holes.

    The draws are from p(missing | seen) of a hidden Chow-Liu tree (`LatentTree`) that is fitted by EM to the training
    rows with their holes, what is missing summed out: one imputation each (Rubin 1987). It assumes that whether a cell
    is missing depends on what is seen alone. Models that sum over holes themselves, see `LearnsFromHoles`, do not look
    at the draws.
    """
    if splits.train.seen is None or all(bool(rows.seen is None or rows.seen.all()) for rows in map(splits.rows, parts)):
        return splits
    tree = fitted(splits.train, splits.space, splits.context, seed)
    generator = runtime.keyed(seed, "holes")
    return replace(splits, **{name: _filled(tree, splits.rows(name), generator) for name in parts})


def without_holes(splits: Splits, *, seed: int) -> Splits:
    """The same with draws in every hole, unmarked: for questions that need whole rows."""
    whole = filled(splits, seed=seed, parts=("train", "valid", "test"))
    parts = ((name, replace(whole.rows(name), seen=None)) for name in ("train", "valid", "test"))
    return replace(whole, **dict(parts))


def _filled(tree: LatentTree, rows: Rows, generator: torch.Generator) -> Rows:
    return rows if rows.seen is None else replace(rows, x=drawn(tree, rows, generator))


def fitted(rows: Rows, space: Space, context: Space | None, seed: int) -> LatentTree:
    """A hidden tree of rows with holes, its structure found twice: of random fillings, and of its own."""
    generator = runtime.keyed(seed, "holes", "tree")
    few = torch.randperm(len(rows), generator=generator)[:ROWS]
    some = rows.where(few)
    with runtime.borrowed_global_generator(seed, "holes"):
        tree = LatentTree(space, context, latents=LATENTS, members=MEMBERS)
    x = by_columns(some, generator)
    for _ in range(2):
        tree.initialise(x, some.y, generator=generator)
        for _ in range(ROUNDS):
            tree.update(x, some.y, some.seen)
        x = drawn(tree, replace(some, x=x), generator)
    return tree


def by_columns(rows: Rows, generator: torch.Generator) -> Tensor:
    """Each hole filled with what stands in the same entry of a random row."""
    x = rows.x.flatten(1).clone()
    if rows.seen is None:
        return x.view_as(rows.x)
    for i, there in enumerate(rows.seen.flatten(1).unbind(1)):
        known = x[there, i]
        if len(known) and not bool(there.all()):
            chosen = torch.randint(len(known), (int((~there).sum()),), generator=generator)
            x[~there, i] = known[chosen]
    return x.view_as(rows.x)


def drawn(tree: LatentTree, rows: Rows, generator: torch.Generator) -> Tensor:
    """The rows with one draw of p(missing | seen) in each hole."""
    if rows.seen is None:
        return rows.x
    x, open_ = rows.x.clone(), ~rows.seen.flatten(1).all(1)
    if bool(open_.any()):
        given = None if rows.context is None else rows.context[open_]
        x[open_] = tree.sample_given(x[open_].long(), rows.seen[open_], 1, given=given, generator=generator)[:, 0].to(x)
    return x
