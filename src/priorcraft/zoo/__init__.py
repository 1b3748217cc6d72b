"""Every model by name: the only module that knows them all.

A new model is one file in its family's folder, one row in `members.py`, and one row in the table of the laws.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from priorcraft.core import Generative, Space
from priorcraft.errors import UsageError, did_you_mean
from priorcraft.runtime import borrowed_global_generator
from priorcraft.settings import Range, check, defaults, keywords, parsed, ranges
from priorcraft.train.objective import Objective
from priorcraft.zoo.entry import Entry, Settings, Suits, family
from priorcraft.zoo.found import best_autoregressive, best_vae, masked_conv
from priorcraft.zoo.members import DENSITY, ZOO

__all__ = [
    "BEST", "DENSITY", "ZOO", "Entry", "Setting", "Settings", "best_autoregressive", "best_vae", "bounded", "build",
    "entry", "family", "keywords", "masked_conv", "names", "resolve", "rows", "settings_of",
]  # fmt: skip
MOST_NUMBERS = 2**29  # in a model; 2 GiB, and four times as much while it is trained

BEST: dict[str, Callable[[Space, int], str]] = {"autoregressive": best_autoregressive, "vae": best_vae}
SUMMARY = {"autoregressive": "the best exact model of its kind for the data", "vae": "the best VAE for the data"}


BEST_SUITS = {
    "autoregressive": Suits(
        "images and tables: likelihood, conditions, samples", "500 or more", "as its member", "minutes", "as its member"
    ),
    "vae": Suits("latents to move in", "500 or more", "as its member", "minutes", "as its member"),
}


def names() -> list[str]:
    """Every name that `fit` understands."""
    return [*BEST, *ZOO]


def rows() -> list[dict[str, str]]:
    """One row a name: name, family, density, summary, and what it suits."""
    members = {name: ZOO[choose(Space((8,), 2), 1000)] for name, choose in BEST.items()}
    best = [
        _row(name, replace(found, summary=SUMMARY[name], suits=BEST_SUITS[name])) for name, found in members.items()
    ]
    return best + [_row(name, found) for name, found in ZOO.items()]


def _row(name: str, found: Entry) -> dict[str, str]:
    about = {"name": name, "family": found.family, "density": DENSITY[found.family], "summary": found.summary}
    return about | asdict(found.suits)


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
