"""The game of generator and critic: one step of each, on losses whose equilibrium holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Space
from priorcraft.errors import UsageError
from priorcraft.implicit.detectors import diversity
from priorcraft.implicit.gan import GAN
from priorcraft.implicit.networks import is_large, is_real_vector
from priorcraft.implicit.objectives import RELATIVISTIC, Loss, squared_gradient
from priorcraft.runtime import Key
from priorcraft.train.objective import Batch, Objective
from priorcraft.train.optimise import Average, Descent, cosine

RECONSTRUCT = 10.0
HELD_OUT = 1000  # validation rows at which the critic is looked at
WATCH = 25  # steps from one look at diversity and held-out rows to the next


@dataclass(frozen=True)
class Pace:
    """What was found to work for a kind of data; `Game` explains the names."""

    lr: float
    gamma: float
    calm: float
    batch_size: int


def pace(space: Space, paired: bool = False) -> Pace:
    """The usual pace of a space: narrow modes of real numbers take a small gamma at the end, large pairs few rows."""
    if paired:
        return Pace(1e-3, 1.0, 0.1, 32) if is_large(space) else Pace(2e-3, 1.0, 0.1, 128)
    return Pace(3e-3, 0.2, 5e-4, 256) if is_real_vector(space) else Pace(2e-3, 0.2, 0.1, 128)


class Game(Objective):
    """Relativistic losses with zero-centred gradient penalties on real and fake rows, every step.

    critic     E softplus(D(G(z)) - D(x)) + gamma / 2 (E |dD/dx|^2 + E |dD/dG|^2)
    generator  E softplus(D(x) - D(G(z))) + reconstruct (E |x - G(z)| - E |G(z) - G(z')| / 2)
    (Huang et al. 2024, arXiv:2501.05441). Adam without momentum; its beta2 rises and gamma falls over the budget.

    The second term, with pairs alone, is the L1 loss of Isola et al. (2016, arXiv:1611.07004) made proper: less half
    the distance of two answers it is the continuous ranked probability score of each entry, smallest at p(x_i | c)
    itself (Gneiting & Raftery 2007). L1 alone would teach the generator to ignore z and answer with the median.

    Args:
        model: the generator and critic to train.
        loss: the rules of the game.
        lr: learning rate of both players.
        gamma: weight of the penalties at the start; it falls geometrically.
        calm: share of gamma that is left at the end of the budget.
        batch_size: rows of a step.
        decay: of the generator's moving average.
        reconstruct: weight of the score of each entry, on the network's range; for images or vectors as context.

    What is left out is chosen by the space (`pace`).
    """

    def __init__(
        self,
        model: GAN,
        *,
        loss: Loss = RELATIVISTIC,
        lr: float | None = None,
        gamma: float | None = None,
        calm: float | None = None,
        batch_size: int | None = None,
        decay: float = 0.995,
        reconstruct: float | None = None,
    ) -> None:
        paired = model.context is not None and not model.context.is_label
        if reconstruct and not paired:
            raise UsageError("reconstruct needs pairs, an image or vector as context: fit with --pairs or --domains.")
        self.reconstruct = (RECONSTRUCT if paired else 0.0) if reconstruct is None else reconstruct
        usual = pace(model.space, paired)
        self.model = self.gan = model
        self.loss = loss
        self.gamma = usual.gamma if gamma is None else gamma
        self.calm = usual.calm if calm is None else calm
        self.batch_size = usual.batch_size if batch_size is None else batch_size
        lr = usual.lr if lr is None else lr
        self.generator = Descent(model.generator.named_parameters(), lr, betas=(0.0, 0.9))
        self.critic = Descent(model.critic.named_parameters(), lr, betas=(0.0, 0.9))
        self.average = Average(model, decay)
        self.average.module.critic = model.critic  # only the generator is averaged
        self.held_out: Batch | None = None

    def prepare(self, held_out: Batch) -> None:
        """Starts the average at the model as it is; the critic's mean output on `held_out` is recorded now and then."""
        self.average.restart(self.gan)
        given = None if held_out.given is None else held_out.given[:HELD_OUT]
        self.held_out = Batch(held_out.x[:HELD_OUT], self.gan.see(given), held_out.rows[:HELD_OUT])

    @property
    def averaged(self) -> GAN:
        """The moving average of the generator, with the critic as it is."""
        return self.average.module

    def step(self, batch: Batch, *, progress: float, key: tuple[Key, ...]) -> dict[str, float]:
        """One step of the critic, then one of the generator."""
        self._schedule(progress)
        scale = cosine(progress)
        batch = replace(batch, given=self.gan.see(batch.given))
        real = self.gan.to_network(batch.x)
        record = self._teach_critic(real, batch, scale, progress, key)
        record |= self._teach_generator(real, batch, scale, key)
        self.average.update(self.gan)
        return record | (self._watch(real, batch, key) if self.average.count % WATCH == 0 else {})

    def _schedule(self, progress: float) -> None:
        beta2 = 0.99 - 0.09 * cosine(progress, warm=0.0)
        for player in (self.generator, self.critic):
            player.betas = (0.0, beta2)

    def _teach_critic(
        self, real: Tensor, batch: Batch, scale: float, progress: float, key: tuple[Key, ...]
    ) -> dict[str, float]:
        with torch.no_grad():
            fake = self._play(batch, (*key, "critic"))
        points = torch.cat([real, fake]).requires_grad_()
        given = None if batch.given is None else torch.cat([batch.given, batch.given])
        logits = self.gan.critic(points, given)
        on_real, on_fake = logits.chunk(2)
        r1, r2 = (part.mean() for part in squared_gradient(logits, points).chunk(2))
        gamma = self.gamma * self.calm**progress
        loss = self.loss.critic(on_real, on_fake)
        norm = self.critic.step(loss + gamma / 2 * (r1 + r2), batch.rows, scale)
        return {
            "critic_loss": float(loss.detach()),
            "critic_real": float(on_real.detach().mean()),
            "critic_fake": float(on_fake.detach().mean()),
            "gradient_norm_c": norm,
            "r1": float(r1.detach()),
            "r2": float(r2.detach()),
        }

    def _teach_generator(self, real: Tensor, batch: Batch, scale: float, key: tuple[Key, ...]) -> dict[str, float]:
        fake = self._play(batch, (*key, "generator"))
        with torch.no_grad():
            on_real = self.gan.critic(real, batch.given)
        loss = self.loss.generator(on_real, self.gan.critic(fake, batch.given))
        record = {"loss": float(loss.detach())}
        if self.reconstruct:
            score = ranked(real, fake, self._play(batch, (*key, "again")))
            record["reconstruction"] = float(score.detach())
            loss = loss + self.reconstruct * score
        return record | {"gradient_norm_g": self.generator.step(loss, batch.rows, scale)}

    def _play(self, batch: Batch, key: tuple[Key, ...]) -> Tensor:
        """Fakes under the labels of the batch; where a label is not known, under one drawn from p(c)."""
        draws = runtime.keyed(*key)
        given = batch.given
        if given is not None and self.gan.classes:
            guess = runtime.categorical(self.gan.log_prior.expand(len(given), -1), generator=draws)
            given = torch.where(given == UNLABELLED, guess, given)
        return self.gan.generator(self.gan.generator.prior(len(batch.x), draws), given)

    @torch.no_grad()
    def _watch(self, real: Tensor, batch: Batch, key: tuple[Key, ...]) -> dict[str, float]:
        """What the detectors want to know now and then."""
        seen = {"diversity": diversity(self._play(batch, (*key, "watch")), real)} if len(real) >= 8 else {}
        if self.held_out is not None:
            u = self.gan.to_network(self.held_out.x)
            seen["critic_valid"] = float(self.gan.critic(u, self.held_out.given).mean())
        return seen

    def state(self) -> Mapping[str, Tensor]:
        """The live generator and buffers, both optimisers, and how often the average was taken."""
        live = {f"live/{k}": v for k, v in self._live().items()}
        count = {"count": torch.tensor(self.average.count)}
        return live | self.generator.state("generator") | self.critic.state("critic") | count

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` gave."""
        for name, value in self._live().items():
            value.copy_(state[f"live/{name}"])
        self.generator.restore("generator", state)
        self.critic.restore("critic", state)
        self.average.count = int(state["count"])

    def _live(self) -> dict[str, Tensor]:
        return {k: v for k, v in self.gan.state_dict().items() if not k.startswith("critic.")}


def ranked(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """E |x - G| - E |G - G'| / 2, the continuous ranked probability score, mean over entries; unbiased.

    >>> float(ranked(torch.zeros(4), torch.ones(4), torch.ones(4)))
    1.0
    """
    each = 0.5 * ((real - fake).abs() + (real - other).abs()) - 0.5 * (fake - other).abs()
    return each.mean()
