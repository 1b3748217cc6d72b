"""How each kind of game is played: its loss, and the penalties and optimiser that it needs to be played well."""

from dataclasses import dataclass, replace

from priorcraft.core import Space
from priorcraft.errors import UsageError, did_you_mean
from priorcraft.implicit.networks import is_large, is_real_vector
from priorcraft.implicit.objectives import LEAST_SQUARES, LOSSES, NON_SATURATING, RELATIVISTIC, WASSERSTEIN, Loss
from priorcraft.train.optimise import cosine


@dataclass(frozen=True)
class Recipe:
    """A loss and everything that goes with it.

    Args:
        loss: what each player makes small.
        lr: learning rate of both players.
        betas: of Adam, for both players.
        batch_size: rows of a critic's step and of a generator's step.
        gamma: weight of the zero-centred penalties on real and fake rows at the start; it falls geometrically.
        calm: share of gamma that is left at the end of the budget.
        lipschitz: weight of the one-centred penalty between real and fake rows.
        critic_steps: steps of the critic, each on rows of its own, for one of the generator.
        decay: of the generator's moving average; 0 keeps none.
        anneal: whether the learning rate falls, and beta2 rises from 0.9 to 0.99, over the budget.
    """

    loss: Loss
    lr: float
    betas: tuple[float, float] = (0.5, 0.999)
    batch_size: int = 128
    gamma: float = 0.0
    calm: float = 1.0
    lipschitz: float = 0.0
    critic_steps: int = 1
    decay: float = 0.995
    anneal: bool = False

    def rate(self, progress: float) -> float:
        """Share of the learning rate at this share of the budget."""
        return cosine(progress) if self.anneal else 1.0

    def moments(self, progress: float) -> tuple[float, float]:
        """Adam's betas at this share of the budget."""
        return (self.betas[0], 0.99 - 0.09 * cosine(progress, warm=0.0)) if self.anneal else self.betas

    def penalty(self, progress: float) -> float:
        """Weight of the zero-centred penalties at this share of the budget."""
        return self.gamma * self.calm**progress


def ours(space: Space, paired: bool = False) -> Recipe:
    """What was found to work: narrow modes of real numbers take a large gamma first and a small one last."""
    base = Recipe(RELATIVISTIC, 2e-3, (0.0, 0.9), gamma=10.0, calm=0.1, anneal=True)
    if paired:
        return replace(base, gamma=1.0, batch_size=32 if is_large(space) else base.batch_size)
    if is_real_vector(space):
        return replace(base, lr=3e-3, gamma=1.0, calm=1e-4, batch_size=256)
    if is_large(space):  # two rows lie further apart the more entries they have, and the same lead is a flatter slope
        return replace(base, gamma=space.dims / 500, batch_size=64)
    return base


def recipe(name: str, space: Space, paired: bool = False) -> Recipe:
    """The recipe of a loss for a space; the peers keep their own published settings and see as many rows a step.

    relativistic    zero-centred penalties, no momentum, everything annealed (Huang et al. 2024, arXiv:2501.05441)
    non-saturating  Adam(0.5, 0.999) at 2e-4, nothing else (Radford et al. 2015, arXiv:1511.06434)
    least-squares   the same (Mao et al. 2016, arXiv:1611.04076)
    wasserstein     one-centred penalty, five steps of the critic (Gulrajani et al. 2017, arXiv:1704.00028)

    Args:
        name: of one of `objectives.LOSSES`.
        space: where x lives.
        paired: whether an image or a vector is the context.

    Raises:
        UsageError: no such loss.

    >>> recipe("wasserstein", Space((2,))).critic_steps
    5
    """
    own, lipschitz = ours(space, paired), 0.1 if is_real_vector(space) else 10.0
    known = {
        RELATIVISTIC.name: own,
        NON_SATURATING.name: Recipe(NON_SATURATING, 2e-4, batch_size=own.batch_size),
        LEAST_SQUARES.name: Recipe(LEAST_SQUARES, 2e-4, batch_size=own.batch_size),
        WASSERSTEIN.name: Recipe(WASSERSTEIN, 1e-4, (0.5, 0.9), own.batch_size, lipschitz=lipschitz, critic_steps=5),
    }
    if name not in known:
        raise UsageError(f"there is no loss '{name}': {did_you_mean(name, [loss.name for loss in LOSSES])}")
    return known[name]
