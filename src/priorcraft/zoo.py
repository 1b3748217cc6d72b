"""Every model by name: the only module that knows them all.

A new model is one file in its family's folder, one row here, and one row in the table of the laws.
"""

import inspect
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from priorcraft.core import Approximate, Exact, Generative, Space
from priorcraft.errors import UsageError, did_you_mean
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.explicit.approximate.vqvae import VQVAE
from priorcraft.explicit.exact.chow_liu import ChowLiu
from priorcraft.explicit.exact.discriminant import Discriminant
from priorcraft.explicit.exact.ensemble import TreesAndNetwork
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
from priorcraft.runtime import borrowed_global_generator
from priorcraft.settings import Range, check, ranges
from priorcraft.train.game import Game
from priorcraft.train.likelihood import ExpectationMaximisation, MaximumLikelihood
from priorcraft.train.objective import Objective
from priorcraft.train.size import MixtureChoice
from priorcraft.train.team import Team

Settings = dict[str, Any]
MOST_NUMBERS = 2**29  # in a model; 2 GiB, and four times as much while it is trained


@dataclass(frozen=True)
class Entry:
    """A model, the objective that fits it, and what was found to work.

    Args:
        model: its class.
        objective: how it is fitted.
        summary: one line for `priorcraft models`.
        defaults: settings that depend on the data, from the space and the number of training rows.
        share: weight of this model's part when a comparison divides its time.
    """

    model: type[Generative]
    objective: Callable[..., Objective]
    summary: str
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


def trees_and_network(space: Space, n: int) -> Settings:
    """Tables want a wide network and few states; images the defaults."""
    return {} if space.is_image else {"width": 512, "dropout": 0.1, "latents": 8, "lr": 4e-3}


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
    "naive-bayes": Entry(NaiveBayes, ExpectationMaximisation, "independent entries, per class", share=0.0),
    "mixture": Entry(Mixture, MixtureChoice, "one discrete latent variable, fitted by EM", share=0.0),
    "gaussian-mixture": Entry(
        GaussianMixture, MixtureChoice, "Gaussians with full covariances, fitted by EM", share=0.0
    ),
    "ppca": Entry(PPCA, ExpectationMaximisation, "one Gaussian latent variable, integrated in closed form", share=0.0),
    "lda": Entry(
        Discriminant, ExpectationMaximisation, "a Gaussian per class, one covariance: linear discriminants", share=0.0
    ),
    "qda": Entry(
        Discriminant,
        ExpectationMaximisation,
        "a Gaussian per class, its own covariance: quadratic discriminants",
        lambda space, n: {"shared": False},
        share=0.0,
    ),
    "masked-mlp": Entry(MaskedAutoregressive, MaximumLikelihood, "masked perceptron, any order, exact ensemble"),
    "masked-conv": Entry(
        MaskedConvolution, MaximumLikelihood, "masked convolutions, any order, exact ensemble", masked_conv
    ),
    "chow-liu": Entry(ChowLiu, ExpectationMaximisation, "a tree over the entries, counted", share=0.0),
    "latent-tree": Entry(LatentTree, ExpectationMaximisation, "hidden trees by EM: every conditional exact", share=0.0),
    "trees-and-network": Entry(
        TreesAndNetwork, Team, "hidden trees and a masked perceptron, exactly averaged", trees_and_network
    ),
    "kernel": Entry(
        KernelDensity,
        ExpectationMaximisation,
        "a kernel on every row and its deformations; learns from unlabelled rows",
        lambda space, n: {"rows": max(min(n, 2000), 2), "deform": space.dims <= 400},
        share=0.0,
    ),
    "ladder-vae": Entry(LadderVAE, MaximumLikelihood, "a hierarchy of latents for images, bounded", ladder_vae),
    "flat-vae": Entry(VAE, MaximumLikelihood, "latent variables bounded through an encoder", flat_vae),
    "vq-vae": Entry(VQVAE, MaximumLikelihood, "code words, whose prior is a masked perceptron", vq_vae),
    "gan": Entry(GAN, Game, "generator and critic: samples without a density"),
}

LARGE = 12  # pixels a side: above, one layer of latents is too little


def best_autoregressive(space: Space, n: int) -> str:
    """Convolutions for images, trees and a network for tables, a masked perceptron for real numbers."""
    if space.levels is None:
        return "masked-mlp"
    return "masked-conv" if space.is_image else "trees-and-network"


def best_vae(space: Space, n: int) -> str:
    """A hierarchy for large images, one layer of latents for everything else."""
    return "ladder-vae" if space.is_image and min(space.event_shape[1:]) > LARGE else "flat-vae"


BEST: dict[str, Callable[[Space, int], str]] = {"autoregressive": best_autoregressive, "vae": best_vae}
SUMMARY = {"autoregressive": "the best exact model of its kind for the data", "vae": "the best VAE for the data"}


def names() -> list[str]:
    """Every name that `fit` understands."""
    return [*BEST, *ZOO]


def rows() -> list[dict[str, str]]:
    """One row a name: name, family, density, summary."""
    members = {name: ZOO[choose(Space((8,), 2), 1000)] for name, choose in BEST.items()}
    best = [
        {"name": name, "family": e.family, "density": DENSITY[e.family], "summary": SUMMARY[name]}
        for name, e in members.items()
    ]
    return best + [
        {"name": name, "family": e.family, "density": DENSITY[e.family], "summary": e.summary}
        for name, e in ZOO.items()
    ]


def entry(name: str, space: Space, n: int) -> tuple[str, Entry]:
    """The member that a name stands for, for data of this space with n training rows.

    Raises:
        UsageError: no such name.
    """
    if name not in names():
        raise UsageError(f"there is no model '{name}': {did_you_mean(name, names())}")
    member = BEST[name](space, n) if name in BEST else name
    return member, ZOO[member]


def resolve(name: str, space: Space, n: int, settings: Settings, *, whole: bool = False) -> Settings:
    """Every setting of a model and its objective: the user's, else the zoo's for such data, else the constructor's.

    Args:
        name: as in `entry`.
        settings: keywords of the model's or the objective's constructor, as text or as values.
        whole: these are what an earlier call returned: what is missing is newer, and is the constructor's.

    Raises:
        UsageError: a keyword that neither knows, or a value of another type or out of its range.
    """
    _, found = entry(name, space, n)
    known = keywords(found.model) | keywords(found.objective)
    for key in settings:
        if key not in known:
            raise UsageError(f"{name} has no setting '{key}': {did_you_mean(key, known)}")
    given = settings if whole else found.defaults(space, n) | settings
    settled = defaults(found.model) | defaults(found.objective) | {k: parsed(k, v, known[k]) for k, v in given.items()}
    for constructor in (found.model, found.objective):
        check(constructor, settled)
    return settled


def build(
    name: str,
    space: Space,
    context: Space | None,
    n: int,
    settings: Settings,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    whole: bool = False,
) -> tuple[Generative, Objective]:
    """A new model and its objective.

    Args:
        name, settings, whole: as in `resolve`.
        seed: source of the initial weights.
        device: where the model shall live.

    Raises:
        UsageError: as `resolve`, or a model that cannot be built for such data.
    """
    _, found = entry(name, space, n)
    given = resolve(name, space, n, settings, whole=whole)
    model_keys, objective_keys = keywords(found.model), keywords(found.objective)
    with borrowed_global_generator(seed, "weights"), bounded(name):
        model = found.model(space, context, **{k: v for k, v in given.items() if k in model_keys})
    return model, found.objective(model.to(device), **{k: v for k, v in given.items() if k in objective_keys})


@contextmanager
def bounded(name: str) -> Iterator[None]:
    """A model that is made within may have so many numbers and no more: it is refused while it grows.

    Raises:
        UsageError: more than `MOST_NUMBERS` weights.
    """
    numbers = 0

    def count(module: nn.Module, key: str, tensor: Tensor | None) -> None:
        nonlocal numbers
        numbers += 0 if tensor is None else tensor.numel()
        if numbers > MOST_NUMBERS:
            raise UsageError(f"{name} with these settings has more than {MOST_NUMBERS:,} weights; make it smaller.")

    hooks = [register_module_parameter_registration_hook(count), register_module_buffer_registration_hook(count)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True)
class Setting:
    """What a user may set of a model or its training.

    Args:
        name: as in `--set name=value`.
        kind: int, float, bool or str.
        default: the constructor's own value; None lets it choose.
        limits: the numbers that it takes.
    """

    name: str
    kind: type
    default: object
    limits: Range | None


def settings_of(member: str) -> list[Setting]:
    """The settings of a model and its objective, in the order of their declaration.

    >>> [f"{s.name} {s.default} of {s.limits}" for s in settings_of("naive-bayes")]
    ['smoothing 2.0 of 0 ... 1,000,000', 'tolerance 0.0001 of 0 ... 1,000,000']
    """
    found = ZOO[member]
    return [
        Setting(name, kind, defaults(constructor)[name], ranges(constructor).get(name))
        for constructor in (found.model, found.objective)
        for name, kind in keywords(constructor).items()
    ]


def defaults(constructor: Callable[..., object]) -> Settings:
    """The constructor's own values of the keywords that a command line can set."""
    parameters = inspect.signature(constructor).parameters
    return {name: parameters[name].default for name in keywords(constructor)}


def keywords(constructor: Callable[..., object]) -> dict[str, type]:
    """Keyword-only arguments of a constructor that a command line can set, with their types."""
    target = constructor.__init__ if isinstance(constructor, type) else constructor
    hints = typing.get_type_hints(target)
    named = [p.name for p in inspect.signature(constructor).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return {name: kind for name in named if (kind := simple(hints[name])) is not None}


def simple(hint: Any) -> type | None:
    """int, float, bool or str, if that is what a type hint says, None apart."""
    kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 and kinds[0] in _SIMPLE else None


_SIMPLE = (int, float, bool, str)


def parsed(key: str, value: object, kind: type) -> object:
    """`value`, which may be text, as a value of type `kind`; None, a constructor's own choice, stays.

    >>> parsed("lr", "1e-3", float)
    0.001
    """
    if value is None:
        return None
    if kind is bool and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    try:
        number = kind(value)  # type: ignore[call-arg]
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"setting {key} must be of type {kind.__name__}, not '{value!s:.60}'.") from None
    rounded = kind is int and not isinstance(value, str) and number != value
    if rounded or kind is bool or (kind in (int, float) and (number != number or isinstance(value, bool))):
        raise UsageError(f"setting {key} must be of type {kind.__name__}, not '{value!s:.60}'.")
    return number
