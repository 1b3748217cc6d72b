"""Few images, deformed a little in training, by a network that is told how."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from priorcraft.core import Space
from priorcraft.errors import UsageError
from priorcraft.nn.warp import randomly_deformed

FADED = 0.7  # share of the training after which no fewer images are deformed
NUMBERS = 7  # that tell of a deformation: the six of `randomly_deformed`, and that there is one


class Deforming:
    """Deforms images in training and tells how; a network that is told nothing speaks of images as they are.

    (distribution augmentation: Jun et al. 2020, "Distribution Augmentation for Generative Modeling", ICML)

    Args:
        space: images of integers.
        first, last: share of the images that are deformed, at the start of the training, and from 70 % of it to the
            end.

    Raises:
        UsageError: another space, or shares outside 0 ... 1.
    """

    def __init__(self, space: Space, first: float, last: float) -> None:
        if not space.is_image or space.levels is None:
            raise UsageError("augment deforms images of integers, and these are none; leave it out.")
        if not 0 <= min(first, last) <= max(first, last) <= 1:
            raise UsageError(f"augment and augment_last must be shares, 0 ... 1; found {first} and {last}.")
        self.levels, self.first, self.last = space.levels, first, last

    @classmethod
    def of(cls, space: Space, first: float, last: float) -> "Deforming | None":
        """None where no image is to be deformed."""
        return cls(space, first, last) if first or last else None

    def __call__(self, x: Tensor, progress: float, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Some of the images (B, C, H, W) deformed, and how (B, 7): zeros for those that are not; None if none is."""
        left = max(0.0, 1 - progress / FADED)
        share = self.first * left + self.last * (1 - left)
        if not share:
            return x, None
        some = torch.rand(len(x), generator=generator, device=generator.device).to(x.device) < share
        deformed, how = randomly_deformed(x, self.levels, generator)
        return torch.where(some.view(-1, 1, 1, 1), deformed, x), F.pad(how, (0, 1), value=1.0) * some.unsqueeze(1)
