"""p(z): standard normal, a mixture of normals that is learned, or one of what the encoder makes of learned inputs."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from priorcraft import runtime
from priorcraft.likelihoods import Gaussian
from priorcraft.likelihoods.gaussian import kl_divergence


class MixturePrior(nn.Module):
    """p(z | c) = sum_m pi_m(c) N(z; mu_m(c), diag sigma_m(c)^2).

    A learned prior closes the part of the gap that comes from the mismatch between p(z) and the mean of q(z | x)
    (Tomczak & Welling 2018, arXiv:1705.07120).

    Args:
        latent: length of z.
        components: how many normals; 0 is the standard normal, without parameters.
        classes: how many separate priors, one a class; 1 for a common one.
    """

    def __init__(self, latent: int, components: int, classes: int = 1) -> None:
        super().__init__()
        self.latent, self.components = latent, components
        shape = (classes, max(components, 1))
        spread = 0.0 if components <= 1 else 1.0
        noise = torch.randn(*shape, latent, generator=runtime.keyed("mixture prior", latent, components))
        learned = nn.Parameter if components else nn.Buffer
        self.loc = learned(spread * noise)
        self.log_scale = learned(torch.zeros(*shape, latent))
        self.logits = (nn.Parameter if components > 1 else nn.Buffer)(torch.zeros(shape))

    def normals(self) -> Gaussian:
        """The components of every class, (classes, M, latent)."""
        return Gaussian(self.loc, self.log_scale)

    def _of(self, given: Tensor | None, n: int) -> tuple[Tensor, Gaussian]:
        """log pi (n, M) and the normals (n, M, latent) for each context."""
        rows, all_of_them = torch.zeros(n, dtype=torch.long, device=self.logits.device), self.normals()
        if given is not None and len(self.logits) > 1:
            rows = given
        return self.logits.log_softmax(-1)[rows], Gaussian(all_of_them.loc[rows], all_of_them.log_scale[rows])

    def normal(self, given: Tensor | None, n: int) -> Gaussian | None:
        """The prior as one normal (n, latent), where it is one."""
        if self.components > 1:
            return None
        _, normals = self._of(given, n)
        return Gaussian(normals.loc[:, 0], normals.log_scale[:, 0])

    def divergence(self, q: Gaussian, given: Tensor | None = None) -> Tensor | None:
        """KL(q || p(z | c)), exact, nats, (B,) for q of (B, latent); None where p is a mixture."""
        if not self.components:
            return (0.5 * (q.log_scale.mul(2).exp() + q.loc.square() - 1) - q.log_scale).sum(-1)
        normal = self.normal(given, len(q.loc))
        return None if normal is None else kl_divergence(q, normal).sum(-1)

    def log_prob(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """log p(z | c), exact, nats, (k, B) for z (k, B, latent)."""
        log_pi, normals = self._of(given, z.shape[-2])
        return torch.logsumexp(log_pi + normals.log_prob(z.unsqueeze(-2)).sum(-1), -1)

    def sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        """n draws, (n, latent)."""
        log_pi, normals = self._of(given, n)
        chosen = runtime.categorical(log_pi, generator=generator).view(n, 1, 1).expand(-1, 1, self.latent)
        loc, log_scale = normals.loc.gather(1, chosen)[:, 0], normals.log_scale.gather(1, chosen)[:, 0]
        return Gaussian(loc, log_scale).sample(generator)


class VampPrior(MixturePrior):
    """p(z | c) = sum_m pi_m(c) q(z | u_m, c), a mixture of what the encoder makes of learned inputs u.

    (Tomczak & Welling 2018, arXiv:1705.07120)

    Args:
        latent: length of z.
        inputs: pseudo-inputs of each class.
        classes: how many separate priors, one a class; 1 for a common one.
        event_shape: of a pseudo-input, in the network's units.
        encode: q(z | u, c) of pseudo-inputs (B, *event_shape) and classes (B,), or None without classes.
    """

    def __init__(
        self,
        latent: int,
        inputs: int,
        classes: int,
        event_shape: tuple[int, ...],
        encode: Callable[[Tensor, Tensor | None], Gaussian],
    ) -> None:
        nn.Module.__init__(self)
        self.latent, self.components, self.encode = latent, inputs, encode
        noise = torch.randn(classes, inputs, *event_shape, generator=runtime.keyed("pseudo-inputs", classes, inputs))
        self.inputs = nn.Parameter(0.1 * noise)
        self.logits = nn.Parameter(torch.zeros(classes, inputs))

    def normals(self) -> Gaussian:
        """What the encoder makes of the inputs of every class, (classes, M, latent)."""
        classes, count = self.logits.shape
        labels = torch.arange(classes, device=self.logits.device).repeat_interleave(count) if classes > 1 else None
        q = self.encode(self.inputs.flatten(0, 1), labels)
        return Gaussian(q.loc.unflatten(0, (classes, count)), q.log_scale.unflatten(0, (classes, count)))

    @torch.no_grad()
    def begin(self, u: Tensor, labels: Tensor | None, generator: Generator) -> None:
        """Starts the inputs at rows drawn from the data in the network's units, of their class where it is known."""
        for c, own in enumerate(self.inputs):
            rows = torch.arange(len(u), device=u.device)
            if labels is not None and len(self.inputs) > 1 and bool((labels == c).any()):
                rows = (labels == c).nonzero().flatten()
            chosen = torch.randint(len(rows), (len(own),), generator=generator, device=generator.device)
            own.copy_(u[rows[chosen.to(rows.device)]])
