"""What was seen of x: masks, smaller and blurred images, noise, grey, labels, and their compositions."""

from priorcraft.observe.compose import (
    EntrywiseComposition,
    Jointly,
    JointlyEntrywise,
    LinearComposition,
    PixelsAndBlocks,
    compose,
    jointly,
)
from priorcraft.observe.label import Label
from priorcraft.observe.mask import Choice, Mask
from priorcraft.observe.noise import GaussianNoise, Quantisation
from priorcraft.observe.smaller import BlockMean, Blur, GreyFromColour

__all__ = [
    "BlockMean",
    "Blur",
    "Choice",
    "EntrywiseComposition",
    "GaussianNoise",
    "GreyFromColour",
    "Jointly",
    "JointlyEntrywise",
    "Label",
    "LinearComposition",
    "Mask",
    "PixelsAndBlocks",
    "Quantisation",
    "compose",
    "jointly",
]
