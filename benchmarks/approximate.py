"""Approximate models: likelihood for computing time beside pythae, images a second, stability over seeds, and checks.

    python benchmarks/approximate.py evaluator               # our bound on a model whose log p(x) is known
    python benchmarks/approximate.py speed --seconds 20      # images/s of both trainers, by turns
    python benchmarks/approximate.py peers --minutes 5       # VAE, IWAE, VAMP: same network, bits, clock and bound
    python benchmarks/approximate.py likelihood --minutes 10 # the ladder
    python benchmarks/approximate.py stability --seeds 5     # a VAE, a GAN and an autoregressive model on digits
    python benchmarks/approximate.py check --minutes 5       # annealed importance sampling beside the bound

PRIORCRAFT_DATA names a folder with mnist_bits.npz (x_train, x_valid, x_test of 0 and 1). How to get pythae: see
`peer.py`; without it, ours stand alone.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import peer
from priorcraft import runtime
from priorcraft.core import Approximate, Space
from priorcraft.datasets import open_data
from priorcraft.datasets.splits import Rows
from priorcraft.explicit.approximate.check import annealed, sandwich
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.explicit.approximate.variational import Variational
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.likelihood import score
from priorcraft.run.in_memory import fitted
from priorcraft.train.likelihood import MaximumLikelihood
from priorcraft.train.loop import Budget, Progress, train

BITS = Space((1, 28, 28), 2)
LATENT, HIDDEN, BATCH = 16, 512, 100
LADDER = {"width": 32, "latent": 4, "layers": 4, "reach": 4, "pixel_width": 24, "warm_up": 0.1, "bf16": True}
OURS = {"VAE": {}, "IWAE": {"draws": peer.DRAWS}, "VAMP": {"vamp": peer.COMPONENTS}}
DEAD = 0.01  # nats of KL below which a latent layer is not in use
SAMPLES = 1000  # of each model, whose fidelity is judged


def bits(split: str) -> Rows:
    with np.load(Path(os.environ["PRIORCRAFT_DATA"]) / "mnist_bits.npz") as file:
        return Rows(torch.from_numpy(file[f"x_{split}"]).view(-1, *BITS.event_shape))


def measured_rate() -> float:
    """Floating-point operations a second of processor time of a product of matrices of the network's size."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    start = time.process_time()
    for _ in range(20):
        a @ b
    return 20 * 2 * 1024**3 / (time.process_time() - start)


def same_network(seed: int = 0, **settings: object) -> VAE:
    """Our VAE with the peer's network, 784-512-16-512-784."""
    with runtime.borrowed_global_generator(seed, "weights"):
        model = VAE(BITS, latent=LATENT, hidden=8, depth=1, dropout=0.0, warm_up=0.0, bf16=True, **settings)
        model.encoder, model.decoder = Perceptron((784,), (2 * LATENT,)), Perceptron((LATENT,), (*BITS.event_shape, 1))
    return model


class Perceptron(torch.nn.Module):
    def __init__(self, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        super().__init__()
        self.outputs = outputs
        last = torch.nn.Linear(HIDDEN, math.prod(outputs))
        self.network = torch.nn.Sequential(torch.nn.Linear(math.prod(inputs), HIDDEN), torch.nn.ReLU(), last)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return self.network(x.flatten(1)).view(-1, *self.outputs)


def evaluator() -> None:
    """bound(k) of x = A z + noise, a mean q that is off by half a deviation: it must rise to the known log p(x)."""
    a = torch.linalg.qr(torch.randn(5, 2, generator=runtime.keyed(0)).double())[0] * torch.tensor([2.0, 1.0])
    precision, noise = 1 + a.square().sum(0) / 0.25, 0.25
    model = VAE(Space((5,)), latent=2, hidden=4, depth=1).double().eval()
    model.decoder = Linear(lambda z: torch.stack([z @ a.T, torch.full((len(z), 5), 0.5 * math.log(noise))], -1))
    spread = 0.2 - 0.5 * precision.log()
    model.encoder = Linear(lambda x: torch.cat([x @ a / noise / precision + 0.2, spread.expand(len(x), -1)], 1))
    truth = torch.distributions.MultivariateNormal(torch.zeros(5).double(), a @ a.T + noise * torch.eye(5))
    x = torch.randn(500, 5, generator=runtime.keyed(1), dtype=torch.float64) @ truth.scale_tril.T
    exact = float(truth.log_prob(x).mean())
    for k in (1, 10, 100, 1000):
        found = model.estimate(x, k, generator=runtime.keyed(2))
        error = float(found.standard_error.square().sum().sqrt()) / len(x)
        print(f"k = {k:5d}: {float(found.value.mean()):.4f} +- {error:.4f} nats; log p(x) = {exact:.4f}")
    assert abs(float(found.value.mean()) - exact) < 0.01, "the evaluator is wrong"


class Linear(torch.nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return self.function(x)


def speed(seconds: float, turns: int = 4) -> None:
    """Ours and the peer's trainer by turns, in one run, at the same network, batch and bits, each in its own process.

    The ratio is of images a second of processor time: other work on the machine then disturbs neither.
    """
    rows, ratios = bits("train"), []
    objective = MaximumLikelihood(same_network(), batch_size=BATCH, lr=1e-3)
    steps = train(objective, rows, Rows(rows.x[:1]), Budget(steps=10**6), seed=0)
    theirs = peer.Apart(LATENT, rows.x, BATCH) if find_spec("pythae") else None
    flops = 6 * (784 * HIDDEN * 2 + HIDDEN * LATENT * 3)
    rate_of(lambda: next(steps), 1.0)  # the first steps read the data in
    if theirs is not None:
        theirs.rates(BATCH)
    for _ in range(turns):
        rate, wall = (BATCH * value for value in rate_of(lambda: next(steps), seconds / turns))
        share = rate * flops / measured_rate()
        print(f"ours    {rate:7.0f} images/s ({wall:.0f} by the clock), {share:.0%} of the measured rate")
        if theirs is not None:
            other, wall = theirs.rates(max(BATCH, int(wall * seconds / turns / 2)))
            ratios.append(rate / other)
            print(f"pythae  {other:7.0f} images/s ({wall:.0f} by the clock), ratio {ratios[-1]:.2f}", flush=True)
    if theirs is not None:
        theirs.end()
        print(f"median ratio {np.median(ratios):.2f} of {turns} turns (floor 1.5)")


def rate_of(step: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Calls a second of processor time, and a second by the clock."""
    done, start, busy = 0, time.perf_counter(), time.process_time()
    while not done or time.perf_counter() - start < seconds:
        step()
        done += 1
    return done / (time.process_time() - busy), done / (time.perf_counter() - start)


def peers(minutes: float, k: int, rows: int) -> None:
    """Three members of each library under one evaluator; ours get the seconds the peer took (an epoch or more)."""
    evaluator()
    for name, settings in OURS.items():
        seconds = 60 * minutes
        if find_spec("pythae"):
            start = time.perf_counter()
            theirs, rate = peer.trained(peer.made(name, LATENT), bits("train").x, seconds, BATCH)
            seconds = time.perf_counter() - start
            values = [peer.bound(theirs.eval(), x, k).value for x in chunks(rows)]
            say(f"pythae {name:5}", values, k, f", {seconds:.0f} s, {rate:.0f} images/s")
        objective = MaximumLikelihood(same_network(**settings), batch_size=BATCH, lr=1e-3, weight_decay=0.0)
        kept = followed(objective, Budget(seconds=seconds), 0)
        values = [kept.estimate(x, k, generator=runtime.keyed(0)).value for x in chunks(rows)]
        say(f"ours   {name:5}", values, k, f", {seconds:.0f} s")


def say(name: str, values: list[Tensor], k: int, more: str = "") -> float:
    """Prints the mean of -bound, and returns it."""
    nats = -torch.cat(values)
    error = float(nats.std()) / math.sqrt(len(nats))
    print(f"{name}: <= {float(nats.mean()):.2f} +- {error:.2f} nats (k = {k}, {len(nats)} rows{more})", flush=True)
    return float(nats.mean())


def likelihood(minutes: float, seeds: int, k: int, rows: int) -> None:
    """The ladder's bound on test bits after so many minutes, over seeds, with the KL of each latent layer."""
    totals = []
    for seed in range(seeds):
        model, kl = trained(minutes, seed), []
        values = [model.estimate(x, k, generator=runtime.keyed(seed, "test")).value for x in chunks(rows)]
        totals.append(say(f"seed {seed}", values, k))
        kl = layer_kl(model, bits("valid"))
        print(f"  KL per layer {[round(value, 2) for value in kl]}")
        assert min(kl) > DEAD, "a latent layer is dead"
    print(f"mean {np.mean(totals):.2f}, spread {np.ptp(totals):.2f} nats over {seeds} seeds")


def trained(minutes: float, seed: int) -> Variational:
    with runtime.borrowed_global_generator(seed, "weights"):
        model = LadderVAE(BITS, **LADDER)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    objective = MaximumLikelihood(model, lr=4e-3, batch_size=64, decay=0.999, weight_decay=1e-3)
    return followed(objective, Budget(seconds=60 * minutes), seed)


def followed(objective: MaximumLikelihood, budget: Budget, seed: int) -> Variational:
    """The best weights that a training meets."""
    at = Progress()
    for record in train(objective, bits("train"), Rows(bits("valid").x[:200]), budget, seed=seed, at=at):
        if record.kind == "validation":
            nats = record.values["valid_nats"]
            print(f"  {record.elapsed:6.0f} s  step {record.step:6d}  validation {nats:.2f}", flush=True)
    best = objective.averaged
    best.load_state_dict(at.best)
    assert isinstance(best, Variational)
    return best.eval()


@torch.no_grad()
def layer_kl(model: Variational, rows: Rows) -> list[float]:
    """KL of each latent layer, nats."""
    given = None if model.context is None else rows.context
    given = None if given is None else given[:500]
    terms = model.loss_terms(rows.x[:500].long(), given, progress=1.0, generator=runtime.keyed(0))
    return [float(value) for name, value in terms.items() if name.startswith("kl_z")]


def chunks(rows: int, size: int = 50) -> Iterator[Tensor]:
    yield from bits("test").x[:rows].split(size)


def stability(minutes: float, seeds: int) -> None:
    """The final figure of each family on digits, over seeds: nats where there are any, fidelity, dead latent layers."""
    splits = open_data("digits")
    judge = Judge(splits)
    for name in ("vae", "ladder-vae", "gan", "autoregressive"):
        nats, fidelity, dead = [], [], 0
        for seed in range(seeds):
            budget = Budget(seconds=60 * minutes)
            model = fitted(name, splits.space, splits.context, splits.train, splits.valid, budget=budget, seed=seed)
            found = score(model, splits.test, samples=64, generator=runtime.keyed(seed, "score")).nats
            nats += [] if found is None else [found]
            y = torch.arange(SAMPLES) % len(splits.classes)
            x = model.sample(SAMPLES, given=y, generator=runtime.keyed(seed, "samples"))
            fidelity.append(judge.fidelity(x, y))
            dead += sum(kl < DEAD for kl in layer_kl(model, splits.valid)) if isinstance(model, Variational) else 0
            assert isinstance(model, Approximate) or not dead
        print(f"{name:15} {spread('nats', nats)}{spread('fidelity', fidelity)}dead layers {dead}", flush=True)


def spread(name: str, values: list[float]) -> str:
    """Mean, smallest and largest, and the range."""
    if not values:
        return f"{name}: none   "
    low, high = min(values), max(values)
    return f"{name} {np.mean(values):.3f} ({low:.3f} ... {high:.3f}, range {high - low:.3f})   "


def check(minutes: float, rows: int) -> None:
    """Annealing beside the bound on test bits, and the sandwich on the model's own samples."""
    model, x = trained(minutes, 0).requires_grad_(False), bits("test").x[:rows]
    bound = model.estimate(x, 5000, generator=runtime.keyed(0))
    second = annealed(model, x, steps=200, chains=4, generator=runtime.keyed(1))
    print(f"bound(5000) <= {-float(bound.value.mean()):.2f}, effective draws {float(bound.effective.median()):.1f}")
    print(f"annealed    <= {-float(second.value.mean()):.2f}")
    between = sandwich(model, rows, steps=200, generator=runtime.keyed(2))
    print(f"on its own samples: {between.lower:.2f} <= log p(x) <= {between.upper:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["evaluator", "speed", "peers", "likelihood", "stability", "check"])
    parser.add_argument("--minutes", type=float, default=1.0, help="of each training")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each trainer in speed")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--k", type=int, default=500)
    parser.add_argument("--rows", type=int, default=500)
    a = parser.parse_args()
    runtime.tune()
    parts = {
        "evaluator": evaluator,
        "speed": lambda: speed(a.seconds),
        "peers": lambda: peers(a.minutes, a.k, a.rows),
        "likelihood": lambda: likelihood(a.minutes, a.seeds, a.k, a.rows),
        "stability": lambda: stability(a.minutes, a.seeds),
        "check": lambda: check(a.minutes, a.rows),
    }
    parts[a.what]()


if __name__ == "__main__":
    main()
