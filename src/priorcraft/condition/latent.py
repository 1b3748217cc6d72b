"""Variational autoencoders: a Markov chain in z and the hidden entries."""

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.condition.evidence import effective_size, levels_table, possible
from priorcraft.core import UNLABELLED, Entrywise, Likelihood, Posterior
from priorcraft.explicit.approximate.vae import VAE
from priorcraft.likelihoods.discrete import Discrete
from priorcraft.observe import Mask


class LatentChain(Posterior):
    """Importance resampling of z from the prior, then Metropolis-within-Gibbs (Mattei & Frellsen 2018).

    1. (c, z) ~ p(c) p(z | c), kept by p(y | z, c);    2. x ~ p(x | z, c, y);
    3. z' ~ q(z' | x, c), accepted with min(1, p(x, z' | c) q(z | x, c) / p(x, z | c) q(z' | x, c)); back to 2.

    Each draw is the end of a chain of its own; it follows p(x | y) as `steps` grow, with the class as step 1 left it.

    Args:
        model: its decoder gives independent entries.
        observation: each entry by itself; only masks for real numbers.
        y: what is seen.
        given: labels, (B,), -1 where not known; None if none is.
        start: draws of z in step 1, for each row.
        steps: rounds of 2 and 3.
    """

    kind = "approximate"
    method = "Metropolis within Gibbs in z"

    def __init__(
        self,
        model: VAE,
        observation: Entrywise,
        y: Tensor,
        given: Tensor | None,
        *,
        start: int = 300,
        steps: int = 20,
    ) -> None:
        super().__init__()
        self.model, self.observation, self.y, self.given = model, observation, y, given
        self.start, self.steps = start, steps
        if model.space.levels is not None:
            self.evidence = levels_table(observation, y, model.space, model.log_prior).unflatten(1, y.shape[1:])

    def _log_seen(self, likelihood: Likelihood, rows: Tensor) -> Tensor:
        """log p(y | z), (B,)."""
        if isinstance(likelihood, Discrete):
            return torch.logsumexp(likelihood.table() + self.evidence[rows], -1).flatten(1).sum(1)
        assert isinstance(self.observation, Mask)
        each = likelihood.log_prob(self.y[rows])
        return torch.where(self.observation.seen, each, 0.0).flatten(1).sum(1)

    def _hidden(self, likelihood: Likelihood, rows: Tensor, generator: Generator) -> Tensor:
        """x ~ p(x | z, y)."""
        if isinstance(likelihood, Discrete):
            return runtime.categorical(likelihood.table() + self.evidence[rows], generator=generator)
        assert isinstance(self.observation, Mask)
        return torch.where(self.observation.seen, self.y[rows], likelihood.sample(generator))

    def _sample(self, n: int, generator: Generator) -> Tensor:
        rows = torch.arange(len(self.y), device=self.y.device).repeat_interleave(n)
        z, c = self._start(n, generator)
        accepted = torch.zeros(())
        for _ in range(self.steps):
            x = self._hidden(self.model.likelihood(z, c), rows, generator)
            noise = runtime.normal(tuple(z.shape), generator=generator, like=z)
            q = self.model.posterior(x, c)
            proposed = q.loc + q.log_scale.exp() * noise
            both = torch.stack([noise, self.model.noise_of(z, x, c)])
            new, old = self.model.log_weights_at(both, x, c)
            u = runtime.uniform(tuple(new.shape), generator=generator, like=new)
            take = u.log() < new - old
            z = torch.where(take[:, None], proposed, z)
            accepted += take.float().mean().cpu() / self.steps
        self.diagnostics["acceptance"] = float(accepted)
        x = self._hidden(self.model.likelihood(z, c), rows, generator)
        return x.view(len(self.y), n, *self.model.space.event_shape)

    def _start(self, n: int, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """n draws of (z, c) for each row, out of `start` weighted by p(y | z, c)."""
        zs, cs, sizes = [], [], []
        for i in range(len(self.y)):
            given = None if self.given is None or int(self.given[i]) == UNLABELLED else self.given[i]
            c = self.model._context_for(self.start, given, generator)
            z = self.model.prior(self.start, given=c, generator=generator)
            log_w = self._log_seen(self.model.likelihood(z, c), torch.full((self.start,), i, device=z.device))
            possible(log_w.logsumexp(0, keepdim=True), self.method)
            chosen = runtime.categorical(log_w.expand(n, -1), generator=generator)
            sizes.append(effective_size(log_w[None])[0])
            zs.append(z[chosen])
            cs.append(None if c is None else c[chosen])
        self.diagnostics["effective_share"] = float(torch.stack(sizes).mean()) / self.start
        return torch.cat(zs), None if cs[0] is None else torch.cat([c for c in cs if c is not None])
