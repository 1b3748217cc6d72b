"""Variational autoencoders: Markov chains in z and the hidden entries."""

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.condition.evidence import effective_size, in_parts, possible
from priorcraft.condition.given_z import given_z
from priorcraft.core import UNLABELLED, Likelihood, Observation, Posterior
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.explicit.approximate.vqvae import VQVAE

NUMBERS = 2**24  # of one table of likelihoods: points times entries times levels


class FromPrior(Posterior):
    """Importance resampling of z from the prior: where every chain in z begins.

    (c, z) ~ p(c) p(z | c), kept by p(y | z, c)

    Args:
        model: its decoder gives independent entries.
        observation: each entry by itself, or block means of integers; only masks for real numbers.
        y: what is seen.
        given: labels, (B,), -1 where not known; None if none is.
        start: draws of z, for each row.
        steps: of the chain that follows.
    """

    kind = "approximate"

    def __init__(
        self,
        model: VAE | VQVAE,
        observation: Observation,
        y: Tensor,
        given: Tensor | None,
        *,
        start: int = 300,
        steps: int = 12,
    ) -> None:
        super().__init__()
        self.model, self.y, self.given, self.start, self.steps = model, y, given, start, steps
        self.given_z = given_z(observation, y, model.space, model.log_prior)

    def _sample(self, n: int, generator: Generator) -> Tensor:
        """Rows by rows, as many as a table of their entries' levels can hold."""

        def some(rows: Tensor) -> Tensor:
            z, c = self._begin(rows, n, generator)
            return self._chain(z, c, rows.to(self.y.device).repeat_interleave(n), generator)

        each = self.model.space.dims * (self.model.space.levels or 1) * n
        x = in_parts(len(self.y), NUMBERS // each, some, self.diagnostics)
        return x.view(len(self.y), n, *self.model.space.event_shape)

    def _chain(self, z: Tensor, c: Tensor | None, rows: Tensor, generator: Generator) -> Tensor:
        """x (B, *event_shape) at the end of chains that begin at (z, c)."""
        raise NotImplementedError

    def _likelihood(self, z: Tensor, c: Tensor | None) -> Likelihood:
        """p(x | z, c)."""
        words = self.model.book[z] if isinstance(self.model, VQVAE) else z
        return self.model.likelihood(words, c)

    def _begin(self, rows: Tensor, n: int, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """n draws of (z, c) for each row, out of `start` weighted by p(y | z, c)."""
        zs, cs, sizes = [], [], []
        for i in rows.tolist():
            given = None if self.given is None or int(self.given[i]) == UNLABELLED else self.given[i]
            c = self.model.contexts(self.start, given, generator=generator)
            z = self.model.prior(self.start, given=c, generator=generator)
            log_w = self._log_seen(z, c, torch.full((self.start,), i, device=z.device))
            possible(log_w.logsumexp(0, keepdim=True), f"{self.start} draws of z")
            chosen = runtime.categorical(log_w.expand(n, -1), generator=generator)
            sizes.append(effective_size(log_w[None])[0])
            zs.append(z[chosen])
            cs.append(None if c is None else c[chosen])
        self.diagnostics["effective_share"] = float(torch.stack(sizes).mean()) / self.start
        return torch.cat(zs), None if cs[0] is None else torch.cat([c for c in cs if c is not None])

    def _log_seen(self, z: Tensor, c: Tensor | None, rows: Tensor) -> Tensor:
        """log p(y | z, c), a table at a time, (B,)."""
        step = max(1, NUMBERS // (self.model.space.dims * (self.model.space.levels or 1)))
        parts = [
            self.given_z.log_seen(self._likelihood(z[i], None if c is None else c[i]), rows[i])
            for i in torch.arange(len(z), device=z.device).split(step)
        ]
        return torch.cat(parts)


class LatentChain(FromPrior):
    """Importance resampling of z from the prior, then Metropolis-within-Gibbs (Mattei & Frellsen 2018).

    1. (c, z) ~ p(c) p(z | c), kept by p(y | z, c);    2. x ~ p(x | z, c, y);
    3. z' ~ q(z' | x, c), accepted with min(1, p(x, z' | c) q(z | x, c) / p(x, z | c) q(z' | x, c)); back to 2.

    Each draw is the end of a chain of its own; it follows p(x | y) as `steps` grow, with the class as step 1 left it.
    """

    method = "Metropolis within Gibbs in z"
    model: VAE

    def _chain(self, z: Tensor, c: Tensor | None, rows: Tensor, generator: Generator) -> Tensor:
        accepted = 0.0
        for _ in range(self.steps):
            x = self.given_z.draw(self._likelihood(z, c), rows, generator)
            noise = runtime.normal(tuple(z.shape), generator=generator, like=z)
            q = self.model.posterior(x, c)
            both = torch.stack([noise, self.model.noise_of(z, x, c)])
            new, old = self.model.log_weights_at(both, x, c)
            u = runtime.uniform(tuple(new.shape), generator=generator, like=new)
            take = u.log() < new - old
            z = torch.where(take[:, None], q.loc + q.log_scale.exp() * noise, z)
            accepted += float(take.float().mean()) / self.steps
        self.diagnostics["acceptance"] = accepted
        return self.given_z.draw(self._likelihood(z, c), rows, generator)


class CodeGibbs(FromPrior):
    """Importance resampling of a row of code words from the prior, then Gibbs sampling word by word.

    z_i ~ p(z_i | all others, y, c) ∝ p(z | c) p(y | z, c), every word tried; then x ~ p(x | z, c, y). The class stays
    as importance resampling left it.
    """

    method = "Gibbs sampling of code words"
    model: VQVAE

    def _chain(self, z: Tensor, c: Tensor | None, rows: Tensor, generator: Generator) -> Tensor:
        words = len(self.model.book)
        wide, contexts = rows.repeat_interleave(words), None if c is None else c.repeat_interleave(words, 0)
        moved = []
        for _ in range(max(1, self.steps // 4)):
            for i in range(self.model.positions):
                tried = z.repeat_interleave(words, 0)
                tried[:, i] = torch.arange(words, device=z.device).repeat(len(z))
                log_p = self.model.p_z.log_prob(tried, contexts) + self._log_seen(tried, contexts, wide)
                drawn = runtime.categorical(log_p.view(len(z), words), generator=generator)
                moved.append(float((drawn != z[:, i]).float().mean()))
                z[:, i] = drawn
        self.diagnostics["moved"] = sum(moved) / len(moved)
        return self.given_z.draw(self._likelihood(z, c), rows, generator)
