"""Another attribute for the same x: encoded under one label, decoded under another."""

import torch
from torch import Generator, Tensor

from priorcraft.core import UNLABELLED
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.classes import completed
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.explicit.approximate.variational import Variational


@torch.no_grad()
def relabelled(model: Variational, x: Tensor, to: Tensor, was: Tensor | None = None, *, generator: Generator) -> Tensor:
    """E[x' | z', b] with z ~ q(z | x, a) and z' where z stands in p(z | b); the data's own units, (B, *event_shape).

    What z holds beside the label stays: the hand that wrote a 3 writes a 5. Where p(z | a) and p(z | b) are two
    normals, z is carried from the one onto the other, z' = mu_b + sigma_b (z - mu_a) / sigma_a, which is the optimal
    transport between them; else z' = z.

    Args:
        model: fitted with labels.
        x: points, (B, *event_shape).
        to: the labels b, (B,).
        was: the labels a, (B,), -1 where not known; drawn from q(c | x) then.
        generator: of z, and of labels that are not known.

    Raises:
        UsageError: a model without labels.
    """
    if not model.classes:
        raise UsageError("another label needs a model that was fitted with labels.")
    unknown = torch.full((len(x),), UNLABELLED, device=x.device)
    was = completed(model, x, unknown if was is None else was, generator)
    noise = torch.randn(len(x), model.latent, generator=generator, device=generator.device).to(model.log_prior)
    if isinstance(model, VAE):
        q = model.posterior(x, was)
        return model.decode(carried(model, q.loc + q.log_scale.exp() * noise, was, to), to)
    return model.decode(model.encode(x, was), to)


def carried(model: VAE, z: Tensor, was: Tensor | None, to: Tensor) -> Tensor:
    """z from where it stands in p(z | was) to the same place in p(z | to)."""
    p, q = model.p_z.normal(was, len(z)), model.p_z.normal(to, len(z))
    if p is None or q is None:
        return z
    return q.loc + (q.log_scale - p.log_scale).exp() * (z - p.loc)
