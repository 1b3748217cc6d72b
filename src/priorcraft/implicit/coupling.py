"""Partners for images that came without any: random walks among the likenesses within each domain and between them."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.implicit.alignment import SYMMETRIES, Alignment, energy
from priorcraft.implicit.strokes import strokes

MOST = 5000  # rows of each domain: time and memory grow with the product
NEIGHBOURS = 8
NEAR = 0.16  # temperature between the domains, in median squared distances of nearest neighbours
WANDER, SETTLE = 20, 80  # walks without and with sharpening
SHARPEN, FINAL = 1.2, 8.0


@dataclass(frozen=True)
class Coupling:
    """q(b | a) between rows of two domains.

    Args:
        rows: numbers of the rows of A that are coupled, (N,).
        columns: numbers of the rows of B, (M,).
        q: probabilities, (N, M); every row sums to 1.
        alignment: the symmetry of A under which they were compared.
    """

    rows: Tensor
    columns: Tensor
    q: Tensor
    alignment: Alignment

    def among(self, rows: Tensor, columns: Tensor) -> "Coupling":
        """The coupling of the rows and columns that masks (N,) and (M,) take, normalised anew."""
        q = self.q[rows][:, columns]
        return Coupling(self.rows[rows], self.columns[columns], q / q.sum(1, keepdim=True), self.alignment)

    def draw(self, n: int, *, generator: Generator) -> tuple[Tensor, Tensor]:
        """n partners for every coupled row: numbers of rows of A and of B, (N * n,) each."""
        log_q = self.q.clamp_min(1e-30).log().repeat_interleave(n, 0)
        partner = runtime.categorical(log_q, generator=generator)
        return self.rows.repeat_interleave(n), self.columns[partner]


def couple(a: Tensor, b: Tensor, *, generator: Generator) -> Coupling:
    """Couples two domains so that what is alike in one is coupled with what is alike in the other.

    q_0(b | a) falls with the squared distance of their strokes; then q <- W_A q W_B, balanced, over and over, where W
    are random walks among nearest neighbours: a row whose strokes deceive is outvoted by its neighbours. Every few
    walks q is sharpened (as in Markov clustering, van Dongen 2000), so that it settles.

    Each row of B keeps about the same total: what is rare in A must be as rare in B, or it is coupled with something
    else. No label and no pair is used.

    Args:
        a, b: images on the network's range, (N, C, H, W) and (M, ...); at most 5000 of each are taken.
        generator: of the choice of rows.
    """
    rows, columns = (torch.randperm(len(u), generator=generator)[:MOST].sort().values for u in (a, b))
    a, f_b = a[rows], strokes(b[columns])
    alignment = min(SYMMETRIES, key=lambda found: energy(strokes(found(a[:1000])), f_b[:1000]))
    f_a = strokes(alignment(a))
    return Coupling(rows, columns, settled(f_a, f_b), alignment)


def settled(f_a: Tensor, f_b: Tensor) -> Tensor:
    """q(b | a) from features (N, D) and (M, D), (N, M)."""
    walk_a, walk_b = walk(f_a), walk(f_b)
    square = torch.cdist(f_a, f_b).square()
    q = (-square / (NEAR * square.amin(1).median())).softmax(1)
    for i in range(WANDER + SETTLE):
        q = torch.sparse.mm(walk_b, torch.sparse.mm(walk_a, q).T.contiguous())  # transposed views are ten times slower
        q = balanced(q.T.contiguous())
        if i >= WANDER and i % 2:
            q = balanced(q**SHARPEN)
    return balanced(q**FINAL)


def walk(f: Tensor) -> Tensor:
    """One step of a random walk among nearest neighbours, sparse (N, N), rows sum to 1."""
    k = min(NEIGHBOURS, len(f) - 1) + 1
    far, to = torch.cdist(f, f).topk(k, largest=False)
    weight = torch.exp(-2 * (far / far[:, -1:].clamp_min(1e-6)) ** 2).flatten()
    origin, to = torch.arange(len(f)).repeat_interleave(k), to.flatten()
    index = torch.stack([torch.cat([origin, to]), torch.cat([to, origin])])
    total = torch.zeros(len(f)).index_add_(0, index[0], weight.repeat(2))
    steps = torch.sparse_coo_tensor(index, weight.repeat(2) / total[index[0]], (len(f),) * 2, check_invariants=True)
    return steps.coalesce()


def balanced(q: Tensor) -> Tensor:
    """Rows that sum to 1, after columns were brought halfway to equal totals."""
    q = q / q.sum(0, keepdim=True).clamp_min(1e-12).sqrt()
    return q / q.sum(1, keepdim=True).clamp_min(1e-30)
