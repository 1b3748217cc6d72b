"""A Gaussian field over the hidden pixels, made of the windows that touch them."""

import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.photo.prior import PatchPrior, thin_plate
from priorcraft.photo.windows import corners, hits, offsets

Project = Callable[[Tensor], Tensor]
AT_ONCE = 2**22  # entries of window precisions that are spread together


class Field:
    """p(x_hidden | x_seen) proportional to exp(-1/2 sum_w w' P_w w): every window counts, overlaps and all.

    Each window has the precision P_w of its most probable Gaussian, so that the sum is one Gaussian over the whole
    picture, whose mean is found at once and not window after window (a product of experts: it overstates what is known,
    and its spread has to be calibrated).

    Args:
        prior: of windows.
        where: corners of the windows that touch a hidden pixel, (n,).
        kinds: the Gaussian of each, (n,).
        hidden: (H, W).
        side: of a window.
        project: takes from changes of the hidden pixels (hidden, m) what contradicts the evidence, if any.
    """

    def __init__(
        self, prior: PatchPrior, where: Tensor, kinds: Tensor, hidden: Tensor, side: int, project: Project | None = None
    ) -> None:
        self.project = project
        order = kinds.argsort(stable=True)
        self.prior, self.where, self.kinds, self.hidden, self.side = prior, where[order], kinds[order], hidden, side
        self.pixels = hidden.flatten().nonzero()[:, 0]
        self.count = len(self.pixels)
        self.rank = torch.full((hidden.numel(),), self.count)  # of a hidden pixel among them; the count if it is seen
        self.rank[self.pixels] = torch.arange(self.count)
        reach = torch.arange(1 - side, side)
        steps = (reach[:, None] * hidden.shape[1] + reach).flatten()
        self.neighbours = (self.pixels[:, None] + steps).clamp_(0, hidden.numel() - 1)
        self.inner = self.rank[self.neighbours] < self.count
        self.table = self._rows()
        self.matrices = self._matrices()

    def _rows(self) -> Tensor:
        """The precision of each hidden pixel with its neighbours, (hidden, (2 side - 1)^2, C).

        A pixel is the a-th of some windows, for each of which the a-th row of its Gaussian's precision counts.
        """
        side, span = self.side, 2 * self.side - 1
        precision = self.prior.precision.permute(2, 1, 3, 0)  # pixel, Gaussian, pixel, channel
        placed = torch.zeros(side**2, len(self.prior.log_weight), span, span, precision.shape[-1])
        for a, own in enumerate(precision):
            top, left = (side - 1 - at for at in divmod(a, side))
            placed[a, :, top : top + side, left : left + side] = own.unflatten(1, (side, side))
        kinds = torch.full((self.hidden.numel(),), -1)
        kinds[self.where] = self.kinds
        corner = self.pixels[:, None] - offsets(side, self.hidden.shape[1])
        kind = torch.where(corner < 0, -1, kinds[corner.clamp_min(0)])
        used, rows = kind >= 0, torch.arange(side**2) * placed.shape[1]
        table = _csr(used.sum(1), (rows + kind)[used], torch.ones(int(used.sum())), side**2 * placed.shape[1])
        return (table @ placed.flatten(2).flatten(0, 1)).view(self.count, span**2, -1)

    def _matrices(self) -> list[Tensor]:
        """The precision of the hidden pixels for each channel, sparse (CSR)."""
        columns, values = self.rank[self.neighbours[self.inner]], self.table[self.inner].T.contiguous()
        return [_csr(self.inner.sum(1), columns, own, self.count) for own in values]

    def settled(self, picture: Tensor, most: int = 60) -> Tensor:
        """The picture (C, H, W) with the field's mean in its hidden pixels, found from what now stands there.

        Args:
            most: steps towards the mean.
        """
        done = picture.clone()
        seen = picture.masked_fill(self.hidden, 0).flatten(1)[:, self.neighbours]
        pull = -torch.einsum("rsc,crs->cr", self.table, seen)
        for own, matrix, right in zip(done, self.matrices, pull, strict=True):
            start = own.flatten()[self.pixels]
            own.view(-1)[self.pixels] = conjugate_gradients(
                matrix, right[:, None], start[:, None], most=most, project=self.project
            )[:, 0]
        return done

    def deviations(self, n: int, generator: Generator) -> Tensor:
        """n draws of the field less its mean, (n, C, H, W), zero where seen.

        They are the solutions of A d = e, e ~ N(0, A) (Papandreou & Yuille 2010).
        """
        drawn = torch.zeros(n, len(self.matrices), self.hidden.numel())
        for channel, matrix in enumerate(self.matrices):
            noise = self._noise(channel, n, generator)
            drawn[:, channel, self.pixels] = conjugate_gradients(
                matrix, noise, torch.zeros_like(noise), tolerance=0.03, project=self.project
            ).T
        return drawn.view(n, -1, *self.hidden.shape)

    def _noise(self, channel: int, n: int, generator: Generator) -> Tensor:
        """n draws whose covariance is the precision of the field, (hidden, n)."""
        root, total = self.prior.root[channel], torch.zeros(self.count + 1, n)
        inside = offsets(self.side, self.hidden.shape[1])
        for kind, where in enumerate(self.where.split(torch.bincount(self.kinds, minlength=len(root)).tolist())):
            for some in where.split(max(1, AT_ONCE // (n * self.side**2))):
                white = runtime.normal((len(some), n, root.shape[-1]), generator=generator, like=total)
                rank = self.rank[some[:, None] + inside].flatten()
                total.index_add_(0, rank, (white @ root[kind].T).transpose(1, 2).reshape(-1, n))
        return total[:-1]


def smooth(picture: Tensor, hidden: Tensor) -> Tensor:
    """The picture (C, H, W) with a thin plate in its hidden pixels, from coarse to fine."""
    known = ~hidden
    if not bool(hidden.any()):
        return picture
    start = torch.where(known, picture, torch.zeros_like(picture))
    if not bool(known.any()):
        return start
    if min(hidden.shape) >= 6:
        weight = F.avg_pool2d(known[None].float(), 2, ceil_mode=True)
        coarse = F.avg_pool2d(start, 2, ceil_mode=True) / weight.clamp_min(1e-6)
        coarse = smooth(coarse, weight[0] == 0)
        fine = F.interpolate(coarse[None], scale_factor=2, mode="bilinear")[0][:, : hidden.shape[0], : hidden.shape[1]]
        start = torch.where(known, picture, fine)
    else:
        start = torch.where(known, picture, (start.sum((1, 2)) / known.sum())[:, None, None])
    if min(hidden.shape) < 3:
        return start
    where = corners((hidden.shape[0], hidden.shape[1]), 3)
    where = where[hits(hidden, where, 3) > 0]
    plate = Field(thin_plate(len(picture)), where, torch.zeros_like(where), hidden, 3)
    return plate.settled(start, most=100)


def conjugate_gradients(
    matrix: Tensor,
    right: Tensor,
    start: Tensor,
    *,
    tolerance: float = 1e-3,
    most: int = 60,
    project: Project | None = None,
) -> Tensor:
    """x with A x = right, column by column (n, m), for a symmetric sparse A (Hestenes & Stiefel 1952).

    Args:
        matrix: A, (n, n); changes are scaled by its diagonal.
        right, start: (n, m).
        tolerance: the residual at the end beside the one at the start.
        most: steps.
        project: an orthogonal projection onto the changes that are allowed; without it, changes are scaled.
    """
    own = _diagonal(matrix)
    diagonal, rounding = own[:, None] if project is None else torch.ones(()), 1e-7 * own.max()
    allowed = project or (lambda v: v)
    x, residual = start.clone(), allowed(right - matrix @ start)
    scaled = residual / diagonal
    direction, energy = scaled.clone(), (residual * scaled).sum(0)
    least = energy * tolerance**2
    for _ in range(most):
        if bool((energy <= least).all()):
            break
        image = allowed(matrix @ direction)
        bend = (direction * image).sum(0)
        step = energy / bend.maximum(rounding * direction.square().sum(0)).clamp_min(1e-30)  # none is told from flat
        x += step * direction
        residual -= step * image
        scaled = residual / diagonal
        before, energy = energy, (residual * scaled).sum(0)
        direction = scaled + energy / before.clamp_min(1e-30) * direction
    return x


def _csr(count: Tensor, columns: Tensor, values: Tensor, width: int) -> Tensor:
    """A sparse matrix of so many entries in each row, row after row."""
    start = torch.cat([torch.zeros(1, dtype=torch.long), count.cumsum(0)])
    with warnings.catch_warnings(action="ignore"):  # torch calls its sparse matrices a beta
        return torch.sparse_csr_tensor(start.int(), columns.int(), values, (len(count), width))


def _diagonal(matrix: Tensor) -> Tensor:
    """The diagonal of a square matrix in CSR, (n,); no entry is below a small positive number."""
    row = torch.arange(len(matrix)).repeat_interleave(matrix.crow_indices().diff().long())
    on = row == matrix.col_indices()
    return torch.zeros(len(matrix)).index_add_(0, row[on], matrix.values()[on]).clamp_min(1e-9)
