"""Few images, deformed a little in training, by a network that is told how."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from priorcraft.core import Space
from priorcraft.nn.warp import randomly_deformed

FADED = 0.7  # share of the training after which no fewer images are deformed
NUMBERS = 7  # that tell of a deformation: the six of `randomly_deformed`, and that there is one


class Deforming(nn.Module):
    """Deforms images, and tells how as features; told nothing, the density is that of images as they are.

    (distribution augmentation: Jun et al. 2020, "Distribution Augmentation for Generative Modeling", ICML)

    Args:
        channels: of the features.
        first, last: share of the images that are deformed, at the start of the training, and from 70 % of it to the
            end.
    """

    def __init__(self, channels: int, first: float, last: float) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.tell = nn.Linear(NUMBERS, channels, bias=False)
        nn.init.zeros_(self.tell.weight)

    def forward(self, x: Tensor, space: Space, progress: float, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Some of the images (B, C, H, W) deformed, and how (B, 7): zeros for those that are not."""
        left = max(0.0, 1 - progress / FADED)
        share = self.first * left + self.last * (1 - left)
        if not share or space.levels is None:
            return x, None
        some = torch.rand(len(x), generator=generator, device=generator.device).to(x.device) < share
        deformed, how = randomly_deformed(x, space.levels, generator)
        how = F.pad(how, (0, 1), value=1.0) * some.unsqueeze(1)
        return torch.where(some.view(-1, 1, 1, 1), deformed, x), how.to(self.tell.weight.dtype)

    def told(self, how: Tensor) -> Tensor:
        """The features of deformations (B, 7), (B, channels, 1, 1)."""
        return self.tell(how)[..., None, None]
