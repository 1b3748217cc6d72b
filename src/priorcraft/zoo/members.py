"""The members of the zoo: each model with its objective, what was found to work, and what it suits."""

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
from priorcraft.train.game import Game
from priorcraft.train.likelihood import ExpectationMaximisation, MaximumLikelihood
from priorcraft.train.size import MixtureChoice
from priorcraft.train.team import Team
from priorcraft.zoo.entry import Entry, Suits
from priorcraft.zoo.found import flat_vae, ladder_vae, leaves_of, masked_conv, trees_and_network, vq_vae

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
