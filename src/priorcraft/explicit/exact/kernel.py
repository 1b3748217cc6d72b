"""A kernel density whose classes may be unknown for most rows."""

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft import probability, runtime
from priorcraft.core import UNLABELLED, ClosedForm, Exact, Space
from priorcraft.explicit.exact.gaussian_cells import log_kernels, sample_around, tops_of, whiten
from priorcraft.nn.warp import affine, warped
from priorcraft.settings import Range

ROUNDS = 10  # of EM for the covariance; it moves little afterwards
NEGLIGIBLE = 1e-4  # a smaller share of a row in a class is set to zero
LABEL_ROUNDS = 30
CELL = 1 / 12  # variance of a cell of width 1
# (across, down, shear, rotation) of one deformation: shares of half the side, slope, radians
DEFORMATIONS = [
    (0.0, 0.0, 0.0, 0.0),
    *((side * 0.125, 0.0, 0.0, 0.0) for side in (-1, 1)),
    *((0.0, side * 0.125, 0.0, 0.0) for side in (-1, 1)),
    *((0.0, 0.0, side * 0.2, 0.0) for side in (-1, 1)),
    *((0.0, 0.0, 0.0, side * 0.15) for side in (-1, 1)),
]


class KernelDensity(Exact, ClosedForm):
    """A Gaussian kernel around every training row and its slight deformations; unlabelled rows take part.

    p(x | c) = sum_n r_nc / (T sum_m r_mc) sum_t N(x; T_t x_n, S),   r_nc = p(c | x_n)

    S is fitted by EM on the leave-one-out likelihood (Leiva-Murillo & Artes-Rodriguez 2012) and widened by a ridge. A
    labelled row belongs to its class; an unlabelled one by its leave-one-out posterior, in rounds of EM. On integers
    the kernels are Gaussians discretised as in `PPCA`, so that p(x) sums to one exactly.

    Args:
        space: where x lives.
        context: labels or None.
        rows: number of training rows that carry a kernel; of more rows, those with labels come first.
        deform: for images, add kernels that are shifted, sheared and turned a little (T = 9; 1 without).
        ridge: added to the diagonal of S, in mean variances of its entries.
    """

    centres: Tensor
    share: Tensor
    root: Tensor
    origin: Tensor

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        rows: Annotated[int, Range(2, 2**20)] = 1000,
        deform: bool = True,
        ridge: Annotated[float, Range(0, 1e6, above=True)] = 1.0,
    ) -> None:
        super().__init__(space, context)
        self.ridge, self.deform = ridge, deform and space.is_image
        self.register_buffer("centres", torch.zeros(rows, space.dims))
        self.register_buffer("origin", torch.zeros(rows, dtype=torch.long))
        self.register_buffer("share", torch.full((rows, max(self.classes, 1)), 1 / rows))
        self.register_buffer("root", torch.eye(space.dims))

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Places the kernels and fits their covariance, which needs no labels."""
        super().initialise(x, given, generator=generator)
        x = self.space.check(x)
        self.origin.copy_(self._chosen(len(x), given, generator))
        self.centres.copy_(x.flatten(1)[self.origin].to(self.centres))
        self._fit_covariance(len(x))
        self._set_shares(self._known(given))

    def _chosen(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        """Numbers of the rows that carry a kernel; the last one repeats where there are fewer rows than kernels."""
        order = torch.randperm(n, generator=generator)
        if given is not None:
            order = order[(given.cpu()[order] == UNLABELLED).long().argsort(stable=True)]
        return torch.arange(len(self.origin)).clamp_max(n - 1) if n <= len(self.origin) else order[: len(self.origin)]

    def _fit_covariance(self, n: int) -> None:
        x, around = self.centres[: min(n, len(self.centres))].double(), self._around().double()
        variance = x.var(0, correction=0).mean().clamp_min(1e-6)
        eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        floor = CELL if self.space.levels is not None else 1e-6 * float(variance)
        covariance = 0.2 * variance * eye + floor * eye
        for _ in range(ROUNDS):
            r = self._log_kernels_apart(x, around, torch.linalg.cholesky(covariance)).softmax(1)
            cross = x.T @ (r @ around)
            covariance = (x.T @ x + around.T @ (r.sum(0).unsqueeze(1) * around) - cross - cross.T) / len(x)
            covariance = covariance + (self.ridge * covariance.diagonal().mean().clamp_min(floor) + floor) * eye
        self.root.copy_(torch.linalg.cholesky(covariance))

    def _log_kernels_apart(self, x: Tensor, around: Tensor, root: Tensor) -> Tensor:
        """Gaussian log kernels up to a constant, without those of a row around itself, (N, M T)."""
        distance = torch.cdist(whiten(root, x), whiten(root, around)).square()
        own = self.origin[: len(x), None] == self.origin.repeat_interleave(len(around) // len(self.origin))
        return (-0.5 * distance).masked_fill(own, -1e9)

    def update(self, x: Tensor, given: Tensor | None) -> Tensor:
        """Rounds of EM over the labels that are not known; returns the mean leave-one-out log-likelihood before them.

        The E-step takes the kernels as continuous densities.
        """
        pooled, known = (
            self._pooled(self._log_kernels_apart(self.centres, self._around(), self.root)),
            self._known(given),
        )
        before = self._mean_log_likelihood(pooled, known)
        if self.classes and bool((known.sum(1) == 0).any()):
            for _ in range(LABEL_ROUNDS):
                log_posterior, _ = probability.posterior(self.log_prior, self._over_rows(pooled))
                labelled = known.sum(1, keepdim=True) > 0
                self._set_shares(torch.where(labelled, known, log_posterior.exp().to(known)))
        return before

    def _mean_log_likelihood(self, pooled: Tensor, known: Tensor) -> Tensor:
        log_likelihood = self._over_rows(pooled)
        constant = 0.5 * self.space.dims * math.log(2 * math.pi) + self.root.diagonal().log().sum()
        log_prior = self.log_prior if self.classes else self.log_prior.new_zeros(1)
        _, log_evidence = probability.posterior(log_prior, log_likelihood)
        given_label = torch.where(known > 0, log_likelihood, 0.0).sum(1)
        return torch.where(known.sum(1) > 0, given_label, log_evidence).mean() - constant

    def _pooled(self, log_kernels: Tensor) -> Tensor:
        """log mean_t of the kernels of each row's deformations, (B, N), from (B, N T)."""
        each = log_kernels.unflatten(1, (-1, len(DEFORMATIONS) if self.deform else 1))
        return torch.logsumexp(each, 2) - math.log(each.shape[2])

    def _over_rows(self, pooled: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """log sum_n r_nc p(x | n) for every class, (B, max(K, 1)), from log p(x | n), (B, N)."""
        return torch.stack([torch.logsumexp(pooled + share, 1) for share in self.share[rows].log().T], 1)

    def _known(self, given: Tensor | None) -> Tensor:
        """One-hot labels of the rows with a kernel; zero where not known; a slot that repeats a row counts for none."""
        first = torch.cat([self.origin.new_ones(1), (self.origin[1:] != self.origin[:-1]).long()]).to(self.centres)
        if not self.classes:
            return first.unsqueeze(1)
        given = torch.full_like(self.origin, UNLABELLED) if given is None else given[self.origin]
        return F.one_hot(given + 1, self.classes + 1)[:, 1:].to(first) * first.unsqueeze(1)

    def _set_shares(self, r: Tensor) -> None:
        """r_nc / sum_m r_mc; a class without any row is spread over all of them."""
        r = torch.where(r < NEGLIGIBLE, 0.0, r)
        r = torch.where(r.sum(0) > 0, r, torch.ones_like(r))
        self.share.copy_(r / r.sum(0))

    def _around(self, rows: Tensor | None = None) -> Tensor:
        """Rows and their deformations, next to each other, (M T, D)."""
        x = self.centres if rows is None else self.centres[rows]
        if not self.deform:
            return x
        return deformed(x.view(-1, *self.space.event_shape)).flatten(0, 1).flatten(1)

    def _log_prob(self, x: Tensor, given: Tensor | None) -> Tensor:
        out = self.centres.new_empty(len(x))
        classes = torch.zeros(len(x), dtype=torch.long, device=x.device) if given is None else given
        for c in classes.unique().tolist():
            rows, share = classes == c, self.share[:, c]
            used = share > 0
            out[rows] = torch.logsumexp(self._pooled(self._log_kernels(x[rows], used)) + share[used].log(), 1)
        return out

    def _log_kernels(self, x: Tensor, used: Tensor) -> Tensor:
        return log_kernels(x.flatten(1).to(self.centres), self._around(used), self.root, tops_of(self.space))

    def _joint(self, density: object, x: Tensor) -> Tensor:
        used = (self.share > 0).any(1)
        parts = [self._over_rows(self._pooled(self._log_kernels(rows, used)), used) for rows in x.split(256)]
        return torch.cat(parts) + self.log_prior

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        share = self.share[:, 0].expand(n, -1) if given is None else self.share.T[given]
        row = runtime.categorical(share.log(), generator=generator)
        around = self._around().unflatten(0, (len(self.centres), -1))
        t = runtime.categorical(around.new_zeros(n, around.shape[1]), generator=generator)
        noise = runtime.normal((n, self.space.dims), generator=generator, like=self.centres)
        return sample_around(around[row, t], self.root, noise, tops_of(self.space)).view(n, *self.space.event_shape)


def deformed(x: Tensor) -> Tensor:
    """Images (N, C, H, W), shifted, sheared and turned a little in every way of `DEFORMATIONS`, (N, T, C, H, W).

    Bilinear; what comes in from outside is 0.
    """
    return torch.stack([_moved(x, *how) for how in DEFORMATIONS], 1)


def _moved(x: Tensor, across: float, down: float, shear: float, turn: float) -> Tensor:
    how = torch.tensor([[across], [down], [shear], [turn], [1.0], [1.0]], dtype=x.dtype, device=x.device)
    return warped(x, affine(*how.expand(6, len(x))))
