"""Approximate models on binarised MNIST: likelihood for computing time, and images a second, beside pythae.

    python benchmarks/approximate.py speed
    python benchmarks/approximate.py likelihood --minutes 10 --seeds 1
    python benchmarks/approximate.py peer --minutes 10     # pythae's VAE under the same bound
    python benchmarks/approximate.py check --minutes 5     # annealed importance sampling beside the bound

PRIORCRAFT_DATA names a folder with mnist_bits.npz (x_train, x_valid, x_test of 0 and 1). The peer is optional:
`pip install pythae==0.1.2`; its models are scored by the same importance-weighted bound on the same bits.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.data.splits import Rows
from priorcraft.explicit.approximate.bounds import Estimate, estimate
from priorcraft.explicit.approximate.check import annealed, sandwich
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.explicit.approximate.variational import Variational
from priorcraft.likelihoods import Bernoulli, Gaussian
from priorcraft.train.likelihood import MaximumLikelihood
from priorcraft.train.loop import Budget, Progress, train

BITS = Space((1, 28, 28), 2)
LATENT, HIDDEN, BATCH = 16, 512, 100
LADDER = {"width": 32, "latent": 4, "layers": 4, "reach": 4, "pixel_width": 24, "warm_up": 0.1, "bf16": True}


def bits(split: str) -> Rows:
    with np.load(Path(os.environ["PRIORCRAFT_DATA"]) / "mnist_bits.npz") as file:
        return Rows(torch.from_numpy(file[f"x_{split}"]).view(-1, *BITS.event_shape))


def measured_rate() -> float:
    """Floating-point operations a second of a product of matrices of the network's size."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    start = time.perf_counter()
    for _ in range(20):
        a @ b
    return 20 * 2 * 1024**3 / (time.perf_counter() - start)


def ours() -> Callable[[], int]:
    """One training step of our objective on the network 784-512-16-512-784; returns its number of images."""
    model = VAE(BITS, latent=LATENT, hidden=HIDDEN, depth=1, dropout=0.0, bf16=True)
    model.encoder, model.decoder = perceptron(784, 2 * LATENT), Reshaped(perceptron(LATENT, 784))
    objective, rows = MaximumLikelihood(model, batch_size=BATCH, lr=1e-3), bits("train")
    steps = train(objective, rows, Rows(rows.x[:1]), Budget(steps=10**6), seed=0)

    def step() -> int:
        next(steps)
        return BATCH

    return step


def perceptron(inputs: int, outputs: int) -> torch.nn.Module:
    layers = [torch.nn.Linear(inputs, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, outputs)]
    return Flat(torch.nn.Sequential(*layers))


class Flat(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return self.network(x.flatten(1))


class Reshaped(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor) -> Tensor:
        return self.network(z).view(-1, *BITS.event_shape, 1)


def peer_model() -> torch.nn.Module:
    from pythae.models import VAE as Peer
    from pythae.models import VAEConfig

    return Peer(VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce"))


def peers(seconds: float) -> tuple[torch.nn.Module, float]:
    """pythae's own trainer on the same bits for about `seconds`; the trained model and images a second."""
    import tempfile

    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    x, model = bits("train").x.float(), peer_model()
    done, epochs, spent = 0, 1, 0.0
    start = time.perf_counter()
    while spent < seconds:
        with tempfile.TemporaryDirectory() as folder:
            config = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=epochs,
                learning_rate=1e-3,
                per_device_train_batch_size=BATCH,
                per_device_eval_batch_size=BATCH,
                no_cuda=True,
            )
            BaseTrainer(model=model, train_dataset=BaseDataset(x, torch.zeros(len(x))), training_config=config).train()
        done, spent = done + epochs * len(x), time.perf_counter() - start
        epochs = max(1, int((seconds - spent) * done / spent / len(x)))
    return model, done / (time.perf_counter() - start)


def peer_estimate(model: torch.nn.Module, x: Tensor, k: int, seed: int = 0) -> Estimate:
    """Our bound on the peer's densities: a function of log p(x, z) and log q(z | x)."""
    generator = runtime.keyed(seed)
    encoded = model.encoder(x.float())
    q = Gaussian(encoded.embedding, encoded.log_covariance / 2)
    prior = Gaussian(torch.zeros_like(q.loc), torch.zeros_like(q.loc))

    def log_weights(n: int) -> Tensor:
        z = q.loc + q.log_scale.exp() * runtime.normal((n, *q.loc.shape), generator=generator, like=q.loc)
        p = model.decoder(z.flatten(0, 1)).reconstruction.flatten(1).clamp(1e-7, 1 - 1e-7)
        likelihood = Bernoulli(p.logit()).log_prob(x.flatten(1).repeat(n, 1)).sum(1).view(n, len(x))
        return likelihood + prior.log_prob(z).sum(-1) - q.log_prob(z).sum(-1)

    return estimate(log_weights, k, max(1, 20000 // len(x)))


def speed(seconds: float) -> None:
    """Ours and the peer's trainer by turns, in one run."""
    step, done = ours(), 0
    for _ in range(20):
        step()
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        done += step()
    our_rate = done / (time.perf_counter() - start)
    flops = 6 * (784 * HIDDEN * 2 + HIDDEN * LATENT * 3)
    print(f"ours    {our_rate:9.0f} images/s   {our_rate * flops / measured_rate():.0%} of the machine's measured rate")
    try:
        _, peer_rate = peers(seconds)
    except ImportError:
        print("pythae is not installed: no peer beside it")
        return
    print(f"pythae  {peer_rate:9.0f} images/s   ratio {our_rate / peer_rate:.2f} (floor 1.5)")


def likelihood(minutes: float, seeds: int, k: int, rows: int) -> None:
    """The ladder's bound on test bits after so many minutes, over seeds, with the KL of each latent layer."""
    totals = []
    for seed in range(seeds):
        model = trained(minutes, seed)
        values = torch.cat([model.estimate(x, k, generator=runtime.keyed(seed, "test")).value for x in chunks(rows)])
        totals.append(-float(values.mean()))
        error = float(values.std()) / math.sqrt(len(values))
        kl = [round(v, 2) for v in layer_kl(model)]
        print(f"seed {seed}: <= {totals[-1]:.2f} +- {error:.2f} nats (k = {k}, {len(values)} rows); KL per layer {kl}")
        assert min(kl) > 0.01, "a latent layer is dead"
    print(f"mean {np.mean(totals):.2f}, spread {np.ptp(totals):.2f} nats over {seeds} seeds")


def trained(minutes: float, seed: int) -> Variational:
    with runtime.borrowed_global_generator(seed, "weights"):
        model = LadderVAE(BITS, **LADDER)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    objective, at = MaximumLikelihood(model, lr=4e-3, batch_size=64, decay=0.999, weight_decay=1e-3), Progress()
    valid = Rows(bits("valid").x[:200])
    for record in train(objective, bits("train"), valid, Budget(seconds=60 * minutes), seed=seed, at=at):
        if record.kind == "validation":
            print(
                f"  {record.elapsed:6.0f} s  step {record.step:6d}  validation {record.values['valid_nats']:.2f}",
                flush=True,
            )
    best = objective.averaged
    best.load_state_dict(at.best)
    return best.eval()


@torch.no_grad()
def layer_kl(model: Variational) -> list[float]:
    terms = model.loss_terms(bits("valid").x[:500], None, progress=1.0, generator=runtime.keyed(0))
    return [float(value) for name, value in terms.items() if name.startswith("kl_z")]


def chunks(rows: int, size: int = 50) -> Iterator[Tensor]:
    yield from bits("test").x[:rows].split(size)


def peer(minutes: float, k: int, rows: int) -> None:
    """The peer's VAE after the same time, scored by the same bound."""
    model, _ = peers(60 * minutes)
    with torch.no_grad():
        values = torch.cat([peer_estimate(model.eval(), x, k).value for x in chunks(rows)])
    print(f"pythae VAE: <= {-float(values.mean()):.2f} nats (k = {k}, {len(values)} rows, {minutes} min)")


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
    parser.add_argument("what", choices=["speed", "likelihood", "peer", "check"])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--k", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=1000)
    arguments = parser.parse_args()
    runtime.tune()
    if arguments.what == "speed":
        speed(arguments.seconds)
    elif arguments.what == "likelihood":
        likelihood(arguments.minutes, arguments.seeds, arguments.k, arguments.rows)
    elif arguments.what == "peer":
        peer(arguments.minutes, arguments.k, arguments.rows)
    else:
        check(arguments.minutes, arguments.rows)


if __name__ == "__main__":
    main()
