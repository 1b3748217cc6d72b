"""pythae's models on the bits of MNIST, with the network of our own in `approximate.py`, and our bound on them.

    pip install --no-deps --target DIR pythae==0.1.2 pydantic pydantic_core annotated_types typing_inspection \
        cloudpickle imageio tqdm
    PYTHONPATH=DIR python benchmarks/approximate.py peers
"""

import contextlib
import io
import logging
import math
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection

import numpy as np
import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.explicit.approximate.bounds import Estimate, estimate
from priorcraft.likelihoods import Bernoulli, Gaussian

DRAWS, COMPONENTS = 8, 50
PIXELS = (1, 28, 28)


def made(name: str, latent: int) -> torch.nn.Module:
    """pythae's VAE, IWAE with 8 draws, or VAMP with 50 components: perceptrons 784-512-latent-512-784."""
    from pythae import models

    kinds = {
        "VAE": (models.VAE, models.VAEConfig, {}),
        "IWAE": (models.IWAE, models.IWAEConfig, {"number_samples": DRAWS}),
        "VAMP": (models.VAMP, models.VAMPConfig, {"number_components": COMPONENTS}),
    }
    kind, config, more = kinds[name]
    return kind(config(input_dim=PIXELS, latent_dim=latent, reconstruction_loss="bce", **more))


def trained(model: torch.nn.Module, x: Tensor, seconds: float, batch: int) -> tuple[torch.nn.Module, float]:
    """The model after about `seconds` of pythae's own trainer, and images a second."""
    done, epochs, spent = 0, 1, 0.0
    start = time.perf_counter()
    while not done or (epochs and spent < 0.97 * seconds):
        fitted(model, x, epochs, batch)
        done, spent = done + epochs * len(x), time.perf_counter() - start
        epochs = int((seconds - spent) * done / spent / len(x))
    return model, done / (time.perf_counter() - start)


def fitted(model: torch.nn.Module, x: Tensor, epochs: int, batch: int) -> None:
    """So many epochs of pythae's BaseTrainer with Adam at 1e-3, as it comes."""
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            learning_rate=1e-3,
            per_device_train_batch_size=batch,
            per_device_eval_batch_size=batch,
            no_cuda=True,
        )
        data = BaseDataset(x.float(), torch.zeros(len(x)))
        BaseTrainer(model=model, train_dataset=data, training_config=config).train()


class Apart:
    """pythae's VAE and trainer in a process of their own, as they come: nothing of ours is tuned there.

    Args:
        latent: of the VAE.
        x: rows to train on.
        batch: rows a step.
    """

    def __init__(self, latent: int, x: Tensor, batch: int) -> None:
        context = get_context("spawn")
        self.here, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(there, latent, x.numpy(), batch), daemon=True)
        self.process.start()

    def rates(self, rows: int) -> tuple[float, float]:
        """Rows a second of processor time, and by the clock, in one epoch of so many."""
        self.here.send(rows)
        return self.here.recv()

    def end(self) -> None:
        """Ends that process."""
        self.here.send(0)
        self.process.join()


def _serve(pipe: Connection, latent: int, x: np.ndarray, batch: int) -> None:
    model, rows = made("VAE", latent), torch.from_numpy(x)
    fitted(model, rows[: 10 * batch], 1, batch)
    while count := pipe.recv():
        few = rows[:count]
        start, busy = time.perf_counter(), time.process_time()
        fitted(model, few, 1, batch)
        pipe.send((len(few) / (time.process_time() - busy), len(few) / (time.perf_counter() - start)))


@torch.no_grad()
def bound(model: torch.nn.Module, x: Tensor, k: int, seed: int = 0) -> Estimate:
    """Our estimator on pythae's densities: a function of log p(x | z), log p(z) and log q(z | x) alone."""
    generator, encoded = runtime.keyed(seed), model.encoder(x.float())
    q = Gaussian(encoded.embedding, encoded.log_covariance / 2)
    parts = prior(model, q)

    def log_weights(n: int) -> Tensor:
        z = q.loc + q.log_scale.exp() * runtime.normal((n, *q.loc.shape), generator=generator, like=q.loc)
        p = model.decoder(z.flatten(0, 1)).reconstruction.flatten(1).clamp(1e-7, 1 - 1e-7)
        likelihood = Bernoulli(p.logit()).log_prob(x.flatten(1).repeat(n, 1)).sum(1).view(n, len(x))
        log_p = torch.logsumexp(parts.log_prob(z.unsqueeze(-2)).sum(-1), -1) - math.log(len(parts.loc))
        return likelihood + log_p - q.log_prob(z).sum(-1)

    return estimate(log_weights, k, max(1, 10_000 // len(x)))


def prior(model: torch.nn.Module, q: Gaussian) -> Gaussian:
    """p(z) as equal normals, (components, latent): the standard normal, or VAMP's encoded pseudo-inputs."""
    if not hasattr(model, "pseudo_inputs"):
        return Gaussian(torch.zeros_like(q.loc[:1]), torch.zeros_like(q.loc[:1]))
    pseudo = model.encoder(model.pseudo_inputs(model.idle_input).view(-1, *PIXELS))
    return Gaussian(pseudo.embedding, pseudo.log_covariance / 2)
