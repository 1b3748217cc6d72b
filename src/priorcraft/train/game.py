"""The game of generator and critic: one step of each, on losses whose equilibrium holds."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED
from priorcraft.errors import UsageError
from priorcraft.implicit.augment import Augmentation, probability
from priorcraft.implicit.detectors import diversity
from priorcraft.implicit.gan import GAN
from priorcraft.implicit.networks import is_large
from priorcraft.implicit.objectives import RELATIVISTIC, between, one_centred, squared_gradient
from priorcraft.runtime import Key
from priorcraft.settings import BatchSize, Decay, LearningRate, Range, Weight
from priorcraft.train.objective import Batch, Objective
from priorcraft.train.optimise import Average, Descent
from priorcraft.train.recipe import recipe

RECONSTRUCT = 2.0
HELD_OUT = 1000  # validation rows at which the critic is looked at
WATCH = 25  # steps from one look at diversity and held-out rows to the next


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
        loss: the name of the rules: relativistic, non-saturating, least-squares or wasserstein.
        lr: learning rate of both players.
        gamma: weight of the penalties at the start; it falls geometrically.
        calm: share of gamma that is left at the end of the budget.
        batch_size: rows of a step.
        decay: of the generator's moving average.
        reconstruct: weight of the score of each entry, on the network's range; for images or vectors as context.
        augment: what the critic sees of images: auto (as much as it overfits), never, always, or a probability.

    What is left out follows from the loss and the space (`recipe`).

    Raises:
        UsageError: no such loss, reconstruct without pairs, or augment with pairs or without images.
    """

    def __init__(
        self,
        model: GAN,
        *,
        loss: str = RELATIVISTIC.name,
        lr: LearningRate | None = None,
        gamma: Weight | None = None,
        calm: Annotated[float, Range(0, 1, above=True)] | None = None,
        batch_size: BatchSize | None = None,
        decay: Decay | None = None,
        reconstruct: Weight | None = None,
        augment: str = "auto",
    ) -> None:
        paired = model.context is not None and not model.context.is_label
        if reconstruct and not paired:
            raise UsageError("reconstruct needs pairs, an image or vector as context: fit with --pairs or --domains.")
        self.reconstruct = (RECONSTRUCT if paired else 0.0) if reconstruct is None else reconstruct
        chosen = {"lr": lr, "gamma": gamma, "calm": calm, "batch_size": batch_size, "decay": decay}
        changed = {name: value for name, value in chosen.items() if value is not None}
        self.recipe = replace(recipe(loss, model.space, paired), **changed)
        self.model = self.gan = model
        self.batch_size = self.recipe.batch_size * self.recipe.critic_steps
        self.generator, self.critic = (
            Descent(player.named_parameters(), self.recipe.lr, self.recipe.betas)
            for player in (model.generator, model.critic)
        )
        self.augmentation = augmentation(augment, model.space.is_image and not paired)
        self.convolves = is_large(model.space)
        self.average = Average(model, self.recipe.decay, shared=[model.critic])
        self.held_out: Batch | None = None

    def prepare(self, held_out: Batch) -> None:
        """Starts the average at the model as it is; the critic's mean output on `held_out` is recorded now and then."""
        self.average.restart()
        given = None if held_out.given is None else held_out.given[:HELD_OUT]
        self.held_out = Batch(held_out.x[:HELD_OUT], self.gan.see(given), held_out.rows[:HELD_OUT])

    @property
    def averaged(self) -> GAN:
        """The moving average of the generator, with the critic as it is."""
        return self.average.module

    def step(
        self, batch: Batch, *, progress: float, key: tuple[Key, ...], frozen: str | None = None
    ) -> dict[str, float]:
        """Steps of the critic, each on its part of the batch, then one of the generator, on the last part.

        Args:
            batch: rows.
            progress: share of the recipe that is over.
            key: of everything random.
            frozen: the player, "critic" or "generator", that is watched and does not learn.
        """
        self.critic.betas = self.generator.betas = self.recipe.moments(progress)
        record, part = {}, batch
        for i, part in enumerate(self._parts(batch)):
            how = self.watch_critic if frozen == "critic" else self.teach_critic
            record = how(part, progress, (*key, i))
        if frozen != "generator":
            record |= self.teach_generator(part, progress, key)
        if self._due and len(part.x) >= 8:
            with torch.no_grad():
                record["diversity"] = diversity(self._play(part, (*key, "watch")), self.gan.to_network(part.x))
        self.average.update()
        return record | self._adapt(record)

    @property
    def _due(self) -> bool:
        """Whether this step is one that is watched."""
        return (self.average.count + 1) % WATCH == 0

    def _parts(self, batch: Batch) -> Iterator[Batch]:
        """As many parts as the critic makes steps, or as there are rows for; contexts as the networks take them."""
        for index in torch.arange(len(batch.x)).chunk(self.recipe.critic_steps):
            given = None if batch.given is None else self.gan.see(batch.given[index])
            yield Batch(batch.x[index], given, batch.rows[index])

    def teach_critic(self, batch: Batch, progress: float, key: tuple[Key, ...]) -> dict[str, float]:
        """One step of the critic alone, on a batch whose contexts are as the networks take them."""
        seen = self._look(key) if self._due else {}
        terms, rate = partial(self._critic_terms, progress), self.recipe.rate(progress)
        found = self.critic.step(batch, terms, key, rate, self.shards)
        del found["loss"]  # with the penalties
        return seen | found | {"gradient_norm_c": found.pop("gradient_norm")}

    def watch_critic(self, batch: Batch, progress: float, key: tuple[Key, ...]) -> dict[str, float]:
        """What a step of the critic would record, without the step."""
        seen = self._look(key) if self._due else {}
        terms = self._critic_terms(progress, batch, key)
        return seen | {name: float(value.detach()) for name, value in terms.items() if name != "loss"}

    def _critic_terms(self, progress: float, batch: Batch, key: tuple[Key, ...]) -> dict[str, Tensor]:
        real = self.gan.to_network(batch.x)
        with torch.no_grad():
            fake = self._play(batch, (*key, "critic"))
        real, fake = (self.augmentation(u, *key, name) for u, name in ((real, "real"), (fake, "fake")))
        points = torch.cat([real, fake]).requires_grad_()
        given = None if batch.given is None else torch.cat([batch.given, batch.given])
        logits = self._judge(points, given)
        on_real, on_fake = logits.chunk(2)
        r1, r2 = (part.mean() for part in squared_gradient(logits, points).chunk(2))
        loss = self.recipe.loss.critic(on_real, on_fake)
        penalty = self.recipe.penalty(progress) / 2 * (r1 + r2)
        if self.recipe.lipschitz:
            penalty = penalty + self.recipe.lipschitz * self._slope(real, fake, batch.given, (*key, "between"))
        means = {"critic_loss": loss, "critic_real": on_real.mean(), "critic_fake": on_fake.mean(), "r1": r1, "r2": r2}
        return {"loss": loss + penalty, **means}

    def _slope(self, real: Tensor, fake: Tensor, given: Tensor | None, key: tuple[Key, ...]) -> Tensor:
        """The one-centred penalty."""
        share = runtime.uniform((len(real),), generator=runtime.keyed(*key), like=real)
        u = between(real, fake, share)
        return one_centred(self._judge(u, given), u)

    def teach_generator(self, batch: Batch, progress: float, key: tuple[Key, ...]) -> dict[str, float]:
        """One step of the generator alone, beside the same kind of batch."""
        rate = self.recipe.rate(progress)
        found = self.generator.step(batch, self._generator_terms, key, rate, self.shards)
        found["loss"] = found.pop("adversary", found["loss"])  # without the score of each entry
        return found | {"gradient_norm_g": found.pop("gradient_norm")}

    def _generator_terms(self, batch: Batch, key: tuple[Key, ...]) -> dict[str, Tensor]:
        real, fake = self.gan.to_network(batch.x), self._play(batch, (*key, "generator"))
        with torch.no_grad():
            on_real = self._judge(self.augmentation(real, *key, "real"), batch.given)
        on_fake = self._judge(self.augmentation(fake, *key, "fake"), batch.given)
        loss = self.recipe.loss.generator(on_real, on_fake)
        if not self.reconstruct:
            return {"loss": loss}
        score = ranked(real, fake, self._play(batch, (*key, "again")))
        return {"loss": loss + self.reconstruct * score, "adversary": loss, "reconstruction": score}

    def _play(self, batch: Batch, key: tuple[Key, ...]) -> Tensor:
        """Fakes under the labels of the batch; where a label is not known, under one drawn from p(c)."""
        draws = runtime.keyed(*key)
        given = batch.given
        if given is not None and self.gan.classes:
            guess = runtime.categorical(self.gan.log_prior.expand(len(given), -1), generator=draws)
            given = torch.where(given == UNLABELLED, guess, given)
        z = self.gan.generator.prior(len(batch.x), draws)
        with self._products():
            return self.gan.generator(z, given).to(z.dtype)

    def _judge(self, u: Tensor, given: Tensor | None) -> Tensor:
        with self._products():
            return self.gan.critic(u, given)

    def _products(self) -> torch.autocast:
        """Convolutions in bfloat16, twice as fast; logits, penalties and the perceptrons of small data in full."""
        return runtime.bfloat16_products(self.gan.log_prior, wanted=self.convolves)

    @torch.no_grad()
    def _look(self, key: tuple[Key, ...]) -> dict[str, float]:
        """What the critic says of held-out rows before it learns this step's: its level moves as it learns."""
        if self.held_out is None:
            return {}
        u = self.augmentation(self.gan.to_network(self.held_out.x), *key, "held out")
        return {"critic_valid": float(self._judge(u, self.held_out.given).mean())}

    def _adapt(self, record: Mapping[str, float]) -> dict[str, float]:
        """Lets the augmentation follow what was watched; the probability that the next step uses."""
        if "critic_valid" in record:
            self.augmentation.look(record["critic_real"], record["critic_valid"], record["critic_fake"])
        return {"augment": self.augmentation.p} if self.augmentation.active else {}

    def findings(self) -> list[str]:
        """Whether batches were cut for want of memory."""
        return max(self.generator.pieces, self.critic.pieces, key=lambda pieces: pieces.count).findings()

    def state(self) -> Mapping[str, Tensor]:
        """The live generator and buffers, both optimisers, how often the average was taken, and the augmentation."""
        live = {f"live/{k}": v for k, v in self._live().items()}
        count = {"count": torch.tensor(self.average.count)}
        count["augment"] = torch.tensor(self.augmentation.p, dtype=torch.float64)
        return live | self.generator.state("generator") | self.critic.state("critic") | count

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` gave."""
        for name, value in self._live().items():
            value.copy_(state[f"live/{name}"])
        self.generator.restore("generator", state)
        self.critic.restore("critic", state)
        self.average.count = int(state["count"])
        if "augment" in state:  # not in the checkpoints of older versions
            self.augmentation.p = float(state["augment"])

    def _live(self) -> dict[str, Tensor]:
        return {k: v for k, v in self.gan.state_dict().items() if not k.startswith("critic.")}


def augmentation(mode: str, possible: bool) -> Augmentation:
    """The augmentation of a mode; "auto" is none where there are no images, or where they stand in pairs."""
    if possible:
        return Augmentation(mode)
    if probability(mode):
        raise UsageError(f"augment={mode} needs images that do not stand in pairs; leave it at auto or never.")
    return Augmentation("never")


def ranked(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """E |x - G| - E |G - G'| / 2, the continuous ranked probability score, mean over entries; unbiased.

    >>> float(ranked(torch.zeros(4), torch.ones(4), torch.ones(4)))
    1.0
    """
    each = 0.5 * ((real - fake).abs() + (real - other).abs()) - 0.5 * (fake - other).abs()
    return each.mean()
