"""Round after round: a prior of what is there, and the field that follows from it."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Generator, Tensor

from priorcraft.photo.prior import PatchPrior, fit_prior
from priorcraft.photo.windows import corners, taken

SIDE, STEP = 8, 2  # of a window; between windows
WINDOWS, EACH = 12_000, 8  # of each picture, to which a prior is fitted; and how often one counts at most, in the mean
TRIAL_DRAWS = 16
Fitting = Callable[[Tensor, PatchPrior | None], PatchPrior]  # from a picture, and the prior of the round before


class Settling(Protocol):
    """A Gaussian field over what is not known of a picture."""

    def settled(self, picture: Tensor) -> Tensor:
        """The picture (C, H, W) with the mean of the field."""
        ...

    def deviations(self, n: int, generator: Generator) -> Tensor:
        """n draws less the mean, (n, C, H, W)."""
        ...


class Rounds:
    """A first picture, and those that follow from priors fitted to the one before.

    Args:
        first: (C, H, W), in turned directions of colour.
        priors: of each round, from the picture and the prior before it.
        field: of a prior and the picture as it stands.
    """

    def __init__(
        self,
        first: Tensor,
        priors: Iterable[Fitting],
        field: Callable[[PatchPrior, Tensor], Settling],
    ) -> None:
        self.pictures, self.priors = [first], list[PatchPrior]()
        for prior in priors:
            self.priors.append(prior(self.pictures[-1], self.priors[-1] if self.priors else None))
            self.pictures.append(field(self.priors[-1], self.pictures[-1]).settled(self.pictures[-1]))
        self.field = partial(field, self.priors[-1], self.pictures[-2])

    def deviations(self, n: int, generator: Generator) -> Callable[[], Tensor]:
        """Makes n draws of the last field less its mean, (n, C, H, W); it keeps no field until then."""
        field = self.field
        return lambda: field().deviations(n, generator)

    def again(self) -> list[Fitting]:
        """The priors of these rounds, for the rounds of another picture."""
        return [lambda picture, before, prior=prior: prior for prior in self.priors]


def prior_of(
    pictures: Sequence[Tensor],
    sources: Sequence[Tensor],
    size: int,
    noise: float,
    side: int,
    start: PatchPrior | None,
    generator: Generator,
) -> PatchPrior:
    """A prior of `size` Gaussians of equally many windows of each picture.

    Args:
        pictures: each (C, H, W).
        sources: corners of the windows that may be picked of each.
        size, noise, start, generator: as `fit_prior` takes them.
        side: of a window.
    """
    count = min(WINDOWS, EACH * max(map(len, sources)))
    picked = [
        taken(picture, where[torch.randint(len(where), (count,), generator=generator)], side)
        for picture, where in zip(pictures, sources, strict=True)
    ]
    return fit_prior(torch.cat(picked, 1), size, noise, start=start, generator=generator)


def everywhere(picture: Tensor, side: int) -> Tensor:
    """Corners of all windows of a picture (C, H, W)."""
    return corners((picture.shape[1], picture.shape[2]), side)


def colour_basis(picture: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Orthonormal directions (C, C) of colour, in which steps between seen neighbours are not correlated."""
    steps = picture.float().diff(dim=2).flatten(1) if hidden is None else _seen_steps(picture, hidden)
    return torch.linalg.eigh(steps @ steps.T)[1].flip(1).T


def _seen_steps(picture: Tensor, hidden: Tensor) -> Tensor:
    return picture.float().diff(dim=2)[:, ~(hidden[:, 1:] | hidden[:, :-1])]


def turned(basis: Tensor, picture: Tensor) -> Tensor:
    """A picture (..., C, H, W) in the directions of the basis; with its transpose, back again."""
    return torch.einsum("dc,...chw->...dhw", basis, picture.float())
