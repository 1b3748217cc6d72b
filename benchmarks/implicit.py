"""How often each kind of game fails: many seeds at once on mixtures of Gaussians whose modes are known.

    python benchmarks/implicit.py --layout grid --seeds 50 --steps 2000

All methods share networks, prior p(z), data, generator steps and batch: those of `GAN` and `Game` on real vectors; each
peer keeps its own published optimiser settings. A seed fails if a mode is missed, fewer than 95 % of 2,500 samples lie
within 3 sigma of a mode, or the reverse KL of the modes' shares is above 0.05 (a perfect sampler: 98.9 % and 0.005).
Games never touch: losses are summed over a leading seed dimension, so each seed's gradient is its own.
"""

import argparse
import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from scipy.stats import beta
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.implicit import objectives as rules
from priorcraft.implicit.gan import GAN
from priorcraft.train.recipe import Recipe, recipe

PLANE, SAMPLES = Space((2,)), 2500


@dataclass(frozen=True)
class Layout:
    """Equal Gaussians in the plane: their centres (M, 2) and common sigma."""

    centres: Tensor
    sigma: float

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Standardised points, (*shape, 2)."""
        mode = torch.randint(len(self.centres), shape, generator=generator)
        x = self.centres[mode] + self.sigma * torch.randn(*shape, 2, generator=generator)
        return x / self.scale

    @property
    def scale(self) -> Tensor:
        return (self.centres.var(0, correction=0) + self.sigma**2).sqrt()

    def judge(self, x: Tensor) -> tuple[int, float, float]:
        """Modes covered, share within 3 sigma, reverse KL in nats, of standardised samples (n, 2)."""
        distance, mode = torch.cdist(x * self.scale, self.centres).min(1)
        good = distance < 3 * self.sigma
        share = mode.bincount(minlength=len(self.centres)) / len(x)
        kl = math.log(len(self.centres)) - torch.special.entr(share).sum()
        return len(mode[good].unique()), float(good.float().mean()), float(kl)


AXIS, ANGLE = torch.arange(-4.0, 5.0, 2.0), torch.arange(8) * math.pi / 4
TURN = torch.linspace(0.5, 3 * math.pi, 16)
SCATTER = torch.rand(20, 2, generator=torch.Generator().manual_seed(5))
LAYOUTS = {
    "grid": Layout(torch.cartesian_prod(AXIS, AXIS), 0.05),
    "ring": Layout(torch.stack([ANGLE.cos(), ANGLE.sin()], 1), 0.01),
    "spiral": Layout(torch.stack([TURN * TURN.cos(), TURN * TURN.sin()], 1), 0.08),
    "scatter": Layout(10 * (SCATTER - SCATTER.mean(0)), 0.06),
}


@dataclass(frozen=True)
class Method:
    """A recipe, and how many rows its critic sees at once."""

    recipe: Recipe
    pack: int = 1


OURS = recipe("relativistic", PLANE)
METHODS = {
    "non-saturating": Method(replace(recipe("non-saturating", PLANE), decay=0.0)),
    "least squares": Method(replace(recipe("least-squares", PLANE), decay=0.0)),
    "WGAN-GP": Method(replace(recipe("wasserstein", PLANE), decay=0.0)),
    "PacGAN-4": Method(replace(recipe("non-saturating", PLANE), decay=0.0), pack=4),
    "ours": Method(OURS),
}


class BatchedMLP:
    """Copies of one network with weights of their own, (S, ...): all seeds in one batched matrix product."""

    def __init__(self, seeds: int, build: Callable[[], nn.Module]) -> None:
        networks = [build() for _ in range(seeds)]
        self.parameters, self.buffers = stack_module_state(networks)
        self.skeleton = copy.deepcopy(networks[0]).to("meta")

    def __call__(self, x: Tensor) -> Tensor:
        """(S, B, inputs) to (S, B, ...)."""
        return vmap(lambda p, b, x: functional_call(self.skeleton, (p, b), (x, None)))(self.parameters, self.buffers, x)


class Games:
    """One method on all seeds."""

    def __init__(self, method: Method, layout: Layout, seeds: int, batch: int, seed: int) -> None:
        self.recipe, self.pack_size = method.recipe, method.pack
        self.layout, self.seeds, self.batch = layout, seeds, batch
        self.draws = runtime.keyed(seed, "games")
        packed = Space((2 * method.pack,))
        with runtime.borrowed_global_generator(seed):
            self.generator = BatchedMLP(seeds, lambda: GAN(PLANE).generator)
            self.critic = BatchedMLP(seeds, lambda: GAN(packed).critic)
        self.players = {
            id(p): torch.optim.Adam(p.parameters.values(), self.recipe.lr, self.recipe.betas, fused=True)
            for p in (self.generator, self.critic)
        }
        self.count = 0
        self.average = [p.detach().clone() for p in self.generator.parameters.values()]

    def real(self) -> Tensor:
        return self.pack(self.layout.draw((self.seeds, self.batch * self.pack_size), self.draws))

    def fake(self, n: int | None = None) -> Tensor:
        n = n or self.batch * self.pack_size
        centres, log_spread = (self.generator.parameters[f"prior.{name}"] for name in ("centres", "log_spread"))
        component = torch.randint(centres.shape[1], (self.seeds, n), generator=self.draws)
        seed = torch.arange(self.seeds).unsqueeze(1)
        noise = torch.randn(self.seeds, n, centres.shape[2], generator=self.draws)
        return self.generator(centres[seed, component] + log_spread[seed, component].exp() * noise)

    def pack(self, x: Tensor) -> Tensor:
        """(S, B * pack, 2) to (S, B, 2 * pack): the critic of PacGAN sees several rows at once."""
        return x.unflatten(1, (self.batch, self.pack_size)).flatten(2)

    def step(self, progress: float) -> None:
        """As many critic steps as the method wants, then one of the generator."""
        for _ in range(self.recipe.critic_steps):
            real, fake = self.real(), self.pack(self.fake().detach())
            points = torch.cat([real, fake], 1).requires_grad_()
            logits = self.critic(points)
            loss = self.recipe.loss.critic(*logits.chunk(2, 1)) + self.penalty(logits, points, real, fake, progress)
            self.descend(self.critic, loss, progress)
        real = self.critic(self.real()).detach()
        self.descend(self.generator, self.recipe.loss.generator(real, self.critic(self.pack(self.fake()))), progress)
        self.count += 1
        weight = 1 - min(self.recipe.decay, self.count / (self.count + 9))
        torch._foreach_lerp_(self.average, list(self.generator.parameters.values()), weight)

    def penalty(self, logits: Tensor, points: Tensor, real: Tensor, fake: Tensor, progress: float) -> Tensor:
        """(S,)."""
        if gamma := self.recipe.penalty(progress):
            return gamma * rules.squared_gradient(logits, points).mean(1)  # the mean over both halves is (R1 + R2) / 2
        if self.recipe.lipschitz:
            share = torch.rand(self.seeds, self.batch, generator=self.draws)
            u = rules.between(real, fake, share)
            return self.recipe.lipschitz * rules.one_centred(self.critic(u), u)
        return torch.zeros(self.seeds)

    def descend(self, player: BatchedMLP, loss: Tensor, progress: float) -> None:
        """One optimiser step of one player on the sum over seeds."""
        optimiser, parameters = self.players[id(player)], list(player.parameters.values())
        for group in optimiser.param_groups:
            group["lr"], group["betas"] = self.recipe.lr * self.recipe.rate(progress), self.recipe.moments(progress)
        for p, gradient in zip(parameters, torch.autograd.grad(loss.sum(), parameters, allow_unused=True), strict=True):
            p.grad = None if gradient is None else gradient.contiguous()  # fused Adam ignores strides
        optimiser.step()

    @torch.no_grad()
    def results(self) -> list[tuple[int, float, float]]:
        """What `Layout.judge` says of each seed; of the average where the method keeps one."""
        for p, average in zip(self.generator.parameters.values(), self.average, strict=True):
            p.copy_(average)
        return [self.layout.judge(x) for x in self.fake(SAMPLES)]


def interval(failures: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a failure rate, exact in the sense of at least the stated coverage.

    >>> [round(end, 3) for end in interval(0, 50)]
    [0.0, 0.071]
    """
    tail = (1 - level) / 2
    low = 0.0 if failures == 0 else float(beta.ppf(tail, failures, n - failures + 1))
    high = 1.0 if failures == n else float(beta.ppf(1 - tail, failures + 1, n - failures))
    return low, high


def main() -> None:
    """Prints one row a method."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layout", choices=LAYOUTS, default="grid")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=OURS.batch_size)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runtime.tune()
    layout = LAYOUTS[options.layout]
    print(f"{options.layout}, {len(layout.centres)} modes, {options.seeds} seeds, {options.steps} generator steps")
    print(
        "| method | failures | 95 % interval | modes mean (min) | within 3 sigma mean (min) | KL mean (max) | CPU s |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in options.methods:
        print(row(name, layout, options), flush=True)


def row(name: str, layout: Layout, options: argparse.Namespace) -> str:
    """Plays one method and sums it up."""
    begin = time.process_time()
    games = Games(METHODS[name], layout, options.seeds, options.batch, options.seed)
    for step in range(options.steps):
        games.step(step / options.steps)
    modes, good, kl = zip(*games.results(), strict=True)
    failures = sum(
        m < len(layout.centres) or g < 0.95 or not k <= 0.05 for m, g, k in zip(modes, good, kl, strict=True)
    )
    low, high = interval(failures, len(modes))
    n = len(modes)
    return (
        f"| {name} | {failures}/{n} | {low:.1%} to {high:.1%} | {sum(modes) / n:.1f} ({min(modes)}) | "
        f"{sum(good) / n:.1%} ({min(good):.1%}) | {sum(kl) / n:.3f} ({max(kl):.3f}) | "
        f"{time.process_time() - begin:.0f} |"
    )


if __name__ == "__main__":
    main()
