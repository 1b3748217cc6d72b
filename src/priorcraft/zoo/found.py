"""What was found to work: settings of a member by the data, and the best member for them."""

from priorcraft.core import Space
from priorcraft.likelihoods import CATEGORICAL_LIMIT
from priorcraft.zoo.entry import Settings

DEFORMED = {"augment": 1.0, "augment_last": 0.5}  # a VAE of few images
LARGE = 12  # pixels a side: above, one layer of latents is too little
TREE_NUMBERS = 2**21  # in the tables of a Chow-Liu tree, of each class
FOREST_NUMBERS = 2**26  # in the leaves of a chain of forests


def trees_and_network(space: Space, n: int) -> Settings:
    """Tables want a wide network, few states, and trees and forests unless very wide; images the defaults."""
    leaves = leaves_of(n)
    forests = 24 if 2 * 24 * leaves * space.dims * (space.levels or 0) <= FOREST_NUMBERS else 0
    counted = space.dims * (space.levels or 0) ** 2 <= TREE_NUMBERS
    table = {"width": 512, "dropout": 0.1, "latents": 8, "lr": 4e-3, "forests": forests, "leaves": leaves}
    return {} if space.is_image else table | {"chow_liu": counted}


def leaves_of(n: int) -> int:
    """Most leaves of a tree that is grown on n rows."""
    return min(max(n // 16, 16), 512)


def masked_conv(space: Space, n: int) -> Settings:
    """Cells of four pixels are four times as fast; a thousand images overfit without dropout and deformations.

    Colours start from a linear prediction by their neighbours; of those, there are many in a few images.
    """
    patch = {"patch": 1 if any(side % 2 for side in space.event_shape[1:]) else 2, "window": 5, "lr": 3e-3}
    few = {"depth": 3, "channels": 96, "dropout": 0.3, "weight_decay": 1e-2, "any_order": 0.5, "batch_size": 64}
    few |= {"decay": 0.99, "lr": 5e-3, **({"augment": 0.7, "augment_last": 0.3} if space.levels else {})}
    sized = patch | (few if n < 10_000 else {"orders": 2, "depth": 8, "batch_size": 32, "any_order": 0.1})
    if space.event_shape[0] == 1 or (space.levels or 0) <= CATEGORICAL_LIMIT:
        return sized
    return sized | {"linear": 5, "augment": 0.0, "augment_last": 0.0, "any_order": 0.2, "batch_size": 16}


def ladder_vae(space: Space, n: int) -> Settings:
    """Narrow and slow: four layers of latents then stay in use; a thousand rows overfit without all that is done."""
    small = {"width": 32, "latent": 4, "reach": 4, "pixel_width": 24, "warm_up": 0.3, "bf16": True}
    few = {"dropout": 0.2, "weight_decay": 2e-2, **(DEFORMED if space.levels else {})} if n < 10_000 else {}
    return small | few | {"batch_size": 64, "lr": 2e-3}


def vq_vae(space: Space, n: int) -> Settings:
    """A thousand rows overfit without decay."""
    return {"weight_decay": 1e-2, "batch_size": 100, "decay": 0.99} if n < 10_000 else {}


def flat_vae(space: Space, n: int) -> Settings:
    """As above, and images of them without deformations."""
    deformed = DEFORMED if space.is_image and space.levels and n < 10_000 else {}
    return vq_vae(space, n) | deformed


def best_autoregressive(space: Space, n: int) -> str:
    """Convolutions for images, trees and a network for tables, a masked perceptron for real numbers."""
    if space.levels is None:
        return "masked-mlp"
    return "masked-conv" if space.is_image else "trees-and-network"


def best_vae(space: Space, n: int) -> str:
    """A hierarchy for large images, one layer of latents for everything else."""
    return "ladder-vae" if space.is_image and min(space.event_shape[1:]) > LARGE else "flat-vae"
