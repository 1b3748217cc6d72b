"""Hierarchies whose pixels see earlier ones: chains in z and the hidden pixels in turn."""

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.condition.evidence import effective_size, possible
from priorcraft.core import UNLABELLED, Posterior
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.observe import Mask


class WindowChain(Posterior):
    """Importance resampling from the prior, then moves of z and of the hidden pixels h that keep p(z, h | s).

    Given z, pixels are drawn one after another, those that are seen kept as they are; w(h) is the product of the
    p(s_i | z, earlier pixels), so that (z, h) drawn from the prior has the weight w(h).

    1. z' ~ q(z' | x, c), accepted with min(1, p(x, z' | c) q(z | x, c) / p(x, z | c) q(z' | x, c));
    2. of h and `tries` new ones given z, one is kept with probability proportional to w
       (Mattei & Frellsen 2018; Andrieu, Lee & Vihola 2018, arXiv:1312.6432). The class stays as it began.

    Args:
        model: a ladder.
        observation: the mask that all rows share.
        y: what is seen, (B, *event_shape).
        given: labels, (B,), -1 where not known; None if none is.
        start: draws from the prior, for each row.
        steps: rounds of 1 and 2.
        tries: completions in each round.
    """

    kind = "approximate"
    method = "Metropolis within Gibbs in z and pixels"

    def __init__(
        self,
        model: LadderVAE,
        observation: Mask,
        y: Tensor,
        given: Tensor | None,
        *,
        start: int = 200,
        steps: int = 8,
        tries: int = 4,
    ) -> None:
        super().__init__()
        self.model, self.y, self.given, self.seen = model, y, given, observation.seen.to(y.device)
        self.start, self.steps, self.tries = start, steps, tries

    def _sample(self, n: int, generator: Generator) -> Tensor:
        z, c, x = self._begin(n, generator)
        accepted = moved = 0.0
        for _ in range(self.steps):
            noise = runtime.normal(tuple(z.shape), generator=generator, like=z)
            both = torch.stack([noise, self.model.noise_of(z, x, c)])
            new, old = self.model.log_weights_at(both, x, c)
            take = runtime.uniform(tuple(new.shape), generator=generator, like=new).log() < new - old
            z = torch.where(take[:, None], self.model.z_of(noise, x, c), z)
            changed = self._pixels(z, c, x, generator)
            accepted += float(take.float().mean()) / self.steps
            moved += float((changed != x).flatten(1).any(1).float().mean()) / self.steps
            x = changed
        self.diagnostics |= {"acceptance": accepted, "pixels_moved": moved}
        return x.view(len(self.y), n, *self.model.space.event_shape)

    def _log_w(self, z: Tensor, c: Tensor | None, x: Tensor) -> Tensor:
        """log w, nats, (B,)."""
        return torch.where(self.seen, self.model.log_prob_each(z, x, c), 0.0).flatten(1).sum(1)

    def _pixels(self, z: Tensor, c: Tensor | None, x: Tensor, generator: Generator) -> Tensor:
        """x, or one of `tries` others."""
        z, c = z.repeat_interleave(self.tries + 1, 0), None if c is None else c.repeat_interleave(self.tries + 1, 0)
        tried = self.model.completed(z, x.repeat_interleave(self.tries + 1, 0), self.seen, c, generator=generator)
        tried[:: self.tries + 1] = x
        log_w = self._log_w(z, c, tried).view(len(x), -1)
        chosen = runtime.categorical(log_w, generator=generator)
        return tried.view(len(x), -1, *x.shape[1:])[torch.arange(len(x), device=x.device), chosen]

    def _begin(self, n: int, generator: Generator) -> tuple[Tensor, Tensor | None, Tensor]:
        """n draws of (z, c, x) for each row, out of `start` weighted by w."""
        zs, cs, xs, sizes = [], [], [], []
        for i in range(len(self.y)):
            given = None if self.given is None or int(self.given[i]) == UNLABELLED else self.given[i]
            c = self.model.contexts(self.start, given, generator=generator)
            z = self.model.prior(self.start, given=c, generator=generator)
            y = self.y[i].expand(self.start, *self.y.shape[1:])
            x = self.model.completed(z, y, self.seen, c, generator=generator)
            log_w = self._log_w(z, c, x)
            possible(log_w.logsumexp(0, keepdim=True), f"{self.start} draws of z")
            chosen = runtime.categorical(log_w.expand(n, -1), generator=generator)
            sizes.append(float(effective_size(log_w[None])[0]))
            zs.append(z[chosen])
            xs.append(x[chosen])
            cs.append(None if c is None else c[chosen])
        self.diagnostics["effective_share"] = sum(sizes) / len(sizes) / self.start
        return torch.cat(zs), None if cs[0] is None else torch.cat([c for c in cs if c is not None]), torch.cat(xs)
