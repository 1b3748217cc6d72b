"""The members of the zoo: each model with its objective, what was found to work, and what it suits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from priorcraft.core import Approximate, Exact, Generative, Space
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.explicit.approximate.vqvae import VQVAE
from priorcraft.explicit.exact.chow_liu import ChowLiu
from priorcraft.explicit.exact.discriminant import Discriminant
from priorcraft.explicit.exact.ensemble import TreesAndNetwork
from priorcraft.explicit.exact.forest_chain import ForestChain
from priorcraft.explicit.exact.gaussian_mixture import GaussianMixture
from priorcraft.explicit.exact.kernel import KernelDensity
from priorcraft.explicit.exact.latent_tree import LatentTree
from priorcraft.explicit.exact.masked_conv import MaskedConvolution
from priorcraft.explicit.exact.masked_mlp import MaskedAutoregressive
from priorcraft.explicit.exact.mixture import Mixture
from priorcraft.explicit.exact.naive_bayes import NaiveBayes
from priorcraft.explicit.exact.ppca import PPCA
from priorcraft.implicit.gan import GAN
from priorcraft.likelihoods import CATEGORICAL_LIMIT
from priorcraft.train.game import Game
from priorcraft.train.likelihood import ExpectationMaximisation, MaximumLikelihood
from priorcraft.train.objective import Objective
from priorcraft.train.size import MixtureChoice
from priorcraft.train.team import Team

Settings = dict[str, Any]


@dataclass(frozen=True)
class Suits:
    """What a model is good for, and what it takes, in a few words each.

    Args:
        good_for: questions and data.
        rows: of the training.
        size: entries of a row, or pixels of an image.
        time: of a training, on two cores.
        memory: beside the data.
    """

    good_for: str
    rows: str
    size: str
    time: str
    memory: str


@dataclass(frozen=True)
class Entry:
    """A model, the objective that fits it, and what was found to work.

    Args:
        model: its class.
        objective: how it is fitted.
        summary: one line for `priorcraft models`.
        suits: what it is good for, and what it takes, for the same list.
        defaults: settings that depend on the data, from the space and the number of training rows.
        share: weight of this model's part when a comparison divides its time.
    """

    model: type[Generative]
    objective: Callable[..., Objective]
    summary: str
    suits: "Suits"
    defaults: Callable[[Space, int], Settings] = field(default=lambda space, n: {})
    share: float = 1.0

    @property
    def family(self) -> str:
        """ "exact", "approximate" or "implicit": the type says it."""
        return family(self.model)


def family(model: type[Generative]) -> str:
    """The family that a class of models belongs to.

    >>> family(VAE)
    'approximate'
    """
    return "exact" if issubclass(model, Exact) else "approximate" if issubclass(model, Approximate) else "implicit"


DEFORMED = {"augment": 1.0, "augment_last": 0.5}  # a VAE of few images


FOREST_NUMBERS = 2**26  # in the leaves of a chain of forests


def trees_and_network(space: Space, n: int) -> Settings:
    """Tables want a wide network, few states, and forests unless they are very wide; images the defaults."""
    leaves = leaves_of(n)
    forests = 24 if 2 * 24 * leaves * space.dims * (space.levels or 0) <= FOREST_NUMBERS else 0
    table = {"width": 512, "dropout": 0.1, "latents": 8, "lr": 4e-3, "forests": forests, "leaves": leaves}
    return {} if space.is_image else table


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


DENSITY = {"exact": "log p(x)", "approximate": "lower bound on log p(x)", "implicit": "none"}

ZOO: dict[str, Entry] = {
    "naive-bayes": Entry(
        NaiveBayes,
        ExpectationMaximisation,
        "independent entries, per class",
        Suits("a floor to beat; classes of few rows", "any", "any", "seconds", "counts of every level"),
        share=0.0,
    ),
    "mixture": Entry(
        Mixture,
        MixtureChoice,
        "one discrete latent variable, fitted by EM",
        Suits(
            "clusters; fast filling in of binary and grey images",
            "100 or more",
            "to about 1,000 entries",
            "seconds to minutes",
            "a table a component",
        ),
        share=0.0,
    ),
    "gaussian-mixture": Entry(
        GaussianMixture,
        MixtureChoice,
        "Gaussians with full covariances, fitted by EM",
        Suits(
            "real numbers and patches of photographs",
            "100 or more",
            "to about 200 entries",
            "seconds to minutes",
            "square of the entries, a component",
        ),
        share=0.0,
    ),
    "ppca": Entry(
        PPCA,
        ExpectationMaximisation,
        "one Gaussian latent variable, integrated in closed form",
        Suits("real numbers near a plane", "20 or more", "to about 1,000 entries", "seconds", "entries times latents"),
        share=0.0,
    ),
    "lda": Entry(
        Discriminant,
        ExpectationMaximisation,
        "a Gaussian per class, one covariance: linear discriminants",
        Suits("classes of real numbers", "20 or more", "to about 500 entries", "seconds", "square of the entries"),
        share=0.0,
    ),
    "qda": Entry(
        Discriminant,
        ExpectationMaximisation,
        "a Gaussian per class, its own covariance: quadratic discriminants",
        Suits(
            "classes of real numbers that differ in shape",
            "50 or more a class",
            "to about 500 entries",
            "seconds",
            "square of the entries, a class",
        ),
        lambda space, n: {"shared": False},
        share=0.0,
    ),
    "masked-mlp": Entry(
        MaskedAutoregressive,
        MaximumLikelihood,
        "masked perceptron, any order, exact ensemble",
        Suits(
            "small images, real numbers; any order",
            "500 or more",
            "to about 1,000 entries",
            "minutes",
            "square of the entries",
        ),
    ),
    "masked-conv": Entry(
        MaskedConvolution,
        MaximumLikelihood,
        "masked convolutions, any order, exact ensemble",
        Suits(
            "images: likelihood, samples, filling in",
            "1,000 or more",
            "8 to 64 pixels a side",
            "10 minutes to hours",
            "layers of a batch: 1 GB at 64 pixels",
        ),
        masked_conv,
    ),
    "chow-liu": Entry(
        ChowLiu,
        ExpectationMaximisation,
        "a tree over the entries, counted",
        Suits(
            "tables at once; every conditional",
            "100 or more",
            "to about 500 columns",
            "seconds",
            "square of the columns",
        ),
        share=0.0,
    ),
    "latent-tree": Entry(
        LatentTree,
        ExpectationMaximisation,
        "hidden trees by EM: every conditional exact",
        Suits(
            "tables: filling in, conditions, sampling",
            "200 or more",
            "to about 500 columns",
            "seconds to minutes",
            "a table a column and state",
        ),
        share=0.0,
    ),
    "forest-chain": Entry(
        ForestChain,
        ExpectationMaximisation,
        "a chain of forests and regressions over the columns",
        Suits(
            "tables: sampling, scores; columns that are nearly sums of others",
            "200 or more",
            "to about 100 columns",
            "seconds to minutes",
            "a forest a column",
        ),
        lambda space, n: {"leaves": leaves_of(n)},
        share=0.0,
    ),
    "trees-and-network": Entry(
        TreesAndNetwork,
        Team,
        "hidden trees, forests and a masked perceptron, exactly averaged",
        Suits("tables: the best likelihood", "500 or more", "to about 500 columns", "minutes", "as masked-mlp"),
        trees_and_network,
    ),
    "kernel": Entry(
        KernelDensity,
        ExpectationMaximisation,
        "a kernel on every row and its deformations; learns from unlabelled rows",
        Suits("few rows, few labels", "20 to 10,000", "to about 1,000 entries", "seconds", "the rows"),
        lambda space, n: {"rows": max(min(n, 2000), 2), "deform": space.dims <= 400},
        share=0.0,
    ),
    "ladder-vae": Entry(
        LadderVAE,
        MaximumLikelihood,
        "a hierarchy of latents for images, bounded",
        Suits(
            "latents of larger images",
            "1,000 or more",
            "from 12 pixels a side",
            "10 minutes to hours",
            "layers of a batch",
        ),
        ladder_vae,
    ),
    "flat-vae": Entry(
        VAE,
        MaximumLikelihood,
        "latent variables bounded through an encoder",
        Suits(
            "latents to move in; small images and tables", "500 or more", "to about 1,000 entries", "minutes", "small"
        ),
        flat_vae,
    ),
    "vq-vae": Entry(
        VQVAE,
        MaximumLikelihood,
        "code words, whose prior is a masked perceptron",
        Suits(
            "code words; samples of images",
            "1,000 or more",
            "8 to 64 pixels a side",
            "10 minutes to hours",
            "layers of a batch",
        ),
        vq_vae,
    ),
    "gan": Entry(
        GAN,
        Game,
        "generator and critic: samples without a density",
        Suits(
            "sharp samples; translation of images",
            "1,000 or more",
            "to 64 pixels a side",
            "10 minutes to hours",
            "two networks and a batch",
        ),
    ),
}
