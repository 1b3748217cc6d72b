"""Groups of alike rows, by class where there are classes: a missing one shows in their shares."""

from dataclasses import dataclass
from functools import cached_property

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from priorcraft.metrics.standard import one_hot

MOST = 2_000  # real rows that a judge or the groups are learned from
FEWEST = 30  # rows a group should have
RIDGE, WIDTH = 0.03, 0.5  # of the judge


@dataclass(frozen=True)
class Groups:
    """What a judge of classes and a division into clusters, both learned from other real rows, say of rows.

    Args:
        f: vectors of real rows, (N, D); at most 2,000.
        y: their classes, (N,), -1 where not known; None without labels.
        seed: of the clusters.
    """

    f: Tensor
    y: Tensor | None
    seed: int = 0

    @classmethod
    def of(cls, f: Tensor, y: Tensor | None, *, seed: int) -> "Groups":
        """Learned from at most 2,000 of the rows."""
        return cls(f[:MOST], None if y is None else y[:MOST], seed)

    @cached_property
    def judges(self) -> bool:
        """Whether there are classes to tell apart."""
        return self.y is not None and len(self.y[self.y >= 0].unique()) > 1

    @cached_property
    def _clusters(self) -> KMeans:
        k = min(max(len(self.f) // FEWEST, 2), 16)
        return KMeans(k, random_state=self.seed).fit(self.f.numpy())

    @cached_property
    def _judge(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rows whose class is known, the width of the kernel, and the regression's weights, (N, C)."""
        assert self.y is not None
        known = self.f[self.y >= 0]
        distances = torch.cdist(known, known).square()
        width = WIDTH * distances.median().clamp_min(1e-6)
        K = (-distances / width).exp()
        factor = torch.linalg.cholesky(K + RIDGE * torch.eye(len(K)))
        return known, width, torch.cholesky_solve(one_hot(self.y[self.y >= 0]), factor)

    def cluster(self, f: Tensor) -> Tensor:
        """The group of alike rows that each of f (N, D) belongs to, (N,)."""
        return torch.from_numpy(self._clusters.predict(f.numpy())).long()

    def judged(self, f: Tensor) -> Tensor:
        """The class that kernel ridge regression sees in each of f (N, D), (N,)."""
        known, width, weights = self._judge
        return ((-torch.cdist(f, known).square() / width).exp() @ weights).argmax(1)

    def shares(self, f: Tensor) -> tuple[Tensor, list[str]]:
        """Indicators of the class and the group of each of f (N, D), and their names."""
        kinds = {"group {} of alike rows": self.cluster(f)} | ({"class {}": self.judged(f)} if self.judges else {})
        marks = {name: one_hot(kind) for name, kind in kinds.items()}
        return torch.cat([*marks.values()], 1), [name.format(k) for name, m in marks.items() for k in range(m.shape[1])]
