"""Tiny instances of every model, so that each law can be put to all of them: one row a model."""

import itertools
from typing import Any

import torch

from priorcraft import runtime
from priorcraft.core import ClosedForm, Finer, Generative, Space
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

BITS = Space((1, 3, 3), 2)
PLANE = Space((2,))
COLUMNS = Space((3,), 4, sizes=(4, 2, 3))  # of a table, each with its own number of states
DIGITS = Space((4,), 4, sizes=(3, 2, 4, 2), finer=(Finer(2, 0, (1, 4, 2)), Finer(3, 1, (2, 1))))  # of two columns
LABELS = Space((), 3)
DEFORMED = {"augment": 0.5, "augment_last": 0.5}

MODELS = {
    "naive-bayes": (NaiveBayes, {}),
    "mixture": (Mixture, {"components": 3}),
    "gaussian-mixture": (GaussianMixture, {"components": 3}),
    "ppca": (PPCA, {"latent": 2}),
    "lda": (Discriminant, {}),
    "qda": (Discriminant, {"shared": False}),
    "masked-mlp": (MaskedAutoregressive, {"orders": 3, "width": 12, "depth": 1}),
    "masked-conv": (
        MaskedConvolution,
        {"orders": 2, "channels": 8, "depth": 1, "window": 3, "any_order": 0.9, **DEFORMED},
    ),
    "chow-liu": (ChowLiu, {}),
    "latent-tree": (LatentTree, {"members": 2, "latents": 3}),
    "trees-and-network": (
        TreesAndNetwork,
        {"latents": 2, "trees": 1, "orders": 2, "width": 8, "forests": 2, "leaves": 4},
    ),
    "forest-chain": (ForestChain, {"trees": 2, "leaves": 4}),
    "kernel": (KernelDensity, {"rows": 60}),
    "flat-vae": (VAE, {"latent": 2, "hidden": 12, "depth": 1}),
    "ladder-vae": (LadderVAE, {"layers": 2, "latent": 1, "width": 8, "pixel_width": 4, "reach": 1, **DEFORMED}),
    "vq-vae": (VQVAE, {"positions": 3, "words": 4, "word": 2, "hidden": 8, "prior_width": 8}),
    "gan": (GAN, {"latent": 2, "hidden": 12, "layers": 1}),
}
REAL_VALUED = ("mixture", "gaussian-mixture", "ppca", "lda", "qda", "kernel", "gan")
APPROXIMATE = ("flat-vae", "ladder-vae", "vq-vae")
CERTAIN = "vq-vae"  # its q(z | x) is one point: the bound is the same for every k
IMPLICIT = ("gan",)
HOLDS_DIGITS = (
    "masked-mlp",
    "chow-liu",
    "latent-tree",
    "forest-chain",
    "trees-and-network",
)  # models that know which digits fit
IMAGES_ALONE = ("masked-conv", "ladder-vae")
EXACT = tuple(name for name in MODELS if name not in (*APPROXIMATE, *IMPLICIT))


def rows(space: Space, n: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows in which entries and labels depend on one another."""
    generator = runtime.keyed("rows", n)
    y = torch.arange(n) % 3
    x = torch.randn(n, space.dims, generator=generator, dtype=torch.float64) + (y[:, None] - 1.0)
    x = x + 0.5 * x.roll(1, 1)
    if space.levels is not None:
        x = (
            ((x + 1.5) / 3 * (space.tops + 1)).floor().long().clamp_min(0).minimum(space.tops)
            if space.sizes
            else (x > 0).long()
        )
    for digit in space.finer:
        x[:, digit.entry] = x[:, digit.entry].minimum(torch.tensor(digit.states)[x[:, digit.of]] - 1)
    return x.view(n, *space.event_shape), y


def tiny(name: str, *, space: Space = BITS, labels: bool = True, noise: float = 0.3) -> Generative:
    """A small model in float64 that has seen some rows, its weights shaken so that no law holds by symmetry."""
    kind, settings = MODELS[name]
    with runtime.borrowed_global_generator("tiny", name):
        model: Any = kind(space, LABELS if labels else None, **settings).double()
        x, y = rows(space)
        given = y if labels else None
        model.initialise(x, given, generator=runtime.keyed("tiny", name))
        if issubclass(kind, ClosedForm):
            for _ in range(3):
                model.update(x, given)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(noise * torch.randn_like(parameter))
    return model.eval()


def every_row() -> tuple[torch.Tensor, torch.Tensor]:
    """All rows of `DIGITS` whose digits fit, and the others."""
    x = torch.cartesian_prod(*(torch.arange(size) for size in DIGITS.sizes))
    fits = torch.stack([x[:, d.entry] < torch.tensor(d.states)[x[:, d.of]] for d in DIGITS.finer], 1).all(1)
    return x[fits], x[~fits]


def every_image() -> torch.Tensor:
    """All 2^9 binary 3x3 images."""
    return torch.tensor(list(itertools.product([0, 1], repeat=9))).view(-1, 1, 3, 3)
